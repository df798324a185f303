"""The other side of the port: an edge that answers what a test told it to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from fairlead.core.port import HistoryRow, Listener, Prepare, Released, Snapshot
from fairlead.core.replies import Done, OrderReply, Reply
from fairlead.core.reports import OrderReport
from fairlead.core.requests import PlaceOrder, QueryOrder, Request
from tests.gateway.orders import ORDER


class ScriptedEdge:
    """`asked` holds every request; `script` answers them; `rows` is the history.

    `released` is its journal: what `release` was given, by account.
    """

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.script: Callable[[Request], Reply] = usual
        self.was_asked = asyncio.Event()
        self.gate: asyncio.Event | None = None  # holds every answer back until it is set
        self.rows: list[HistoryRow] = []
        self.history_asked: list[tuple[int, int, str | None, int | None]] = []
        self.rows_read = 0
        self.stories: dict[tuple[str, int], list[OrderReport]] = {}
        self.released: dict[str, list[Released]] = {}
        self.listeners: list[Listener] = []
        self.pages_asked: list[tuple[str, int, int]] = []

    def release(self, *batch: Released) -> None:
        """Make a batch durable, then tell who listens."""
        for each in batch:
            self.released.setdefault(each.report.account, []).append(each)
        for listener in list(self.listeners):
            listener(batch)

    async def submit(self, request: Request, prepare: Prepare | None = None) -> Reply:
        self.asked.append(request)
        self.was_asked.set()
        if self.gate is not None:
            await self.gate.wait()
        return self.script(request)

    async def history(
        self, time_start_ns: int, time_end_ns: int, after: str | None, limit: int | None
    ) -> AsyncIterator[HistoryRow]:
        self.history_asked.append((time_start_ns, time_end_ns, after, limit))
        if after is not None and not after.isdigit():
            raise ValueError(f"after {after!r} is not a cursor")
        first = int(after) + 1 if after is not None else 0
        for row in self.rows[first:][:limit]:
            self.rows_read += 1
            self.was_asked.set()
            yield row
            await asyncio.sleep(0)

    def reports(self, account: str, after_sequence: int) -> AsyncIterator[Released]:
        raise NotImplementedError

    async def reports_page(
        self, account: str, after_sequence: int, limit: int
    ) -> Sequence[Released]:
        self.pages_asked.append((account, after_sequence, limit))
        found = [
            each for each in self.released.get(account, []) if each.report.sequence > after_sequence
        ]
        await asyncio.sleep(0)  # what is released meanwhile is not in this page
        return found[:limit]

    def listen(self, listener: Listener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    async def story(self, account: str, number: int) -> list[OrderReport]:
        return self.stories[account, number]

    async def snapshot(self, account: str) -> Snapshot:
        raise NotImplementedError


def usual(request: Request) -> Reply:
    if isinstance(request, PlaceOrder | QueryOrder):
        return OrderReply(ORDER)
    return Done()


def history_rows(count: int) -> list[HistoryRow]:
    return [HistoryRow(ORDER, str(number)) for number in range(count)]
