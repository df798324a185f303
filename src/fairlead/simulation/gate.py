"""Fairlead's gateways for those who keep a stream: the shipped WebSocket and FIX APIs on a network.

In each life of the process they stand before its edge: the feed, the WebSocket connections from the
handshake on, the FIX desk with its store. In place of their sockets are the ends of `network`.
"""

import asyncio
from collections.abc import Callable, Collection
from random import Random
from typing import NoReturn

import msgspec
from uvicorn.config import Config
from uvicorn.server import ServerState

from fairlead.core.port import EdgePort, Prepare
from fairlead.core.replies import Reply
from fairlead.core.requests import EndSession, PlaceOrder, Request
from fairlead.gateway.feed import Feed, FeedSettings
from fairlead.gateway.fixapi.client import Client as FixClient
from fairlead.gateway.fixapi.desk import Desk
from fairlead.gateway.fixapi.settings import FixSettings
from fairlead.gateway.relay import Relay
from fairlead.gateway.websocket.api import WebSocketApi
from fairlead.gateway.websocket.hub import WebSocketSettings
from fairlead.gateway.websocket.messages import Server
from fairlead.gateway.websocket.wire import WebSocketProtocol, websocket_protocol
from fairlead.simulation.clock import MachineClock
from fairlead.simulation.crashes import CrashKind
from fairlead.simulation.disk import Disk, Image
from fairlead.simulation.laws import Laws, OrderKey
from fairlead.simulation.loop import Process, VirtualLoop
from fairlead.simulation.network import CALM, Network, Watcher, Way, Weather
from fairlead.simulation.store import SimulatedStore, StoreCrashes, restore


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who keeps a stream and what goes wrong with it.

    `store_crashes`: how often a commit of the FIX store ends the process. `buffer_bytes`: how much a
    connection takes before its writer is asked to pause.
    """

    websocket_clients: int
    fix_clients: int
    pause_ms_max: int
    weather: Weather
    buffer_bytes: int
    store_crashes: int
    feed: FeedSettings
    websocket: WebSocketSettings
    fix: FixSettings


class Gate:
    """`open` it for each life of the edge; clients come in by `websocket` and `fix`."""

    store_class = SimulatedStore
    feed_class = Feed

    def __init__(
        self,
        loop: VirtualLoop,
        seed: int,
        settings: StreamSettings,
        network: Network,
        disk: Disk,
        clock: MachineClock,
        laws: Laws,
    ) -> None:
        self.settings = settings
        self.life: Life | None = None
        self._loop = loop
        self._network = network
        self._disk = disk
        self._clock = clock
        self._laws = laws
        self._random = Random(f"gate {seed}")
        self._crashes = StoreCrashes(Random(f"store crashes {seed}"), settings.store_crashes)
        self._image: Image | None = None
        self._boots = 0
        self._lives: list[Life] = []  # kept, so that nothing of them is collected at a random time

    def open(self, edge: EdgePort, process: Process, die: Callable[[CrashKind], NoReturn]) -> None:
        """Let clients in; runs in the process."""
        folder = self._disk.folder("fix", None)
        if self._image is not None:
            restore(folder, self._image)
        settings = self.settings
        store = self.store_class.open(
            folder, settings.fix.sent_messages_min, boot_id=f"boot-{self._boots}"
        )
        self._crashes.started()
        store.endanger(folder, self._crashes, die)
        port = WatchedPort(edge, self._laws)
        self.life = Life(self, port, process, store, len(self._lives) + 1)
        self._lives.append(self.life)

    def died(self, process: Process, *, is_power_failure: bool) -> None:
        """Keep what the end of the process leaves."""
        life, self.life = self.life, None
        self._network.died(process, is_silent=is_power_failure)
        if life is not None:
            self._image = life.store.survives(self._random, is_power_failure=is_power_failure)
        if is_power_failure:
            self._boots += 1

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        self._network.weather = CALM
        self._crashes.stop()

    def close_files(self) -> None:
        """Let go of the files of processes that have ended."""
        for life in self._lives:
            life.close_files()

    def now_ns(self) -> int:
        """Return the wall clock of Fairlead's machine."""
        return self._clock.utc_ns()

    def new_token(self) -> str:
        """Return the name of a new WebSocket session."""
        token = f"{self._random.getrandbits(128):032x}"
        self._laws.sessions.add(f"ws:{token}")
        return token

    def websocket(self, client: Process, watcher: Watcher) -> Way:
        """Return a client's way to the WebSocket API."""
        return self._way(client, watcher, lambda life: life.websocket_connection())

    def fix(self, client: Process, watcher: Watcher) -> Way:
        """Return a client's way to the FIX API."""
        return self._way(client, watcher, lambda life: life.fix_connection())

    def _way(
        self, client: Process, watcher: Watcher, connection: "Callable[[Life], asyncio.Protocol]"
    ) -> Way:
        def process() -> Process | None:
            return None if self.life is None else self.life.process

        def accept() -> asyncio.Protocol:
            assert self.life is not None
            return connection(self.life)

        return Way(self._network, client, process, accept, watcher)


