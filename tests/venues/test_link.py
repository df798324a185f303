"""The link: connects, writes, hears, loses, connects again; over a pipe in virtual time and over TCP."""

import asyncio
import socket
from random import Random

import pytest

from fairlead.core.venue_messages import (
    Outcome,
    VenueAnswer,
    VenueConnected,
    VenueDisconnected,
    VenueOrder,
)
from fairlead.venues import sim_messages as wire
from fairlead.venues.link import Link, LinkLimits, Tcp
from fairlead.venues.pipe import Pipe
from fairlead.venues.pipe import connect as pipe_ends
from fairlead.venues.sim import SimDialect
from tests.ports import keep
from tests.venues.talk import (
    ACCOUNT,
    CLIENT_ID,
    START_NS,
    Inbox,
    Peer,
    balances,
    execution,
    frames,
    in_virtual_time,
    place,
    refused,
)


class World:
    """A link in virtual time, and every peer it has met."""

    def __init__(self, loop, *, limits=None, answer=None, seed=1):
        self.loop = loop
        self.peers = []
        self.tries = []
        self.refuses = False
        self.logins = True
        self.answer = answer
        self.inbox = Inbox()
        self.link = Link(
            ACCOUNT,
            SimDialect(ACCOUNT, "public", "private"),
            Pipe(loop, self.accept),
            self.inbox,
            loop=loop,
            now_ns=loop.now_ns,
            random=Random(seed),
            limits=limits or LinkLimits(),
        )

    def accept(self):
        self.tries.append(self.loop.time())
        if self.refuses:
            raise ConnectionRefusedError("closed today")
        peer = Peer(self.answer)
        peer.logins = self.logins
        self.peers.append(peer)
        return peer

    @property
    def peer(self):
        return self.peers[-1]

    async def connect(self):
        self.link.start()
        await asyncio.sleep(0.01)
        (connected,) = self.inbox.take()
        assert isinstance(connected, VenueConnected)
        assert self.link.is_ready

    async def close(self):
        self.link.close()
        await self.link.wait_closed()


def world_story(**world_words):
    """Run a story about a world in virtual time."""

    def decorate(story):
        def test():
            async def tell(loop):
                world = World(loop, **world_words)
                await story(world)
                await world.close()

            in_virtual_time(tell)

        test.__name__ = story.__name__
        return test

    return decorate


def outcomes(reports):
    return [
        (report.request_id, report.outcome) for report in reports if isinstance(report, VenueAnswer)
    ]


def hang_up(peer, _message):
    peer.transport.abort()


# ── sending ──────────────────────────────────────────────────────────────────────────────────────


@world_story()
async def test_sends_of_one_iteration_are_one_write(world):
    await world.connect()
    world.peer.pieces.clear()
    for request_id in (1, 2, 3):
        world.link.send(place(request_id))
    assert world.peer.pieces == []
    await asyncio.sleep(0.01)
    assert [message.request_id for message in world.peer.heard[1:]] == [1, 2, 3]
    assert len(world.peer.pieces) == 1


@world_story()
async def test_send_many_writes_once_after_what_was_sent_before(world):
    await world.connect()
    world.peer.pieces.clear()
    world.link.send(balances(1))
    world.link.send_many([place(2), place(3)])
    await asyncio.sleep(0.01)
    assert [message.request_id for message in world.peer.heard[1:]] == [1, 2, 3]
    assert len(world.peer.pieces) == 1


@world_story()
async def test_what_was_prepared_is_sent_as_it_was_worded_and_nothing_before(world):
    await world.connect()
    world.peer.pieces.clear()
    requests = [place(1), place(2)]
    world.link.prepare(requests)
    worded_ns = world.loop.now_ns()
    await asyncio.sleep(0.005)
    assert world.peer.pieces == []
    world.link.send_many(requests)
    await asyncio.sleep(0.01)
    assert [(each.request_id, each.sent_ns) for each in world.peer.heard[1:]] == [
        (1, worded_ns),
        (2, worded_ns),
    ]
    assert len(world.peer.pieces) == 1


@world_story()
async def test_what_was_prepared_long_ago_is_worded_anew(world):
    await world.connect()
    world.link.prepare([place(1)])
    await asyncio.sleep(0.5)
    sent_ns = world.loop.now_ns()
    world.link.send_many([place(1)])
    await asyncio.sleep(0.01)
    assert world.peer.heard[-1].sent_ns == sent_ns


@world_story()
async def test_what_was_prepared_for_a_connection_that_is_lost_is_not_sent(world):
    await world.connect()
    world.link.prepare([place(1)])
    world.peer.transport.abort()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    world.link.send_many([place(1)])
    (_, answer) = world.inbox.take()
    assert outcomes([answer]) == [(1, Outcome.NOT_SENT)]


