"""Connections between protocols over a seeded network: slow, stalled, cut at any byte, half dead.

Each connection is a stream: bytes arrive in the order they were written, in pieces cut anywhere, or
not at all from some byte on. An end belongs to a process; what is delivered to it runs in that
process's context, and what a killed process had written still arrives. Knows nothing of what the
bytes mean; a `Watcher` is shown them.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

import msgspec

from fairlead.simulation.conversation import Conversation
from fairlead.simulation.loop import NS, Process, VirtualLoop

MS = 1_000_000
US = 1_000


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How bad the network is. Chances are per mille: of a write, or of a connection.

    `cut` and `half_dead`: a connection ends, or goes silent without a word, after some random number
    of bytes up to `trouble_bytes_max` in one direction. `strand`: a write that the watcher holds dear
    arrives up to `strand_max_ms` late, long after its sender has seen the connection break. `refused` and
    `unanswered` are attempts.
    """

    latency_min_us: int = 100
    latency_max_us: int = 1_000
    split: int = 0
    stall: int = 0
    stall_max_ms: int = 0
    cut: int = 0
    half_dead: int = 0
    strand: int = 0
    strand_max_ms: int = 0
    trouble_bytes_max: int = 20_000
    refused: int = 0
    unanswered: int = 0


CALM = Weather()


class Watcher(Protocol):
    """Sees the bytes of one connection from the side of the end that opened it.

    `is_dear`: what was written last is what trouble is most interesting for.
    """

    is_dear: bool

    def opened(self) -> None:
        """Begin to see a connection."""
        ...

    def writing(self, data: bytes) -> bytes:
        """Return what of `data` may leave; the near side is about to write it."""
        ...

    def wrote(self) -> None:
        """The bytes have left; may raise SimulatedCrash."""
        ...

    def delivering(self, data: bytes) -> None:
        """See what the near side is about to be given."""
        ...

    def ended(self, why: str) -> None:
        """See the end of the connection."""
        ...


class Network:
    """Opens connections. `weather` may be changed at any time; it concerns what comes after."""

    def __init__(
        self,
        loop: VirtualLoop,
        random: Random,
        weather: Weather,
        conversation: Conversation,
        buffer_bytes: int | None = None,
    ) -> None:
        """`buffer_bytes`: over so many on their way a writer is asked to pause; None: never."""
        self.buffer_bytes = buffer_bytes
        self.loop = loop
        self.random = random
        self.weather = weather
        self.conversation = conversation
        self.ends: dict[End, None] = {}

    def chance(self, per_mille: int) -> bool:
        """Draw whether something with this chance happens."""
        return per_mille > 0 and self.random.randrange(1_000) < per_mille

    def latency_ns(self) -> int:
        """Draw how long a piece is on its way."""
        weather = self.weather
        return self.random.randrange(weather.latency_min_us, weather.latency_max_us + 1) * US

    def died(self, process: Process, *, is_silent: bool) -> None:
        """Let the peers of a killed process find out; `is_silent`: they are told nothing."""
        for end in [end for end in self.ends if end.process is process]:
            end.owner_died(is_silent=is_silent)


class Way:
    """A way from `process` to what `accept` returns; serves `link.Link` as its `Connect`."""

    peer_name = "the exchange of this world"

    def __init__(
        self,
        network: Network,
        process: Process,
        far_process: Callable[[], Process | None],
        accept: Callable[[], asyncio.Protocol],
        watcher: Watcher,
    ) -> None:
        """`far_process` is whose context the far side runs in, None while nobody listens."""
        self._network = network
        self._process = process
        self._far_process = far_process
        self._accept = accept
        self._watcher = watcher

    def __call__(
        self, protocol: asyncio.Protocol, failed: Callable[[OSError], None]
    ) -> Callable[[], None]:
        """Begin to connect; see `link.Connect`."""
        attempt = _Attempt(self._network, self._process, protocol, failed, self._watcher)
        if not self._network.chance(self._network.weather.unanswered):
            far = self._far_process()
            later = self._network.loop.time() + self._network.latency_ns() / NS
            if far is None or self._network.chance(self._network.weather.refused):
                context = self._process.context
                self._network.loop.call_at(later, attempt.refuse, context=context)
            else:
                self._network.loop.call_at(
                    later, attempt.accept, far, self._accept, context=far.context
                )
        return attempt.give_up


