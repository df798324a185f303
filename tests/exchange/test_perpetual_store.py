"""What the exchange's store keeps of perpetuals, and what it makes of a file from before them."""

import sqlite3
from pathlib import Path

import msgspec
import pytest

from fairlead.exchange.clearing import Clearing
from fairlead.exchange.matching import Matching
from fairlead.exchange.settings import Settings
from fairlead.exchange.store import Store, open_store
from fairlead.exchange.store_file import FILE_NAME, SCHEMA_VERSION, StoreError
from tests.exchange.pit import BUY, FREE, PERP, SELL, D, Pit, check_always
from tests.exchange.test_store import Shop


def restored(folder: Path) -> tuple[Store, Pit]:
    """Open the store and put it into a new pit without accounts of its own."""
    store = open_store(folder / FILE_NAME)
    pit = Pit(mark=None)
    pit.matching = Matching(FREE)
    pit.clearing = Clearing(pit.matching, FREE.perpetuals)
    store.restore(pit.matching)
    pit.market = pit.matching.markets[PERP]
    pit.house = pit.matching.ledger.house("house:x")
    pit.alice, pit.bob, pit.carol = (
        pit.matching.accounts[name] for name in ("alice", "bob", "carol")
    )
    return store, pit


def facts(pit: Pit) -> object:
    """What must be the same after a restart."""
    return (
        pit.state(),
        {
            name: [
                (each.quantity, each.cost, each.leverage, each.order_margin, each.position_margin)
                for each in account.positions.values()
            ]
            for name, account in pit.matching.accounts.items()
            if account.positions
        },
        list(pit.market.positions),
        (pit.market.mark, pit.market.mark_set, pit.market.price_last, pit.market.funding_time_ns),
        [order.wire() for order in pit.matching.open_orders.values()],
    )


def lived(folder: Path) -> tuple[Store, Pit]:
    """A pit with positions, orders of both kinds, leverage and a fresh store."""
    store = open_store(folder / FILE_NAME)
    pit = Pit()
    pit.matching.place_house(pit.house, PERP, SELL, D(100), D(3), 1)
    pit.accept(pit.alice, BUY, "100", "3")
    pit.trade(pit.alice, pit.bob, "101", "2")
    pit.trade(pit.carol, pit.alice, "100.5", "1")
    assert pit.clearing.set_leverage(pit.alice, pit.market, D(7), 5) is None
    pit.accept(pit.alice, SELL, "120", "9")
    pit.accept(pit.alice, SELL, "121", "9", reduce_only=True)
    pit.accept(pit.bob, BUY, "90", "1")
    return store, pit


def test_a_restart_finds_positions_margins_marks_and_orders_as_they_were(tmp_path: Path) -> None:
    store, pit = lived(tmp_path)
    store.commit(pit.matching)
    before = facts(pit)
    store.close()
    store, again = restored(tmp_path)
    assert facts(again) == before
    check_always(again.matching)
    again.settle(pit.now_ns)
    assert facts(again) == before, "nothing happens because it was restarted"
    reducing = [order for order in again.matching.open_orders.values() if order.reduce_only]
    assert [order.price for order in reducing] == [121]
    again.mark("70")
    assert again.held(again.alice)[0] == 4, "900 and more are left"
    again.trade(again.bob, again.alice, "100", "4")
    check_always(again.matching)
    store.close()


def test_a_mark_from_before_the_first_position_is_stored_with_it(tmp_path: Path) -> None:
    store = open_store(tmp_path / FILE_NAME)
    pit = Pit(mark=None)
    pit.settle()
    store.commit(pit.matching)
    pit.quote_spot("99", "101")
    pit.trade(pit.alice, pit.bob, "100", "90")
    store.commit(pit.matching)
    store.close()
    store, again = restored(tmp_path)
    assert again.market.mark == 100
    again.mark("85")
    assert again.held(again.alice)[0] == 0
    store.close()


