"""What survives: restarts, kills, and files that are not ours. Real files throughout."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import ZERO, Side, TimeInForce
from fairlead.exchange import client_ids
from fairlead.exchange.ledger import total_holdings
from fairlead.exchange.matching import Matching
from fairlead.exchange.orders import Account, Order
from fairlead.exchange.settings import Settings
from fairlead.exchange.store import APPLY_ROWS, Store, open_store
from fairlead.exchange.store_file import (
    APPLICATION_ID,
    FILE_NAME,
    SCHEMA_VERSION,
    StoreError,
    examine,
)
from fairlead.venues.sim_messages import OrderState, Place

BTC = "BTC/USDT"
RICH = [("BTC", Decimal(100_000)), ("USDT", Decimal(100_000_000))]


class Shop:
    """A matching engine with its store, as a process would hold them."""

    def __init__(self, folder: Path) -> None:
        use_exact_decimals()
        self.store: Store = open_store(folder / FILE_NAME)
        self.matching = Matching(Settings())
        self.store.restore(self.matching)

    def account(self, name: str) -> Account:
        found = self.matching.accounts.get(name)
        return found or self.matching.ledger.open_account(name, b"hash", RICH)

    def place(
        self, name: str, client_id: str, side: Side, price: int, quantity: int, **named: object
    ) -> Order:
        tif = named.get("tif", TimeInForce.GOOD_TILL_CANCEL)
        ticket = Place(
            0, 1, client_id, BTC, side, Decimal(price), Decimal(quantity), tif, False,
            named.get("expire_time_ns"),
        )  # fmt: skip
        order = self.matching.place(self.account(name), ticket, 1)
        assert isinstance(order, Order), order
        return order

    def commit(self) -> None:
        self.store.commit(self.matching)

    def state(self) -> object:
        return (
            {
                account.public_key: (
                    account.number,
                    account.private_key_hash,
                    account.is_house,
                    account.events,
                    account.fills,
                    {asset: (h.total, h.locked) for asset, h in account.holdings.items()},
                    sorted(account.open_by_client_id),
                )
                for account in self.matching.accounts.values()
            },
            [order.wire() for order in self.matching.open_orders.values()],
            [
                [
                    order.number
                    for half in (market.book.bids, market.book.asks)
                    for order in half.orders()
                ]
                for market in self.matching.markets.values()
            ],
            self.matching.orders,
            {symbol: market.trades for symbol, market in self.matching.markets.items()},
            self.matching.next_expiry_ns,
        )


def test_a_restart_finds_everything_as_it_was(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for index in range(3):
        shop.place("alice", f"a{index}", Side.SELL, 100, 5)
        shop.place("bob", f"b{index}", Side.SELL, 100, 5)
    shop.place("carol", "c0", Side.BUY, 100, 7)
    shop.place(
        "carol", "c1", Side.BUY, 90, 1,
        tif=TimeInForce.GOOD_TILL_TIME_EXCHANGE, expire_time_ns=10**9,
    )  # fmt: skip
    shop.commit()
    before = shop.state()
    shop.store.close()
    again = Shop(tmp_path)
    assert again.state() == before
    assert again.matching.changes.orders == {}
    # Time priority survived: alice's rest of a0 is gone, b0 has 3 left and trades next.
    again.place("carol", "c2", Side.BUY, 100, 4)
    assert [fill.client_id for _, fill in again.matching.changes.fills][::2] == ["b0", "a1"]
    assert again.matching.orders == 9
    again.store.close()


def test_what_was_not_committed_is_gone_whole(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.place("alice", "a", Side.SELL, 100, 5)
    shop.commit()
    before = shop.state()
    shop.place("bob", "b", Side.BUY, 100, 5)
    shop.store.close()
    again = Shop(tmp_path)
    bob_never_was = before
    assert again.state() == bob_never_was
    again.store.close()


def test_closed_orders_leave_memory_and_are_found_in_the_store(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    first = shop.place("alice", "again", Side.SELL, 100, 1)
    shop.matching.cancel(first, 2)
    second = shop.place("alice", "again", Side.SELL, 101, 1)
    shop.matching.cancel(second, 3, "why not")
    shop.commit()
    assert shop.matching.open_orders == {}
    alice = shop.account("alice").number
    found = shop.store.order(alice, first.exchange_order_id)
    assert found == first.wire()
    assert shop.store.order_of_client(alice, "again") == second.wire()
    assert shop.store.order_of_client(alice, "never") is None
    for bad in ("", "x", "-1", "01", "²", "9" * 40, "1 "):
        assert shop.store.order(alice, bad) is None
    bob = shop.account("bob").number
    assert shop.store.order(bob, first.exchange_order_id) is None
    assert shop.store.order_of_client(bob, "again") is None
    shop.store.close()


def test_client_ids_are_found_in_runs_and_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_ids, "RUN", 50)
    shop = Shop(tmp_path)
    newest: dict[str, str] = {}
    for index in range(333):
        name = f"id{index % 120}"
        order = shop.place("alice", name, Side.SELL, 100, 1)
        shop.matching.cancel(order, 2)
        newest[name] = order.exchange_order_id
        if index % 7 == 0:
            shop.commit()
    shop.commit()
    for _ in range(2):
        alice = shop.account("alice").number
        for name, exchange_order_id in newest.items():
            found = shop.store.order_of_client(alice, name)
            assert found is not None
            assert found.exchange_order_id == exchange_order_id
        shop.store.close()
        shop = Shop(tmp_path)
    found = shop.store.orders_after(0, 10, client_id="id5")
    assert [int(order.exchange_order_id) for _, order in found] == [6, 126, 246]
    shop.store.close()


def test_two_ids_of_one_checksum_are_told_apart(tmp_path: Path) -> None:
    # CRC-32 of both is 0x4ddb0c25.
    one, other = "plumless", "buckeroo"
    shop = Shop(tmp_path)
    first = shop.place("alice", one, Side.SELL, 100, 1)
    second = shop.place("alice", other, Side.SELL, 100, 1)
    shop.commit()
    alice = shop.account("alice").number
    assert shop.store.order_of_client(alice, one) == first.wire()
    assert shop.store.order_of_client(alice, other) == second.wire()
    shop.store.close()


def test_fills_and_orders_are_paged(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for index in range(10):
        shop.place("alice", f"a{index}", Side.SELL, 100, 1)
        shop.place("bob", f"b{index}", Side.BUY, 100, 1)
    shop.place("bob", "open", Side.BUY, 100, 1)
    shop.commit()
    alice, bob = shop.account("alice").number, shop.account("bob").number
    assert [f.ordinal for f in shop.store.fills_after(alice, 3, 4)] == [4, 5, 6, 7]
    everything = shop.store.all_fills_after(0, 0, 100)
    assert [(owner, f.ordinal) for owner, f in everything] == [
        (owner, n) for owner in (alice, bob) for n in range(1, 11)
    ]
    assert len(shop.store.all_fills_after(alice, 7, 100)) == 13
    assert len(shop.store.all_fills_after(alice, 7, 100, alice)) == 3
    assert len(shop.store.all_fills_after(alice, 7, 100, bob)) == 10
    assert shop.store.all_fills_after(bob, 7, 100, alice) == []
    assert len(shop.store.orders_after(0, 100)) == 21
    assert len(shop.store.orders_after(0, 100, alice)) == 10
    assert [o.client_id for _, o in shop.store.orders_after(0, 9, None, OrderState.OPEN)] == [
        "open"
    ]
    assert len(shop.store.orders_after(0, 5, bob, OrderState.FILLED)) == 5
    shop.store.close()


def test_changed_instruments_survive(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    changed = msgspec.structs.replace(
        shop.matching.markets[BTC].instrument, price_tick=Decimal("0.5")
    )
    shop.matching.set_instrument(changed)
    shop.commit()
    shop.store.close()
    again = Shop(tmp_path)
    assert again.matching.markets[BTC].instrument == changed
    again.store.close()


def test_what_only_house_accounts_did_waits_for_a_client(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    house = shop.matching.ledger.house("house:x")
    shop.matching.place_house(house, BTC, Side.SELL, Decimal(100), Decimal(1), 1)
    shop.matching.place_house(house, BTC, Side.BUY, Decimal(100), Decimal(1), 1)
    shop.commit()
    assert shop.store.commits == 0
    shop.place("alice", "a", Side.SELL, 100, 1)
    shop.commit()
    assert shop.store.commits == 1
    shop.store.close()
    again = Shop(tmp_path)
    assert "house:x" in again.matching.accounts
    assert set(total_holdings(again.matching.accounts.values()).values()) == {ZERO}
    again.store.close()


# ── files that are not ours ──────────────────────────────────────────────────────────────────────


def refused(path: Path) -> str:
    """Return why the file is refused; it must be left as it is."""
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        open_store(path).restore(Matching(Settings()))
    assert path.read_bytes() == before
    return str(caught.value)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(b"this is a diary, not a database\n" * 100)
    assert "not a database" in refused(path)


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE recipes (name TEXT)")
    other.commit()
    other.close()
    assert "another program" in refused(path)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    other.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    other.execute("CREATE TABLE t (x)")
    other.commit()
    other.close()
    assert f"version {SCHEMA_VERSION + 1} is newer than {SCHEMA_VERSION}" in refused(path)


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for index in range(200):
        shop.place("alice", f"a{index}", Side.SELL, 100, 1)
    shop.commit()
    shop.store.close()
    path = tmp_path / FILE_NAME
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "malformed" in refused(path) or "damaged" in refused(path)
    path.write_bytes(whole[:8192] + bytes(4096) + whole[12288:])
    assert refused(path)


def test_a_store_in_use_is_refused(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.place("alice", "a", Side.SELL, 100, 1)
    shop.commit()
    with pytest.raises(StoreError, match="is another exchange running on it"):
        open_store(tmp_path / FILE_NAME)
    shop.store.close()


def test_a_commit_that_fails_is_told(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.place("alice", "a", Side.SELL, 100, 1)
    shop.store._connection.execute("PRAGMA max_page_count = 1")  # the disk is full
    shop.place("alice", "b", Side.SELL, 100, 1)
    for index in range(100):
        shop.place("alice", f"c{index}", Side.SELL, 100, 1)
    with pytest.raises(StoreError, match="full"):
        shop.commit()
    shop.store.close()


# ── kill -9 ──────────────────────────────────────────────────────────────────────────────────────

_VICTIM = """
import sys
from pathlib import Path
from tests.exchange.test_store import Shop
from fairlead.core.model import Side
shop = Shop(Path(sys.argv[1]))
start = shop.matching.orders
while True:
    number = shop.matching.orders + 1
    shop.place("alice", f"a{number}", Side.SELL, 100, 2)
    shop.place("bob", f"b{number}", Side.BUY, 100, 1)
    shop.commit()
    print(shop.matching.orders, flush=True)
