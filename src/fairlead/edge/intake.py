"""What waits to be decided, and the batches in which it is taken: in the order in which it arrived.

Requests and what exchanges said share a batch; a change of the accounts is one of its own, behind all that
came before it. Must never decide.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from fairlead.core.requests import Request
from fairlead.core.venue_messages import VenueReport
from fairlead.edge.limits import Limits
from fairlead.edge.line import Line


class Submitted(msgspec.Struct):
    """A request, and the token of who waits for its answer."""

    request: Request
    token: int


class Coming(msgspec.Struct):
    """An account is taken up, new or back."""

    account: str
    line: Line


class Going(msgspec.Struct):
    """An account goes."""

    account: str


class Relined(msgspec.Struct):
    """An account gets another line."""

    account: str
    line: Line


Change = Coming | Going | Relined
Message = Submitted | VenueReport
_CHANGES = (Coming, Going, Relined)


class Intake:
    """The inbox. `waiting` has what is there, the oldest first; only `change` may put a `Change` into it."""

    def __init__(self, limits: Limits) -> None:
        self.waiting: deque[Message | Change] = deque()
        self._limits = limits
        self._changes = 0  # that wait
        self._filled = 0
        self._fillings = 0

    def hear(self, reports: Iterable[VenueReport]) -> None:
        """Put in what an exchange said."""
        self.waiting.extend(reports)

    def change(self, change: Change) -> None:
        """Put in a change of the accounts."""
        self._changes += 1
        self.waiting.append(change)

    def is_filling(self, *, is_alone: bool) -> bool:
        """Let the loop bring what has already arrived: one commit then serves all of it.

        `is_alone`: the last order came alone. Of one caller who waits for each answer nothing more will come.
        """
        size = len(self.waiting)
        if is_alone or size == self._filled or self._fillings >= self._limits.fillings_most:
            self._filled = self._fillings = 0
            return False
        self._filled = size
        self._fillings += 1
        return True

    def take(self) -> list[Message] | Change:
        """Take the next batch."""
        if self._changes:
            return self._take_to_change()
        waiting: deque[Any] = self.waiting  # messages all, where there is no change
        if len(waiting) <= self._limits.batch_most:
            batch: list[Message] = list(waiting)
            waiting.clear()
            return batch
        return [waiting.popleft() for _ in range(self._limits.batch_most)]

    def _take_to_change(self) -> list[Message] | Change:
        """Take what comes before the next change of the accounts, or that one."""
        waiting = self.waiting
        batch: list[Message] = []
        while len(batch) < self._limits.batch_most:
            message = waiting[0]
            if isinstance(message, _CHANGES):
                if batch:
                    break
                self._changes -= 1
                waiting.popleft()
                return message
            batch.append(message)
            waiting.popleft()
        return batch
