"""Running systems, and the library's two clients behind one face."""

from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import (
    apart,
    apart_of_module,
    desk,
    desk_of_module,
    hasty,
    hasty_of_module,
    make_desk,
)
from tests.client.callers import CALLERS, Caller, MakeCaller

__all__ = [
    "apart",
    "apart_of_module",
    "desk",
    "desk_of_module",
    "hasty",
    "hasty_of_module",
    "make_desk",
]


@pytest.fixture(params=list(CALLERS))
def make_caller(request: pytest.FixtureRequest) -> Iterator[MakeCaller]:
    """Make a client of each kind; all are closed with the test."""
    made: list[Caller] = []

    def make(url: str, **settings: float) -> Caller:
        made.append(CALLERS[request.param](url, **settings))
        return made[-1]

    yield make
    for caller in made:
        caller.close()
