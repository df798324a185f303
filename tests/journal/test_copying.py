"""A copy of a journal: whole, of one moment, and what it promises is what its source had then."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from fairlead.journal import Journal, JournalError, verify
from fairlead.journal.copying import copy_journal, promise_of
from fairlead.journal.opening import FILE_NAME
from fairlead.journal.schema import MIGRATIONS
from tests.journal.bookkeeper import Bookkeeper


def deaf(_done: int, _total: int) -> None:
    """Hear of no progress."""


def copied(folder: Path, target: Path, progress: Callable[[int, int], None] = deaf) -> Path:
    """Copy into a folder of its own, which is returned."""
    target.mkdir()
    copy_journal(folder, target / FILE_NAME, progress)
    return target


def change(folder: Path, statement: str) -> None:
    """Do to the file what we never would."""
    connection = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("is_applied", [False, True])
def test_a_copy_beside_the_writer_holds_what_it_promises(tmp_path: Path, is_applied: bool) -> None:
    heard: list[tuple[int, int]] = []
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        order = books.open("one")
        books.open("other", account="SIM/ALICE")
        books.commit()
        if is_applied:
            journal.apply()
        books.route(order.number)
        books.commit()
        target = tmp_path / "copy"
        target.mkdir()
        promise = copy_journal(
            tmp_path, target / FILE_NAME, lambda done, total: heard.append((done, total))
        )
        installation_id = journal.installation_id.hex()
    assert [each.name for each in target.iterdir()] == [FILE_NAME]  # no WAL is needed
    assert promise.installation_id == installation_id
    assert (promise.schema, promise.frames) == (len(MIGRATIONS), 2)
    assert promise.sequences == {"SIM": 3, "SIM/ALICE": 1}
    assert promise_of(target) == promise
    assert heard[-1][0] == heard[-1][1] > 0
    assert verify(target).holds


def test_what_is_committed_while_it_is_copied_is_not_in_the_copy(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.open("before")
        books.commit()

        def commit_more(_done: int, _total: int) -> None:
            books.open(f"during {len(books.orders)}")
            books.commit()

        target = copied(tmp_path, tmp_path / "copy", commit_more)
        assert len(books.orders) > 1
    assert promise_of(target).frames == 1
    assert promise_of(tmp_path).frames == len(books.orders)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM meta WHERE name = 'installation_id'", "has no installation_id"),
        ("UPDATE frames SET data = x'00'", "a row cannot be decoded"),
        ("DROP TABLE frames", "frames"),
    ],
)
def test_a_journal_that_makes_no_sense_promises_nothing(
    tmp_path: Path, statement: str, said: str
) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.open("one")
        books.commit()
    change(tmp_path, "DELETE FROM applied")
    change(tmp_path, statement)
    with pytest.raises(JournalError, match=said):
        promise_of(tmp_path)


def test_a_copy_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    Journal.open(tmp_path).close()
    for target in (tmp_path / "missing" / FILE_NAME, tmp_path / "taken"):
        (tmp_path / "taken").write_text("no database " * 100)
        with pytest.raises(JournalError, match=str(target)):
            copy_journal(tmp_path, target, deaf)