@world_story()
async def test_what_cannot_be_sent_is_not_sent_and_says_why(world):
    world.link.send(place(1))
    world.refuses = True
    world.link.start()
    world.link.send_many([place(2)])
    await asyncio.sleep(0.01)
    world.link.send(place(3))
    first, second, disconnected, third = world.inbox.take()
    assert outcomes([first, second, third]) == [(n, Outcome.NOT_SENT) for n in (1, 2, 3)]
    assert first.text == second.text == "not connected yet"
    trouble = "cannot connect to the exchange in this process: closed today"
    assert third.text == trouble
    assert disconnected == VenueDisconnected(account=ACCOUNT, text=trouble)


@world_story()
async def test_before_the_login_is_answered_nothing_is_sent(world):
    world.logins = False
    world.link.start()
    await asyncio.sleep(0.01)
    world.link.send(place(1))
    assert outcomes(world.inbox.take()) == [(1, Outcome.NOT_SENT)]
    assert [type(message) for message in world.peer.heard] == [wire.Login]


@world_story(answer=hang_up)
async def test_reset_after_the_send_is_unknown(world):
    await world.connect()
    world.link.send(place(1))
    await asyncio.sleep(0.01)
    disconnected, unknown = world.inbox.take()
    assert isinstance(disconnected, VenueDisconnected)
    assert "reset" in disconnected.text
    assert outcomes([unknown]) == [(1, Outcome.UNKNOWN)]


@world_story(limits=LinkLimits(write_bytes_max=1_000))
async def test_a_peer_that_reads_nothing_is_dropped(world):
    await world.connect()
    world.peer.transport.pause_reading()
    world.link.send_many([place(n) for n in range(1, 21)])
    disconnected, *ends = world.inbox.take()
    assert "bytes unread, at most 1000 may wait" in disconnected.text
    assert [end.request_id for end in ends if end.outcome is Outcome.UNKNOWN] == sorted(
        end.request_id for end in ends if end.outcome is Outcome.UNKNOWN
    )
    assert sorted(end.request_id for end in ends) == list(range(1, 21))
    assert {end.outcome for end in ends} == {Outcome.UNKNOWN, Outcome.NOT_SENT}
    world.link.send(place(30))
    assert outcomes(world.inbox.take()) == [(30, Outcome.NOT_SENT)]


# ── hearing ──────────────────────────────────────────────────────────────────────────────────────


@world_story()
async def test_what_is_heard_reaches_the_inbox_in_order(world):
    await world.connect()
    world.link.send(place(1))
    await asyncio.sleep(0.01)
    world.peer.say(wire.Placed(1, "501", CLIENT_ID, START_NS), execution(1))
    await asyncio.sleep(0.01)
    kinds = [type(report).__name__ for report in world.inbox.take()]
    assert kinds == ["VenueAnswer", "VenueFill", "VenueOrder", "VenueBalancesStated"]


@world_story()
async def test_time_passes_for_the_dialect(world):
    await world.connect()
    world.link.send(place(1))
    await asyncio.sleep(4.9)
    assert world.inbox.take() == []
    await asyncio.sleep(0.5)
    assert outcomes(world.inbox.take()) == [(1, Outcome.UNKNOWN)]
    assert any(isinstance(message, wire.Ping) for message in world.peer.heard)


@world_story()
async def test_bytes_that_cannot_be_read_end_the_connection_after_what_was_read(world):
    await world.connect()
    world.link.send(place(1))
    world.peer.say(execution(1))
    await asyncio.sleep(0.01)
    world.peer.transport.write(b"\xff" * 8)
    await asyncio.sleep(0.01)
    *facts, disconnected, unknown = world.inbox.take()
    assert any(isinstance(fact, VenueOrder) for fact in facts)
    assert "cannot be read" in disconnected.text
    assert outcomes([unknown]) == [(1, Outcome.UNKNOWN)]
    assert world.peer.ends != []


@world_story()
async def test_what_a_dropped_connection_still_brings_is_not_heard(world):
    await world.connect()
    world.peer.transport.write(b"\xff" * 8)
    await asyncio.sleep(0.001)
    old = world.peer
    await asyncio.sleep(1)
    assert len(world.peers) == 2
    world.inbox.take()
    old.transport.write(frames(execution(1)))
    await asyncio.sleep(0.01)
    assert world.inbox.take() == []


# ── connecting again ─────────────────────────────────────────────────────────────────────────────


