"""The exchange as a whole: connections in front of one matching engine and one store.

`Exchange.connection` makes an asyncio protocol; a TCP server or an in-memory pipe moves its bytes. All
messages that came together are one batch: handled, committed in one transaction, then answered. It
reads the clock it was given, starts no thread and uses of the loop only `call_later`, so it runs under
virtual time too.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

from fairlead.exchange.market import Market
from fairlead.exchange.matching import Matching
from fairlead.exchange.movement import Movement
from fairlead.exchange.orders import Account
from fairlead.exchange.session import Desk, Session, instruments_of
from fairlead.exchange.settings import Settings
from fairlead.exchange.store import FILE_NAME, open_store
from fairlead.venues.sim_messages import (
    ClientMessage,
    ExchangeMessage,
    FrameError,
    InstrumentsChanged,
    client_messages,
    frame,
)

_MOVES_MAX = 100  # times a market may act before waiting clients have their turn


class Exchange:
    """One simulated exchange.

    `now_ns` is its clock, `folder` where its store is (None: in memory only), `market` what moves
    its prices besides clients. Raises StoreError if the store cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        now_ns: Callable[[], int],
        folder: Path | None = None,
        market: Market | None = None,
    ) -> None:
        self.settings = settings
        self.now_ns = now_ns
        self.matching = Matching(settings)
        self.store = open_store(None if folder is None else folder / FILE_NAME)
        self.store.restore(self.matching)
        self.desk = Desk(self.matching, self.store, settings)
        self.movement = Movement(self.matching, market)
        self.connections: dict[Connection, None] = {}
        self._streams: dict[Account, dict[Connection, None]] = {}
        self._outbox: list[tuple[Connection, ExchangeMessage]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns: int | None = None
        self._is_closed = False

    def connection(self) -> asyncio.Protocol:
        """Make the protocol of one new connection."""
        return cast(asyncio.Protocol, Connection(self))

    def start(self) -> None:
        """Begin to move by itself: expiries, the market. Needs the running loop."""
        self.release()

    def close(self) -> None:
        """Close all connections and the store."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self.connections):
            connection.close()
        self.desk.commit()
        self.store.close()

    # ── one batch: handle, commit, write ─────────────────────────────────────────────────────────

    def handle(self, connection: "Connection", messages: list[ClientMessage]) -> None:
        """Carry out what one connection sent, and answer once it is stored."""
        now_ns = self.now_ns()
        self.catch_up(now_ns)
        for message in messages:
            self._take(connection, message, now_ns)
        self.release()

    def catch_up(self, now_ns: int) -> None:
        """Let happen what time alone brings up to `now_ns`: expiries, the market's moves."""
        due_ns = self.matching.next_expiry_ns
        if due_ns is not None and due_ns <= now_ns:
            self.matching.expire(now_ns)
        for _ in range(_MOVES_MAX):
            due_ns = self.movement.next_time_ns()
            if due_ns is None or due_ns > now_ns:
                break
            self.movement.act(now_ns)
        if self.matching.events:
            self._collect_events()

    def release(self) -> None:
        """Commit what was done and only then write what there is to say about it."""
        if self.matching.events:
            self._collect_events()
        self.desk.commit()
        outbox, self._outbox = self._outbox, []
        written: dict[Connection, None] = {}
        last: ExchangeMessage | None = None
        data = b""
        for connection, message in outbox:
            if message is not last:
                data, last = frame(message), message
            connection.buffer(data)
            written[connection] = None
        for connection in written:
            connection.flush()
        self._arm()

    def set_instruments_changed(self) -> None:
        """Tell every logged-in connection the instruments as they are now."""
        changed = InstrumentsChanged(instruments_of(self.matching))
        for streams in self._streams.values():
            for connection in streams:
                self._outbox.append((connection, changed))

    def _take(self, connection: "Connection", message: ClientMessage, now_ns: int) -> None:
        session = connection.session
        known = session.account
        answer = session.answer(message, now_ns)
        if session.account is not known and session.account is not None:
            self._streams.setdefault(session.account, {})[connection] = None
        self._outbox.append((connection, answer))
        if self.matching.events:
            self._collect_events()

    def _collect_events(self) -> None:
        """Move the accounts' events to the connections that listen."""
        events, self.matching.events = self.matching.events, []
        for account, event in events:
            for connection in self._streams.get(account, ()):
                self._outbox.append((connection, event))

    def _arm(self) -> None:
        """Set the timer to what is due next by time alone."""
        expiry_ns, move_ns = self.matching.next_expiry_ns, self.movement.next_time_ns()
        due_ns = move_ns if expiry_ns is None else expiry_ns
        if expiry_ns is not None and move_ns is not None:
            due_ns = min(expiry_ns, move_ns)
        if due_ns == self._timer_ns or self._is_closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_ns = None, due_ns
        if due_ns is not None:
            delay_ns = max(due_ns - self.now_ns(), 0)
            # Rounded up to the microsecond: waking too early would only mean waking twice.
            delay_s = -(-delay_ns // 1_000) / 1_000_000
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = self._timer_ns = None
        self.catch_up(self.now_ns())
        self.release()

    # ── connections ──────────────────────────────────────────────────────────────────────────────

    def opened(self, connection: "Connection") -> bool:
        """Take up a new connection; False if there are too many."""
        if self._is_closed or len(self.connections) >= self.settings.connections_max:
            return False
        self.connections[connection] = None
        return True

    def closed(self, connection: "Connection") -> None:
        """Forget a connection that is gone."""
        self.connections.pop(connection, None)
        account = connection.session.account
        if account is not None:
            streams = self._streams.get(account, {})
            streams.pop(connection, None)
            if not streams:
                self._streams.pop(account, None)


class Connection:
    """One client connection: bytes to messages, and frames out in one write per batch.

    Has every method of an `asyncio.Protocol`.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.session = Session(exchange.desk)
        self._exchange = exchange
        self._reader = client_messages()
        self._transport: asyncio.WriteTransport | None = None
        self._parts: list[bytes] = []
        self._waiting_bytes = 0
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or close at once if the exchange has no room."""
        self._transport = cast(asyncio.WriteTransport, transport)
        if not self._exchange.opened(self):
            self.close()

    def data_received(self, data: bytes) -> None:
        """Handle every message that `data` completes as one batch."""
        if self._transport is None or self._transport.is_closing():
            return
        try:
            messages = self._reader.feed(data)
        except FrameError:
            self.close()
            return
        if messages:
            self._exchange.handle(self, messages)

    def eof_received(self) -> None:
        """Let the transport close: the peer says no more."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the connection."""
        self._transport = None
        self._parts.clear()
        self._exchange.closed(self)

    def pause_writing(self) -> None:
        """The peer reads too slowly: keep frames here, up to the limit."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._is_paused = False
        self.flush()

    def buffer(self, data: bytes) -> None:
        """Add bytes to the next write."""
        self._parts.append(data)
        self._waiting_bytes += len(data)

    def flush(self) -> None:
        """Write what was buffered; a peer that lets too much wait is dropped."""
        transport = self._transport
        if transport is None or transport.is_closing():
            self._parts.clear()
            self._waiting_bytes = 0
        elif not self._is_paused:
            parts, self._parts = self._parts, []
            self._waiting_bytes = 0
            transport.write(b"".join(parts) if len(parts) != 1 else parts[0])
        elif self._waiting_bytes > self._exchange.settings.output_bytes_max:
            self.close()

    def close(self) -> None:
        """Close the connection; nothing more is written."""
        self._parts.clear()
        self._waiting_bytes = 0
        self._exchange.closed(self)
        if self._transport is not None:
            self._transport.close()
