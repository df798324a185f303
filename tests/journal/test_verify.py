"""Verification finds every row that its reports do not make."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from fairlead.core.model import AccountMode, Order, Stage
from fairlead.core.reports import Cause
from fairlead.journal import Journal, JournalError, verify
from fairlead.journal.rows import (
    decode_account,
    decode_balance,
    decode_frame,
    decode_order,
    encode,
)
from tests.journal.bookkeeper import Bookkeeper

DIFFERENCES_MAX = 100


def lived(journal: Journal, applied: int = 3) -> Bookkeeper:
    """Write orders in every situation: open, settled, settled and filled again, owed, many fills.

    Of the three frames the first `applied` are brought into the tables, each by itself.
    """
    books = Bookkeeper(journal)
    books.balance("SIM", "BTC", "5.0")
    books.mode("SIM/ALICE", AccountMode.REDUCING)
    for n in range(1, 7):
        books.route(books.open(f"order {n}", quantity="20").number, f"{n}00")
    books.open("alice", account="SIM/ALICE")
    books.commit()
    if applied >= 1:
        journal.apply()
    books.wait()
    books.fill(1, "20")
    for _ in range(12):
        books.fill(2, "1")
    books.cancel(3)
    books.report(4, Cause.CLOSED, stage=Stage.CANCELED, closed_quantity=Decimal(1))
    late = books.orders[3]
    books.commit()
    if applied >= 2:
        journal.apply()
    books.wait()
    books.orders[3] = late
    books.fill(3, "1")
    books.balance("SIM", "BTC", "6.0")
    books.position("SIM", "-0.5")
    books.report(7, Cause.REJECTED, stage=Stage.REJECTED)
    books.commit()
    if applied >= 3:
        journal.apply()
    return books


def test_how_far_it_is_can_be_heard(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        for n in range(600):
            books.balance("SIM", "BTC", str(n))
            books.commit()
    assert verify(tmp_path, lambda done, count: heard.append((done, count))).holds
    assert heard == [(256, 600), (512, 600)]


@pytest.mark.parametrize("applied", [0, 1, 2, 3])
def test_nothing_differs_in_an_honest_journal_stopped_or_running(
    tmp_path: Path, applied: int
) -> None:
    with Journal.open(tmp_path) as journal:
        lived(journal, applied)
        running = verify(tmp_path)
    stopped = verify(tmp_path)
    assert running == stopped
    assert stopped.differences == []
    assert stopped.holds
    assert (stopped.frames, stopped.orders, stopped.unsettled) == (3, 7, 4)
    assert (stopped.fills, stopped.accounts, stopped.balances) == (14, 2, 1)
    assert stopped.positions == 1


def change_order(journal: Journal, number: int, **fields: object) -> None:
    run = journal._connection.execute
    (state,) = run("SELECT state FROM orders WHERE number = ?", (number,)).fetchone()
    order = msgspec.structs.replace(decode_order(state), **fields)
    run("UPDATE orders SET state = ? WHERE number = ?", (encode(order), number))


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DELETE FROM orders WHERE number = 1", "order 1 (SIM order 1): has no row"),
        ("UPDATE orders SET state = x'c1' WHERE number = 5", "order 5: its row cannot be decoded"),
        ("UPDATE orders SET opened_batch = 2 WHERE number = 5", "order 5: frames [1] tell of it"),
        (
            "INSERT INTO orders SELECT 99, opened_batch, state, room FROM orders WHERE number = 1",
            "table orders: has 8 rows, the reports make 7",
        ),
        ("DELETE FROM fills WHERE position = 9", "order 2 (SIM order 2): fills is"),
        ("UPDATE fills SET data = (SELECT data FROM fills WHERE position = 8)", "order 2 (SIM"),
        (
            "INSERT INTO fills SELECT 5, position, data FROM fills WHERE position = 9",
            "table fills: has 5 rows, the reports make 4",
        ),
        ("DELETE FROM trades WHERE rowid_less = 0", "order 1: trade SIM-1-1 is not remembered"),
        (
            "INSERT INTO trades VALUES (1, 'BTC-USDT', 'never')",
            "table trades: has 15 rows, the reports make 14",
        ),
        ("DELETE FROM recent_keys", "order 1 (SIM order 1): its client key"),
        ("INSERT INTO client_keys VALUES (7, 99)", "table client_keys: 1 rows belong to no order"),
        (
            "DELETE FROM exchange_ids WHERE number = 1",
            "order 1: exchange id 100 is not remembered",
        ),
        (
            "INSERT INTO exchange_ids VALUES (1, 'never', 1)",
            "table exchange_ids: has 7 rows, the reports make 6",
        ),
        (
            "INSERT INTO unsettled VALUES (1)",
            "order 1 (SIM order 1): is settled, table unsettled says otherwise",
        ),
        (
            "DELETE FROM unsettled WHERE number = 2",
            "order 2 (SIM order 2): is not settled, table unsettled says otherwise",
        ),
        ("INSERT INTO unsettled VALUES (99)", "order 99: in table unsettled, and no report"),
        ("DELETE FROM order_frames WHERE number = 1", "order 1: frames [1, 2] tell of it"),
        (
            "INSERT INTO order_frames VALUES (99, 1)",
            "table order_frames: has 7 rows, the reports make 6",
        ),
        ("DELETE FROM changed WHERE batch = 2", "order 1: history of second"),
        ("INSERT INTO changed VALUES (1, 1, x'90')", "table changed: has 4 rows"),
        (
            "DELETE FROM frame_accounts WHERE account_no = 1 AND first_sequence = 20",
            "account SIM: sequence 20 is not indexed in frame 2",
        ),
        (
            "INSERT INTO frame_accounts VALUES (1, 99, 9)",
            "table frame_accounts: has 6 rows, the reports make 5",
        ),
        ("DELETE FROM frames WHERE batch = 2", "frame 3: follows 1; frames are lost between"),
        ("UPDATE frames SET data = x'c1' WHERE batch = 2", "frame 2: cannot be decoded"),
        ("DELETE FROM balances", "account SIM: balance of BTC has no row"),
        (
            "INSERT INTO balances SELECT account_no, 'ETH', data FROM balances",
            "account SIM: balance of ETH has no report",
        ),
        ("UPDATE balances SET data = x'c1'", "a row cannot be decoded"),
        ("DELETE FROM positions", "account SIM: position in SIM_PERP_BTC_USDT is None, its last"),
        (
            "INSERT INTO positions SELECT 2, symbol, data FROM positions",
            "account SIM/ALICE: position in SIM_PERP_BTC_USDT is Position(",
        ),
        ("UPDATE positions SET data = x'c1'", "a row cannot be decoded"),
        ("DELETE FROM accounts WHERE account_no = 2", "account SIM/ALICE: has reports and no row"),
        ("DELETE FROM meta", "meta: installation_id is missing"),
        ("DROP TABLE frames", "cannot be read on"),
    ],
)
def test_each_wrong_row_is_named(tmp_path: Path, sql: str, said: str) -> None:
    sql = sql.replace("rowid_less = 0", "trade_id = 'SIM-1-1'")
    with Journal.open(tmp_path) as journal:
        lived(journal)
        journal._connection.execute(sql)
        found = verify(tmp_path)
    assert not found.holds
    assert [text for text in found.differences if text.startswith(said)], found.differences


@pytest.mark.parametrize(
    "fields",
    [
        {"price": Decimal(1)},
        {"stage": Stage.EXPIRED},
        {"quantity_filled": Decimal("19.999999999")},
        {"status_history": ()},
        {"error_message": "invented"},
        {"sequence": 5},
        {"sequence": 900},
        {"client_order_id": "another"},
    ],
)
@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_each_changed_field_of_an_order_is_named(
    tmp_path: Path, number: int, fields: dict[str, object]
) -> None:
    with Journal.open(tmp_path) as journal:
        lived(journal)
        change_order(journal, number, **fields)
        found = verify(tmp_path)
    (name,) = fields
    assert f": {name} is " in "".join(found.differences), found.differences
    assert f"order {number} " in "".join(found.differences)


def rewrite_frame(journal: Journal, batch: int, position: int, **fields: object) -> None:
    run = journal._connection.execute
    (data,) = run("SELECT data FROM frames WHERE batch = ?", (batch,)).fetchone()
    frame = decode_frame(data)
    frame.reports[position] = msgspec.structs.replace(frame.reports[position], **fields)
    run("UPDATE frames SET data = ? WHERE batch = ?", (encode(frame), batch))


@pytest.mark.parametrize("applied", [0, 3])
@pytest.mark.parametrize(
    ("position", "fields", "said"),
    [
        (0, {"sequence": 99}, "account SIM: sequence 99 in frame 1 where 1 was due"),
        (3, {"stage": Stage.EXPIRED}, "order 1: frame 1: order 1 is RECEIVED and cannot become"),
        (3, {"number": 50}, "order 50: frame 1: report ROUTING about order 50, which was never"),
        (
            1,
            {"mode": AccountMode.HALTED},
            "account SIM/ALICE: mode REDUCING in frame 1, its reports make it",
        ),
        (2, {"number": 9}, "order 9: opened in frame 1 where 1 was due"),
    ],
)
def test_frames_that_contradict_themselves_are_named(
    tmp_path: Path, position: int, fields: dict[str, object], said: str, applied: int
) -> None:
    with Journal.open(tmp_path) as journal:
        lived(journal, applied)
        rewrite_frame(journal, 1, position, **fields)
        found = verify(tmp_path)
    assert [text for text in found.differences if text.startswith(said)], found.differences


def test_wrong_account_and_balance_values_are_named(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        lived(journal)
        run = journal._connection.execute
        (data,) = run("SELECT record FROM accounts WHERE account_no = 1").fetchone()
        record = msgspec.structs.replace(decode_account(data), sequence=3)
        run("UPDATE accounts SET record = ? WHERE account_no = 1", (encode(record),))
        (data,) = run("SELECT data FROM balances").fetchone()
        balance = msgspec.structs.replace(decode_balance(data), locked=Decimal("0.1"))
        run("UPDATE balances SET data = ?", (encode(balance),))
        found = verify(tmp_path)
    assert found.differences == [
        "account SIM: sequence 3, its last report has 37",
        *found.differences[1:2],
        "account SIM: locked of BTC is 0.1, its last report says 0",
    ]


def test_report_after_the_row_said_settled_is_named(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = lived(journal)
        settled: Order = msgspec.structs.replace(books.orders[2])
        assert not settled.is_settled
        run = journal._connection.execute
        run(
            "UPDATE orders SET state = (SELECT state FROM orders WHERE number = 1) WHERE number = 3"
        )
        found = verify(tmp_path)
    assert "order 3" in "".join(found.differences)


def test_differences_are_counted_beyond_those_told(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        for n in range(150):
            books.open(f"order {n}")
        books.commit()
        journal.apply()
        journal._connection.execute("DELETE FROM unsettled")
        found = verify(tmp_path)
    assert found.difference_count == 150
    assert len(found.differences) == DIFFERENCES_MAX


def test_flipped_bytes_are_found_in_every_page_or_refused(tmp_path: Path) -> None:
    """Flip the first row that was written into each page, which lies at the page's end."""
    with Journal.open(tmp_path) as journal:
        lived(journal)
    path = tmp_path / "journal.sqlite"
    honest = path.read_bytes()
    page_count = len(honest) // 4096
    silent = []
    for page in range(page_count):
        damaged = bytearray(honest)
        used = slice((page + 1) * 4096 - 24, (page + 1) * 4096)
        if not any(honest[used]):
            continue  # an empty table
        damaged[used] = bytes(byte ^ 0xFF for byte in honest[used])
        path.write_bytes(damaged)
        try:
            if verify(tmp_path).holds:
                silent.append(page)
        except JournalError:
            continue
    assert page_count > 15
    assert silent == []


