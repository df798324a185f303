"""The feed: cursors over the ring and the journal, without a gap, a doubling or a queue."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.core.model import AccountMode
from fairlead.core.port import Released
from fairlead.core.reports import AccountReport, AlarmReport, Cause, OrderReport
from fairlead.gateway.feed import Feed, FeedSettings, Subscription
from tests.gateway.orders import ORDER
from tests.gateway.scripted_edge import ScriptedEdge

pytestmark = pytest.mark.asyncio
SMALL = FeedSettings(ring_reports=3, wake_most=2)


def news(sequence: int, account: str = "SIM") -> Released:
    return Released(AlarmReport(account, sequence, 0, "TEST", None, f"text {sequence}"), None)


def begun(sequence: int) -> Released:
    report = OrderReport("SIM", sequence, sequence, 0, Cause.ROUTING, opened=ORDER)
    return Released(report, ORDER)


def routed(sequence: int) -> Released:
    return Released(OrderReport("SIM", sequence, sequence, 0, Cause.ROUTED), ORDER)


def encode(released: Released) -> bytes:
    assert isinstance(released.report, AlarmReport)
    return released.report.text.encode()


class Reader:
    """A subscriber that counts how often it was woken."""

    def __init__(self, feed: Feed, after: int, account: str = "SIM") -> None:
        self.wakes = 0
        self.subscription: Subscription = feed.subscribe(account, after, self._wake)

    def _wake(self) -> None:
        self.wakes += 1

    def take(self, limit: int = 100) -> list[int] | None:
        items = self.subscription.take(limit)
        return None if items is None else [item.sequence for item in items]

    async def read(self, limit: int = 100) -> list[int]:
        return [item.sequence for item in await self.subscription.read(limit)]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_subscriber_reads_the_journal_first_and_the_ring_from_then_on() -> None:
    edge = ScriptedEdge()
    edge.release(news(1), news(2), news(3))
    feed = Feed(edge)
    reader = Reader(feed, 1)
    assert reader.take() is None
    assert await reader.read() == [2, 3]
    assert await reader.read() == []
    asked = len(edge.pages_asked)
    edge.release(news(4))
    assert reader.take() == [4]
    assert reader.take() == []
    assert len(edge.pages_asked) == asked
    assert (feed.reports_from_journal, feed.reports_from_ring) == (2, 1)


async def test_what_is_released_while_the_journal_is_read_comes_next() -> None:
    edge = ScriptedEdge()
    feed = Feed(edge)
    reader = Reader(feed, 0)
    reading = asyncio.ensure_future(reader.read())
    await asyncio.sleep(0)
    edge.release(news(1))
    assert await reading == [1]
    edge.release(news(2))
    assert reader.take() == [2]


async def test_a_subscriber_that_the_ring_has_left_behind_is_served_from_the_journal() -> None:
    edge = ScriptedEdge()
    feed = Feed(edge, SMALL)
    reader = Reader(feed, 0)
    assert await reader.read() == []
    edge.release(*[news(sequence) for sequence in range(1, 11)])
    assert reader.take() is None
    seen = []
    while items := await reader.read(4):
        seen += items
    assert seen == list(range(1, 11))
    assert edge.pages_asked[1:] == [("SIM", 0, 4), ("SIM", 4, 4)]


async def test_a_report_is_encoded_once_however_many_read_it() -> None:
    edge = ScriptedEdge()
    feed = Feed(edge)
    readers = [Reader(feed, 0) for _ in range(3)]
    for reader in readers:
        assert await reader.read() == []
    edge.release(news(1))
    made: list[str] = []

    def make(name: str) -> Callable[[Released], bytes]:
        def encoder(released: Released) -> bytes:
            made.append(name)
            return encode(released)

        return encoder

    for reader in readers:
        (item,) = await reader.subscription.read(10)
        assert item.encoded("json", make("json")) == b"text 1"
        assert item.encoded("fix", make("fix")) == b"text 1"
    assert made == ["json", "fix"]


async def test_encodings_that_take_too_much_memory_end_the_ring_early() -> None:
    edge = ScriptedEdge()
    feed = Feed(edge, FeedSettings(ring_bytes=100))
    quick, slow = Reader(feed, 0), Reader(feed, 0)
    assert await quick.read() == await slow.read() == []
    for sequence in range(1, 6):
        edge.release(news(sequence))
        (item,) = quick.subscription.take(10) or []
        assert len(item.encoded("long", lambda _: b"x" * 60)) == 60
    edge.release(news(6))
    assert slow.take() is None
    assert await slow.read() == [1, 2, 3, 4, 5, 6]


async def test_one_wake_for_each_time_it_had_all() -> None:
    edge = ScriptedEdge()
    feed = Feed(edge)
    reader = Reader(feed, 0)
    assert await reader.read() == []
    edge.release(news(1))
    assert reader.wakes == 0  # not within the release
    edge.release(news(2))
    await turns()
    edge.release(news(3))
    await turns()
    assert reader.wakes == 1
    assert reader.take(2) == [1, 2]  # not all: it need not be woken to know that there is more
    edge.release(news(4))
    await turns()
    assert reader.wakes == 1
    assert reader.take() == [3, 4]
    edge.release(news(5))
    await turns()
    assert reader.wakes == 2


async def test_that_an_order_has_begun_is_told_with_what_its_exchange_says_at_once() -> None:
    edge = ScriptedEdge()
    reader = Reader(Feed(edge), 0)
    assert await reader.read() == []
    edge.release(begun(1))
    await turns(2)
    edge.release(begun(2))
    assert reader.wakes == 0
    edge.release(routed(3))
    await turns(2)
    assert reader.wakes == 1
    assert reader.take() == [1, 2, 3]


async def test_that_an_order_has_begun_is_told_although_its_exchange_says_nothing() -> None:
    edge = ScriptedEdge()
    reader = Reader(Feed(edge), 0)
    assert await reader.read() == []
    edge.release(begun(1))
    await turns(20)
    assert reader.wakes == 1
    assert reader.take() == [1]
    edge.release(routed(2), begun(3))
    await turns(2)
    assert reader.wakes == 2


async def test_many_subscribers_are_woken_a_few_in_each_turn() -> None:
    edge = ScriptedEdge()
    feed = Feed(edge, SMALL)
    readers = [Reader(feed, 0) for _ in range(5)]
    for reader in readers:
        await reader.read()
    edge.release(news(1))
    woken = []
    for _ in range(4):
        await asyncio.sleep(0)
        woken.append(sum(reader.wakes for reader in readers))
    assert woken[-1] == 5
    assert all(later - earlier <= 2 for earlier, later in pairwise(woken))


async def test_accounts_have_nothing_to_do_with_one_another() -> None:
    edge = ScriptedEdge()
    feed = Feed(edge)
    sim, alice = Reader(feed, 0), Reader(feed, 7, "SIM/ALICE")
    await sim.read()
    await alice.read()
    edge.release(news(8, "SIM/ALICE"), news(1))
    edge.release(news(1, "SIM/NOBODY_FOLLOWS"))
    await turns()
    assert (sim.wakes, alice.wakes) == (1, 1)
    assert sim.take() == [1]
    assert alice.take() == [8]


async def test_nobody_listens_while_nobody_subscribes() -> None:
    edge = ScriptedEdge()
    feed = Feed(edge)
    assert edge.listeners == []
    first, second = Reader(feed, 0), Reader(feed, 0, "SIM/ALICE")
    assert len(edge.listeners) == 1
    await first.read()
    edge.release(news(1))
    first.subscription.close()
    first.subscription.close()
    second.subscription.close()
    assert edge.listeners == []
    assert feed.subscribers == 0
    await turns()
    assert first.wakes == 0  # it was closed before its turn
    edge.release(news(2))
    again = Reader(feed, 1)
    assert await again.read() == [2]
    feed.close()
    assert edge.listeners == []
    again.subscription.close()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from("RRRtwrcs"), max_size=60), st.integers(1, 4), st.integers(1, 5))
async def test_whatever_happens_in_between_each_report_comes_once_in_order(
    steps: list[str], ring: int, limit: int
) -> None:
    """R: a release; t: take; r: read; w: a turn of the loop; c: resume elsewhere; s: somebody new."""
    edge = ScriptedEdge()
    feed = Feed(edge, FeedSettings(ring_reports=ring, wake_most=1))
    readers = [Reader(feed, 0)]
    seen: list[list[int]] = [[]]
    released = 0
    for step in steps:
        if step == "R":
            edge.release(news(released + 1), news(released + 2))
            released += 2
        elif step == "t":
            for reader, had in zip(readers, seen, strict=True):
                had += reader.take(limit) or []
        elif step == "r":
            for reader, had in zip(readers, seen, strict=True):
                had += await reader.read(limit)
        elif step == "w":
            await turns(1)
        elif step == "c":
            readers[0].subscription.close()
            readers[0] = Reader(feed, len(seen[0]))
        elif step == "s":
            readers.append(Reader(feed, 0))
            seen.append([])
    for reader, had in zip(readers, seen, strict=True):
        while items := await reader.read(limit):
            had += items
        wakes = reader.wakes
        edge.release(news(released + 1))
        await turns(len(readers) + 2)
        assert reader.wakes == wakes + 1
        had += reader.take(1) or []
        released += 1
    for reader, had in zip(readers, seen, strict=True):
        had += await reader.read()
        assert had == list(range(1, released + 1))


async def test_who_watches_hears_of_an_account_before_its_next_report_and_until_he_stops() -> None:
    edge = ScriptedEdge()
    feed = Feed(edge)
    told: list[tuple[str, int]] = []
    readers: list[Reader] = []

    def came(account: str, sequence: int) -> None:
        told.append((account, sequence))
        readers.append(Reader(feed, sequence, account))

    stop = feed.watch(came)
    there = Released(AccountReport("SIM/BOB", 4, 0, AccountMode.ACTIVE, True), None)
    mode = Released(AccountReport("SIM/BOB", 5, 0, AccountMode.HALTED), None)
    gone = Released(AccountReport("SIM/BOB", 7, 0, AccountMode.HALTED, False), None)
    edge.release(there, mode, news(6, "SIM/BOB"), gone)
    assert told == [("SIM/BOB", 4)]
    assert readers[0].take() == [5, 6, 7]
    stop()
    stop()
    readers[0].subscription.close()
    assert edge.listeners == []
