"""An edge's port that passes every call on to another: what differs in one of them inherits the rest.

Must never be beneath what guards a port (`guard.py`): there a call that nobody judges has to be missing, not
passed on.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from fairlead.core.port import EdgePort, HistoryRow, Listener, Prepare, Released, Snapshot
from fairlead.core.replies import Reply
from fairlead.core.reports import OrderReport
from fairlead.core.requests import Request


class Relay:
    """An `EdgePort` in front of `port`."""

    def __init__(self, port: EdgePort) -> None:
        self._port = port

    def submit(self, request: Request, prepare: Prepare | None = None) -> Awaitable[Reply]:
        """See `EdgePort.submit`."""
        return self._port.submit(request, prepare)

    def history(
        self, time_start_ns: int, time_end_ns: int, after: str | None, limit: int | None
    ) -> AsyncIterator[HistoryRow]:
        """See `EdgePort.history`."""
        return self._port.history(time_start_ns, time_end_ns, after, limit)

    def reports(self, account: str, after_sequence: int) -> AsyncIterator[Released]:
        """See `EdgePort.reports`."""
        return self._port.reports(account, after_sequence)

    async def reports_page(
        self, account: str, after_sequence: int, limit: int
    ) -> Sequence[Released]:
        """See `EdgePort.reports_page`."""
        return await self._port.reports_page(account, after_sequence, limit)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """See `EdgePort.listen`."""
        return self._port.listen(listener)

    async def story(self, account: str, number: int) -> list[OrderReport]:
        """See `EdgePort.story`."""
        return await self._port.story(account, number)

    async def snapshot(self, account: str) -> Snapshot:
        """See `EdgePort.snapshot`."""
        return await self._port.snapshot(account)
