"""What is open of an API key at this moment: connections, and orders that are not final."""

from collections.abc import Mapping

from fairlead.core.port import EdgePort
from fairlead.core.replies import OrdersReply
from fairlead.core.requests import QueryOrders
from fairlead.gateway.callers import Access


class Living:
    """`ports`: by subscription, unguarded. For the event loop's thread."""

    def __init__(self, access: Access, ports: Mapping[str, EdgePort]) -> None:
        self._access = access
        self._ports = ports

    def sessions(self, kid: str) -> int:
        """Return how many WebSocket and FIX sessions of the key are open here."""
        return self._access.open_connections(kid)

    async def orders(self, subscription: str, kid: str) -> int:
        """Return how many orders that were placed with the key are not final, 0 where no orders are."""
        port = self._ports.get(subscription)
        reply = None if port is None else await port.submit(QueryOrders(account=""))
        if not isinstance(reply, OrdersReply):
            return 0
        return sum(order.caller == kid for order in reply.orders)
