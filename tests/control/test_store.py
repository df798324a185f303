"""The control database: made, brought up to date, changed by one at a time, refused when it is not ours."""

import json
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, func, inspect, select, text

import fairlead.control
from fairlead.control import store as stores
from fairlead.control.errors import ControlError, StoreNewer, StoreUnusable
from fairlead.control.migrations import HEAD
from fairlead.control.names import DATABASE
from fairlead.control.store import Store, migrate
from fairlead.control.tables import CONTROL, METADATA, SUBSCRIPTIONS
from tests.control.conftest import OpenStore
from tests.postgresql import Server

RACERS = 8


def add(connection: Connection, name: str) -> None:
    row = {"subscription": name, "created_ns": 1, "data_key": b"", "key_name": ""}
    connection.execute(SUBSCRIPTIONS.insert().values(row))


def names(store: Store) -> list[str]:
    with store.read() as connection:
        return sorted(connection.execute(select(SUBSCRIPTIONS.c.subscription)).scalars())


# ── made, and brought up to date ─────────────────────────────────────────────────────────────────


def test_a_new_database_has_the_tables_that_the_code_declares(store: Store) -> None:
    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def reflected(connection: Connection) -> dict[str, object]:
    """Return all that a database says of its tables, conditions of indexes included."""
    seen = inspect(connection)
    return {
        name: (
            json.dumps(seen.get_columns(name), default=str),
            seen.get_pk_constraint(name),
            seen.get_foreign_keys(name),
            seen.get_check_constraints(name),
            json.dumps(seen.get_indexes(name), default=str),
        )
        for name in sorted(seen.get_table_names())
    }


def test_a_new_database_is_what_all_the_steps_make_of_an_empty_one(
    tmp_path: Path, store: Store, database_url: str | None, request: pytest.FixtureRequest
) -> None:
    other = f"sqlite:///{tmp_path / 'stepped.sqlite'}"
    if database_url is not None:
        server: Server = request.getfixturevalue("postgresql")
        other = server.new_database().replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(other)
    with engine.begin() as connection, store.read() as new:
        migrate(connection, "a database")
        assert reflected(connection) == reflected(new)
        rows = [each.execute(select(CONTROL)).all() for each in (connection, new)]
        assert rows[0] == rows[1] == [(1, 0)]
    engine.dispose()


def test_the_named_head_is_the_newest_step_and_the_steps_are_one_line() -> None:
    folder = Path(fairlead.control.__file__).parent / "migrations"
    steps = list(ScriptDirectory(str(folder)).walk_revisions())
    assert [step.revision for step in steps] == [f"r{n:04}" for n in range(len(steps), 0, -1)]
    assert steps[0].revision == HEAD


def test_what_was_stored_is_there_when_it_is_opened_again(open_store: OpenStore) -> None:
    first = open_store()
    with first.change() as connection:
        add(connection, "desk")
    first.close()
    assert names(open_store()) == ["desk"]


def test_a_new_and_an_up_to_date_database_are_opened_without_alembic(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from fairlead.control.store import Store;"
        f"[Store.open(Path({str(tmp_path)!r})).close() for _ in range(2)];"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_opened_by_eight_at_once_it_is_made_once(tmp_path: Path, database_url: str | None) -> None:
    def open_it(_: int) -> int:
        with Store.open(tmp_path / "data", database_url) as store:
            return store.revision()

    with ThreadPoolExecutor(RACERS) as pool:
        assert list(pool.map(open_it, range(RACERS))) == [0] * RACERS


def test_the_file_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store, store.change() as connection:
        add(connection, "desk")
        files = [each for each in tmp_path.iterdir() if each.name.startswith(DATABASE)]
        assert len(files) == 3  # with its WAL
        assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}


# ── changes ──────────────────────────────────────────────────────────────────────────────────────


def test_a_change_that_fails_leaves_nothing_behind(store: Store) -> None:
    before = store.revision()

    def fail_after_adding() -> None:
        with store.change() as connection:
            add(connection, "desk")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_adding()
    assert names(store) == []
    assert store.revision() == before


def test_every_change_is_counted_and_seen_by_other_processes(open_store: OpenStore) -> None:
    mine, others = open_store(), open_store()
    for count in range(1, 4):
        with mine.change() as connection:
            add(connection, f"desk-{count}")
        assert others.revision() == count


def test_a_change_that_nobody_needs_to_hear_of_is_not_counted(open_store: OpenStore) -> None:
    mine, others = open_store(), open_store()
    with mine.change(is_told=False) as connection:
        add(connection, "desk")
    assert others.revision() == 0
    assert names(others) == ["desk"]


