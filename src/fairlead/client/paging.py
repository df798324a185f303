"""A history page after page: which call is next, and what of its answer is wanted. No IO."""

from collections.abc import Iterator
from datetime import datetime

from fairlead.client import calls
from fairlead.client.shapes import HistoryOrder, HistoryPage

PAGE_ORDERS = 500
TIME_FIRST = "1970-01-01"
TIME_LAST = "2262-01-01"  # this machine's clock may be behind the system's


class HistoryPages:
    """`next_call` is None once everything was read; `take` each answer."""

    def __init__(
        self,
        time_start: datetime | str,
        time_end: datetime | str,
        exchange_id: str | None,
        page_orders: int,
    ) -> None:
        self._range = (time_start, time_end)
        self._exchange_id = exchange_id
        self._page_orders = page_orders
        self.next_call: calls.Call[HistoryPage] | None = self._call(None)

    def take(self, page: HistoryPage) -> Iterator[HistoryOrder]:
        """Note where the next page begins, and return the orders of the account that is wanted."""
        self.next_call = None if page.after is None else self._call(page.after)
        wanted = self._exchange_id
        return (order for order in page.orders if wanted in (None, order.exchange_id))

    def _call(self, after: str | None) -> calls.Call[HistoryPage]:
        return calls.history_page(*self._range, self._page_orders, after)