"""


def test_a_kill_never_loses_what_was_acknowledged(tmp_path: Path) -> None:
    acknowledged = 0
    for _ in range(5):
        victim = subprocess.Popen(
            [sys.executable, "-c", _VICTIM, str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONPATH": "."},
        )
        assert victim.stdout is not None
        first = victim.stdout.readline()
        assert first, "the victim did not start"
        worked = [victim.stdout.readline() for _ in range(20)]
        victim.send_signal(signal.SIGKILL)
        rest = [*worked, *victim.stdout.read().splitlines(keepends=True)]
        victim.wait()
        victim.stdout.close()
        acknowledged = int([line for line in (first, *rest) if line.endswith(b"\n")][-1])
        shop = Shop(tmp_path)
        assert shop.matching.orders >= acknowledged
        assert shop.matching.orders % 2 == 0, "a commit is whole or not at all"
        assert shop.matching.markets[BTC].trades == shop.matching.orders // 2
        assert set(total_holdings(shop.matching.accounts.values()).values()) == {ZERO}
        bob = shop.account("bob")
        assert len(shop.store.fills_after(bob.number, 0, 10**6)) == bob.fills
        assert len(shop.store.orders_after(0, 10**6)) == shop.matching.orders
        shop.store.close()
    assert acknowledged > 10


# ── the log ──────────────────────────────────────────────────────────────────────────────────────


def rows_in(folder: Path, table: str) -> int:
    """Return how many rows a table of the closed file has."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count


