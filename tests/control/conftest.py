"""The control database for tests: everything runs on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.people.passwords import Cost
from fairlead.control.store import Store
from tests.postgresql import Server, shared_server

DATABASES = ("sqlite", "postgresql")
OpenStore = Callable[[], Store]
OpenControl = Callable[[], Control]
OWNER = Actor("owner", "local", "machine")
CHEAP = Cost(1, 64, 1)  # Argon2id as ever, at a cost that tests can pay a thousand times


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    with shared_server() as server:
        yield server


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str | None:
    """Name an empty database: None is SQLite in the data folder."""
    if request.param == "sqlite":
        return None
    server: Server = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture
def open_store(tmp_path: Path, database_url: str | None) -> Iterator[OpenStore]:
    """Open the test's database; a second time as another process would."""
    opened: list[Store] = []

    def open_it() -> Store:
        opened.append(Store.open(tmp_path / "data", database_url))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()


@pytest.fixture
def open_control(tmp_path: Path, database_url: str | None) -> Iterator[OpenControl]:
    """Open the test's control plane; a second time as another process would."""
    opened: list[Control] = []

    def open_it() -> Control:
        opened.append(Control.open(tmp_path / "data", database_url, None, "local", 1, CHEAP))
        return opened[-1]

    yield open_it
    for control in opened:
        control.close()


@pytest.fixture
def control(open_control: OpenControl) -> Control:
    return open_control()
