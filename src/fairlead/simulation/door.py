"""Where clients meet Fairlead: requests in through the port, answers out, each after its own delay.

In the place of the gateway. A request or an answer takes its time; when the process is killed, who
still waits hears nothing but that the connection is gone. Connections that stay open have the shipped
`Session`.
"""

import asyncio
import contextvars
from random import Random

import msgspec

from fairlead.core.port import EdgePort
from fairlead.core.replies import Done, Reply
from fairlead.core.requests import EndSession, PlaceOrder, Request
from fairlead.gateway.sessions import Session
from fairlead.simulation.conversation import Conversation
from fairlead.simulation.laws import Laws
from fairlead.simulation.loop import NS, Process, VirtualLoop
from fairlead.simulation.network import US

_DELAY_MAX_US = 2_000


class Connection(msgspec.Struct, frozen=True, eq=False):
    """A client's connection that stays open until one of the two ends."""

    session: Session
    process: Process


class Door:
    """`open` it for each life of the edge; `submit` from anywhere."""

    def __init__(
        self, loop: VirtualLoop, random: Random, laws: Laws, conversation: Conversation
    ) -> None:
        self._loop = loop
        self._random = random
        self._laws = laws
        self._conversation = conversation
        self._outside = contextvars.copy_context()
        self._port: EdgePort | None = None
        self._process: Process | None = None
        self._waiting: dict[asyncio.Future[Reply], str] = {}
        self._tasks: dict[asyncio.Task[Reply], None] = {}

    def open(self, port: EdgePort, process: Process) -> None:
        """Let requests in to `port`, which runs in `process`."""
        self._port, self._process = port, process

    def slam(self) -> None:
        """The process was killed: everybody who waits loses the connection."""
        self._port = self._process = None
        self._laws.asking.clear()
        waiting, self._waiting = self._waiting, {}
        for future, who in waiting.items():
            self._loop.call_later(self._delay(), self._lose, future, who, context=self._outside)

    def dial(self, name: str) -> Connection | None:
        """Return a connection whose session has this name; None when nobody is there."""
        if self._port is None or self._process is None:
            return None
        self._laws.count("session")
        self._laws.sessions.add(name)
        return Connection(Session(self._port, name), self._process)

    async def hang_up(self, who: str, connection: Connection) -> None:
        """End the connection; return when the server has dealt with it. Raises ConnectionError."""
        end = EndSession(account="", session=connection.session.name)
        await self.submit(who, end, connection)

    async def submit(
        self, who: str, request: Request, connection: Connection | None = None
    ) -> Reply:
        """Return the answer. Raises ConnectionError when there is none, and nobody knows why."""
        self._conversation.note(who, request)
        is_dead = connection is not None and connection.process is not self._process
        if self._process is None or is_dead:
            await asyncio.sleep(self._delay())
            self._conversation.note(who, "connection refused")
            raise ConnectionError("connection refused")
        future: asyncio.Future[Reply] = self._loop.create_future()
        self._waiting[future] = who
        self._loop.call_later(
            self._delay(),
            self._enter,
            who,
            request,
            connection,
            future,
            context=self._process.context,
        )
        return await future

    def _enter(
        self,
        who: str,
        request: Request,
        connection: Connection | None,
        future: asyncio.Future[Reply],
    ) -> None:
        """Runs in the process."""
        assert self._port is not None
        self._laws.asking[future] = request
        session = None if connection is None else connection.session
        gone = dict(self._laws.gone)
        task = self._loop.create_task(_answered(self._port, session, request))
        self._tasks[task] = None
        task.add_done_callback(lambda task: self._leave(who, request, future, task, gone))

    def _leave(
        self,
        who: str,
        request: Request,
        future: asyncio.Future[Reply],
        task: "asyncio.Task[Reply]",
        gone: dict[str, int],
    ) -> None:
        """Runs in the process: the answer is on its way, whatever becomes of the process."""
        del self._tasks[task]
        del self._waiting[future], self._laws.asking[future]
        context = self._outside
        error = task.exception()
        if error is not None:
            self._loop.call_later(self._delay(), self._lose, future, who, context=context)
            return
        reply = task.result()
        self._laws.answering(request, reply, gone)
        self._loop.call_later(self._delay(), self._arrive, future, who, reply, context=context)

    def _arrive(self, future: asyncio.Future[Reply], who: str, reply: Reply) -> None:
        self._conversation.note(who, reply)
        future.set_result(reply)

    def _lose(self, future: asyncio.Future[Reply], who: str) -> None:
        self._conversation.note(who, "connection lost")
        future.set_exception(ConnectionError("connection lost"))

    def _delay(self) -> float:
        return self._random.randrange(1, _DELAY_MAX_US) * US / NS


async def _answered(port: EdgePort, session: Session | None, request: Request) -> Reply:
    if session is None:
        return await port.submit(request)
    if isinstance(request, PlaceOrder):
        return await session.place(request)
    assert isinstance(request, EndSession)
    await session.end()
    return Done()
