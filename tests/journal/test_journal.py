"""What a journal keeps and gives back."""

from decimal import Decimal
from pathlib import Path

import pytest

from fairlead.core.model import AccountMode, Stage
from fairlead.core.reports import Cause
from fairlead.core.unit import ExchangeKey, TradeKey, Wanted, empty_unit, nothing_wanted
from fairlead.journal import CommitFailed, Journal, JournalReader, verify
from fairlead.journal import journal as journal_module
from fairlead.journal import keys as keys_module
from fairlead.journal.errors import JournalInUse, JournalTorn
from tests.journal.bookkeeper import SYMBOL, Bookkeeper, wanted_key


def test_new_journal_is_empty_and_numbers_begin_at_one(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "data") as journal:
        restored = journal.restore()
    assert restored.next_number == 1
    assert (restored.orders, restored.accounts, restored.balances) == ([], [], [])
    assert len(restored.installation_id) == 16


def test_installation_id_is_random_per_file_and_stays(tmp_path: Path) -> None:
    ids = []
    for folder in ("a", "a", "b"):
        with Journal.open(tmp_path / folder) as journal:
            ids.append(journal.installation_id)
    assert ids[0] == ids[1] != ids[2]


def test_given_installation_id_is_used_for_a_new_file_only(tmp_path: Path) -> None:
    for given in (b"0123456789abcdef", b"another one, 16b"):
        with Journal.open(tmp_path, installation_id=given) as journal:
            assert journal.installation_id == b"0123456789abcdef"


def test_restart_brings_back_only_what_is_unsettled(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.balance("SIM", "BTC", "2.000")
        books.balance("SIM/ALICE", "BTC", "1E+3")
        for name in ("filled", "open", "part"):
            books.route(books.open(name).number)
        alice = books.open("open", account="SIM/ALICE")
        books.mode("SIM/ALICE", AccountMode.HALTED)
        books.commit()
        books.fill(1, "1.50")
        books.fill(3, "0.5")
        books.fill(3, "0.25")
        books.commit()
        memory = (books.orders, books.balances, books.sequences)
    with Journal.open(tmp_path) as journal:
        again = Bookkeeper(journal)
        assert (again.orders, again.balances, again.sequences) == memory
        assert sorted(again.orders) == [2, 3, alice.number]
        assert again.next_number == 5
        assert again.modes["SIM/ALICE"] is AccountMode.HALTED
    assert verify(tmp_path).differences == []


def test_order_with_many_fills_comes_back_whole(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.route(books.open("many", quantity="100").number)
        for _ in range(20):
            books.fill(1, "1")
            books.commit()
        order = books.orders[1]
        assert len(order.fills) == 20
        assert journal.restore().orders == [order]
        wanted = nothing_wanted()
        wanted.numbers.add(1)
        assert journal.recall(wanted).orders == [order]
    assert verify(tmp_path).differences == []


def test_settled_order_is_recalled_by_each_of_its_names(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.route(books.open("one").number, "000777")
        order = books.fill(1, "1.50", trade_id="123")
        books.commit()
        assert not books.orders
        for wanted in (
            Wanted({wanted_key(journal, "one")}, set(), set(), set()),
            Wanted(set(), {ExchangeKey("SIM", "000777")}, set(), set()),
            Wanted(set(), set(), {1}, set()),
            Wanted(
                {wanted_key(journal, "one")},
                {ExchangeKey("SIM", "000777")},
                {1, 99},
                {TradeKey("SIM", SYMBOL, "123")},
            ),
        ):
            recalled = journal.recall(wanted)
            assert recalled.orders == [order]
            assert recalled.trades == wanted.trades


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted({5}, set(), set(), set()),
        Wanted(set(), {ExchangeKey("SIM", "777")}, set(), set()),
        Wanted(set(), {ExchangeKey("ELSEWHERE", "000777")}, set(), set()),
        Wanted(set(), set(), {2}, set()),
        Wanted(set(), set(), set(), {TradeKey("SIM", SYMBOL, "0123")}),
        Wanted(set(), set(), set(), {TradeKey("SIM", "ETH-USDT", "123")}),
        Wanted(set(), set(), set(), {TradeKey("ELSEWHERE", SYMBOL, "123")}),
    ],
)
def test_what_only_resembles_is_not_recalled(tmp_path: Path, wanted: Wanted) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.route(books.open("one").number, "000777")
        books.fill(1, "1.50", trade_id="123")
        books.commit()
        recalled = journal.recall(wanted)
    assert (recalled.orders, recalled.trades) == ([], set())


def test_fill_of_an_order_closed_long_ago_is_booked(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.route(books.open("late").number)
        books.cancel(1)
        books.commit()
        wanted = nothing_wanted()
        wanted.exchange_keys.add(ExchangeKey("SIM", "X1"))
        (order,) = journal.recall(wanted).orders
        assert order.stage is Stage.CANCELED
        books.orders[1] = order
        order = books.fill(1, "0.5")
        books.commit()
        (again,) = journal.recall(wanted).orders
        assert again == order
        assert again.quantity_filled == Decimal("0.5")
    assert verify(tmp_path).differences == []


def test_order_closed_with_fills_missing_stays_unsettled(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.route(books.open("owed").number)
        books.report(1, Cause.CLOSED, stage=Stage.CANCELED, closed_quantity=Decimal("0.5"))
        books.commit()
        assert [order.number for order in journal.restore().orders] == [1]
        books.fill(1, "0.5")
        books.commit()
        assert journal.restore().orders == []
    assert verify(tmp_path).differences == []


def test_two_ids_with_one_key_are_both_recalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.journal.bookkeeper.client_key", lambda *_: 7)
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        names = ["one", "two", "three", "four", "five"]
        for count, name in enumerate(names, 1):
            books.open(name)
            books.commit()
            if count in (2, 4):
                journal.apply()
            recalled = journal.recall(Wanted({7}, set(), set(), set()))
            assert sorted(o.client_order_id for o in recalled.orders) == sorted(names[:count])


def test_keys_survive_moving_to_the_big_table_and_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "RECENT_MAX", 50)
    names = [f"order {n}" for n in range(1500)]
    recent_max = 0
    for start in range(0, len(names), 300):
        with Journal.open(tmp_path) as journal:
            books = Bookkeeper(journal)
            for name in names[start : start + 300]:
                books.open(name)
                if books.next_number % 3 == 0:
                    books.commit()
                if books.next_number % 10 == 0:
                    journal.apply()
            books.commit()
            keys = {wanted_key(journal, name) for name in names[: start + 300]}
            recalled = journal.recall(Wanted(keys, set(), set(), set()))
            assert sorted(o.client_order_id for o in recalled.orders) == sorted(
                names[: start + 300]
            )
            recent_max = max(recent_max, journal._keys._count)
    assert recent_max <= 50
    assert verify(tmp_path).differences == []


def test_a_full_sweep_drops_the_appended_keys_it_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "RECENT_MAX", 20)
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        for n in range(400):
            books.open(f"order {n}")
            books.commit()
            journal.apply()
        (kept,) = journal._connection.execute("SELECT count(*) FROM recent_keys").fetchone()
        assert kept < 400
    assert verify(tmp_path).differences == []


def test_commit_counts_and_checkpoints_only_when_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "CHECKPOINT_BYTES", 200_000)
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        assert not journal.tidy_if_due()
        while journal.wal_bytes < 200_000:
            assert not journal.tidy_if_due()
            books.open(f"order {books.next_number}")
            books.commit()
        assert journal.tidy_if_due()
        assert journal.wal_bytes == 0
        assert journal.checkpoint_count == 1
        assert journal.commit_count == books.next_number - 1
        assert journal.rows_written == journal.commit_count
        journal.apply()
        assert journal.rows_written > 3 * journal.commit_count


