"""Which orders answer a mass status request: those that are open, and those that ended since the last one.

So it tells a client whose session was reset, or who lost more than can be sent again, what became of
every order. Bounded in orders and in the reports that are looked at.
"""

import msgspec

from fairlead.core.model import Order
from fairlead.core.port import EdgePort
from fairlead.core.replies import Refused, SnapshotReply
from fairlead.core.reports import OrderReport
from fairlead.core.requests import QuerySnapshot
from fairlead.gateway.fixapi.settings import FixSettings

_PAGE = 500


class Found(msgspec.Struct, frozen=True):
    """The orders of one account by number, as of `sequence`."""

    orders: list[Order]
    sequence: int


async def find_orders(
    port: EdgePort, account: str, after_sequence: int, settings: FixSettings
) -> Found | Refused:
    """Return the open orders, and those that ended after `after_sequence`; or why there are none to tell.

    Raises ConnectionError when the edge is stopping.
    """
    snapshot = await port.submit(QuerySnapshot(account=account))
    if isinstance(snapshot, Refused):
        return snapshot
    assert isinstance(snapshot, SnapshotReply), snapshot
    orders = {order.number: order for order in snapshot.orders}
    first = max(after_sequence, snapshot.sequence - settings.mass_status_reports_max)
    ended = await _ended(port, account, first, snapshot.sequence, settings.mass_status_orders_max)
    orders |= ended
    newest = sorted(orders)[-settings.mass_status_orders_max :]
    return Found([orders[number] for number in newest], snapshot.sequence)


async def _ended(
    port: EdgePort, account: str, after_sequence: int, last: int, most: int
) -> dict[int, Order]:
    """Return the orders that ended in reports up to `last`; of too many, those that ended last."""
    ended: dict[int, Order] = {}
    at = after_sequence
    while at < last:
        page = await port.reports_page(account, at, min(_PAGE, last - at))
        if not page:
            break
        for released in page:
            order = released.order
            if isinstance(released.report, OrderReport) and order is not None:
                ended.pop(order.number, None)
                if order.stage.is_final:
                    ended[order.number] = order
                    if len(ended) > most:
                        del ended[next(iter(ended))]
        at = page[-1].report.sequence
    return ended
