"""What a client is told of orders while it waits for an answer about some: no answer tells what is over.

An answer is made as of a moment and arrives later; the reports since then may have been told first.
"""

import contextlib
from collections.abc import Iterator

from fairlead.core.model import Order
from fairlead.core.reports import Cause, OrderReport

Told = tuple[OrderReport, Order]
_Key = tuple[str, str]  # (account, client order id)


class Meanwhile:
    """Of one session. Keeps what was told since the oldest request began that has no answer yet."""

    def __init__(self) -> None:
        self._before = _Span()
        self._now = _Span()

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Have what is told from here on remembered, until the answer is said."""
        span = self._now
        span.unanswered += 1
        try:
            yield
        finally:
            span.unanswered -= 1
            if not self._before.unanswered:
                self._before, self._now = self._now, _Span()

    @property
    def is_asked(self) -> bool:
        """Whether anything is to be remembered."""
        return bool(self._now.unanswered or self._before.unanswered)

    def heard(self, report: OrderReport, order: Order) -> None:
        """Take note of a report that the client is being told, and of its order as of then."""
        key = (order.account, order.client_order_id)
        self._now.orders[key] = order
        if report.cause is Cause.CANCEL_ENDED:
            self._now.cancels_ended[key] = (report, order)

    def newest(self, order: Order) -> Order:
        """Return the order as the client was last told of it, or as it is here if that is newer."""
        key = (order.account, order.client_order_id)
        told = self._now.orders.get(key) or self._before.orders.get(key)
        return order if told is None or told.sequence <= order.sequence else told

    def end_of_cancel(self, order: Order) -> Told | None:
        """Return the report, told already, by which the cancel ended that is pending here."""
        key = (order.account, order.client_order_id)
        told = self._now.cancels_ended.get(key) or self._before.cancels_ended.get(key)
        return None if told is None or told[0].sequence <= order.sequence else told


class _Span:
    """A stretch of time: the requests that began in it, and what was told in it."""

    def __init__(self) -> None:
        self.unanswered = 0
        self.orders: dict[_Key, Order] = {}
        self.cancels_ended: dict[_Key, Told] = {}
