"""What the control database holds, carried from a server to a file and back: of one moment, or nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Boolean, LargeBinary, Text, delete, func, select
from sqlalchemy.engine import Row

from fairlead.control.control import Control
from fairlead.control.copying import check_folder, copy_to_folder, put_from_folder, take_out
from fairlead.control.errors import ControlError, StoreNewer, StoreUnusable
from fairlead.control.key_changes import Wanted
from fairlead.control.keyring import Made
from fairlead.control.names import HEAD_FILE
from fairlead.control.people.throttles import SIGN_IN, attempts
from fairlead.control.store import Store
from fairlead.control.tables import ATTEMPTS, AUDIT, KEYS, METADATA
from tests.control.conftest import CHEAP, OWNER
from tests.postgresql import Server, tables_of

NOW = 1_000 * 86_400 * 10**9


def quiet(done: int, total: int) -> None:
    """Tell nobody."""


class World:
    """A control plane on a server, with something in every table."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.data = folder / "data"
        with self.open() as control:
            made = control.keyring.create(OWNER, Wanted(label="Bot1", days=90), NOW)
            assert isinstance(made, Made)
            self.secret = made.secret
            with control.store.append() as change:
                for table in METADATA.sorted_tables:
                    if not change.execute(select(func.count()).select_from(table)).scalar_one():
                        change.execute(table.insert().values(made_up(table, made.key.kid)))

    def open(self, data: Path | None = None, url: str | None = "") -> Control:
        where = self.url if url == "" else url
        key = self.data.with_name("data.key")
        key_path = key if key.exists() else None
        return Control.open(data or self.data, where, key_path, "local", 1, CHEAP)


def made_up(table: Any, kid: str) -> dict[str, object]:
    """Return a row of a table; what it refers to is there."""
    row: dict[str, object] = {}
    for column in table.columns:
        if column.name in ("subscription", "kid", "user"):
            row[column.name] = {"subscription": "local", "kid": kid, "user": "usr_x"}[column.name]
        elif isinstance(column.type, LargeBinary):
            row[column.name] = bytes(range(256))
        elif isinstance(column.type, Boolean):
            row[column.name] = True
        elif isinstance(column.type, Text):
            row[column.name] = "Zoë \\ ' \" \n €"
        else:
            row[column.name] = 2**62 if column.name.endswith("_ns") else 7
    return row


@pytest.fixture
def world(postgresql: Server, tmp_path: Path) -> World:
    return World(tmp_path, postgresql.new_database())


