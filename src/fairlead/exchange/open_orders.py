"""The orders of clients that are open: by number, with the numbers given out and the times they expire.

Indexes only: what an order's beginning or end means is decided by `matching` and booked by `trading`.
"""

import heapq
from collections.abc import Iterator

from fairlead.exchange.orders import Order


class OpenOrders:
    """Every open order of a client, oldest first. House orders are only numbered."""

    def __init__(self) -> None:
        self.by_number: dict[int, Order] = {}
        self.newest = 0  # the newest number given out to a client's order
        self._house_orders = 0
        self._expiries: list[tuple[int, int]] = []  # heap of (time, number); stale ones are skipped

    def next_house_number(self) -> int:
        """Give out a number of a house order: they count downwards."""
        self._house_orders += 1
        return -self._house_orders

    def add(self, order: Order) -> None:
        """Take in a client's order that was accepted or restored."""
        self.newest = max(self.newest, order.number)
        self.by_number[order.number] = order
        order.account.open_orders[order.number] = order
        order.account.open_by_client_id[order.client_id] = order

    def forget(self, order: Order) -> None:
        """Let go of one that has ended."""
        del self.by_number[order.number]
        del order.account.open_orders[order.number]
        del order.account.open_by_client_id[order.client_id]

    # ── times ────────────────────────────────────────────────────────────────────────────────────

    @property
    def next_expiry_ns(self) -> int | None:
        """When there may be orders to expire; perhaps earlier than there are, never later."""
        return self._expiries[0][0] if self._expiries else None

    def remember_expiry(self, order: Order) -> None:
        """Note when an order that rests ends, if it does by time."""
        if order.expire_time_ns is None:
            return
        heapq.heappush(self._expiries, (order.expire_time_ns, order.number))
        if len(self._expiries) > 2 * len(self.by_number) + 1_000:
            self._expiries = [each for each in self._expiries if each[1] in self.by_number]
            heapq.heapify(self._expiries)

    def take_expired(self, now_ns: int) -> Iterator[Order]:
        """Return the open orders whose time has come, the earliest first."""
        expiries = self._expiries
        while expiries and expiries[0][0] <= now_ns:
            _, number = heapq.heappop(expiries)
            order = self.by_number.get(number)
            if order is not None:
                yield order
