"""What a gateway may ask of an edge, and nothing else.

A gateway knows edges only through `EdgePort`. Embedded mode implements it with a function call; a
distributed one may put a network in between, which is why every message is a serialisable struct
that carries (subscription, account).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from fairlead.core.model import Balance, Order, Position
from fairlead.core.replies import Reply
from fairlead.core.reports import OrderReport, Report
from fairlead.core.requests import Request


class Released(msgspec.Struct, frozen=True):
    """A durable report, with the order as it stood at that sequence (None for other reports)."""

    report: Report
    order: Order | None


class Snapshot(msgspec.Struct, frozen=True):
    """An account as of `sequence`: open orders, balances and positions that are not flat."""

    account: str
    sequence: int
    orders: tuple[Order, ...]
    balances: tuple[Balance, ...]
    positions: tuple[Position, ...] = ()


class HistoryRow(msgspec.Struct, frozen=True):
    """An order changed within the asked range, and the cursor that continues after it."""

    order: Order
    cursor: str


Listener = Callable[[Sequence[Released]], None]
Prepare = Callable[[Reply], None]
"""Sees a reply that is not durable yet, to make ready what will leave. Must not show it, nor raise."""


class EdgePort(Protocol):
    """The one door between clients and edges."""

    def submit(self, request: Request, prepare: Prepare | None = None) -> Awaitable[Reply]:
        """Answer `request` once what it caused is durable (and, for a place, the exchange answered).

        `prepare` may be called with the reply while it becomes durable, when nothing else can be done, or
        not at all; the answer is that reply then, or an error.

        Never raises for anything a client can cause: refusals are `Refused` replies.
        Awaiting raises ConnectionError when the edge is stopping. Requests are taken in the order in
        which this is called, if what it returns is awaited or made a task of in that order too.
        """
        ...

    def history(
        self, time_start_ns: int, time_end_ns: int, after: str | None, limit: int | None
    ) -> AsyncIterator[HistoryRow]:
        """Orders changed in [start, end), once each, in stable order, read in bounded memory."""
        ...

    def reports(self, account: str, after_sequence: int) -> AsyncIterator[Released]:
        """Every report of the account after `after_sequence`, in sequence, then live ones."""
        ...

    async def reports_page(
        self, account: str, after_sequence: int, limit: int
    ) -> Sequence[Released]:
        """Up to `limit` durable reports of the account after `after_sequence`, in sequence.

        Empty when there were none at the moment of reading. Raises ConnectionError when the edge is
        closed.
        """
        ...

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have every report that becomes durable from now on told, in order; return how to stop.

        `listener` is called at the release, once per batch, and must be quick and never raise.
        """
        ...

    async def story(self, account: str, number: int) -> list[OrderReport]:
        """Every report about one order of the account, in sequence; the order is known to exist."""
        ...

    async def snapshot(self, account: str) -> Snapshot:
        """Open orders, balances and positions, with the sequence as of which they hold."""
        ...