def test_table_applied_that_contradicts_itself_is_named(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        lived(journal)
        sql = "SELECT rootpage FROM sqlite_master WHERE name = 'applied'"
        (root,) = journal._connection.execute(sql).fetchone()
    path = tmp_path / "journal.sqlite"
    damaged = bytearray(path.read_bytes())
    last_row = damaged.index(b"\x02\x03\x02\x00", (root - 1) * 4096)  # batch 3
    assert last_row < root * 4096
    damaged[last_row + 1] = 0  # the greatest is now 0, and 1 and 2 stand before it
    path.write_bytes(damaged)
    assert not verify(tmp_path).holds


def test_trade_that_a_frame_not_yet_in_the_tables_books_again_is_named(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        lived(journal, applied=2)
        (data,) = journal._connection.execute("SELECT data FROM frames WHERE batch = 3").fetchone()
        report = decode_frame(data).reports[0]
        fill = msgspec.structs.replace(report.fill, trade_id="SIM-1-1")
        rewrite_frame(journal, 3, 0, fill=fill)
        found = verify(tmp_path)
        assert "order 3: frame 3 books trade SIM-1-1 again" in found.differences


def test_record_that_differs_from_the_last_frame_is_named(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        lived(journal)
        run = journal._connection.execute
        (data,) = run("SELECT record FROM accounts WHERE account_no = 1").fetchone()
        record = msgspec.structs.replace(decode_account(data), fills_cursor="99")
        run("UPDATE accounts SET record = ? WHERE account_no = 1", (encode(record),))
        (told,) = verify(tmp_path).differences
    assert told.startswith("account SIM: is AccountRecord(")
    assert "fills_cursor='99'" in told