class Life:
    """The gateways of one process."""

    def __init__(
        self, gate: Gate, port: "WatchedPort", process: Process, store: SimulatedStore, number: int
    ) -> None:
        settings = gate.settings
        self.process = process
        self.store = store
        self.feed = gate.feed_class(port, settings.feed)
        server = Server(
            instance_guid=f"{number:032x}",
            version="0",
            name="fairlead",
            dns_name="simulated",
            start_ns=gate.now_ns(),
        )
        self.websocket = WebSocketApi(
            port, self.feed, gate.now_ns, settings.websocket,
            new_token=gate.new_token, server=server,
        )  # fmt: skip
        self.desk = Desk(port, self.feed, store, settings.fix, gate.now_ns)
        self._config = Config(self.websocket, lifespan="off", log_config=None)  # type: ignore[arg-type, unused-ignore]
        self._config.loaded_app = self.websocket
        self._state = ServerState()
        self._protocol = websocket_protocol(settings.websocket)
        self.connections: list[asyncio.Protocol] = []
        self._has_files = True

    def websocket_connection(self) -> WebSocketProtocol:
        """Return the server's side of a new connection."""
        connection = self._protocol(self._config, self._state, {})
        self.connections.append(connection)
        return connection

    def fix_connection(self) -> "FixPipe":
        """Return the server's side of a new connection."""
        pipe = FixPipe(self.desk)
        self.connections.append(pipe)
        return pipe

    def close_files(self) -> None:
        """Let go of them."""
        if self._has_files:
            self._has_files = False
            self.store.abandon()


class FixPipe(asyncio.Protocol):
    """Between an end of the network and the shipped `Client` of the FIX API."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.client: FixClient | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        self.client = FixClient(self._desk, transport, "simulated")

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        assert self.client is not None
        self.client.received(data)

    def pause_writing(self) -> None:
        """The connection takes no more."""
        assert self.client is not None
        self.client.pause_writing()

    def resume_writing(self) -> None:
        """The connection takes more again."""
        assert self.client is not None
        self.client.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """End the session."""
        assert self.client is not None
        self.client.lost()


class WatchedPort(Relay):
    """An `EdgePort` of which the laws see what is asked and answered."""

    def __init__(self, port: EdgePort, laws: Laws) -> None:
        super().__init__(port)
        self._laws = laws
        # Of each session's end that is not answered yet: the orders asked for after it.
        self._ending: list[tuple[str, set[OrderKey]]] = []

    async def submit(self, request: Request, prepare: Prepare | None = None) -> Reply:
        """See `EdgePort.submit`."""
        if isinstance(request, EndSession):
            later: set[OrderKey] = set()
            self._ending.append((request.session, later))
            try:
                return await self._submit(request, later, prepare)
            finally:
                self._ending = [each for each in self._ending if each[1] is not later]
        if isinstance(request, PlaceOrder) and request.session.startswith("fix:"):
            # The name stays through all connections; that nothing comes after an end is then
            # seen by what is still open when the end is answered, and in the end.
            self._laws.sessions.add(request.session)
            for session, later in self._ending:
                if session == request.session:
                    later.add((request.account, request.client_order_id))
        return await self._submit(request, (), prepare)

    async def _submit(
        self, request: Request, later: Collection[OrderKey], prepare: Prepare | None
    ) -> Reply:
        key = object()
        self._laws.asking[key] = request
        gone = dict(self._laws.gone)
        try:
            reply = await self._port.submit(request, prepare)
        finally:
            self._laws.asking.pop(key, None)
        self._laws.answering(request, reply, gone, later)
        return reply
