"""Every stop of the tour, looked at for what keeps people out.

axe-core finds nothing serious or critical, in both colour schemes; nothing must be moved sideways to be
seen, on a telephone, a tablet or a screen.
"""

from pathlib import Path

from tests.browser.browser import DARK, LIGHT, WIDTH, Page
from tests.browser.console import Console
from tests.browser.tour import tour
from tests.system import Json

WIDTHS = (390, 800, WIDTH)  # the last one stays

PICTURES = {
    each.name for each in (Path(__file__).parents[2] / "docs/assets/console").glob("*.png")
}  # made by `make screenshots`


def test_nothing_keeps_anybody_out(console: Console) -> None:
    found: dict[str, list[dict[str, Json]]] = {}
    stops: list[str] = []
    too_wide: list[tuple[str, int]] = []

    def look(name: str, page: Page) -> None:
        stops.append(name)
        for scheme in (LIGHT, DARK):
            page.wears(scheme)
            violations = page.violations()
            if violations:
                found[f"{name} in {scheme}"] = violations
        too_wide.extend((name, width) for width in WIDTHS if not page.is_as_wide_as(width))
        page.wears(LIGHT)

    tour(console, look)
    assert found == {}
    assert too_wide == []
    assert {f"{each}-{scheme}.png" for each in stops for scheme in (LIGHT, DARK)} == PICTURES
