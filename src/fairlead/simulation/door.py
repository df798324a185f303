"""Where clients meet Fairlead: requests in through the port, answers out, each after its own delay.

In the place of the gateway. A request or an answer takes its time; when the process is killed, who
still waits hears nothing but that the connection is gone.
"""

import asyncio
import contextvars
from random import Random

from fairlead.core.port import EdgePort
from fairlead.core.replies import Reply
from fairlead.core.requests import Request
from fairlead.simulation.conversation import Conversation
from fairlead.simulation.laws import Laws
from fairlead.simulation.loop import NS, Process, VirtualLoop
from fairlead.simulation.network import US

_DELAY_MAX_US = 2_000


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
        waiting, self._waiting = self._waiting, {}
        for future, who in waiting.items():
            self._loop.call_later(self._delay(), self._lose, future, who, context=self._outside)

    async def submit(self, who: str, request: Request) -> Reply:
        """Return the answer. Raises ConnectionError when there is none, and nobody knows why."""
        self._conversation.note(who, request)
        if self._process is None:
            await asyncio.sleep(self._delay())
            self._conversation.note(who, "connection refused")
            raise ConnectionError("connection refused")
        future: asyncio.Future[Reply] = self._loop.create_future()
        self._waiting[future] = who
        self._loop.call_later(
            self._delay(), self._enter, who, request, future, context=self._process.context
        )
        return await future

    def _enter(self, who: str, request: Request, future: asyncio.Future[Reply]) -> None:
        """Runs in the process."""
        assert self._port is not None
        task = self._loop.create_task(_awaited(self._port, request))
        self._tasks[task] = None
        task.add_done_callback(lambda task: self._leave(who, request, future, task))

    def _leave(
        self,
        who: str,
        request: Request,
        future: asyncio.Future[Reply],
        task: "asyncio.Task[Reply]",
    ) -> None:
        """Runs in the process: the answer is on its way, whatever becomes of the process."""
        del self._tasks[task]
        del self._waiting[future]
        context = self._outside
        error = task.exception()
        if error is not None:
            self._loop.call_later(self._delay(), self._lose, future, who, context=context)
            return
        reply = task.result()
        self._laws.answering(request, reply)
        self._loop.call_later(self._delay(), self._arrive, future, who, reply, context=context)

    def _arrive(self, future: asyncio.Future[Reply], who: str, reply: Reply) -> None:
        self._conversation.note(who, reply)
        future.set_result(reply)

    def _lose(self, future: asyncio.Future[Reply], who: str) -> None:
        self._conversation.note(who, "connection lost")
        future.set_exception(ConnectionError("connection lost"))

    def _delay(self) -> float:
        return self._random.randrange(1, _DELAY_MAX_US) * US / NS


async def _awaited(port: EdgePort, request: Request) -> Reply:
    return await port.submit(request)
