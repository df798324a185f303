"""One gateway with its management API for all tests of a module, once by key and once open."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.gateway.management.world import Managed, managed


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keyed_gateway() -> AsyncIterator[Managed]:
    async with managed(is_open=False) as gateway:
        yield gateway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_gateway() -> AsyncIterator[Managed]:
    async with managed(is_open=True) as gateway:
        yield gateway


@pytest.fixture(params=["keyed", "open"])
def gateway(request: pytest.FixtureRequest) -> Managed:
    """The gateway in each mode; every key has all its requests again."""
    served: Managed = request.getfixturevalue(f"{request.param}_gateway")
    served.clock[0] += 1_000_000_000
    return served
