"""The seeded network is a stream: slow, in pieces, cut anywhere, but never out of order."""

import asyncio
from random import Random

import pytest

from fairlead.simulation.conversation import Conversation
from fairlead.simulation.loop import Process, VirtualLoop
from fairlead.simulation.network import Network, Way, Weather

SENT = bytes(range(256)) * 20


class Listener(asyncio.Protocol):
    def __init__(self) -> None:
        self.got = b""
        self.pieces = 0
        self.transport: asyncio.Transport | None = None
        self.ends: list[Exception | None] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.got += data
        self.pieces += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.ends.append(exc)


class Bystander:
    is_dear = True

    def opened(self) -> None:
        pass

    def writing(self, data: bytes) -> bytes:
        return data

    def wrote(self) -> None:
        pass

    def delivering(self, data: bytes) -> None:
        pass

    def ended(self, why: str) -> None:
        pass


class Line:
    """Two processes with a network between them."""

    def __init__(self, weather: Weather, seed: int = 1) -> None:
        self.loop = VirtualLoop(self._fail)
        self.network = Network(self.loop, Random(seed), weather, Conversation(self.loop))
        self.near, self.far = Listener(), Listener()
        self.near_process, self.far_process = Process("near"), Process("far")
        self.failures: list[OSError] = []
        self.way = Way(
            self.network, self.near_process, lambda: self.far_process, lambda: self.far, Bystander()
        )

    def _fail(self, message: str, error: BaseException | None) -> None:
        raise AssertionError(message) from error

    async def connect(self) -> None:
        self.way(self.near, self.failures.append)
        await asyncio.sleep(1)


def sent_in_many_writes(line: Line) -> None:
    async def story() -> None:
        await line.connect()
        assert line.near.transport is not None
        for start in range(0, len(SENT), 100):
            line.near.transport.write(SENT[start : start + 100])
        await asyncio.sleep(60)

    line.loop.run(story())


@pytest.mark.parametrize("seed", range(20))
def test_bytes_arrive_whole_and_in_order(seed: int) -> None:
    weather = Weather(latency_max_us=50_000, split=500, stall=100, stall_max_ms=500)
    line = Line(weather, seed)
    sent_in_many_writes(line)
    assert line.far.got == SENT
    assert line.far.pieces > len(SENT) / 100


def test_a_connection_is_cut_at_any_byte_and_both_sides_hear_of_it() -> None:
    lengths = set()
    for seed in range(30):
        line = Line(Weather(cut=1_000, trouble_bytes_max=len(SENT)), seed)
        sent_in_many_writes(line)
        assert SENT.startswith(line.far.got)
        assert len(line.far.got) < len(SENT)
        assert len(line.near.ends) == len(line.far.ends) == 1
        lengths.add(len(line.far.got))
    assert len(lengths) > 20


def test_a_half_dead_connection_says_nothing_more_and_tells_nobody() -> None:
    line = Line(Weather(half_dead=1_000, trouble_bytes_max=len(SENT)))
    sent_in_many_writes(line)
    assert SENT.startswith(line.far.got)
    assert len(line.far.got) < len(SENT)
    assert not line.near.ends
    assert not line.far.ends


def test_a_stranded_write_arrives_long_after_its_sender_saw_the_end() -> None:
    line = Line(Weather(strand=1_000, strand_max_ms=500))
    seen: list[tuple[int, int]] = []

    async def story() -> None:
        await line.connect()
        assert line.near.transport is not None
        line.near.transport.write(b"order")
        await asyncio.sleep(0.002)
        seen.append((len(line.near.ends), len(line.far.got)))
        await asyncio.sleep(1)

    line.loop.run(story())
    assert seen == [(1, 0)]
    assert line.far.got == b"order"


def test_what_a_killed_process_had_written_still_arrives() -> None:
    line = Line(Weather())

    async def story() -> None:
        await line.connect()
        assert line.near.transport is not None
        assert line.far.transport is not None
        line.near.transport.write(b"last words")
        line.loop.kill(line.near_process)
        line.network.died(line.near_process, is_silent=False)
        line.far.transport.write(b"into the void")
        await asyncio.sleep(1)

    line.loop.run(story())
    assert line.far.got == b"last words"
    assert line.far.ends == [None]
    assert line.near.got == b""
    assert not line.near.ends


def test_a_power_failure_is_not_announced() -> None:
    line = Line(Weather())

    async def story() -> None:
        await line.connect()
        line.loop.kill(line.near_process)
        line.network.died(line.near_process, is_silent=True)
        await asyncio.sleep(1)

    line.loop.run(story())
    assert not line.far.ends


def test_attempts_are_refused_or_not_answered() -> None:
    refused, unanswered = Line(Weather(refused=1_000)), Line(Weather(unanswered=1_000))
    for line in (refused, unanswered):
        line.loop.run(line.connect())
    assert len(refused.failures) == 1
    assert refused.near.transport is None
    assert not unanswered.failures
    assert unanswered.near.transport is None


def test_a_peer_that_does_not_read_gets_it_later() -> None:
    line = Line(Weather())

    async def story() -> None:
        await line.connect()
        assert line.near.transport is not None
        assert line.far.transport is not None
        line.far.transport.pause_reading()
        line.near.transport.write(b"wait")
        await asyncio.sleep(1)
        assert line.far.got == b""
        assert line.near.transport.get_write_buffer_size() == 4
        line.far.transport.resume_reading()
        await asyncio.sleep(1)
        line.near.transport.close()
        await asyncio.sleep(1)

    line.loop.run(story())
    assert line.far.got == b"wait"
    assert line.far.ends == [None]
    assert line.near.ends == [None]
