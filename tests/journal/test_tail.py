"""The log and the tables: the same answers whenever the tables are brought up to the log."""

import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest

from fairlead.core.model import AccountMode
from fairlead.core.unit import ExchangeKey, Recalled, TradeKey, Wanted
from fairlead.journal import CommitFailed, Journal, JournalReader, verify
from fairlead.journal import journal as journal_module
from fairlead.journal.errors import JournalTorn
from fairlead.journal.rows import applied_batch
from fairlead.journal.tail import Tail
from tests.journal.bookkeeper import SECOND_NS, START_NS, SYMBOL, Bookkeeper, wanted_key

ID = b"sixteen bytes id"
ACCOUNTS = ("SIM", "SIM/ALICE")


def live(books: Bookkeeper, random: Random) -> None:
    """Commit one random unit; the same `random` makes the same unit."""
    for _ in range(random.randrange(4)):
        account = random.choice(ACCOUNTS)
        books.route(books.open(f"order {books.next_number}", account, "9").number)
    for number in random.sample(sorted(books.orders), min(3, len(books.orders))):
        act = random.randrange(8)
        if books.orders[number].stage.is_final:
            continue
        if act == 0:
            books.cancel(number)
        elif act == 1:
            books.fill(number, str(books.orders[number].leaves_quantity))
        elif act < 7:
            booked_ns = books.now_ns - random.randrange(2) * SECOND_NS
            books.fill(number, "0.25", str(1000 + books.trade_count), booked_ns)
    if not random.randrange(3):
        books.balance(random.choice(ACCOUNTS), "BTC", str(random.randrange(1000)))
    if not random.randrange(5):
        symbol = random.choice(["SIM_PERP_BTC_USDT", "SIM_PERP_ETH_USDT"])
        books.position(random.choice(ACCOUNTS), str(random.randrange(-5, 6)), symbol)
    if not random.randrange(9):
        books.mode(random.choice(ACCOUNTS), random.choice(list(AccountMode)))
    books.commit()
    if not random.randrange(3):
        books.wait(SECOND_NS // 2)


def revive(journal: Journal, books: Bookkeeper, random: Random) -> None:
    """Have an order that was closed long ago back for a late fill, sometimes."""
    number = random.randrange(1, books.next_number + 1)
    for order in journal.recall(Wanted(set(), set(), {number}, set())).orders:
        if order.stage.is_final and order.leaves_quantity and number not in books.orders:
            books.orders[number] = order
            books.fill(number, "0.125")


def recalled(journal: Journal, books: Bookkeeper) -> Recalled:
    """All that can be recalled, in the order of numbers."""
    numbers = range(books.next_number + 1)
    found = journal.recall(
        Wanted(
            {wanted_key(journal, f"order {n}", account) for n in numbers for account in ACCOUNTS},
            {ExchangeKey(account, f"X{n}") for n in numbers for account in ACCOUNTS},
            set(numbers),
            {TradeKey(a, SYMBOL, str(1000 + n)) for n in range(300) for a in ACCOUNTS},
        )
    )
    found.orders.sort(key=lambda order: order.number)
    return found


def read(reader: JournalReader, books: Bookkeeper) -> list[object]:
    """All that a reader says."""
    told: list[object] = []
    for limit in (3, 1000):
        after = None
        while page := reader.history_page(START_NS, START_NS + 10**12, after, limit):
            told.append(page)
            after = page[-1].cursor
    told += [reader.order_story(number) for number in range(books.next_number + 1)]
    for account in ACCOUNTS:
        last = books.sequences.get(account, 0)
        told += [reader.reports_after(account, after, 7) for after in range(0, last + 1, 3)]
        told.append(reader.reports_after(account, 0, 10_000))
    return told


@pytest.mark.parametrize("seed", range(12))
def test_answers_do_not_depend_on_when_the_tables_are_brought_up(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    folders = (tmp_path / "at once", tmp_path / "later")
    with (
        Journal.open(folders[0], installation_id=ID) as at_once,
        Journal.open(folders[1], installation_id=ID) as later,
        JournalReader(folders[0]) as reader_at_once,
        JournalReader(folders[1]) as reader_later,
    ):
        books, books_later = Bookkeeper(at_once), Bookkeeper(later)
        for step in range(40):
            unit_seed = random.random()
            for journal, keeper in ((at_once, books), (later, books_later)):
                drawn = Random(unit_seed)
                revive(journal, keeper, drawn)
                live(keeper, drawn)
            at_once.apply()
            if not random.randrange(6):
                later.apply()
            if not random.randrange(6):
                assert recalled(later, books) == recalled(at_once, books)
                assert read(reader_later, books) == read(reader_at_once, books)
            if step in (13, 27):
                crash_and_compare(later, at_once, books, tmp_path / f"crash {step}")
        assert (books.orders, books.balances) == (books_later.orders, books_later.balances)
        restored = at_once.restore()
        assert {(a, p.symbol): p for a, p in restored.positions} == books.positions
        assert later.restore() == at_once.restore()
    for folder in folders:
        assert verify(folder).differences == []


def crash_and_compare(journal: Journal, other: Journal, books: Bookkeeper, folder: Path) -> None:
    """What a killed process leaves is worth as much as the journal that applied everything."""
    shutil.copytree(journal.folder, folder)
    (folder / "journal.sqlite-shm").unlink()
    before = verify(folder)
    assert before.differences == []
    with Journal.open(folder) as again:
        assert recalled(again, books) == recalled(other, books)
        assert again.restore() == other.restore()
        with JournalReader(folder) as reader, JournalReader(other.folder) as reader_other:
            assert read(reader, books) == read(reader_other, books)
    assert verify(folder) == before


def test_bound_that_is_not_reached_leaves_the_log_and_a_closed_journal_has_no_tail(
    tmp_path: Path,
) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.open("one")
        books.commit()
        assert not journal.tidy_if_due()
        assert applied_batch(journal._connection) == 0
    connection = sqlite3.connect(tmp_path / "journal.sqlite")
    assert applied_batch(connection) == 1
    connection.close()


def test_commit_writes_one_row(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        for n in range(5):
            books.route(books.open(f"order {n}").number)
            before = journal._connection.total_changes
            books.commit()
            assert journal._connection.total_changes == before + 1
        assert applied_batch(journal._connection) == 0
        journal.apply()
        assert applied_batch(journal._connection) == 5
        assert journal.apply_count == 1


def test_order_that_lived_within_the_tail_is_written_once_and_never_unsettled(
    tmp_path: Path,
) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.route(books.open("one").number)
        books.commit()
        books.fill(1, "1.50")
        books.commit()
        said: list[str] = []
        journal._connection.set_trace_callback(said.append)
        journal.apply()
        journal._connection.set_trace_callback(None)
        assert len([sql for sql in said if " orders " in sql]) == 1
        assert [sql for sql in said if " unsettled " in sql] == []


@pytest.mark.parametrize(("orders", "size"), [(3, 10**9), (10**9, 5_000)])
def test_tail_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, orders: int, size: int
) -> None:
    monkeypatch.setattr(journal_module, "APPLY_ORDERS", orders)
    monkeypatch.setattr(journal_module, "APPLY_BYTES", size)
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        for n in range(40):
            books.open(f"order {n}")
            books.commit()
            journal.tidy_if_due()
            assert len(journal._tail.orders) < orders
            assert journal._tail.size < size
        assert journal.apply_count > 1
    assert verify(tmp_path).differences == []


def test_tail_is_applied_once_even_if_asked_twice(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.open("one")
        books.commit()
        tail = journal._tail
        journal.apply()
        journal._tail = tail
        with pytest.raises(CommitFailed, match="frames 1 to 1 are durable, but were not brought"):
            journal.apply()
        for again in (books.commit, journal.apply):  # and it stays failed
            with pytest.raises(CommitFailed, match="were not brought"):
                again()
    assert verify(tmp_path).differences == []
    with Journal.open(tmp_path) as journal:
        assert len(journal.restore().orders) == 1


def test_application_that_breaks_off_leaves_nothing_of_itself(tmp_path: Path) -> None:
    """Each table in turn refuses its row; what a kill would leave there is the log, whole."""
    with Journal.open(tmp_path / "whole") as journal:
        books = Bookkeeper(journal)
        books.balance("SIM", "BTC", "2.0")
        books.position("SIM", "1")
        books.route(books.open("one", quantity="20").number)
        for _ in range(12):
            books.fill(1, "1")
        books.commit()
        shutil.copytree(tmp_path / "whole", tmp_path / "tail")
    tables = "applied accounts balances positions frame_accounts orders fills unsettled recent_keys"
    for table in (*tables.split(), "exchange_ids", "trades", "changed"):
        folder = tmp_path / table
        shutil.copytree(tmp_path / "tail", folder)
        connection = sqlite3.connect(folder / "journal.sqlite", isolation_level=None)
        connection.execute(
            f"CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(FAIL, 'broken'); END"
        )
        connection.close()
        with Journal.open(folder) as journal, pytest.raises(CommitFailed, match="broken"):
            journal.restore()
        assert verify(folder).differences == []
        connection = sqlite3.connect(folder / "journal.sqlite", isolation_level=None)
        assert applied_batch(connection) == 0
        connection.execute("DROP TRIGGER broken")
        connection.close()
        with Journal.open(folder) as journal:
            assert journal.restore().orders == [books.orders[1]]
        assert verify(folder).differences == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM frames WHERE batch = 1", "frame 1 is missing"),
        ("UPDATE frames SET data = x'c1' WHERE batch = 2", "frame 2 makes no sense"),
        ("UPDATE frames SET data = x'929090' WHERE batch = 1", "frame 2 makes no sense"),
        (
            "INSERT INTO frames SELECT 3, time_ns, data FROM frames WHERE batch = 2",
            "frame 3 makes no sense",
        ),
    ],
)
def test_log_that_contradicts_itself_is_refused_and_left_as_it_is(
    tmp_path: Path, damage: str, said: str
) -> None:
    with Journal.open(tmp_path / "running") as journal:
        books = Bookkeeper(journal)
        books.route(books.open("one").number)
        books.commit()
        books.fill(1, "0.5")
        books.commit()
        shutil.copytree(tmp_path / "running", tmp_path / "copy")
    connection = sqlite3.connect(tmp_path / "copy" / "journal.sqlite", isolation_level=None)
    connection.execute(damage)
    connection.close()
    with pytest.raises(JournalTorn, match=said):
        Journal.open(tmp_path / "copy")
    assert not verify(tmp_path / "copy").holds
    if "INSERT" not in damage:  # readers do not look for what is there twice
        with JournalReader(tmp_path / "copy") as reader, pytest.raises(JournalTorn):
            reader.order_story(1)


def test_reader_follows_the_tail_without_reading_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added: list[int] = []
    with Journal.open(tmp_path) as journal, JournalReader(tmp_path) as reader:
        books = Bookkeeper(journal)
        add = Tail.add
        for n in range(4):
            books.open(f"order {n}")
            books.commit()
            monkeypatch.setattr(
                Tail,
                "add",
                lambda tail, batch, *rest: (added.append(batch), add(tail, batch, *rest)),
            )
            assert len(reader.order_story(n + 1)) == 1
            monkeypatch.undo()
        assert added == [1, 2, 3, 4]
        journal.apply()
        assert reader._tail.base == 0
        assert len(reader.order_story(1)) == 1
        assert (reader._tail.base, reader._tail.orders) == (4, {})
