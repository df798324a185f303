"""Moves the bytes of one dialect: connects, writes what it wants sent, hands it what comes, tells time.

One link serves one account's connection to its exchange, and connects again by itself for as long as
it lives. Decides nothing about orders. What was given to `send` while the exchange could not be
reached is answered NOT_SENT; from the moment its bytes are to be written, only the exchange can say
what became of it. Uses of the event loop only `call_soon`, `call_later`, `time` and what `connect`
needs, so it runs under virtual time too.
"""

# typing.override begins with Python 3.12.
# mypy: disable-error-code="explicit-override"

import asyncio
import socket
from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol, cast

import msgspec

from fairlead.core.venue_messages import (
    Outcome,
    VenueAnswer,
    VenueConnected,
    VenueDisconnected,
    VenueReport,
    VenueRequest,
)
from fairlead.venues.venue import Acts, Dialect

PREPARED_NS_MAX = 10_000_000  # what was worded longer ago is worded anew

Inbox = Callable[[list[VenueReport]], None]


class Connect(Protocol):
    """A way to the exchange: `Tcp`, or `pipe.Pipe`."""

    @property
    def peer_name(self) -> str:
        """What the far side is called in messages."""
        ...

    def __call__(
        self, protocol: asyncio.Protocol, failed: Callable[[OSError], None]
    ) -> Callable[[], None]:
        """Begin to connect `protocol`; later call its `connection_made`, or `failed`, once.

        The returned callable gives the attempt up; after either call it does nothing.
        """
        ...


class LinkLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Times and bounds of one link.

    The wait before the n-th attempt in a row is half to all of `retry_first_ms` · 2ⁿ, at most
    `retry_max_ms`; a connection that was logged in for `stable_ms` ends the row. After a refused
    login the wait is `refused_login_ms`. A peer that leaves more than `write_bytes_max` unread is
    dropped as dead.
    """

    due_interval_ms: int = 250
    connect_timeout_ms: int = 5_000
    close_timeout_ms: int = 2_000
    retry_first_ms: int = 100
    retry_max_ms: int = 10_000
    stable_ms: int = 1_000
    refused_login_ms: int = 60_000
    write_bytes_max: int = 8 * 1024 * 1024


class Link:
    """One account's connection. `start` it once; `send` at any time; `close` it once."""

    def __init__(
        self,
        account: str,
        dialect: Dialect,
        connect: Connect,
        inbox: Inbox,
        *,
        loop: asyncio.AbstractEventLoop,
        now_ns: Callable[[], int],
        random: Random,
        limits: LinkLimits = LinkLimits(),  # noqa: B008 (frozen)
    ) -> None:
        """`inbox` is called with what the dialect reports, also from within `send` and `close`."""
        self._account = account
        self._dialect = dialect
        self._connect = connect
        self._inbox = inbox
        self._loop = loop
        self._now_ns = now_ns
        self._random = random
        self._limits = limits
        self._conversation: _Conversation | None = None  # the attempt or connection there is
        self._give_up: Callable[[], None] | None = None  # the attempt under way
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None  # the one thing that is waited for
        self._is_ready = False  # logged in
        self._ready_time = 0.0
        self._failures = 0
        self._trouble = "not connected yet"
        self._told: tuple[str, bool] | None = None
        self._prepared: dict[int, bytes] = {}  # by request id, and when:
        self._prepared_ns = 0
        self._outgoing: list[bytes] = []
        self._outgoing_bytes = 0
        self._is_closed = False
        self._gone: asyncio.Future[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the account is logged in, so that what is sent will leave."""
        return self._is_ready

    # ── what an edge calls ───────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Connect, soon, and ever again."""
        assert self._conversation is None, "started twice"
        self._attempt()

    def send(self, request: VenueRequest) -> None:
        """Send one request; several of one loop iteration are written at once, at its end."""
        if self._is_ready and not self._outgoing:
            self._loop.call_soon(self._flush)
        self._ask(request)

    def prepare(self, requests: Sequence[VenueRequest]) -> None:
        """Word requests that are about to be given to `send_many`; nothing of them is sent."""
        if self._is_ready:
            now_ns = self._now_ns()
            self._prepared_ns = now_ns
            for request in requests:
                self._prepared[request.request_id] = self._dialect.wording(request, now_ns)

    def send_many(self, requests: Sequence[VenueRequest]) -> None:
        """Send requests in this order, in one write, now."""
        if self._prepared and abs(self._now_ns() - self._prepared_ns) > PREPARED_NS_MAX:
            self._prepared.clear()  # they say when they were sent, by a clock that may be set
        for request in requests:
            self._ask(request)
        self._prepared.clear()
        self._flush()

    def close(self) -> None:
        """End the connection after what was sent is written; every unanswered request is UNKNOWN."""
        if self._is_closed:
            return
        self._flush()
        self._is_closed = True
        self._stop_timer()
        if self._give_up is not None:
            self._give_up()
        conversation, transport = self._conversation, self._transport
        self._lost("closed by us")
        if conversation is not None and transport is not None:
            self._gone = self._loop.create_future()
            conversation.detach(self._ended)
            transport.close()
            self._timer = self._loop.call_later(
                self._limits.close_timeout_ms / 1_000, transport.abort
            )

    async def wait_closed(self) -> None:
        """Return when nothing of the connection is left. Call `close` first."""
        assert self._is_closed
        if self._gone is not None:
            await self._gone

    # ── sending ──────────────────────────────────────────────────────────────────────────────────

    def _ask(self, request: VenueRequest) -> None:
        if not self._is_ready:
            self._refuse(request)
            return
        wording = self._prepared.get(request.request_id)
        self._apply(self._dialect.ask(request, self._now_ns(), wording), is_flushed=False)

    def _refuse(self, request: VenueRequest) -> None:
        """Answer for a request of which no byte left."""
        answer = VenueAnswer(
            account=request.account,
            request_id=request.request_id,
            request=request,
            outcome=Outcome.NOT_SENT,
            text=self._trouble,
        )
        self._inbox([answer])

    def _flush(self) -> None:
        if not self._outgoing or self._transport is None:
            return
        data = self._outgoing[0] if len(self._outgoing) == 1 else b"".join(self._outgoing)
        self._forget_outgoing()
        self._transport.write(data)
        waiting = self._transport.get_write_buffer_size()
        if waiting > self._limits.write_bytes_max:
            self._drop(
                f"the exchange left {waiting} bytes unread, at most"
                f" {self._limits.write_bytes_max} may wait"
            )

    def _forget_outgoing(self) -> None:
        self._outgoing = []
        self._outgoing_bytes = 0

    def _apply(self, acts: Acts, *, is_flushed: bool = True) -> None:
        """Do what the dialect wants done."""
        if acts.send:
            self._outgoing.append(acts.send)
            self._outgoing_bytes += len(acts.send)
        if acts.reports:
            if not self._is_ready:
                self._look_for_login(acts.reports)
            self._inbox(acts.reports)
        if acts.disconnect is not None:
            self._drop(acts.disconnect, is_refused_login=acts.refused_login)
        elif is_flushed or self._outgoing_bytes > self._limits.write_bytes_max:
            self._flush()

    def _look_for_login(self, reports: list[VenueReport]) -> None:
        if any(isinstance(report, VenueConnected) for report in reports):
            self._is_ready = True
            self._ready_time = self._loop.time()
            self._told = None

    # ── connecting ───────────────────────────────────────────────────────────────────────────────

    def _attempt(self) -> None:
        self._conversation = conversation = _Conversation(self)
        self._give_up = self._connect(conversation, conversation.failed)
        self._wait(self._limits.connect_timeout_ms, self._connect_overdue)

    def _connect_overdue(self) -> None:
        assert self._give_up is not None
        self._give_up()
        self._lost(
            f"no connection to {self._connect.peer_name}"
            f" within {self._limits.connect_timeout_ms} ms"
        )

    def failed(self, error: OSError) -> None:
        """The attempt came to nothing."""
        self._lost(f"cannot connect to {self._connect.peer_name}: {error}")

    def connected(self, transport: asyncio.Transport) -> None:
        """The transport is there: begin the conversation."""
        self._give_up = None
        self._transport = transport
        self._wait(self._limits.due_interval_ms, self._due)
        self._apply(self._dialect.opened(self._now_ns()))

    def received(self, data: bytes) -> None:
        """Hand the dialect what came."""
        self._apply(self._dialect.receive(data, self._now_ns()))

    def lost(self, error: Exception | None) -> None:
        """The transport is gone, not by our doing."""
        name = self._connect.peer_name
        self._lost(f"{name} closed the connection" if error is None else f"lost {name}: {error}")

    def _due(self) -> None:
        self._wait(self._limits.due_interval_ms, self._due)
        self._apply(self._dialect.due(self._now_ns()))

    # ── losing ───────────────────────────────────────────────────────────────────────────────────

    def _drop(self, text: str, *, is_refused_login: bool = False) -> None:
        """End the connection at once."""
        transport = self._transport
        self._lost(text, is_refused_login=is_refused_login)
        if transport is not None:
            transport.abort()

    def _lost(self, text: str, *, is_refused_login: bool = False) -> None:
        """Tell the edge, end what was unanswered, and try again later."""
        was_open, was_ready = self._transport is not None, self._is_ready
        if was_ready and self._loop.time() - self._ready_time >= self._limits.stable_ms / 1_000:
            self._failures = 0
        if self._conversation is not None:
            self._conversation.detach()
        self._conversation = self._transport = self._give_up = None
        self._is_ready = False
        self._trouble = text
        self._prepared.clear()
        self._forget_outgoing()
        reports: list[VenueReport] = []
        if was_ready or self._told != (text, is_refused_login):
            self._told = (text, is_refused_login)
            reports.append(
                VenueDisconnected(account=self._account, text=text, refused_login=is_refused_login)
            )
        if was_open:
            reports.extend(self._dialect.closed(self._now_ns()))
        if not self._is_closed:
            self._wait(self._retry_ms(is_refused_login=is_refused_login), self._attempt)
        if reports:
            self._inbox(reports)

    def _retry_ms(self, *, is_refused_login: bool) -> float:
        limits = self._limits
        if is_refused_login:
            return limits.refused_login_ms
        doublings = min(self._failures, 30)
        self._failures += 1
        wait_ms = min(limits.retry_max_ms, limits.retry_first_ms << doublings)
        return wait_ms * self._random.uniform(0.5, 1.0)

    def _ended(self) -> None:
        """The transport of a closed link is gone."""
        self._stop_timer()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    # ── time ─────────────────────────────────────────────────────────────────────────────────────

    def _wait(self, wait_ms: float, then: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(wait_ms / 1_000, then)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Conversation(asyncio.Protocol):
    """One attempt to connect and what comes of it. Detached, it only tells its end."""

    def __init__(self, link: Link) -> None:
        self._link: Link | None = link
        self._ended: Callable[[], None] | None = None

    def detach(self, ended: Callable[[], None] | None = None) -> None:
        """Be heard no more, but call `ended` when the transport is gone."""
        self._link = None
        self._ended = ended

    def failed(self, error: OSError) -> None:
        if self._link is not None:
            self._link.failed(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)  # uvloop's do not say that they are
        if self._link is None:
            stream.abort()
            return
        sock = stream.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._link.connected(stream)

    def data_received(self, data: bytes) -> None:
        if self._link is not None:
            self._link.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._link is not None:
            self._link.lost(exc)
        elif self._ended is not None:
            self._ended()


class Tcp:
    """The way to an exchange that listens on a socket; see `Connect`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, host: str, port: int) -> None:
        self._loop = loop
        self._host = host
        self._port = port
        self._attempts: set[asyncio.Task[None]] = set()

    @property
    def peer_name(self) -> str:
        """What the far side is called in messages."""
        return f"{self._host}:{self._port}"

    def __call__(
        self, protocol: asyncio.Protocol, failed: Callable[[OSError], None]
    ) -> Callable[[], None]:
        """Begin to connect `protocol`; see `Connect`."""
        attempt = self._loop.create_task(self._open(protocol, failed))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempts.discard)

        def give_up() -> None:
            attempt.cancel()

        return give_up

    async def _open(self, protocol: asyncio.Protocol, failed: Callable[[OSError], None]) -> None:
        try:
            await self._loop.create_connection(lambda: protocol, self._host, self._port)
        except OSError as error:
            failed(error)
