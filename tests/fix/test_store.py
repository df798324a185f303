"""The store: what it keeps, what it survives, what it refuses."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.fix.codec import body
from fairlead.fix.opening import APPLICATION_ID, FILE_NAME
from fairlead.fix.session import Session
from fairlead.fix.settings import ANY_NUMBER, Batch, Changes, Record, Sent, SessionKey
from fairlead.fix.store import LEAP, Store, StoreError
from tests.fix.spoken import KEY, NOW, logged_on
from tests.fix.teller import BATCH

ROOT = Path(__file__).resolve().parents[2]
OTHER = SessionKey("FIXT.1.1", "CLIENT", "DESK", "somebody")


def _changes(
    next_out: int, *numbers: int, key: SessionKey = KEY, next_in: int = 1,
    cursor: bytes | None = None, is_reset: bool = False, has_begun: bool = False,
) -> Batch:  # fmt: skip
    sent = tuple(Sent(number, "8", b"now", b"11=%d\x01" % number) for number in numbers)
    return Batch(Changes(key, is_reset, next_out, next_in, sent, cursor, has_begun), b"", False)


def _numbers(sent: list[Sent]) -> list[int]:
    return [each.number for each in sent]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path, sent_most=10)
    yield store
    store.close()


def test_a_session_begins_and_is_reset_with_a_sync_and_goes_on_without(store: Store) -> None:
    synced = "PRAGMA synchronous = FULL"
    said: list[str] = []
    store._connection.set_trace_callback(said.append)
    store.commit([_changes(2, 1)])
    assert said.index(synced) < said.index("COMMIT") < said.index("PRAGMA synchronous = NORMAL")
    said.clear()
    store.commit([_changes(3, 2)])
    assert synced not in said
    store.commit([_changes(2, 1, is_reset=True)])
    assert said.index(synced) < len(said) - 1 - said[::-1].index("COMMIT")
    said.clear()
    store.commit([_changes(3, 2, cursor=b"one account more", has_begun=True)])
    assert said.index(synced) < said.index("COMMIT") < said.index("PRAGMA synchronous = NORMAL")
    store._connection.set_trace_callback(None)


def test_two_leaps_in_a_row_lose_no_message(tmp_path: Path) -> None:
    store = Store.open(tmp_path, sent_most=10, boot_id="0")
    store.commit([_changes(5, 1, 2, 3, 4)])
    for boot in ("1", "2"):
        store.abandon()
        store = Store.open(tmp_path, sent_most=10, boot_id=boot)
    next_out = 5 + 2 * LEAP
    assert store.record(KEY).next_out == next_out
    store.commit([_changes(next_out + 1, next_out)])
    assert _numbers(store.sent(KEY, 1, next_out)) == [1, 2, 3, 4, next_out]
    for number in range(next_out + 1, next_out + 50):
        store.commit([_changes(number + 1, number)])
    kept = _numbers(store.sent(KEY, 1, next_out + 50))
    assert kept[-10:] == list(range(next_out + 40, next_out + 50))
    assert kept[0] > next_out
    store.close()


# ── what it keeps ──────────────────────────────────────────────────────────────────────────────


def test_an_unknown_session_begins_with_one(store: Store) -> None:
    assert store.record(KEY) == Record(1, 1, b"")
    assert store.sent(KEY, 1, 100) == []
    assert store.keys() == []


def test_what_was_committed_is_there_after_closing(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.commit([_changes(4, 2, 3, cursor=b"c", next_in=5), _changes(2, key=OTHER)])
    store.close()
    store = Store.open(tmp_path)
    assert store.keys() == [KEY, OTHER]
    assert store.record(KEY) == Record(4, 5, b"c")
    assert store.record(OTHER) == Record(2, 1, b"")
    assert store.sent(KEY, 1, 9) == [
        Sent(2, "8", b"now", b"11=2\x01"), Sent(3, "8", b"now", b"11=3\x01"),
    ]  # fmt: skip
    store.close()


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [(1, 100, [2, 3, 5, 6, 8]), (3, 6, [3, 5, 6]), (4, 4, []), (6, 8, [6, 8]), (9, 20, [])],
)
def test_messages_are_found_by_their_numbers_across_commits(
    store: Store, first: int, last: int, found: list[int]
) -> None:
    store.commit([_changes(4, 2, 3)])
    store.commit([_changes(7, 5, 6), _changes(4, 1, 2, 3, key=OTHER)])
    store.commit([_changes(9, 8)])
    assert _numbers(store.sent(KEY, first, last)) == found


def test_a_cursor_stays_until_it_is_moved(store: Store) -> None:
    store.commit([_changes(2, cursor=b"a")])
    store.commit([_changes(3)])
    assert store.record(KEY).cursor == b"a"
    store.commit([_changes(3, cursor=b"")])
    assert store.record(KEY).cursor == b""


def test_the_newest_messages_are_kept_and_the_others_go(tmp_path: Path) -> None:
    store = Store.open(tmp_path, sent_most=80)
    for number in range(2, 1_002):
        store.commit([_changes(number + 1, number)])
        kept = _numbers(store.sent(KEY, 1, 2_000))
        assert kept == list(range(max(2, kept[0]), number + 1))
        assert len(kept) == number - 1 if number <= 80 else 80 <= len(kept) <= 91
    (rows,) = store._connection.execute("SELECT count(*) FROM sent").fetchone()
    assert rows <= 91
    store.close()


def test_a_reset_clears_that_session_in_the_same_transaction(store: Store) -> None:
    store.commit([_changes(9, 7, 8, cursor=b"c"), _changes(3, 2, key=OTHER)])
    store.commit([_changes(3, 2, is_reset=True, cursor=b"", next_in=2)])
    assert store.record(KEY) == Record(3, 2, b"")
    assert _numbers(store.sent(KEY, 1, 100)) == [2]
    assert _numbers(store.sent(OTHER, 1, 100)) == [2]


def test_a_forgotten_session_is_gone(store: Store) -> None:
    store.commit([_changes(9, 7, 8), _changes(3, 2, key=OTHER)])
    store.forget(KEY)
    store.forget(KEY)
    assert store.keys() == [OTHER]
    assert store.record(KEY) == Record()
    assert store.sent(KEY, 1, 100) == []


def test_batches_without_changes_cost_nothing(store: Store) -> None:
    store.commit([Batch(None, b"x", False)])
    assert store.keys() == []


def test_a_failed_commit_stores_nothing_and_says_so(tmp_path: Path, store: Store) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON sent BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        with pytest.raises(StoreError, match="no"):
            store.commit([_changes(3, key=OTHER), _changes(3, 2)])
        assert store.keys() == []
        other.execute("DROP TRIGGER no")
    store.commit([_changes(3, 2), _changes(2, key=OTHER)])
    assert store.keys() == [KEY, OTHER]


# ── what it survives ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("boot_id", "next_out"), [("this", 4), ("next", 4 + LEAP), ("", 4 + LEAP)])
def test_numbers_leap_when_the_machine_may_have_lost_some(
    tmp_path: Path, boot_id: str, next_out: int
) -> None:
    store = Store.open(tmp_path, boot_id="this")
    store.commit([_changes(4, 2, 3, next_in=6)])
    store.abandon()
    store = Store.open(tmp_path, boot_id=boot_id)
    assert store.record(KEY) == Record(next_out, 6, b"")
    assert _numbers(store.sent(KEY, 1, next_out)) == [2, 3]
    store.close()


def test_of_an_aged_copy_our_numbers_leap_far_and_nothing_old_is_asked_for(tmp_path: Path) -> None:
    store = Store.open(tmp_path, sent_most=10)
    store.commit([_changes(5, 1, 2, 3, 4, next_in=9, cursor=b"c"), _changes(2, 1, key=OTHER)])
    store.close()
    Store.age(tmp_path / FILE_NAME)
    store = Store.open(tmp_path, sent_most=10)
    assert store.record(KEY) == Record(5 + 100 * LEAP, ANY_NUMBER, b"c")
    assert store.record(OTHER).next_out == 2 + 100 * LEAP
    assert _numbers(store.sent(KEY, 1, 10)) == [1, 2, 3, 4]
    store.close()


def test_what_is_no_store_does_not_age(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="damaged"):
        Store.age(tmp_path / FILE_NAME)


def test_numbers_do_not_leap_after_an_orderly_end(tmp_path: Path) -> None:
    store = Store.open(tmp_path, boot_id="this")
    store.commit([_changes(4, 2, 3)])
    store.close()
    store = Store.open(tmp_path, boot_id="next")
    assert store.record(KEY).next_out == 4
    store.close()


def test_messages_from_before_a_leap_count_as_the_newest(tmp_path: Path) -> None:
    store = Store.open(tmp_path, sent_most=10, boot_id="this")
    for number in range(2, 10):
        store.commit([_changes(number + 1, number)])
    store.abandon()
    store = Store.open(tmp_path, sent_most=10, boot_id="next")
    leapt = 10 + LEAP
    for number in range(leapt, leapt + 4):
        store.commit([_changes(number + 1, number)])
    assert _numbers(store.sent(KEY, 1, leapt + 9)) == [*range(4, 10), *range(leapt, leapt + 4)]
    for number in range(leapt + 4, leapt + 20):
        store.commit([_changes(number + 1, number)])
    assert _numbers(store.sent(KEY, 1, leapt + 99)) == list(range(leapt + 10, leapt + 20))
    store.close()


def test_a_leap_is_a_gap_that_the_counterpart_gets_filled(tmp_path: Path) -> None:
    """Numbers 4 and 5 were told and lost again; the counterpart expects 6."""
    store = Store.open(tmp_path, boot_id="this")
    store.commit([_changes(4, 2, 3)])
    store.abandon()
    store = Store.open(tmp_path, boot_id="next")
    session = logged_on(store.record(KEY))
    assert session.next_out == 4 + LEAP + 1
    session.resend(6, 4 + LEAP, store.sent(KEY, 6, 4 + LEAP), NOW)
    assert b"\x0134=6\x01" in session.flush().data
    store.close()


def _lives(folder: Path, kills: int) -> None:
    """Let a teller work, kill it amid its work, again and again; see what its counterpart saw."""
    told: list[int] = []
    expected = 1
    for life in range(kills):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.fix.teller", str(folder)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        ) as teller:  # fmt: skip
            assert teller.stdout is not None
            for _ in range(1 + life * 13 % 40):
                told.append(int(teller.stdout.readline()))
            teller.send_signal(signal.SIGKILL)
            told += [int(line) for line in teller.stdout.read().split("\n")[:-1]]
        store = Store.open(folder, boot_id="this")
        record = store.record(KEY)
        news = told[expected - 1 :]
        assert news == list(range(expected, expected + len(news))), (
            "a number was repeated or skipped"
        )
        # What was stored and not told, because the end came between: it is there to be sent again.
        assert told[-1] < record.next_out <= told[-1] + 1 + BATCH + 1
        untold = list(range(told[-1] + 1, record.next_out))
        stored = _numbers(store.sent(KEY, 1, record.next_out))
        assert [number for number in untold if number not in stored] in ([], untold[:1])
        assert record.cursor == b"%d" % (record.next_out - 1)
        told += untold
        expected = len(told) + 1
        store.close()


def test_killed_amid_its_work_it_repeats_and_skips_no_number(tmp_path: Path) -> None:
    _lives(tmp_path, 4)


@pytest.mark.soak
def test_killed_a_hundred_times_it_repeats_and_skips_no_number(tmp_path: Path) -> None:
    _lives(tmp_path, 100)


# ── what it refuses ────────────────────────────────────────────────────────────────────────────


def _made(folder: Path) -> Path:
    store = Store.open(folder)
    store.commit([_changes(4, 2, 3)])
    store.close()
    return folder / FILE_NAME


def _refused(folder: Path, words: str) -> None:
    """The store is refused, and every file is as it was."""
    before = {file.name: file.read_bytes() for file in folder.glob(f"{FILE_NAME}*")}
    with pytest.raises(StoreError, match=words):
        Store.open(folder)
    after = {file.name: file.read_bytes() for file in folder.glob(f"{FILE_NAME}*")}
    assert {name: after[name] for name in before} == before


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"something else entirely" * 100)
    _refused(tmp_path, "is not SQLite")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"")
    _refused(tmp_path, "is not SQLite")


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(StoreError, match="not a regular file"):
        Store.open(tmp_path)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
        other.execute("CREATE TABLE t (a)")
    _refused(tmp_path, "belongs to another program")


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = _made(tmp_path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as newer:
        newer.execute("PRAGMA user_version = 99")
    _refused(tmp_path, "schema version 99, this program knows up to 1")


@pytest.mark.parametrize("size", [50, 4_096, 10_000])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, size: int) -> None:
    path = _made(tmp_path)
    assert path.stat().st_size > size
    os.truncate(path, size)
    _refused(tmp_path, "cut short|damaged")


def test_an_overwritten_file_is_refused(tmp_path: Path) -> None:
    path = _made(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:4_096] + bytes(len(data) - 4_096))
    _refused(tmp_path, "damaged")


def test_a_file_that_is_missing_beside_its_wal_is_not_made_anew(tmp_path: Path) -> None:
    (tmp_path / f"{FILE_NAME}-wal").write_bytes(b"pages")
    _refused(tmp_path, "put it back")
    assert not (tmp_path / FILE_NAME).exists()


def test_a_second_process_is_refused(tmp_path: Path, store: Store) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tests.fix.teller", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "held by another process" in result.stderr


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="must be writable"):
        Store.open(tmp_path / "file" / "folder")


def test_a_half_made_draft_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / f"{FILE_NAME}.new").write_bytes(b"half")
    assert _made(tmp_path).exists()
    assert not (tmp_path / f"{FILE_NAME}.new").exists()


def test_the_file_says_whose_it_is(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(_made(tmp_path))) as file:
        assert file.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_a_session_goes_on_with_its_record(tmp_path: Path, store: Store) -> None:
    session: Session = logged_on()
    session.send("8", body([(11, "x")]), NOW, b"1")
    store.commit([session.flush()])
    again = logged_on(store.record(KEY))
    assert (again.next_out, again.next_in) == (4, 3)
