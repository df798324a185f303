"""What every test starts with, arithmetic that refuses to round, as in every entry point; their order."""

import signal

import pytest
from hypothesis import settings

from fairlead.core.exact import use_exact_decimals
from tests.schedule import LongestFirst, seconds_of

settings.register_profile("fairlead", deadline=None)  # a busy machine is no failure
settings.load_profile("fairlead")


def pytest_configure() -> None:
    """Have Ctrl-C end the commands that tests start: a shell keeps it from what it runs in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    use_exact_decimals()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest files first, where several workers share them."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: -seconds_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LongestFirst | None:
    """Deal the files out in that order."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return LongestFirst(config, log)