class _Attempt:
    """One attempt to connect: first the far side has a connection, then the near side."""

    def __init__(
        self,
        network: Network,
        process: Process,
        protocol: asyncio.Protocol,
        failed: Callable[[OSError], None],
        watcher: Watcher,
    ) -> None:
        self._network = network
        self._process = process
        self._protocol = protocol
        self._failed = failed
        self._watcher = watcher
        self._is_given_up = False

    def give_up(self) -> None:
        self._is_given_up = True

    def refuse(self) -> None:
        if not self._is_given_up:
            self._failed(ConnectionRefusedError(111, "Connection refused"))

    def accept(self, far_process: Process, accept: Callable[[], asyncio.Protocol]) -> None:
        network = self._network
        far_protocol = accept()
        near = End(network, self._process, self._protocol, self._watcher)
        far = End(network, far_process, far_protocol, None)
        near.peer, far.peer = far, near
        network.ends[near] = network.ends[far] = None
        far_protocol.connection_made(far)
        later = network.loop.time() + network.latency_ns() / NS
        network.loop.call_at(later, self._made, near, context=self._process.context)
        if self._process.is_dead:
            near.owner_died(is_silent=False)

    def _made(self, near: "End") -> None:
        if self._is_given_up:
            near.abort()
            return
        if near._is_lost:
            self._failed(ConnectionResetError(104, "Connection reset by peer"))
            return
        self._watcher.opened()
        near.is_open = True
        self._protocol.connection_made(near)
        near.peer.deliver_later()


