"""axe-core at every stop of the tour, in both colour schemes: nothing serious, nothing critical."""

from tests.browser.browser import DARK, LIGHT, Page
from tests.browser.console import Console
from tests.browser.tour import tour
from tests.system import Json


def test_nothing_keeps_anybody_out(console: Console) -> None:
    found: dict[str, list[dict[str, Json]]] = {}
    stops = []

    def look(name: str, page: Page) -> None:
        stops.append(name)
        for scheme in (LIGHT, DARK):
            page.wears(scheme)
            violations = page.violations()
            if violations:
                found[f"{name} in {scheme}"] = violations
        page.wears(LIGHT)

    tour(console, look)
    assert found == {}
    assert len(stops) == len(set(stops))
