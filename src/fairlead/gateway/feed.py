"""Released reports for any number of subscribers, each of whom is only a cursor.

Per account that somebody follows, the last reports are kept in a ring, each with what it was encoded to,
so that a report is rendered once per encoding and not once per client. A subscriber pulls: from the ring
where its cursor is in it, else from the journal, until it has caught up. So nobody has a queue, a slow
subscriber costs its own reads, and after a restart, with every ring empty, nothing is different.

Must never render inside the release, nor wake many subscribers in one turn of the event loop.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Hashable, Sequence

import msgspec

from fairlead.core.port import EdgePort, Released
from fairlead.core.reports import AccountReport, OrderReport

# That orders have begun is told so many turns of the event loop later: their way to the exchange goes first,
# and where that is in this process its answer comes in time to be told with it.
_BEGUN_TURNS = 8

Encoder = Callable[[Released], bytes]
Came = Callable[[str, int], None]


class FeedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits. A ring holds `ring_reports` reports and `ring_bytes` of their encodings; what is older
    is read from the journal. `wake_most` subscribers are woken in one turn of the event loop.
    """

    ring_reports: int = 4_096
    ring_bytes: int = 16 << 20
    wake_most: int = 64


class Item:
    """One released report, and its encodings so far, which have `size` bytes."""

    __slots__ = ("_encodings", "released", "ring", "size")

    def __init__(self, released: Released, ring: "_Ring | None" = None) -> None:
        self.released = released
        self.ring = ring
        self.size = 0
        self._encodings: dict[Hashable, bytes] | None = None

    @property
    def sequence(self) -> int:
        """Return the report's sequence."""
        return self.released.report.sequence

    def encoded(self, key: Hashable, encoder: Encoder) -> bytes:
        """Return the report as `encoder` makes it; made once for each `key`."""
        if self._encodings is None:
            self._encodings = {}
        data = self._encodings.get(key)
        if data is None:
            data = self._encodings[key] = encoder(self.released)
            size = len(data)
            self.size += size
            if self.ring is not None:
                self.ring.size += size
        return data


class Feed:
    """Everything that the edges behind `port` release. For one event loop."""

    def __init__(self, port: EdgePort, settings: FeedSettings | None = None) -> None:
        self.subscribers = 0
        self.reports_from_ring = 0
        self.reports_from_journal = 0
        self._port = port
        self._settings = settings or FeedSettings()
        self._rings: dict[str, _Ring] = {}
        self._stop_listening: Callable[[], None] | None = None
        self._pending: deque[Subscription] = deque()
        self._is_waking = False
        self._turns_to_wait = 0
        self._watchers: dict[object, Came] = {}

    def subscribe(
        self, account: str, after_sequence: int, wake: Callable[[], None]
    ) -> "Subscription":
        """Return a cursor behind `after_sequence`, which must not be from the future.

        `wake` is called when there is more, once, and again only after a `take` or `read` that
        came to the end. It is first called for what comes after such a one: begin with `read`.
        """
        self._listen()
        ring = self._rings.get(account)
        if ring is None:
            ring = self._rings[account] = _Ring(self._settings)
        ring.subscribers += 1
        self.subscribers += 1
        return Subscription(self, self._port, ring, account, after_sequence, wake)

    def watch(self, came: Came) -> Callable[[], None]:
        """Have `came` called with each account that comes, new or back, and its sequence then.

        At the release of that report, before anything else of the account. Returns how to stop.
        """
        self._listen()
        key = object()
        self._watchers[key] = came

        def stop() -> None:
            self._watchers.pop(key, None)
            self._listen_no_more()

        return stop

    def close(self) -> None:
        """Hear nothing more and wake nobody."""
        self._rings.clear()
        self._watchers.clear()
        self._listen_no_more()
        self._pending.clear()

    def leave(self, ring: "_Ring", account: str) -> None:
        """Take note that a subscription has ended; what nobody follows is not kept."""
        self.subscribers -= 1
        ring.subscribers -= 1
        if not ring.subscribers and self._rings.get(account) is ring:
            del self._rings[account]
        self._listen_no_more()

    def _listen(self) -> None:
        if self._stop_listening is None:
            self._stop_listening = self._port.listen(self._released)

    def _listen_no_more(self) -> None:
        """Stop, if nobody is left who wants to hear."""
        if not self._rings and not self._watchers and self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None

    # ── at the release ───────────────────────────────────────────────────────────────────────────

    def _released(self, batch: Sequence[Released]) -> None:
        begun = others = 0
        for released in batch:
            report = released.report
            if type(report) is OrderReport:
                if report.opened is None:
                    others += 1
                else:
                    begun += 1
            if type(report) is AccountReport and report.is_here:
                for came in list(self._watchers.values()):
                    came(report.account, report.sequence)
            ring = self._rings.get(report.account)
            if ring is not None:
                ring.add(released)
                if ring.idle:
                    self._pending.extend(ring.idle)
                    ring.idle.clear()
        if self._pending:
            self._wake_after(_BEGUN_TURNS if begun and not others else 0)

    def _wake_after(self, turns: int) -> None:
        """Wake who waits in so many turns of the event loop, or earlier where that was said before."""
        if self._is_waking:
            self._turns_to_wait = min(self._turns_to_wait, turns)
        else:
            self._is_waking = True
            self._turns_to_wait = turns
            asyncio.get_running_loop().call_soon(self._wake_some)

    def _wake_some(self) -> None:
        """Wake a few, and the others later: meanwhile orders go on."""
        if self._turns_to_wait:
            self._turns_to_wait -= 1
            if not self._turns_to_wait:
                os.sched_yield()  # to a thread that has a commit to write: it waits for its disk meanwhile
            asyncio.get_running_loop().call_soon(self._wake_some)
            return
        for _ in range(min(len(self._pending), self._settings.wake_most)):
            self._pending.popleft().wake()
        if self._pending:
            asyncio.get_running_loop().call_soon(self._wake_some)
        else:
            self._is_waking = False


