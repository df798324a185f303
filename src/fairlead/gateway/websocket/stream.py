"""One account as one client follows it: opening, what the client missed, then live.

    waiting ──loaded──▶ opening ──▶ replaying ──▶ live ──the account goes──▶ over
                              └──── nothing missed ──▶

It is pulled: only what the socket takes is fetched, from the feed. Must never keep more than one page.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from msgspec.structs import replace

from fairlead.core.reconciliation import Reconciliation
from fairlead.core.replies import SnapshotReply
from fairlead.core.reports import OrderReport
from fairlead.core.requests import QuerySnapshot
from fairlead.gateway.feed import Item, Subscription
from fairlead.gateway.websocket.hub import Hub

_TAKEN_MOST = 32  # from the ring at once
_PAGE = 256  # from the journal at once


class Stream:
    """One account's way to one client. `ready` is called when `pull` has something again.

    `state`: how the account is. `after` is the sequence that the client has, None when it has none.
    """

    def __init__(
        self, hub: Hub, state: Reconciliation, after: int | None, ready: Callable[[], None]
    ) -> None:
        self.account = state.account
        self.is_open = False
        self.is_over = False
        self._is_ending = False
        self._state = state
        self._hub = hub
        self._after = after
        self._ready = ready
        self._items: deque[Item] = deque()
        self._subscription: Subscription | None = None
        self._reading: asyncio.Task[None] | None = None
        self._replay_until = 0  # up to here only order reports are sent
        self._after_replay: list[bytes] = []

    # ── opening ──────────────────────────────────────────────────────────────────────────────────

    async def open(self, state: Reconciliation) -> list[bytes] | None:
        """Return what comes first; None: the account has no state to show yet, try again later.

        Raises ConnectionError when the edge has stopped.
        """
        snapshot = await self._hub.port.submit(QuerySnapshot(account=self.account))
        if not isinstance(snapshot, SnapshotReply):
            return None
        after, sequence = self._after, snapshot.sequence
        most = self._hub.settings.resume_reports_max
        is_resumed = after is not None and sequence - most <= after <= sequence
        start = after if after is not None and is_resumed else sequence
        self._subscription = self._hub.feed.subscribe(self.account, start, self._ready)
        messages = self._hub.messages
        first = [
            messages.server_info(
                replace(state, sequence=sequence), is_running=True, resumed=is_resumed
            ),
            messages.symbols(self.account, snapshot, resumed=is_resumed),
        ]
        if not is_resumed:
            first.append(await self._hub.orders(self.account, snapshot))
        books = [
            messages.balances(self.account, snapshot, resumed=is_resumed),
            messages.positions(self.account, snapshot, resumed=is_resumed),
        ]
        if start == sequence:
            first += books
        else:
            self._replay_until, self._after_replay = sequence, books
        self.is_open = True
        return first

    def end(self) -> None:
        """Have the account's end told, after all that was reported of it; then the stream is over."""
        self._is_ending = True
        self._ready()

    # ── reports ──────────────────────────────────────────────────────────────────────────────────

    @property
    def lag(self) -> int:
        """Return how many reports the client is behind, as far as the last look at the account knows."""
        state = self._hub.accounts.get(self.account)
        if self._subscription is None or state is None:
            return 0
        return max(0, state.sequence - self._subscription.sequence + len(self._items))

    def pull(self, frames: list[bytes], room: int) -> int:
        """Append the next messages' frames, about `room` bytes; return how many bytes there were.

        Fewer: `ready` will be called when there is more.
        """
        if not self.is_open:
            return self._take_leave(frames) if self._is_ending and not self.is_over else 0
        if self._reading is not None:
            return 0
        size = 0
        is_more = True
        while size < room:
            if not self._items:
                is_more = is_more and self._take()
                if not self._items:
                    break
            while self._items and size < room:
                size += self._send(self._items.popleft(), frames)
        if self._is_ending and not (self._items or is_more or self._reading):
            size += self._take_leave(frames)
        return size

    def _take_leave(self, frames: list[bytes]) -> int:
        state = self._state
        if self._subscription is not None:
            state = replace(state, sequence=self._subscription.sequence)
        farewell = self._hub.messages.farewell(state)
        frames += farewell
        self.is_over = True
        self.close()
        return sum(map(len, farewell))

    def close(self) -> None:
        """Follow the account no longer."""
        self.is_open = False
        self._items.clear()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    def _take(self) -> bool:
        """Have the next items at hand; whether there may be more after them without waiting."""
        assert self._subscription is not None
        items = self._subscription.take(_TAKEN_MOST)
        if items is None:
            self._reading = asyncio.create_task(self._read(self._subscription))
            return False
        self._items.extend(items)
        return len(items) == _TAKEN_MOST

    async def _read(self, subscription: Subscription) -> None:
        try:
            items = await subscription.read(_PAGE)
        except ConnectionError:
            return  # the edge has stopped, and so will we
        self._items.extend(items)
        self._reading = None
        self._ready()

    def _send(self, item: Item, frames: list[bytes]) -> int:
        is_missed = item.sequence <= self._replay_until
        size = 0
        if not is_missed or type(item.released.report) is OrderReport:
            frame = item.encoded("json", self._hub.messages.update)
            if frame:
                frames.append(frame)
                size = len(frame)
        if is_missed and item.sequence == self._replay_until:
            frames += self._after_replay
            size += sum(map(len, self._after_replay))
            self._after_replay = []
        return size
