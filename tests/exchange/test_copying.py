"""A copy of the store beside the exchange's own work: whole, of one moment, never in its way for long."""

import asyncio
import http.client
import threading
from collections import Counter
from pathlib import Path

import pytest

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import Side
from fairlead.exchange.copying import FOLDER_PREFIX, copied
from fairlead.exchange.store_file import (
    FILE_NAME,
    SCHEMA_VERSION,
    StoreError,
    StoreSummary,
    examine,
)
from tests.exchange.test_operator import Served, served
from tests.exchange.test_store import Shop


def trade(shop: Shop, count: int) -> None:
    """Commit `count` trades, each by itself."""
    for _ in range(count):
        number = shop.matching.orders
        shop.place("alice", f"a{number}", Side.SELL, 100, 2)
        shop.place("bob", f"b{number}", Side.BUY, 100, 1)
        shop.commit()


def test_a_copy_taken_amid_commits_is_the_store_as_of_one_commit(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    trade(shop, 300)
    (tmp_path / "copy").mkdir()
    for attempt in range(5):
        path = tmp_path / "copy" / FILE_NAME
        before = shop.matching.orders
        copying = threading.Thread(target=shop.store.copy_into, args=(path,))
        copying.start()
        while copying.is_alive():
            trade(shop, 20)
        summary = examine(path)
        assert before <= summary.orders <= shop.matching.orders, attempt
        assert summary.orders % 2 == 0  # never half a commit
        copy = Shop(tmp_path / "copy")
        fills = Counter(owner for owner, _ in copy.store.all_fills_after(0, 0, 10**6))
        assert set(fills.values()) == {summary.orders // 2}
        rests = sum(
            order.wire().quantity - order.wire().filled
            for order in copy.matching.open_orders.values()
        )
        assert rests == summary.orders // 2
        copy.store.close()
        path.unlink()
    shop.store.close()


def test_closing_the_store_ends_a_copy_under_way(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    trade(shop, 2_000)
    errors: list[StoreError] = []
    begun = threading.Event()
    go_on = shop.store._go_on

    def noted(*state: int) -> None:
        begun.set()
        go_on(*state)

    shop.store._go_on = noted  # type: ignore[method-assign]

    def copy() -> None:
        use_exact_decimals()
        while not errors:  # until one is cut short
            try:
                shop.store.copy_into(tmp_path / "copy")
            except StoreError as error:
                errors.append(error)

    copying = threading.Thread(target=copy)
    copying.start()
    assert begun.wait(60)
    shop.store.close()
    copying.join(60)
    assert "closing" in str(errors[0])
    assert examine(tmp_path / FILE_NAME).orders == shop.matching.orders


def test_a_store_that_is_open_cannot_be_examined_by_others(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    trade(shop, 1)
    with pytest.raises(StoreError, match="locked"):
        examine(tmp_path / FILE_NAME)
    shop.store.close()
    assert examine(tmp_path / FILE_NAME) == StoreSummary(SCHEMA_VERSION, 2)
    (tmp_path / FILE_NAME).write_bytes(b"a diary" * 1_000)
    with pytest.raises(StoreError, match="not a database"):
        examine(tmp_path / FILE_NAME)


def test_a_copy_has_no_name_while_it_is_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    trade(shop, 1)
    copy, size = copied(shop.store, tmp_path)
    with copy:
        assert len(copy.read()) == size
    assert not list(tmp_path.glob(f"{FOLDER_PREFIX}*"))
    shop.store.close()


def test_the_operator_api_sends_a_copy(tmp_path: Path) -> None:
    async def body(world: Served) -> None:
        await world.log_in("alice")
        await world.place(("rests", Side.BUY, "100", "1"))
        status, refused = await world.call("POST", "/operator/backup", {"path": "/etc/passwd"})
        assert (status, refused["field"]) == (400, "path")
        (tmp_path / "copy.sqlite").write_bytes(await asyncio.to_thread(fetched, world.operator))

    served(tmp_path / "exchange", body)
    assert examine(tmp_path / "copy.sqlite").orders == 1


def fetched(operator: str) -> bytes:
    connection = http.client.HTTPConnection(operator, timeout=20)
    try:
        connection.request("POST", "/operator/backup", b"{}")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.getheader("content-type") == "application/vnd.sqlite3"
        return answer.read()
    finally:
        connection.close()