class Subscription:
    """A place in one account's reports. Close it when done."""

    def __init__(
        self,
        feed: Feed,
        port: EdgePort,
        ring: "_Ring",
        account: str,
        after_sequence: int,
        wake: Callable[[], None],
    ) -> None:
        self.account = account
        self.sequence = after_sequence  # of the last report taken
        self._feed = feed
        self._port = port
        self._ring = ring
        self._wake = wake
        self._is_awaiting = False
        self._is_proven = False  # what follows `sequence` is in the ring, or still to come
        self._is_closed = False

    def take(self, limit: int) -> list[Item] | None:
        """Return the next reports, at most `limit`, without waiting; None: not in the ring, `read` them.

        Fewer than `limit`: that was all, and `wake` will be called for the next.
        """
        ring = self._ring
        skipped = self.sequence + 1 - ring.first
        if not ring.next_sequence:
            if not self._is_proven:
                return None
            items = []
        elif skipped < 0:
            return None
        else:
            items = ring.slice(skipped, limit)
        if items:
            self.sequence = items[-1].sequence
            self._feed.reports_from_ring += len(items)
        if len(items) < limit:
            self._await_more()
        return items

    async def read(self, limit: int) -> list[Item]:
        """Return the next reports, at most `limit`, from the journal where they are not in the ring.

        Empty: there are none yet, and `wake` will be called. Not while another `read` runs. Raises
        ConnectionError when the edge has stopped.
        """
        while (items := self.take(limit)) is None:
            page = await self._port.reports_page(self.account, self.sequence, limit)
            if page:
                self.sequence = page[-1].report.sequence
                self._feed.reports_from_journal += len(page)
                return [Item(released) for released in page]
            # Whatever has been released since this subscription began is in the ring.
            self._is_proven = True
        return items

    def wake(self) -> None:
        """Tell the subscriber that there is more."""
        self._is_awaiting = False
        if not self._is_closed:
            self._wake()

    def close(self) -> None:
        """End it; `wake` is not called again."""
        if not self._is_closed:
            self._is_closed = True
            self._ring.idle.pop(self, None)
            self._feed.leave(self._ring, self.account)

    def _await_more(self) -> None:
        if not self._is_awaiting and not self._is_closed:
            self._is_awaiting = True
            self._ring.idle[self] = None


class _Ring:
    """The last reports of one account, dense, up to the last that was released.

    `next_sequence` 0: nothing was released since the ring began. `idle`: who waits for more. `size`: bytes
    of encodings.
    """

    def __init__(self, settings: FeedSettings) -> None:
        self.subscribers = 0
        self.next_sequence = 0
        self.idle: dict[Subscription, None] = {}
        self.size = 0
        self._reports_most, self._bytes_most = settings.ring_reports, settings.ring_bytes
        self._items: deque[Item] = deque()

    @property
    def first(self) -> int:
        """Return the sequence of the oldest report held."""
        return self.next_sequence - len(self._items)

    def add(self, released: Released) -> None:
        """Take the next report and let old ones go."""
        sequence = released.report.sequence
        assert self.next_sequence in (0, sequence), (self.next_sequence, released.report)
        self.next_sequence = sequence + 1
        items = self._items
        items.append(Item(released, self))
        while len(items) > self._reports_most or (self.size > self._bytes_most and len(items) > 1):
            oldest = items.popleft()
            self.size -= oldest.size
            oldest.ring = None

    def slice(self, skipped: int, limit: int) -> list[Item]:
        """Return up to `limit` reports after the first `skipped`."""
        items = self._items
        return [items[place] for place in range(skipped, min(skipped + limit, len(items)))]
