"""Every call through a relay is the same call at the edge behind it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from fairlead.core.model import Order
from fairlead.core.port import Released
from fairlead.core.replies import OrderReply, Reply
from fairlead.core.requests import QueryOrder
from fairlead.core.venue_messages import Outcome, VenuePlace
from fairlead.gateway.relay import Relay
from tests.core.words import make_request
from tests.edge.desk import answer
from tests.edge.test_edge import EVER, Port

pytestmark = pytest.mark.asyncio


async def placed(port: Port, relay: Relay, name: str, prepared: list[Reply]) -> Order:
    """Place an order through the relay and have the exchange accept it."""
    placing = relay.submit(make_request(name), prepared.append)
    request = await port.link.next_sent(VenuePlace)
    port.link.hear([answer(request, Outcome.DONE, exchange_order_id=f"X-{name}")])
    reply = await placing
    assert isinstance(reply, OrderReply)
    return reply.order


async def test_what_is_asked_is_answered_as_by_the_edge(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        edge, relay = port.edge, Relay(port.edge)
        prepared: list[Reply] = []
        orders = [await placed(port, relay, f"order-{number}", prepared) for number in range(3)]
        assert prepared == [OrderReply(order) for order in orders]
        found = QueryOrder(account="SIM", client_order_id="order-1")
        assert await relay.submit(found) == await edge.submit(found) == OrderReply(orders[1])
        rows = [row async for row in relay.history(*EVER, None, 2)]
        assert [row.order for row in rows] == orders[:2]
        assert [row.order async for row in relay.history(*EVER, rows[-1].cursor, None)] == orders[
            2:
        ]
        assert await relay.story("SIM", orders[0].number) == await edge.story(
            "SIM", orders[0].number
        )
        assert (await relay.snapshot("SIM")).orders == tuple(orders)
        page = await relay.reports_page("SIM", 1, 3)
        assert [each.report.sequence for each in page] == [2, 3, 4]
        follower = relay.reports("SIM", 1)
        assert [await anext(follower) for _ in page] == page


async def test_what_is_released_is_told_until_nobody_listens(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        relay = Relay(port.edge)
        told: list[Released] = []

        def listen(batch: Sequence[Released]) -> None:
            told.extend(batch)

        stop = relay.listen(listen)
        order = await placed(port, relay, "order-1", [])
        assert told[-1].order == order
        stop()
        count = len(told)
        await placed(port, relay, "order-2", [])
        assert len(told) == count
