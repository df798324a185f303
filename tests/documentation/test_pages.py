"""Every page, followed as a reader would: each block is run, and prints what is shown, or says why not."""

import os
import re
from pathlib import Path

import pytest

from tests.documentation.fences import RUNNABLE, SHOWN, fences_of
from tests.documentation.reader import ROOT, Reader, needs
from tools.pages.text import NOTE

README = ROOT / "README.md"
PAGES = sorted(
    str(page.relative_to(ROOT)) for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
)
FOLLOWED = [
    name
    for name in PAGES
    if any(fence.language in RUNNABLE for fence in fences_of(ROOT / name, ROOT))
]

# What the block "Test it" of README takes with these to show that it starts: minutes otherwise.
SMALL = {
    "make test": {"TEST_ARGS": "-n 0 tests/core/test_order.py"},
    "make simulate": {"SEEDS": "4"},
    "make bench": {"BENCH_ARGS": "orders --quick"},
}
WHOLE_IN_CI = {"make check", "make docs", "make crash-test"}  # .ci/run runs them: they take long


@pytest.mark.parametrize("name", FOLLOWED)
def test_every_block_of_a_page_does_what_it_shows(name: str, tmp_path: Path) -> None:
    missing = needs("bash", "curl", "make")
    if missing is not None and not os.environ.get("CI"):
        pytest.skip(f"{missing} is not on this machine")
    fences = fences_of(ROOT / name, ROOT)
    with Reader(tmp_path) as reader:
        assert reader.read(fences) == sum(
            fence.language in RUNNABLE and fence.title is None and fence.reason is None
            for fence in fences
        )


@pytest.mark.parametrize("command", SMALL)
def test_a_long_command_of_the_readme_starts(command: str, tmp_path: Path) -> None:
    with Reader(tmp_path, SMALL[command]) as reader:
        reader.run(command, "README.md")


def test_every_long_command_of_the_readme_is_run_here_or_by_ci() -> None:
    (block,) = [fence for fence in fences_of(README, ROOT) if "make bench" in fence.text]
    assert block.reason
    commands = {line.partition("#")[0].strip() for line in block.text.splitlines()}
    assert commands == SMALL.keys() | WHOLE_IN_CI
    ci = (ROOT / ".ci/run").read_text()
    assert not [each for each in WHOLE_IN_CI if not re.search(rf'" {each}$', ci, re.MULTILINE)]


def test_the_readme_is_one_screen() -> None:
    assert len(README.read_text().splitlines()) <= 80


def test_every_block_of_every_page_is_of_a_kind_that_is_known() -> None:
    """What the reader runs, what it compares or writes, and the exchanges of generated pages."""
    for name in PAGES:
        kinds = {fence.language for fence in fences_of(ROOT / name, ROOT)}
        exchanges = {"http"} if NOTE in (ROOT / name).read_text() else set()
        assert kinds <= {*RUNNABLE, *SHOWN, *exchanges}, name


def test_every_page_that_shows_a_command_is_followed() -> None:
    assert {"docs/tutorial/first-order.md", "docs/reference/client.md"} < set(FOLLOWED)
    assert {"docs/operations/backup.md", "docs/operations/doctor.md"} < set(FOLLOWED)
