"""A client of one account, for the tests of what answers it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.core.exact import use_exact_decimals
from fairlead.fix.store import Store
from tests.gateway.fixapi.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    use_exact_decimals()
    store = Store.open(tmp_path)
    yield World(store)
    store.close()
