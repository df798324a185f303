"""One client: its requests go in, refusals and its accounts' streams come out. Knows no socket.

Requests are submitted in the order in which they arrived and do not wait for one another's answers. What
is sent is made only while the connection takes it: what waits here is bounded by one opening, and by
the refusals of the requests that were taken.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from fairlead.core.reconciliation import Reconciliation
from fairlead.core.replies import Refused, Reply
from fairlead.core.requests import PlaceOrder
from fairlead.gateway.callers import Caller
from fairlead.gateway.sessions import Session
from fairlead.gateway.usage import WEBSOCKET
from fairlead.gateway.websocket import requests
from fairlead.gateway.websocket.hub import Hub, Why
from fairlead.gateway.websocket.messages import reject
from fairlead.gateway.websocket.stream import Stream

_PAUSE_S = 0.05  # some clients install their callbacks late (contract 4)
_WRITE_BYTES = 1 << 16  # about so much is written at once
_WAITING_BYTES_MAX = 1 << 20  # of refusals; over it no further request is taken
GOING_AWAY = 1001
NOT_ALLOWED = 4401


class Connection(Protocol):
    """What a client needs of its connection."""

    @property
    def is_writable(self) -> bool:
        """Whether more may be written now; if not, `Client.writable` is called when it may."""
        ...

    def write(self, frames: list[bytes]) -> None:
        """Send whole frames."""
        ...

    def read_on(self, *, is_wanted: bool) -> None:
        """Read from the client, or do not."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Take leave of the client."""
        ...


