"""A browser for all tests of a process, a console for each module; what a failed test leaves to look at."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.browser import Browser, Window, missing
from tests.browser.console import Console, started

FAILURES = Path(__file__).parent / "failures"
PAGE = Path(__file__).parents[2] / "src" / "fairlead" / "console" / "index.html"
_FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    lacks = missing() or (None if PAGE.exists() else "the page is not built (make web)")
    if lacks is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(lacks)
        pytest.skip(lacks)
    started_browser = Browser()
    yield started_browser
    started_browser.close()


@pytest.fixture(scope="module")
def console_of_module(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Console]:
    with started(tmp_path_factory.mktemp("console"), browser) as console:
        yield console


@pytest.fixture
def windows(request: pytest.FixtureRequest) -> Iterator[list[Window]]:
    """Where a test puts the windows that it opens: they are closed, and what they must not do fails it."""
    opened: list[Window] = []
    try:
        yield opened
        troubles = [each for window in opened for each in window.troubles()]
        if troubles or request.node.stash.get(_FAILED, False):
            _keep_evidence(opened, re.sub(r"\W+", "-", request.node.name))
        assert troubles == [], "what a page must not do"
    finally:
        for window in opened:
            window.close()


@pytest.fixture
def console(console_of_module: Console, windows: list[Window]) -> Console:
    """The module's console."""
    console_of_module.windows = windows
    return console_of_module


def _keep_evidence(windows: list[Window], name: str) -> None:
    for number, window in enumerate(windows):
        for path in window.evidence(FAILURES, f"{name}-{number}"):
            print(f"kept: {path}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Note which test has failed, before its fixtures end."""
    report = yield
    if call.when == "call" and call.excinfo is not None:
        item.stash[_FAILED] = True
    return report