def test_tables_follow_in_bulk_and_say_the_same_before_and_after(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for index in range(APPLY_ROWS - 1):
        shop.place("alice", f"a{index}", Side.SELL, 100, 1)
        shop.commit()
    shop.store.close()
    assert (rows_in(tmp_path, "log"), rows_in(tmp_path, "orders")) == (APPLY_ROWS - 1, 0)
    assert examine(tmp_path / FILE_NAME).orders == APPLY_ROWS - 1
    again = Shop(tmp_path)
    assert len(again.matching.accounts["alice"].open_orders) == APPLY_ROWS - 1
    again.store.close()
    assert (rows_in(tmp_path, "log"), rows_in(tmp_path, "orders")) == (0, APPLY_ROWS - 1)
    assert examine(tmp_path / FILE_NAME).orders == APPLY_ROWS - 1
    again = Shop(tmp_path)
    for index in range(APPLY_ROWS):
        again.place("bob", f"b{index}", Side.BUY, 100, 1)
        again.commit()
    assert again.store.orders_after(0, 1)[0][1].state is OrderState.FILLED
    again.store.close()
    assert rows_in(tmp_path, "log") == 0
    assert rows_in(tmp_path, "fills") == 2 * (APPLY_ROWS - 1)


def test_what_is_only_in_the_log_is_found(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.place("alice", "a", Side.SELL, 100, 1)
    shop.place("bob", "b", Side.BUY, 100, 1)
    shop.commit()
    alice, bob = (shop.matching.accounts[each].number for each in ("alice", "bob"))
    order = shop.store.order_of_client(bob, "b")
    assert order is not None
    assert order.state is OrderState.FILLED
    assert shop.store.order(alice, order.exchange_order_id) is None
    assert rows_of(shop, "log") == 1, "to find one order writes nothing"
    assert [fill.client_id for fill in shop.store.fills_after(alice, 0, 9)] == ["a"]
    assert rows_of(shop, "log") == 0
    shop.store.close()


def rows_of(shop: Shop, table: str) -> int:
    """Return how many rows a table of the open store has."""
    count: int = shop.store._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count


def test_a_store_without_a_log_gets_one(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.place("alice", "a", Side.SELL, 100, 1)
    shop.commit()
    shop.store.orders_after(0, 1)
    shop.store.close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.execute("DROP TABLE log")
        connection.execute("DROP TABLE identity")
        connection.execute("PRAGMA user_version = 2")
    assert examine(tmp_path / FILE_NAME).orders == 1
    again = Shop(tmp_path)
    again.place("bob", "b", Side.BUY, 100, 1)
    again.commit()
    assert again.store.orders_after(0, 9)[1][1].state is OrderState.FILLED
    again.store.close()
    assert examine(tmp_path / FILE_NAME).schema == SCHEMA_VERSION


def test_an_application_that_fails_loses_nothing(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for index in range(APPLY_ROWS - 1):
        shop.place("alice", f"a{index}", Side.SELL, 100, 1)
    shop.commit()
    pages = shop.store._connection.execute("PRAGMA page_count").fetchone()[0]
    shop.store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")  # the disk is full
    shop.place("alice", "last", Side.SELL, 100, 1)
    with pytest.raises(StoreError, match="full"):
        shop.commit()
    shop.store.close()
    again = Shop(tmp_path)
    assert len(again.matching.accounts["alice"].open_orders) == APPLY_ROWS
    again.store.close()
