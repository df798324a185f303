"""What is open of a key: connections and orders that are not final, of that key alone."""

import msgspec
import pytest

from fairlead.core.replies import OrdersReply, Refusal, Refused
from fairlead.core.requests import QueryOrders
from fairlead.gateway.console.living import Living
from fairlead.gateway.usage import FIX, WEBSOCKET
from tests.gateway.orders import ORDER
from tests.gateway.test_callers import KID, World

OTHER = "flk_" + "B" * 22


@pytest.mark.asyncio
async def test_orders_of_the_key_are_counted_wherever_they_are() -> None:
    world = World()
    orders = tuple(msgspec.structs.replace(ORDER, caller=kid) for kid in (KID, OTHER, KID))
    world.edge.script = lambda _: OrdersReply(orders)
    living = Living(world.access, {"local": world.edge})
    assert await living.orders("local", KID) == 2
    assert await living.orders("desk", KID) == 0
    assert world.edge.asked == [QueryOrders(account="")]
    world.edge.script = lambda _: Refused(Refusal.OVERLOADED, "later")
    assert await living.orders("local", KID) == 0


def test_connections_of_the_key_are_counted_until_they_end() -> None:
    world = World()
    living = Living(world.access, {})
    stops = [world.access.watch(world.caller, each, lambda: None) for each in (WEBSOCKET, FIX)]
    assert (living.sessions(KID), living.sessions(OTHER)) == (2, 0)
    stops[0]()
    assert living.sessions(KID) == 1
    world.becomes(scopes=())
    assert living.sessions(KID) == 0
