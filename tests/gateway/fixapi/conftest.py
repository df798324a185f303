"""A client of one account, for the tests of what answers it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fairlead.core.exact import use_exact_decimals
from fairlead.fix.store import Store
from tests.gateway.fixapi.world import World


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    use_exact_decimals()
    with closing(Store.open(tmp_path)) as store:
        yield store


@pytest.fixture
def world(store: Store) -> World:
    return World(store)