def test_wal_grown_behind_a_slow_reader_is_cut_when_it_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "CHECKPOINT_BYTES", 100_000)
    monkeypatch.setattr(journal_module, "TRUNCATE_BYTES", 400_000)
    wal = tmp_path / "journal.sqlite-wal"
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.open("first")
        books.commit()
        with JournalReader(tmp_path) as reader:
            reader._connection.execute("BEGIN")
            reader._connection.execute("SELECT count(*) FROM orders").fetchone()
            while wal.stat().st_size < 500_000:
                books.open(f"order {books.next_number}")
                books.commit()
                journal.tidy_if_due()
            reader._connection.execute("ROLLBACK")
            books.open("last")
            books.commit()
            assert journal.tidy_if_due()
            assert wal.stat().st_size == 0
        assert len(journal.restore().orders) == books.next_number - 1


@pytest.mark.parametrize("is_applied", [False, True])
def test_unit_that_contradicts_the_journal_fails_and_nothing_of_it_stays(
    tmp_path: Path, is_applied: bool
) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.route(books.open("one").number)
        books.fill(1, "0.5", trade_id="T")
        books.commit()
        if is_applied:
            journal.apply()
        order = books.orders[1]
        books.open("two")
        books.fill(1, "0.5", trade_id="T")
        with pytest.raises(CommitFailed, match="a trade is booked twice") as failure:
            books.commit()
        assert isinstance(failure.value.__cause__, ValueError)
        with pytest.raises(CommitFailed, match="a trade is"):  # and it stays failed
            journal.commit(empty_unit(1))
    with Journal.open(tmp_path) as journal:
        restored = journal.restore()
        assert restored.orders == [order]
        assert restored.next_number == 2
    assert verify(tmp_path).differences == []


def test_change_of_an_order_that_has_no_row_fails(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.open("one")
        books.unit.opened.clear()
        with pytest.raises(CommitFailed, match="order 1 was never opened"):
            books.commit()


def test_unit_of_an_unknown_account_fails(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.open("one")
        books.unit.accounts.clear()
        with pytest.raises(CommitFailed, match="1 reports, and sequences move by 0"):
            books.commit()


def test_order_opened_out_of_turn_fails(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.next_number = 2
        books.open("one")
        with pytest.raises(CommitFailed, match="order 2 is opened where 1 was due"):
            books.commit()


def test_empty_unit_is_kept_too(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        journal.commit(empty_unit(5))
        assert journal.commit_count == 1
    assert verify(tmp_path).frames == 1


def test_row_that_cannot_be_decoded_stops_restore_and_recall(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.open("one")
        books.commit()
        journal.apply()
        journal._connection.execute("UPDATE orders SET state = x'c1'")
        with pytest.raises(JournalTorn, match="a row cannot be decoded"):
            journal.restore()
        with pytest.raises(JournalTorn, match="a row cannot be decoded"):
            journal.recall(Wanted(set(), set(), {1}, set()))


def test_checkpoint_that_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "CHECKPOINT_BYTES", 1)
    with Journal.open(tmp_path) as journal:
        Bookkeeper(journal).commit()
        journal._connection.execute("BEGIN IMMEDIATE")  # no checkpoint inside a transaction
        with pytest.raises(JournalInUse, match=r"journal\.sqlite: database table is locked"):
            journal.tidy_if_due()
        journal._connection.execute("ROLLBACK")