def test_what_a_change_has_read_is_still_so_when_it_commits(open_store: OpenStore) -> None:
    """Eight connections count rows and add one each: no count is seen twice."""
    stores = [open_store() for _ in range(RACERS)]

    def count_and_add(racer: int) -> list[int]:
        counted = []
        for turn in range(5):
            with stores[racer].change(is_told=turn % 2 == 0) as connection:
                count = select(func.count()).select_from(SUBSCRIPTIONS)
                counted.append(connection.execute(count).scalar_one())
                add(connection, f"{racer}-{turn}")
        return counted

    with ThreadPoolExecutor(RACERS) as pool:
        counts = [count for each in pool.map(count_and_add, range(RACERS)) for count in each]
    assert sorted(counts) == list(range(RACERS * 5))


def test_a_change_waits_for_another_so_long_and_no_longer(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_LOCK_WAIT_S", 0.1)
    mine, others = open_store(), open_store()
    with mine.change() as connection:
        add(connection, "desk")
        with pytest.raises(StoreUnusable, match="lock"), others.change():
            raise AssertionError("two changes at a time")
    with others.change() as connection:
        add(connection, "desk-2")
    assert names(mine) == ["desk", "desk-2"]


def test_who_stops_in_the_middle_of_a_change_does_not_hold_up_others_for_ever(
    tmp_path: Path, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql.new_database()
    with ExitStack() as opened:
        with monkeypatch.context() as patched:  # of ours alone, and no machine is busy for so long
            patched.setattr(stores, "_IDLE_WAIT_S", 1.0)
            mine = opened.enter_context(Store.open(tmp_path, url))
        others = opened.enter_context(Store.open(tmp_path, url))

        def stop_in_the_middle() -> None:
            with mine.change() as connection:
                add(connection, "desk")
                with others.change() as other:  # by now the server has given up ours
                    add(other, "desk-2")
                add(connection, "desk-3")

        with pytest.raises(StoreUnusable):
            stop_in_the_middle()
        assert names(others) == ["desk-2"]


def test_a_reader_sees_one_moment(open_store: OpenStore) -> None:
    reader, writer = open_store(), open_store()
    count = select(func.count()).select_from(SUBSCRIPTIONS)
    with reader.read() as connection:
        assert connection.execute(count).scalar_one() == 0
        with writer.change() as change:
            add(change, "desk")
        assert connection.execute(count).scalar_one() == 0
    assert names(reader) == ["desk"]


def test_a_process_killed_in_a_change_leaves_nothing_of_it_and_holds_up_nobody(
    tmp_path: Path, database_url: str | None
) -> None:
    program = (
        "import os, signal; from pathlib import Path; from sqlalchemy import text;"
        "from fairlead.control.store import Store;"
        f"store = Store.open(Path({str(tmp_path / 'data')!r}), {database_url!r});"
        "change = store.change(); connection = change.__enter__();"
        "connection.execute(text(\"INSERT INTO subscriptions VALUES ('half', 1, '', '')\"));"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False)
    assert ended.returncode == -signal.SIGKILL
    with Store.open(tmp_path / "data", database_url) as store:
        assert names(store) == []
        with store.change() as connection:
            add(connection, "whole")
        assert names(store) == ["whole"]


# ── what is not ours ─────────────────────────────────────────────────────────────────────────────


def test_a_database_of_a_later_version_is_refused_and_left_alone(open_store: OpenStore) -> None:
    with open_store() as store, store.change() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    with pytest.raises(StoreNewer, match="is at step r9999, this program knows steps up to"):
        open_store()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / DATABASE
    file.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreUnusable, match="file is not a database"):
        Store.open(tmp_path)
    assert file.read_bytes() == b"not a database" * 100


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://user:hush@host/database", "begins with mysql://, expected postgresql://"),
        ("postgresql:/hush", "cannot be read; expected postgresql://USER@HOST/DATABASE"),
        ("postgresql://user:hush@127.0.0.1:1/database", "127.0.0.1"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_without_its_password(
    tmp_path: Path, url: str, words: str
) -> None:
    with pytest.raises(StoreUnusable) as caught:
        Store.open(tmp_path, url)
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)


def test_an_error_says_nothing_of_what_was_to_be_stored(store: Store) -> None:
    with store.change() as connection:
        add(connection, "hush")
    with pytest.raises(ControlError) as caught, store.change() as connection:
        add(connection, "hush")
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


# ── looking ──────────────────────────────────────────────────────────────────────────────────────


def test_looking_makes_nothing_and_finds_what_opening_would_refuse(
    tmp_path: Path, database_url: str | None
) -> None:
    data = tmp_path / "data"
    Store.look(data, database_url)
    assert not data.exists()
    with Store.open(data, database_url) as store:
        Store.look(data, database_url)
        with store.change() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    with pytest.raises(StoreNewer, match="is at step r9999"):
        Store.look(data, database_url)
