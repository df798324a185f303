"""A quick look at a journal's end: an honest one passes, and each way in which it can be wrong is said."""

import sqlite3
from pathlib import Path

import pytest

from fairlead.journal import Journal, JournalError
from fairlead.journal.glance import FRAMES_MOST, glance
from fairlead.journal.opening import FILE_NAME
from tests.journal.bookkeeper import Bookkeeper


def lived(folder: Path, *, is_applied: bool = True) -> None:
    """Leave three commits there."""
    with Journal.open(folder) as journal:
        books = Bookkeeper(journal)
        order = books.open("one")
        books.commit()
        books.route(order.number)
        books.commit()
        books.fill(order.number, "1")
        books.commit()
        if is_applied:
            journal.apply()


def change(folder: Path, *statements: str) -> None:
    """Do to the file what we never would."""
    connection = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("is_applied", [False, True])
def test_nothing_is_wrong_with_an_honest_journal(tmp_path: Path, is_applied: bool) -> None:
    lived(tmp_path, is_applied=is_applied)
    assert glance(tmp_path) == []


def test_of_an_old_journal_the_last_commits_are_looked_at(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        for number in range(FRAMES_MOST + 2):
            books.balance("SIM", "BTC", str(number))
            books.commit()
        journal.apply()
    change(tmp_path, "UPDATE frames SET data = x'00' WHERE batch = 1")
    assert glance(tmp_path) == []
    change(tmp_path, f"UPDATE frames SET data = x'00' WHERE batch = {FRAMES_MOST + 2}")
    assert [line.partition(":")[0] for line in glance(tmp_path)] == ["a row cannot be decoded"]


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["DELETE FROM frames WHERE batch = 2"], "frame 2 is missing"),
        (
            ["DELETE FROM frames WHERE batch = 2"],
            "account SIM: sequence 4 in frame 3 where 2 was due",
        ),
        (
            ["DELETE FROM frames WHERE batch = 3"],
            "the tables speak of frame 3, the last one there is 2",
        ),
        (
            ["DELETE FROM applied", "INSERT INTO applied VALUES (2)"],
            "account SIM: the tables say sequence 4, frame 2 says 3",
        ),
    ],
)
def test_what_is_wrong_at_its_end_is_said(tmp_path: Path, statements: list[str], said: str) -> None:
    lived(tmp_path)
    change(tmp_path, *statements)
    assert said in glance(tmp_path)


def test_commits_that_the_tables_do_not_have_must_make_sense_too(tmp_path: Path) -> None:
    lived(tmp_path, is_applied=False)
    change(tmp_path, "DELETE FROM orders", "UPDATE frames SET batch = 4 WHERE batch = 1")
    assert any("missing" in line or "due" in line for line in glance(tmp_path))


def test_a_table_that_is_gone_is_an_error_of_the_journal(tmp_path: Path) -> None:
    lived(tmp_path)
    change(tmp_path, "DROP TABLE accounts")
    with pytest.raises(JournalError, match="accounts"):
        glance(tmp_path)
