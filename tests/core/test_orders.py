"""The index of orders: found by each id, forgotten whole, whatever ids strangers share."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.model import ExecInst, Order
from fairlead.core.orders import Orders
from tests.core.words import make_order


def numbered(number: int, **changes: object) -> Order:
    fields: dict[str, object] = {
        "number": number,
        "client_order_id": f"c{number}",
        "venue_client_id": f"v{number}",
        **changes,
    }
    return make_order(**fields)


def test_an_order_is_found_by_each_of_its_ids() -> None:
    orders = Orders()
    order = numbered(1, exchange_order_id="X1")
    orders.put(order)
    assert orders.get(1) is order
    assert orders.by_client_id("SIM", "c1") is order
    assert orders.by_venue_client_id("SIM", "v1") is order
    assert orders.by_exchange_id("SIM", "X1") is order
    assert orders.by_exchange_id("SIM", "X1", "BTC-USDT") is order
    assert list(orders.all()) == [order]
    assert len(orders) == 1


def test_what_is_not_there_is_not_found() -> None:
    orders = Orders()
    orders.put(numbered(1, exchange_order_id="X1"))
    assert orders.get(2) is None
    assert orders.by_client_id("SIM/B", "c1") is None
    assert orders.by_venue_client_id("SIM/B", "v1") is None
    assert orders.by_exchange_id("SIM/B", "X1") is None
    assert orders.by_exchange_id("SIM", "X1", "ETH-XBT") is None
    assert list(orders.of_account("SIM/B")) == []


def test_the_newest_version_replaces_the_old_one_and_its_exchange_id_becomes_known() -> None:
    orders = Orders()
    orders.put(numbered(1))
    assert orders.by_exchange_id("SIM", "X1") is None
    later = numbered(1, exchange_order_id="X1")
    orders.put(later)
    orders.put(later)
    assert orders.get(1) is later
    assert orders.by_exchange_id("SIM", "X1") is later
    orders.drop(1)
    assert len(orders) == 0
    assert orders.by_exchange_id("SIM", "X1") is None


def test_exchanges_may_count_ids_per_market() -> None:
    orders = Orders()
    bitcoin = numbered(1, exchange_order_id="7")
    ether = numbered(2, exchange_order_id="7", symbol_exchange="ETH-XBT")
    orders.put(bitcoin)
    orders.put(ether)
    assert orders.by_exchange_id("SIM", "7", "ETH-XBT") is ether
    assert orders.by_exchange_id("SIM", "7", "BTC-USDT") is bitcoin
    orders.drop(1)
    assert orders.by_exchange_id("SIM", "7") is ether


def test_orders_of_an_account_come_oldest_first() -> None:
    orders = Orders()
    for number in (3, 1, 2):
        orders.put(numbered(number))
    orders.put(numbered(4, account="SIM/B"))
    assert [order.number for order in orders.of_account("SIM")] == [1, 2, 3]


def test_strangers_may_share_a_client_id_at_the_exchange() -> None:
    orders = Orders()
    first, second = numbered(1, venue_client_id="abc"), numbered(2, venue_client_id="abc")
    orders.put(first)
    orders.put(second)
    assert orders.by_venue_client_id("SIM", "abc") is first
    orders.drop(1)
    assert orders.by_venue_client_id("SIM", "abc") is None
    orders.drop(2)
    assert len(orders) == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 6)), max_size=40))
def test_any_sequence_leaves_exactly_what_was_put_and_not_dropped(
    steps: list[tuple[bool, int]],
) -> None:
    orders, expected = Orders(), dict[int, Order]()
    for is_put, number in steps:
        if is_put:
            order = numbered(
                number,
                venue_client_id=f"v{number % 2}",
                session=f"s{number % 2}",
                exec_inst=(ExecInst.CANCEL_ON_DISCONNECT,) if number % 3 else (),
            )
            if number in expected:
                order = msgspec.structs.replace(order, exchange_order_id=f"X{number % 3}")
            orders.put(order)
            expected[number] = order
        elif number in expected:
            orders.drop(number)
            del expected[number]
        assert {order.number: order for order in orders.all()} == expected
        for order in expected.values():
            assert orders.by_client_id("SIM", order.client_order_id) == order
            if order.exchange_order_id is not None:
                assert orders.by_exchange_id("SIM", order.exchange_order_id) is not None
        for session in ("s0", "s1"):
            assert [each.number for each in orders.ending_with("SIM", session)] == sorted(
                number
                for number, order in expected.items()
                if order.session == session and order.ends_with_session
            )