def test_an_interval_is_neither_paid_twice_nor_left_out_by_a_restart(tmp_path: Path) -> None:
    store, pit = lived(tmp_path)
    due_ns = pit.clearing.next_time_ns
    assert due_ns is not None
    pit.settle(due_ns)
    paid = len(pit.changes(pit.alice))
    assert paid == 2  # the leverage and the funding
    store.commit(pit.matching)
    store.close()
    store, again = restored(tmp_path)
    again.settle(due_ns + 1)
    assert again.changes(again.alice) == []
    assert again.clearing.next_time_ns == pit.clearing.next_time_ns
    store.close()
    store, third = restored(tmp_path)
    next_ns = third.clearing.next_time_ns
    assert next_ns is not None
    third.settle(next_ns + 5)
    assert len(third.changes(third.alice)) == 1
    store.close()


def test_a_mark_that_an_operator_set_is_stored_at_once(tmp_path: Path) -> None:
    store = open_store(tmp_path / FILE_NAME)
    pit = Pit(mark=None)
    store.commit(pit.matching)
    pit.mark("123")
    store.commit(pit.matching)
    store.close()
    store, again = restored(tmp_path)
    assert again.market.mark_set == 123
    store.close()


def test_a_file_from_before_perpetuals_opens_and_keeps_its_orders(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.place("alice", "a0", SELL, 100, 5)
    shop.place("bob", "b0", BUY, 100, 2)
    shop.commit()
    before = shop.state()
    shop.store.orders_after(0, 1)  # brings the tables up to date
    shop.store.close()
    age(tmp_path / FILE_NAME)
    again = Shop(tmp_path)
    assert again.state() == before
    assert again.place("bob", "b1", BUY, 100, 3).filled == 3
    again.commit()
    again.store.close()
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
    connection.close()


def age(path: Path) -> None:
    """Make the file one of schema 1: no state but its accounts' and markets', shorter arrays."""
    connection = sqlite3.connect(path)
    cuts = {"orders": ("number", 14), "states": ("number", 6), "fills": ("ordinal", 13)}
    for table, (key, members) in cuts.items():
        for number, body in connection.execute(f"SELECT {key}, body FROM {table}").fetchall():
            content = msgspec.msgpack.decode(body)
            if isinstance(content, list):
                connection.execute(
                    f"UPDATE {table} SET body = ? WHERE {key} = ?",
                    (msgspec.msgpack.encode(content[:members]), number),
                )
    connection.execute("DROP TABLE log")
    connection.execute("DROP TABLE identity")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()


def test_a_position_in_a_market_that_is_not_there_is_refused(tmp_path: Path) -> None:
    store, pit = lived(tmp_path)
    for order in list(pit.matching.open_orders.values()):
        pit.matching.cancel(order, 9)
    store.commit(pit.matching)
    store.close()
    store = open_store(tmp_path / FILE_NAME)
    with pytest.raises(StoreError, match="has a position in BTC-PERP, which is not among"):
        store.restore(Matching(Settings(instruments=Settings().instruments[:3])))
    store.close()


def test_what_the_settings_say_of_a_market_holds_after_its_tick_was_changed(tmp_path: Path) -> None:
    store, pit = lived(tmp_path)
    changed = msgspec.structs.replace(pit.market.instrument, price_tick=D("0.5"))
    pit.matching.set_instrument(changed)
    store.commit(pit.matching)
    store.close()
    store = open_store(tmp_path / FILE_NAME)
    listed = Matching(FREE).markets[PERP].instrument
    lower = msgspec.structs.replace(listed, leverage_max=D(20))
    others = tuple(each for each in FREE.instruments if each.symbol_exchange != PERP)
    again = Matching(msgspec.structs.replace(FREE, instruments=(*others, lower)))
    store.restore(again)
    found = again.markets[PERP].instrument
    assert (found.price_tick, found.leverage_max) == (D("0.5"), D(20))
    store.close()