@world_story()
async def test_a_lost_connection_is_made_again_and_works(world):
    await world.connect()
    world.peer.transport.close()
    await asyncio.sleep(0.2)
    disconnected, connected = world.inbox.take()
    assert disconnected == VenueDisconnected(
        account=ACCOUNT, text="the exchange in this process closed the connection"
    )
    assert isinstance(connected, VenueConnected)
    world.link.send(place(5))
    await asyncio.sleep(0.01)
    assert world.peer.heard[-1].request_id == 5


@world_story()
async def test_attempts_wait_longer_and_longer_up_to_a_bound_and_are_told_once(world):
    world.refuses = True
    world.link.start()
    await asyncio.sleep(120)
    waits = [b - a for a, b in zip(world.tries, world.tries[1:], strict=False)]
    for n, wait in enumerate(waits):
        longest = min(0.1 * 2**n, 10)
        assert longest / 2 <= wait <= longest + 0.01
    assert waits[-1] > 4
    assert len({round(wait, 6) for wait in waits[-5:]}) == 5  # jitter
    assert len(world.inbox.take()) == 1
    world.refuses = False
    await asyncio.sleep(11)
    assert isinstance(world.inbox.take()[0], VenueConnected)


def test_the_jitter_is_the_seeds():
    def tries(seed):
        found = []

        async def tell(loop):
            world = World(loop, seed=seed)
            world.refuses = True
            world.link.start()
            await asyncio.sleep(10)
            found.extend(world.tries)
            await world.close()

        in_virtual_time(tell)
        return found

    assert tries(1) == tries(1) != tries(2)


@world_story()
async def test_a_stable_connection_ends_the_row_of_failures(world):
    world.refuses = True
    world.link.start()
    await asyncio.sleep(30)
    world.refuses = False
    await asyncio.sleep(15)
    assert world.link.is_ready
    world.peer.transport.abort()
    await asyncio.sleep(0.11)
    assert world.link.is_ready


@world_story()
async def test_a_connection_that_ends_at_once_does_not(world):
    await world.connect()
    for _ in range(4):
        world.peer.transport.abort()
        await asyncio.sleep(0.9)
    assert len(world.tries) < 6


@world_story()
async def test_a_refused_login_is_tried_again_slowly_and_says_why(world):
    world.logins = False
    world.answer = lambda peer, _: peer.say(refused(0, wire.RefusalCode.LOGIN))
    world.link.start()
    await asyncio.sleep(59)
    text = "the exchange refused the login: because of LOGIN"
    assert world.inbox.take() == [VenueDisconnected(account=ACCOUNT, text=text, refused_login=True)]
    assert len(world.tries) == 1
    world.link.send(place(1))
    (not_sent,) = world.inbox.take()
    assert not_sent.text == text
    await asyncio.sleep(2)
    assert len(world.tries) == 2
    assert world.inbox.take() == []  # nothing new to say
    world.logins, world.answer = True, None
    await asyncio.sleep(60)
    assert isinstance(world.inbox.take()[0], VenueConnected)


@world_story(limits=LinkLimits(connect_timeout_ms=700))
async def test_an_attempt_that_comes_to_nothing_is_given_up(world):
    class Nowhere:
        peer_name = "nowhere"
        given_up = 0

        def __call__(self, protocol, failed):
            def give_up():
                self.given_up += 1

            return give_up

    nowhere = Nowhere()
    world.link = Link(
        ACCOUNT, SimDialect(ACCOUNT, "a", "b"), nowhere, world.inbox,
        loop=world.loop, now_ns=world.loop.now_ns, random=Random(1),
        limits=LinkLimits(connect_timeout_ms=700),
    )  # fmt: skip
    world.link.start()
    await asyncio.sleep(0.71)
    assert nowhere.given_up == 1
    (disconnected,) = world.inbox.take()
    assert disconnected.text == "no connection to nowhere within 700 ms"


@world_story()
async def test_silence_drops_the_connection(world):
    await world.connect()
    world.peer.transport.pause_reading()
    await asyncio.sleep(9)
    disconnected, connected = world.inbox.take()
    assert "nothing was answered" in disconnected.text
    assert isinstance(connected, VenueConnected)


@world_story()
async def test_a_connection_made_after_it_was_given_up_is_dropped(world):
    peer, ways = Peer(), []

    class Slow:
        peer_name = "a slow one"

        def __call__(self, protocol, failed):
            ways.append((protocol, failed))
            return lambda: None

    world.link = Link(
        ACCOUNT, SimDialect(ACCOUNT, "a", "b"), Slow(), world.inbox,
        loop=world.loop, now_ns=world.loop.now_ns, random=Random(1),
    )  # fmt: skip
    world.link.start()
    await asyncio.sleep(5.01)
    protocol, failed = ways[0]
    world.inbox.take()
    failed(OSError("late"))
    pipe_ends(world.loop, protocol, peer)
    await asyncio.sleep(0.01)
    assert peer.heard == []
    assert peer.ends != []
    assert world.inbox.take() == []


