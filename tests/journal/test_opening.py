"""What is not ours, torn, newer, in use or unwritable is refused by name and left untouched."""

import errno
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from fairlead.core.reports import PositionReport
from fairlead.journal import Journal, JournalReader, opening, verify
from fairlead.journal.errors import (
    JournalError,
    JournalInUse,
    JournalMissing,
    JournalNewer,
    JournalTorn,
    JournalUnwritable,
    NotAJournal,
)
from fairlead.journal.opening import FILE_NAME, LOCK_NAME, Holder, explained, holder_of
from fairlead.journal.schema import APPLICATION_ID, MIGRATIONS
from tests.journal.bookkeeper import Bookkeeper

FILE = "journal.sqlite"


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A folder with a journal of 40 orders, closed."""
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        for n in range(40):
            books.route(books.open(f"order {n}").number)
            books.commit()
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name.startswith(FILE)}


def truncate_to(size: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, size)


def overwrite(data: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data + path.read_bytes()[len(data) :]) and None


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA application_id = 1196444487")
        connection.execute("CREATE TABLE features (x)")
    connection.close()


def newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")  # so that the file itself changes
    connection.execute("PRAGMA user_version = 99")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def without_id(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DELETE FROM meta")
    connection.close()


def with_bad_account(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE accounts SET record = x'c1'")
    connection.close()


@pytest.mark.parametrize(
    ("damage", "error", "said"),
    [
        (truncate_to(0), JournalTorn, "empty"),
        (truncate_to(60), JournalTorn, "cut short after 60 bytes"),
        (truncate_to(100), JournalTorn, "malformed|cut short"),
        (truncate_to(4096), JournalTorn, "malformed|cut short"),
        (truncate_to(3 * 4096 + 17), JournalTorn, "malformed|cut short"),
        (overwrite(b"GARBAGE."), NotAJournal, "begins with b'GARBAGE"),
        (overwrite(bytes(4096)), NotAJournal, "is not SQLite"),
        (foreign, NotAJournal, "application_id 0x47504b47; a Fairlead journal has"),
        (newer, JournalNewer, "schema version 99, this program knows up to"),
        (without_id, JournalTorn, "has no installation_id"),
        (with_bad_account, JournalTorn, "a row cannot be decoded"),
    ],
)
def test_damaged_or_foreign_file_is_refused_and_untouched(
    stopped: Path, damage: Callable[[Path], None], error: type[JournalError], said: str
) -> None:
    damage(stopped / FILE)
    before = contents(stopped)
    for _ in range(2):  # and the folder's lock was let go
        with pytest.raises(error, match=said) as refusal:
            Journal.open(stopped)
        assert str(stopped / FILE) in str(refusal.value)
        after = contents(stopped)
        assert after[FILE] == before[FILE]


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (truncate_to(60), NotAJournal),
        (truncate_to(4096), JournalTorn),
        (overwrite(b"GARBAGE."), NotAJournal),
        (foreign, NotAJournal),
        (newer, JournalNewer),
    ],
)
def test_readers_refuse_the_same(
    stopped: Path, damage: Callable[[Path], None], error: type[JournalError]
) -> None:
    damage(stopped / FILE)
    before = contents(stopped)[FILE]
    for read in (JournalReader, verify):
        with pytest.raises(error):
            read(stopped)
    assert contents(stopped)[FILE] == before


def test_there_is_nothing_to_read_in_an_empty_folder(tmp_path: Path) -> None:
    for read in (JournalReader, verify):
        with pytest.raises(JournalMissing, match="does not exist"):
            read(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folder_is_held_by_one_process_and_free_when_it_dies(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, fairlead.journal as j\n"
        "journal = j.Journal.open(pathlib.Path(sys.argv[1]))\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(JournalInUse, match=f"held by another process .pid {other.pid}."):
            Journal.open(tmp_path)
        with JournalReader(tmp_path) as reader:  # reading is free
            assert reader.order_story(1) == []
        other.kill()
        other.wait()
    with Journal.open(tmp_path) as journal:
        assert journal.restore().next_number == 1


def test_who_holds_a_folder_is_seen_by_looking_which_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert holder_of(tmp_path) is None
    with Journal.open(tmp_path):
        assert holder_of(tmp_path) == Holder(os.getpid())
    assert holder_of(tmp_path) is None
    look = os.open(tmp_path / LOCK_NAME, os.O_RDONLY)
    fcntl.flock(look, fcntl.LOCK_SH)  # somebody is just looking
    monkeypatch.setattr(opening.time, "sleep", lambda _: os.close(look))
    with Journal.open(tmp_path):
        assert holder_of(tmp_path) == Holder(os.getpid())


def test_half_made_file_of_a_crash_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / (FILE + ".new")).write_bytes(b"half")
    (tmp_path / (FILE + ".new-journal")).write_bytes(b"half")
    with Journal.open(tmp_path):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["journal.lock", FILE]


def test_wal_without_its_file_is_not_built_over(stopped: Path) -> None:
    (stopped / FILE).rename(stopped / "elsewhere")
    (stopped / (FILE + "-wal")).write_bytes(b"x" * 100)
    with pytest.raises(JournalTorn, match="missing, while its WAL"):
        Journal.open(stopped)
    assert not (stopped / FILE).exists()


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(JournalUnwritable, match=r"journal\.lock: cannot be opened for writing"):
        Journal.open(tmp_path / "file")


def test_file_that_is_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(NotAJournal, match="not a regular file"):
        Journal.open(tmp_path)


def test_read_only_file_is_said(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:  # for root every file is writable: judge as an ordinary user would
        monkeypatch.setattr(os, "access", lambda path, mode: not (mode & os.W_OK))
    else:
        (stopped / FILE).chmod(0o400)
    with pytest.raises(JournalUnwritable, match="read-only for this user"):
        Journal.open(stopped)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (sqlite3.SQLITE_NOTADB, NotAJournal),
        (sqlite3.SQLITE_BUSY, JournalInUse),
        (sqlite3.SQLITE_FULL, JournalUnwritable),
        (sqlite3.SQLITE_READONLY, JournalUnwritable),
        (sqlite3.SQLITE_CANTOPEN, JournalUnwritable),
        (sqlite3.SQLITE_IOERR_WRITE, JournalUnwritable),
        (sqlite3.SQLITE_CORRUPT, JournalTorn),
        (sqlite3.SQLITE_ERROR, JournalTorn),
    ],
)
def test_sqlite_codes_are_told_apart(code: int, error: type[JournalError]) -> None:
    cause = sqlite3.OperationalError("words that are never matched on")
    cause.sqlite_errorcode = code
    assert type(explained(Path("x"), cause)) is error


def test_system_error_is_told_with_its_reason() -> None:
    told = explained(Path("x"), OSError(errno.EROFS, os.strerror(errno.EROFS)))
    assert isinstance(told, JournalUnwritable)
    assert "Read-only file system" in str(told)


# ── migration ────────────────────────────────────────────────────────────────────────────────────

TWO = (*MIGRATIONS, "CREATE TABLE notes (text);\nINSERT INTO notes VALUES ('from one');\n")


def test_older_file_is_brought_to_the_newer_version_with_its_orders(stopped: Path) -> None:
    with Journal.open(stopped, migrations=TWO) as journal:
        assert len(journal.restore().orders) == 40
        assert journal._connection.execute("SELECT text FROM notes").fetchall() == [("from one",)]
        version = journal._connection.execute("PRAGMA user_version").fetchone()
        assert version == (len(MIGRATIONS) + 1,)
    with Journal.open(stopped, migrations=TWO) as journal:  # only once
        assert journal._connection.execute("SELECT text FROM notes").fetchall() == [("from one",)]
    with pytest.raises(JournalNewer):
        Journal.open(stopped)


def make_version_1(folder: Path) -> None:
    """Leave the file as the first version wrote it: without positions."""
    connection = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    connection.execute("DROP TABLE positions")
    connection.execute("PRAGMA user_version = 1")
    connection.close()


def test_file_from_before_positions_opens_and_takes_them(stopped: Path) -> None:
    make_version_1(stopped)
    with Journal.open(stopped) as journal:
        assert journal._connection.execute("PRAGMA user_version").fetchone() == (2,)
        restored = journal.restore()
        assert (len(restored.orders), restored.positions) == (40, [])
        books = Bookkeeper(journal)
        books.position("SIM", "-1.5")
        books.position("SIM", "2.5")
        books.commit()
    with Journal.open(stopped) as journal:
        ((account, position),) = journal.restore().positions
        assert (account, position) == ("SIM", books.positions["SIM", "SIM_PERP_BTC_USDT"])
        assert position.signed_quantity == Decimal("2.5")
    assert verify(stopped).differences == []


def test_file_from_before_positions_is_read_and_verified_as_it_is(stopped: Path) -> None:
    make_version_1(stopped)
    before = contents(stopped)
    found = verify(stopped)
    assert (found.differences, found.orders, found.positions) == ([], 40, 0)
    with JournalReader(stopped) as reader:
        assert reader.order_story(1)
    assert contents(stopped)[FILE_NAME] == before[FILE_NAME]


def test_a_position_not_in_the_tables_when_the_process_died_is_replayed(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "one") as journal:
        books = Bookkeeper(journal)
        books.position("SIM", "1")
        books.commit()
        shutil.copytree(tmp_path / "one", tmp_path / "crashed")
    with Journal.open(tmp_path / "crashed") as journal:
        assert journal.restore().positions == [("SIM", books.positions["SIM", "SIM_PERP_BTC_USDT"])]
    with JournalReader(tmp_path / "crashed") as reader:
        (released,) = reader.reports_after("SIM", 0, 10)
        assert isinstance(released.report, PositionReport)
        assert (released.report.sequence, released.order) == (1, None)


def test_new_file_begins_at_the_newest_version(tmp_path: Path) -> None:
    with Journal.open(tmp_path, migrations=TWO) as journal:
        assert journal._connection.execute("SELECT text FROM notes").fetchall() == [("from one",)]
        (found,) = journal._connection.execute("PRAGMA application_id").fetchone()
        assert found == APPLICATION_ID


def test_migration_that_fails_leaves_the_file_as_it_was(stopped: Path) -> None:
    broken = (*MIGRATIONS, "CREATE TABLE notes (text);\nINSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(JournalTorn, match="no such table: nowhere"):
        Journal.open(stopped, migrations=broken)
    with Journal.open(stopped) as journal:
        assert len(journal.restore().orders) == 40
    assert verify(stopped).differences == []


# ── a crash: the WAL as far as it got ────────────────────────────────────────────────────────────


@pytest.fixture
def crashed(tmp_path: Path) -> tuple[Path, list[tuple[int, list[object]]]]:
    """A copy of a running journal's files, and after each commit its WAL's end and the orders."""
    finished: list[tuple[int, list[object]]] = []
    with Journal.open(tmp_path / "running") as journal:
        books = Bookkeeper(journal)
        finished.append((0, []))
        for n in range(8):
            books.route(books.open(f"order {n}").number)
            if n:
                books.fill(n, "0.5")
            books.commit()
            finished.append((32 + journal.wal_bytes, list(books.orders.values())))
            if n % 3 == 1:  # and in the middle of bringing the tables up to date
                journal.apply()
                finished.append((32 + journal.wal_bytes, list(books.orders.values())))
        shutil.copytree(tmp_path / "running", tmp_path / "copy")
    (tmp_path / "copy" / (FILE + "-shm")).unlink()
    return tmp_path / "copy", finished


def test_wal_cut_anywhere_gives_the_last_finished_commit(
    tmp_path: Path, crashed: tuple[Path, list[tuple[int, list[object]]]]
) -> None:
    copy, finished = crashed
    size = finished[-1][0]
    assert (copy / (FILE + "-wal")).stat().st_size == size
    ends = [end for end, _ in finished]
    cuts = {*range(0, size, 3001), *ends, *(e - 1 for e in ends[1:]), *(e + 1 for e in ends[:-1])}
    for cut in sorted(cuts):
        folder = tmp_path / f"cut {cut}"
        shutil.copytree(copy, folder)
        os.truncate(folder / (FILE + "-wal"), cut)
        with Journal.open(folder) as journal:
            survived = [orders for end, orders in finished if end <= cut][-1]
            assert journal.restore().orders == survived
        assert verify(folder).differences == []
        shutil.rmtree(folder)


def test_wal_with_a_flipped_byte_ends_before_that_commit(
    tmp_path: Path, crashed: tuple[Path, list[tuple[int, list[object]]]]
) -> None:
    copy, finished = crashed
    for (start, orders), (end, _) in pairwise(finished):
        folder = tmp_path / f"flip {start}"
        shutil.copytree(copy, folder)
        wal = bytearray((folder / (FILE + "-wal")).read_bytes())
        wal[(start + end) // 2] ^= 0x10
        (folder / (FILE + "-wal")).write_bytes(wal)
        with Journal.open(folder) as journal:
            assert journal.restore().orders == orders
        assert verify(folder).differences == []


def test_file_shorter_than_its_pages_opens_when_the_wal_has_the_rest(
    crashed: tuple[Path, list[tuple[int, list[object]]]],
) -> None:
    copy, finished = crashed
    with Journal.open(copy) as journal:  # pages that grew the file are only in the WAL
        assert journal.restore().orders == finished[-1][1]


def test_file_cut_short_of_pages_the_wal_lacks_is_refused(stopped: Path, tmp_path: Path) -> None:
    with Journal.open(stopped) as journal:
        books = Bookkeeper(journal)
        books.fill(40, "0.5")
        books.commit()
        shutil.copytree(stopped, tmp_path / "copy")
    copy = tmp_path / "copy"
    os.truncate(copy / FILE, 2 * 4096)
    before = contents(copy)
    with pytest.raises(JournalTorn, match=r"cut short: has 2 of .* pages and its WAL lacks"):
        Journal.open(copy)
    assert contents(copy)[FILE] == before[FILE]