class End(asyncio.Transport):
    """One end of a connection, and the stream of bytes it has written."""

    peer: "End"

    def __init__(
        self,
        network: Network,
        process: Process,
        protocol: asyncio.Protocol,
        watcher: Watcher | None,
    ) -> None:
        """`peer` is set before anything is written. A `watcher` sees the near end only."""
        super().__init__()
        self.process = process
        self.is_open = watcher is None  # the near end opens later
        self._network = network
        self._protocol = protocol
        self._watcher = watcher
        self._flying: deque[tuple[int, bytes | None]] = deque()  # None: the end of the stream
        self._flying_bytes = 0
        self._last_arrival_ns = 0
        self._is_arrival_due = False
        self._is_reading_paused = False
        self._is_writing_paused = False
        self._is_closing = False
        self._is_lost = False
        weather, random = network.weather, network.random
        self._bytes_to_trouble: int | None = None
        self._is_trouble_silent = False
        if network.chance(weather.cut):
            self._bytes_to_trouble = random.randrange(1, weather.trouble_bytes_max)
        elif network.chance(weather.half_dead):
            self._bytes_to_trouble = random.randrange(1, weather.trouble_bytes_max)
            self._is_trouble_silent = True

    # ── writing ──────────────────────────────────────────────────────────────────────────────────

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; a watcher may keep back a part of them, and end the process afterwards."""
        if self._is_closing or self.process.is_dead or not data:
            return
        data = bytes(data)
        if self._watcher is not None:
            self._send(self._watcher.writing(data))
            self._watcher.wrote()
        else:
            self._send(data)

    def _send(self, data: bytes) -> None:
        is_cut = False
        if self._bytes_to_trouble is not None:
            if len(data) > self._bytes_to_trouble:
                data = data[: self._bytes_to_trouble]
                is_cut = not self._is_trouble_silent
            self._bytes_to_trouble -= len(data)
        is_dear = self._watcher is not None and self._watcher.is_dear
        if is_dear and data and self._network.chance(self._network.weather.strand):
            late_ms = self._network.random.randrange(1, self._network.weather.strand_max_ms + 1)
            self._last_arrival_ns = self._network.loop.now_ns + late_ms * MS
            is_cut = True
        for piece in self._pieces(data):
            self._fly(piece)
        if is_cut:
            self._cut()

    def _pieces(self, data: bytes) -> list[bytes]:
        network = self._network
        if len(data) < 2 or not network.chance(network.weather.split):
            return [data] if data else []
        count = min(network.random.randrange(1, 4), len(data) - 1)
        cuts = sorted(network.random.sample(range(1, len(data)), count))
        return [data[start:end] for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True)]

    def _fly(self, piece: bytes | None) -> None:
        network = self._network
        arrival_ns = network.loop.now_ns + network.latency_ns()
        if network.chance(network.weather.stall):
            arrival_ns += network.random.randrange(1, network.weather.stall_max_ms + 1) * MS
        self._last_arrival_ns = max(self._last_arrival_ns, arrival_ns)
        self._flying.append((self._last_arrival_ns, piece))
        self._flying_bytes += len(piece or b"")
        most = network.buffer_bytes
        if most is not None and self._flying_bytes > most and not self._is_writing_paused:
            self._is_writing_paused = True
            self._protocol.pause_writing()
        self.deliver_later()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes have not arrived."""
        return self._flying_bytes

    # ── arriving ─────────────────────────────────────────────────────────────────────────────────

    def deliver_later(self) -> None:
        """Have the next piece arrive when it is due, if the peer can take it."""
        peer = self.peer
        if self._is_arrival_due or not self._flying or not peer.is_open or peer._is_reading_paused:
            return
        if peer._is_lost or peer.process.is_dead:
            self._flying.clear()
            return
        self._is_arrival_due = True
        when = self._flying[0][0] / NS
        self._network.loop.call_at(when, self._arrive, context=peer.process.context)

    def _arrive(self) -> None:
        """Runs in the peer's context."""
        self._is_arrival_due = False
        peer = self.peer
        if not self._flying or peer._is_lost:
            return
        if peer._is_reading_paused:
            return
        piece = self._flying.popleft()[1]
        if piece is None:
            if not peer._is_closing:
                peer._is_closing = True
                peer._protocol.eof_received()
            peer._lose(None)
            return
        self._flying_bytes -= len(piece)
        if self._is_writing_paused and self._flying_bytes * 2 <= (self._network.buffer_bytes or 0):
            self._is_writing_paused = False
            self._network.loop.call_soon(self._resume_writing, context=self.process.context)
        if not peer._is_closing:
            if peer._watcher is not None:
                peer._watcher.delivering(piece)
            peer._protocol.data_received(piece)
        self.deliver_later()

    def _resume_writing(self) -> None:
        """Runs in the writer's context."""
        if not self._is_lost and not self._is_writing_paused:
            self._protocol.resume_writing()

    def pause_reading(self) -> None:
        """Leave what arrives where it is, until `resume_reading`."""
        self._is_reading_paused = True

    def resume_reading(self) -> None:
        """Take what has waited."""
        self._is_reading_paused = False
        self.peer.deliver_later()

    def is_reading(self) -> bool:
        """Whether bytes are taken as they come."""
        return not self._is_reading_paused and not self._is_closing

    # ── ending ───────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """Read no more, let what was written arrive, then end both sides."""
        if not self._is_closing:
            self._is_closing = True
            self._fly(None)
            self._lose_soon(None)

    def abort(self) -> None:
        """End both sides; what has not arrived is lost."""
        self._is_closing = True
        self._lose_soon(None)
        self._cut_stream()

    def is_closing(self) -> bool:
        """Whether the end was closed, from either side."""
        return self._is_closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ARG002 - asyncio's
        """Return `default`: there is no socket behind it."""
        return default

    def owner_died(self, *, is_silent: bool) -> None:
        """The process of this end was killed: what it wrote arrives, then the connection breaks."""
        self._is_closing = self._is_lost = True
        self._network.ends.pop(self, None)
        self.peer._flying.clear()
        if not is_silent:
            self._fly(None)

    def _cut(self) -> None:
        """The connection breaks: each side hears of it in its own time."""
        self._is_closing = True
        error = ConnectionResetError(104, "Connection reset by peer")
        self._lose_soon(error)
        self._flying.append((self._last_arrival_ns, None))
        self.deliver_later()
        self.peer._flying.clear()

    def _cut_stream(self) -> None:
        self._flying.clear()
        self._flying_bytes = 0
        self.peer._flying.clear()
        self._fly(None)

    def _lose_soon(self, error: Exception | None) -> None:
        context = self.process.context
        later = self._network.loop.time() + self._network.latency_ns() / NS
        self._network.loop.call_at(later, self._lose, error, context=context)

    def _lose(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._is_closing = True
            self._network.ends.pop(self, None)
            if self._watcher is not None:
                self._watcher.ended("closed" if error is None else str(error))
            if self.is_open:
                self._protocol.connection_lost(error)