class Client:
    """A client from its upgrade to its end. `resume` has, by account, the sequence it has seen."""

    def __init__(
        self,
        hub: Hub,
        connection: Connection,
        resume: Mapping[str, int],
        caller: Caller | None = None,
    ) -> None:
        self._port = hub.doors.of(caller)
        self._orders = Session(self._port, f"ws:{hub.new_token()}")
        self._caller = caller
        self._unwatch: Callable[[], None] | None = None
        self._hub = hub
        self._connection = connection
        self._resume = dict(resume)
        self._streams: dict[str, Stream] = {}
        self._ending: list[Stream] = []  # of accounts that have gone
        self._turns: deque[Stream] = deque()
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        self._sent = asyncio.Event()  # the outbox is empty
        self._inbox: deque[bytes] = deque()
        self._asking: dict[asyncio.Future[Reply], tuple[requests.Asked, bytes]] = {}
        self._opening: asyncio.Task[None] | None = None
        self._is_waiting = False  # some account is not loaded yet
        self._is_ended = False

    # ── what the connection tells ────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin, once the client is connected."""
        self._hub.join(self)
        if self._caller is not None and self._hub.doors.access is not None:
            access = self._hub.doors.access
            self._unwatch = access.watch(self._caller, WEBSOCKET, self._not_allowed)
        self._opening = asyncio.create_task(self._open_first())

    def received(self, messages: list[bytes]) -> None:
        """Take text messages (valid UTF-8) of the client."""
        self._inbox.extend(messages)
        self._work()

    def writable(self) -> None:
        """Go on sending."""
        self._pump()
        if self._inbox:
            self._work()

    def ended(self, why: Why) -> None:
        """The client is gone, or will be: send nothing more. What it asked for is still submitted."""
        if self._is_ended:
            return
        self._is_ended = True
        if self._unwatch is not None:
            self._unwatch()
        self._hub.leave(self, why)
        if self._opening is not None:
            self._opening.cancel()
        for stream in self._streams.values():
            stream.close()
        self._outbox.clear()
        self._outbox_bytes = 0
        self._work()

    def stop(self) -> None:
        """Tell the client that the server stops, and close."""
        if not self._is_ended:
            if self._connection.is_writable:
                infos = self._hub.infos(is_running=False)
                self._write([infos[each] for each in self._streams if each in infos])
            self._connection.close(GOING_AWAY, "the server is stopping")

    def _not_allowed(self) -> None:
        """End: the key is taken back, expired, or may do less than before."""
        self._connection.close(NOT_ALLOWED, "the key does not allow this any more")

    # ── what the hub tells ───────────────────────────────────────────────────────────────────────

    def tell(self, infos: Mapping[str, bytes]) -> None:
        """See `Told.tell`: after the opening, and only if the socket takes it now."""
        is_opened = self._opening is not None and self._opening.done()
        if is_opened and self._streams and self._connection.is_writable:
            self._write([infos[each] for each in self._streams if each in infos])

    def see(self, accounts: Mapping[str, Reconciliation]) -> None:
        """See `Told.see`."""
        if self._opening is None or not self._opening.done():
            return  # the next look comes soon
        for name in sorted(self._streams.keys() - accounts.keys()):
            self._end(self._streams[name])
        mine = {name for name in accounts if self._hub.doors.is_open_to(self._caller, name)}
        if self._is_waiting or not mine <= self._streams.keys():
            self._opening = asyncio.create_task(self._open_all())

    def _end(self, stream: Stream) -> None:
        """The account has gone: it is told so once; when it comes back it opens as a new one."""
        if stream not in self._ending:
            self._ending.append(stream)
            self._resume.pop(stream.account, None)
            stream.end()

    def _drop_ended(self) -> None:
        for stream in [each for each in self._ending if each.is_over]:
            self._ending.remove(stream)
            self._turns.remove(stream)
            del self._streams[stream.account]

    @property
    def lag(self) -> int:
        """Return how many reports the client is behind."""
        return sum(stream.lag for stream in self._streams.values())

    # ── out ──────────────────────────────────────────────────────────────────────────────────────

    async def _open_first(self) -> None:
        await asyncio.sleep(_PAUSE_S)
        try:
            await self._hub.know_accounts()
        except ConnectionError:
            return  # the edge has stopped, and so will we
        await self._open_all()

    async def _open_all(self) -> None:
        """Open one account after the other, each once the client has what came before."""
        self._is_waiting = False
        for name, state in sorted(self._hub.accounts.items()):
            stream = self._streams.get(name)
            if not self._hub.doors.is_open_to(self._caller, name):
                continue
            if stream is None:
                stream = Stream(self._hub, state, self._resume.get(name), self._pump)
                self._streams[name] = stream
                self._turns.append(stream)
            if stream.is_open or stream in self._ending:
                continue
            try:
                first = await stream.open(state)
            except ConnectionError:
                return
            if first is None:
                self._is_waiting = True
                continue
            self._sent.clear()
            self._send(*first)
            self._pump()
            await self._sent.wait()

    def _send(self, *frames: bytes) -> None:
        self._outbox.extend(frames)
        self._outbox_bytes += sum(map(len, frames))

    def _pump(self) -> None:
        """Send what there is while the connection takes it, as much as possible in one write."""
        while not self._is_ended and self._connection.is_writable:
            frames: list[bytes] = []
            size = 0
            while self._outbox and size < _WRITE_BYTES:
                frames.append(self._outbox.popleft())
                size += len(frames[-1])
            self._outbox_bytes -= size
            if not self._outbox:
                self._sent.set()
                for stream in self._turns:
                    if size < _WRITE_BYTES:
                        size += stream.pull(frames, _WRITE_BYTES - size)
                self._turns.rotate(-1)  # a busy account leaves room for the others
                if self._ending:
                    self._drop_ended()
            if frames:
                self._write(frames)
            if size < _WRITE_BYTES and not self._outbox:
                return  # that was all; streams call again

    def _write(self, frames: list[bytes]) -> None:
        self._hub.messages_sent += len(frames)
        self._connection.write(frames)

    # ── in ───────────────────────────────────────────────────────────────────────────────────────

    def _work(self) -> None:
        """Submit what has arrived, within the limits; beyond them the socket is not read."""
        while self._may_take():
            while self._may_take():
                self._take(self._inbox.popleft())
            self._pump()
        if not self._is_ended:
            self._connection.read_on(is_wanted=not self._inbox)
        elif not self._inbox:
            self._hub.await_farewell(asyncio.create_task(self._orders.end()))

    def _may_take(self) -> bool:
        return (
            bool(self._inbox)
            and len(self._asking) < self._hub.settings.requests_max
            and self._outbox_bytes < _WAITING_BYTES_MAX
        )

    def _take(self, message: bytes) -> None:
        self._hub.requests += 1
        asked = requests.read(message)
        if isinstance(asked, requests.Reject):
            self._refuse(asked, message)
            return
        try:
            answer = self._submit(asked)
        except ConnectionError:
            self._refuse(requests.stopping(asked), message)
            return
        self._asking[answer] = (asked, message)
        answer.add_done_callback(self._answered)  # a task for each request would take longer

    def _submit(self, asked: requests.Asked) -> asyncio.Future[Reply]:
        if isinstance(asked, PlaceOrder):
            return self._orders.place(asked)
        return asyncio.ensure_future(self._port.submit(asked))

    def _answered(self, answer: asyncio.Future[Reply]) -> None:
        asked, message = self._asking.pop(answer)
        refused = None
        try:
            reply = answer.result()
        except ConnectionError:
            refused = requests.stopping(asked)
        else:
            if isinstance(reply, Refused):
                refused = requests.refusal(reply, asked)
        if refused is not None:
            self._refuse(refused, message)
            self._pump()
        if self._inbox:
            self._work()

    def _refuse(self, refused: requests.Reject, message: bytes) -> None:
        self._hub.rejects += 1
        if not self._is_ended:
            self._send(reject(refused, message))
