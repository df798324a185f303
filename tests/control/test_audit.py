"""The audit tells of every change, within it; nobody changes, takes out or adds a row unnoticed."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select, text

from fairlead.control.audit import _SEALED, Entry, Head, HeadFile, Outcome
from fairlead.control.control import Control
from fairlead.control.errors import ControlError
from fairlead.control.names import HEAD_FILE
from fairlead.control.tables import AUDIT, SUBSCRIPTIONS
from tests.control.conftest import OWNER, OpenControl
from tests.control.killing import killed_at

ROWS = 5


def append(control: Control, number: int) -> None:
    """Change something, and append the row that tells of it."""
    with control.audit.change() as change:
        change.execute(SUBSCRIPTIONS.update().values(created_ns=number))
        entry = Entry(action="key.edit", target=f"flk_{number}", before={"n": 1}, after={"n": 2})
        control.audit.append(change, OWNER, entry, number)


def refuse(control: Control) -> None:
    with control.audit.change() as change:
        entry = Entry(action="key.create", target="Bot1", outcome=Outcome.REFUSED)
        control.audit.append(change, OWNER, entry, 9)


@pytest.fixture
def filled(control: Control) -> Control:
    for number in range(1, ROWS + 1):
        append(control, number)
    return control


def test_a_row_says_who_what_when_from_where_with_which_factor_and_what_changed(
    control: Control,
) -> None:
    append(control, 7)
    refuse(control)
    first, second = (row._asdict() for row in control.audit.last(10))
    first.pop("seal")
    assert first == {
        "subscription": "local",
        "number": 1,
        "time_ns": 7,
        "actor": "owner",
        "action": "key.edit",
        "target": "flk_7",
        "address": "local",
        "factor": "machine",
        "before": '{"n":1}',
        "after": '{"n":2}',
        "outcome": "done",
    }
    assert (second["number"], second["outcome"], second["before"]) == (2, "refused", "")


def test_the_last_rows_are_those_at_the_end(filled: Control) -> None:
    assert [row.number for row in filled.audit.last(2)] == [4, 5]
    assert [row.number for row in filled.audit.last(100)] == [1, 2, 3, 4, 5]


def test_an_untouched_audit_holds_also_for_another_process(
    filled: Control, open_control: OpenControl
) -> None:
    found = open_control().audit.verify()
    assert found.holds
    assert found.rows == ROWS


def test_an_empty_audit_holds(control: Control) -> None:
    assert control.audit.last(5) == []
    assert control.audit.verify().holds


COLUMNS = {
    "time_ns": "time_ns + 1",
    "actor": "'mallory'",
    "action": "'key.show'",
    "target": "'flk_9'",
    "address": "'10.0.0.1'",
    "factor": "''",
    "before": "''",
    "after": "'{}'",
    "outcome": "'refused'",
    "seal": "(SELECT seal FROM audit WHERE number = 2)",
}


@pytest.mark.parametrize("number", [1, 3, ROWS])
@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_row_is_found(filled: Control, column: str, number: int) -> None:
    with filled.store.change() as change:
        change.execute(
            text(f"UPDATE audit SET {column} = {COLUMNS[column]} WHERE number = {number}")
        )
    found = filled.audit.verify()
    assert not found.holds
    assert found.differences[0].startswith(f"row {number}: is ")


@pytest.mark.parametrize(
    ("where", "difference"),
    [
        ("number = 1", "before row 2: 1 missing"),
        ("number IN (2, 3)", "before row 4: 2 missing"),
        (f"number = {ROWS}", "after row 4: 1 missing, up to row 5"),
        ("number > 2", "after row 2: 3 missing, up to row 5"),
        ("number > 0", "after row 0: 5 missing, up to row 5"),
    ],
)
def test_a_missing_row_is_found(filled: Control, where: str, difference: str) -> None:
    with filled.store.change() as change:
        change.execute(text(f"DELETE FROM audit WHERE {where}"))
    assert filled.audit.verify().differences == (difference,)


def test_a_row_taken_out_with_the_others_moved_up_is_found(filled: Control) -> None:
    with filled.store.change() as change:
        change.execute(text("DELETE FROM audit WHERE number = 2"))
        for number in range(3, ROWS + 1):
            change.execute(text(f"UPDATE audit SET number = {number - 1} WHERE number = {number}"))
    assert filled.audit.verify().differences[0].startswith("row 2: is not as it was written")


def test_an_audit_begun_anew_after_its_end_was_cut_off_is_found(filled: Control) -> None:
    """Rows written after the cut are well sealed; what this machine has seen at the end is not there."""
    with filled.store.change() as change:
        change.execute(text("DELETE FROM audit WHERE number > 3"))
    append(filled, 40)
    append(filled, 50)
    assert filled.audit.verify().differences == (
        "row 5: is another one than this machine has seen there",
    )


def test_a_row_with_a_change_that_failed_is_not_there(control: Control) -> None:
    def fail() -> None:
        with control.audit.change() as change:
            control.audit.append(change, OWNER, Entry(action="a", target="b"), 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert control.audit.last(1) == []
    assert control.audit.verify().holds


def test_a_head_never_goes_back(tmp_path: Path) -> None:
    heads = HeadFile(tmp_path / HEAD_FILE)
    heads.advance("local", Head(3, "cc"))
    heads.advance("other", Head(1, "aa"))
    heads.advance("local", Head(2, "bb"))
    assert heads.read() == {"local": Head(3, "cc"), "other": Head(1, "aa")}


def test_a_head_that_cannot_be_read_is_said_and_not_taken_for_none(
    filled: Control, tmp_path: Path
) -> None:
    (tmp_path / "data" / HEAD_FILE).write_bytes(b"{")
    with pytest.raises(ControlError, match="put the file back as it was"):
        filled.audit.verify()


def append_once(data: Path, url: str | None, number: int) -> None:
    with Control.open(data, url, None, "local", 1) as control:
        append(control, number)


def test_killed_at_any_line_the_row_and_what_it_tells_of_are_both_there_or_neither(
    tmp_path: Path, control: Control, database_url: str | None
) -> None:
    for line in count(2, 19):
        was_killed = killed_at(line, append_once, tmp_path / "data", database_url, line)
        with control.store.read() as connection:
            changed = connection.execute(select(SUBSCRIPTIONS.c.created_ns)).scalar_one()
        told = [row.time_ns for row in control.audit.last(1)]
        assert [changed] == (told or [1])
        assert control.audit.verify().holds
        if not was_killed:
            assert changed == line
            break


def test_eight_that_append_at_once_make_one_chain(open_control: OpenControl) -> None:
    controls = [open_control() for _ in range(8)]

    def append_five(racer: int) -> None:
        for turn in range(5):
            append(controls[racer], racer * 5 + turn)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append_five, range(8)))
    rows = controls[0].audit.last(1_000)
    assert [row.number for row in rows] == list(range(1, 41))
    assert {row.time_ns for row in rows} == set(range(40))
    assert controls[0].audit.verify().holds


def test_the_sealed_columns_are_all_but_the_seal() -> None:
    assert [*_SEALED, "seal"] == [column.name for column in AUDIT.columns]
    assert msgspec.json.encode(["a", 1]) == b'["a",1]'  # what a seal is made over must not change