def rows_of(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.read() as connection:
        return {
            table.name: sorted(map(plain, connection.execute(select(table))), key=repr)
            for table in METADATA.sorted_tables
        }


def plain(row: Row[Any]) -> tuple[object, ...]:
    return tuple(row)


def test_all_of_it_comes_to_a_file_and_to_another_server(
    world: World, postgresql: Server, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    told: list[tuple[int, int]] = []
    place = copy_to_folder(world.url, copy, lambda done, total: told.append((done, total)))
    assert place.startswith("postgresql")
    assert told[-1][0] == told[-1][1]
    assert [each.name for each in copy.iterdir()] == ["control.sqlite"]
    assert (copy / "control.sqlite").stat().st_mode & 0o777 == 0o600
    (copy / HEAD_FILE).write_bytes((world.data / HEAD_FILE).read_bytes())
    check_folder(copy)
    other = postgresql.new_database()
    put_from_folder(copy, other, quiet)
    with world.open() as original:
        expected = rows_of(original.store)
    assert all(expected.values())  # something is in every table
    for data, url in ((copy, None), (copy, other)):
        with world.open(data, url) as control:
            assert rows_of(control.store) == expected
            assert control.audit.verify().holds
            assert [each.key.label for each in control.keyring.usable()] == ["Bot1"]
            with control.store.change() as change:  # numbered after those that came
                assert attempts(change, ((SIGN_IN, "x"),), NOW) is None
                newest = change.execute(select(func.max(ATTEMPTS.c.attempt))).scalar_one()
            assert newest == 8


def test_it_is_of_the_moment_in_which_it_began(world: World, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()

    def meanwhile(done: int, total: int) -> None:
        with world.open() as control:
            control.keyring.create(OWNER, Wanted(label=f"Late{done}", days=1), NOW)

    copy_to_folder(world.url, copy, meanwhile)
    with Store.open(copy) as store, store.read() as connection:
        assert connection.execute(select(KEYS.c.label)).scalars().all() == ["Bot1"]
        assert connection.execute(select(func.count()).select_from(AUDIT)).scalar_one() == 1


class Cut(Exception):
    """The power fails here."""


@pytest.mark.parametrize("at", range(1, 19, 4))
def test_what_is_cut_short_leaves_the_server_empty(
    world: World, postgresql: Server, tmp_path: Path, at: int
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_to_folder(world.url, copy, quiet)
    other = postgresql.new_database()

    def cut(done: int, total: int) -> None:
        if done >= at:
            raise Cut

    with pytest.raises(Cut):
        put_from_folder(copy, other, cut)
    assert tables_of(other) == 0
    put_from_folder(copy, other, quiet)
    take_out(other, copy)
    assert tables_of(other) == 0


def test_a_server_that_holds_something_is_not_filled(world: World, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_to_folder(world.url, copy, quiet)
    with Store.as_it_is(tmp_path, world.url) as store:
        before = rows_of(store)
    with pytest.raises(StoreUnusable, match="has tables already; name a database, or schema"):
        put_from_folder(copy, world.url, quiet)
    with Store.as_it_is(tmp_path, world.url) as store:
        assert rows_of(store) == before


def test_a_server_that_holds_none_or_another_step_is_not_copied(
    world: World, postgresql: Server, tmp_path: Path
) -> None:
    with pytest.raises(StoreUnusable, match="is no control database"):
        copy_to_folder(postgresql.new_database(), tmp_path, quiet)
    for step, error in (("r0001", StoreUnusable), ("r9999", StoreNewer)):
        with psycopg.connect(world.url) as connection:
            connection.execute("UPDATE alembic_version SET version_num = %s", [step])
        with pytest.raises(error, match=f"is at step {step}"):
            copy_to_folder(world.url, tmp_path, quiet)
    assert not (tmp_path / "control.sqlite").exists()


def cut_the_last(copy: Path) -> None:
    with Store.open(copy) as store, store.append() as change:
        last = select(func.max(AUDIT.c.number)).scalar_subquery()
        change.execute(delete(AUDIT).where(AUDIT.c.number == last))


def take_one_out(copy: Path) -> None:
    with Store.open(copy) as store, store.append() as change:
        change.execute(delete(AUDIT).where(AUDIT.c.number == 1))


def change_the_last(copy: Path) -> None:
    with Store.open(copy) as store, store.append() as change:
        last = select(func.max(AUDIT.c.number)).scalar_subquery()
        change.execute(AUDIT.update().where(AUDIT.c.number == last).values(seal=b"x" * 32))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut_the_last, "row 2 of the audit of local is missing"),
        (take_one_out, "the audit of local has 1 rows, the last is number 2"),
        (change_the_last, "row 2 of the audit of local is missing or another"),
    ],
)
def test_a_copy_whose_audit_is_torn_goes_nowhere(
    world: World, postgresql: Server, tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    with world.open() as control:
        control.keyring.create(OWNER, Wanted(label="Bot2", days=90), NOW)
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_to_folder(world.url, copy, quiet)
    (copy / HEAD_FILE).write_bytes((world.data / HEAD_FILE).read_bytes())
    damage(copy)
    other = postgresql.new_database()
    with pytest.raises(ControlError, match=said):
        check_folder(copy)
    with pytest.raises(ControlError, match=said):
        put_from_folder(copy, other, quiet)
    assert tables_of(other) == 0