# ── closing ──────────────────────────────────────────────────────────────────────────────────────


@world_story()
async def test_close_writes_what_was_sent_and_ends_it_unknown(world):
    await world.connect()
    world.link.send(place(1))
    world.link.close()
    disconnected, unknown = world.inbox.take()
    assert disconnected.text == "closed by us"
    assert outcomes([unknown]) == [(1, Outcome.UNKNOWN)]
    await world.link.wait_closed()
    await asyncio.sleep(0.01)
    assert world.peer.heard[-1].request_id == 1
    assert world.peer.ends == [None]
    world.link.send(place(2))
    assert outcomes(world.inbox.take()) == [(2, Outcome.NOT_SENT)]
    await asyncio.sleep(100)
    assert len(world.tries) == 1


@world_story()
async def test_close_does_not_wait_for_a_peer_that_reads_nothing(world):
    await world.connect()
    world.peer.transport.pause_reading()
    world.link.send(place(1))
    world.link.close()
    before = world.loop.time()
    await world.link.wait_closed()
    assert 1.9 < world.loop.time() - before < 2.1


@world_story()
async def test_close_while_connecting_or_waiting_to(world):
    world.refuses = True
    world.link.start()
    world.link.close()
    await world.link.wait_closed()
    await asyncio.sleep(100)
    assert world.tries == []


# ── over a socket ────────────────────────────────────────────────────────────────────────────────


class TcpWorld:
    """A link to a scripted peer behind a real socket."""

    def __init__(self, answer=None):
        self.peers = []
        self.inbox = Inbox()
        self._answer = answer

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.link = tcp_link(self.port, self.inbox)
        self.link.start()
        await self.inbox.until(VenueConnected)
        return self

    async def __aexit__(self, *_):
        self.link.close()
        await self.link.wait_closed()
        self._server.close()

    def _accept(self):
        self.peers.append(Peer(self._answer))
        return self.peers[-1]


def tcp_link(port, inbox):
    loop = asyncio.get_running_loop()
    return Link(
        ACCOUNT,
        SimDialect(ACCOUNT, "public", "private"),
        Tcp(loop, "127.0.0.1", port),
        inbox,
        loop=loop,
        now_ns=lambda: START_NS,
        random=Random(1),
    )


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    if request.param == "asyncio":
        return asyncio.run
    import uvloop

    return uvloop.run


def place_and_execute(peer, message):
    if isinstance(message, wire.Place):
        peer.say(wire.Placed(message.request_id, "501", message.client_id, START_NS))


def test_tcp_place_is_done(run):
    async def story():
        async with TcpWorld(place_and_execute) as world:
            world.link.send(place(1))
            (done,) = await world.inbox.until(VenueAnswer)
            assert outcomes([done]) == [(1, Outcome.DONE)]

    run(story())


def test_tcp_sends_small_frames_at_once(run):
    async def story():
        async with TcpWorld() as world:
            sock = world.link._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0

    run(story())


def test_tcp_reset_after_the_send_is_unknown_and_it_connects_again(run):
    async def story():
        async with TcpWorld(hang_up) as world:
            world.link.send(place(1))
            (unknown,) = await world.inbox.until(VenueAnswer)
            assert outcomes([unknown]) == [(1, Outcome.UNKNOWN)]
            await world.inbox.until(VenueConnected, 2)
            assert len(world.peers) == 2

    run(story())


def test_tcp_connection_refused_is_not_sent(run):
    async def story():
        with keep() as kept:
            port = kept.getsockname()[1]
            inbox = Inbox()
            link = tcp_link(port, inbox)
            link.start()
            (disconnected,) = await inbox.until(VenueDisconnected)
            assert disconnected.text.startswith(f"cannot connect to 127.0.0.1:{port}: ")
            link.send(place(1))
            (not_sent,) = await inbox.until(VenueAnswer)
            assert outcomes([not_sent]) == [(1, Outcome.NOT_SENT)]
            link.close()
            await link.wait_closed()

    run(story())


def test_tcp_close_while_connecting(run):
    async def story():
        async with TcpWorld() as world:
            link = tcp_link(world.port, Inbox())
            link.start()
            link.close()
            await link.wait_closed()

    run(story())
