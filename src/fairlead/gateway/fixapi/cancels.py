"""The cancels of one session that are on their way: whose senders are told if they come to nothing.

The answer to a cancel is made as of a report of its order. Reports up to that one may be told later than
the answer, and say nothing of the cancel.
"""

from fairlead.core.model import Order

_MOST = 10_000

_Key = tuple[str, str]  # (account, client order id)


class Cancels:
    """By order, each cancel that is awaited; several may wait for the same end. `count`: all of them."""

    def __init__(self) -> None:
        self.count = 0
        # The id of each cancel, with the sequence of its answer.
        self._awaited: dict[_Key, list[tuple[str, int]]] = {}

    def add(self, cancel_id: str, order: Order) -> None:
        """Await the end of a cancel that was answered with `order`, unless too many are awaited."""
        if self.count < _MOST:
            self.count += 1
            key = (order.account, order.client_order_id)
            self._awaited.setdefault(key, []).append((cancel_id, order.sequence))

    def take_ended(self, order: Order) -> list[str]:
        """Return the ids of the cancels that are over with a report, `order` being the order as of it.

        They are not awaited any more. No cancel of the order may be pending.
        """
        assert not order.cancel_pending, order
        key = (order.account, order.client_order_id)
        awaited = self._awaited.pop(key, [])
        left = [each for each in awaited if each[1] >= order.sequence]
        if left:
            self._awaited[key] = left
        ended = [cancel_id for cancel_id, sequence in awaited if sequence < order.sequence]
        self.count -= len(ended)
        return ended

    def clear(self) -> None:
        """Await nothing any more."""
        self._awaited.clear()
        self.count = 0
