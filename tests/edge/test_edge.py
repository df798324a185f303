"""The port that a gateway sees, embedded: requests, history, reports as they become durable, snapshots."""

import asyncio
import errno
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import AccountMode, Stage
from fairlead.core.port import Released
from fairlead.core.replies import Done, Reply
from fairlead.core.reports import Cause, OrderReport
from fairlead.core.requests import SetMode
from fairlead.core.venue_messages import Outcome, VenueConnected, VenuePlace
from fairlead.edge import edge as edge_module
from fairlead.edge.edge import Edge, EdgeSettings, Inbox
from fairlead.edge.reconcile import ReconcileSettings
from fairlead.journal.errors import CommitFailed
from fairlead.journal.journal import Journal, Prepared
from fairlead.journal.reader import JournalReader
from tests.core.words import ABILITIES, START_NS, make_request
from tests.edge.desk import AT_ONCE, ManualClock, ScriptedLink, answer, hold_syncs

pytestmark = pytest.mark.asyncio
_Result = TypeVar("_Result")
EVER = (0, START_NS * 2)
THREADED = msgspec.structs.replace(AT_ONCE, threaded_orders_least=1, threaded_sync_least_us=0)


class OwnedLink(ScriptedLink):
    """A scripted link whose owner starts and closes it."""

    is_started = False
    is_closed = False

    def start(self) -> None:
        self.is_started = True
        self.hear([VenueConnected(account=self.account, abilities=ABILITIES)])

    def close(self) -> None:
        self.is_closed = True


async def at_once(work: Callable[[], _Result]) -> _Result:
    return work()


class Port:
    """`async with Port(folder) as port:` is an edge with the account SIM."""

    def __init__(
        self, folder: Path, journal: type[Journal] = Journal, *, in_thread: bool = True
    ) -> None:
        self._in_thread = in_thread
        self._folder = folder
        self._journal = journal
        self.fatal: list[BaseException] = []
        self.clock = ManualClock()

    async def __aenter__(self) -> "Port":
        self.edge = Edge(
            journal=self._journal.open(self._folder),
            reader=JournalReader(self._folder),
            run_blocking=at_once,
            clock=self.clock,
            accounts=["SIM"],
            make_link=self._make_link,
            settings=EdgeSettings(reconcile=ReconcileSettings(tickers_ms=0), limits=THREADED),
            on_fatal=self.fatal.append,
            syncs=(
                ThreadPoolExecutor(1, initializer=use_exact_decimals) if self._in_thread else None
            ),
        )
        self.edge.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.edge.close()

    def _make_link(self, account: str, inbox: Inbox, fills_cursor: str) -> OwnedLink:
        self.link = OwnedLink(account, [])
        self.link.hear = inbox
        return self.link

    async def connect(self) -> None:
        for _ in range(100):
            if self.edge.account_states() == {"SIM": "reconciled"}:
                return
            await asyncio.sleep(0)
        raise AssertionError(self.edge.account_states())

    def hold_syncs(self) -> tuple[threading.Event, threading.Event]:
        """See `hold_syncs`."""
        return hold_syncs(self.edge._journal)

    async def place(self, client_order_id: str, exchange_order_id: str) -> None:
        """Place an order and have the exchange accept it."""
        reply = asyncio.ensure_future(self.edge.submit(make_request(client_order_id)))
        request = await self.link.next_sent(VenuePlace)
        done = answer(request, Outcome.DONE, exchange_order_id=exchange_order_id)
        self.link.hear([done])
        assert (await reply).order.stage is Stage.ROUTED


async def test_it_starts_its_links_and_says_how_its_accounts_are(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        assert port.link.is_started
        assert port.edge.account_states() == {"SIM": "not connected yet"}
        await port.connect()
        assert port.edge.metrics.batches > 0
    assert port.link.is_closed
    assert port.fatal == []


async def test_history_comes_by_pages_once_each_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_module, "HISTORY_PAGE", 2)
    async with Port(tmp_path) as port:
        await port.connect()
        for number in range(5):
            await port.place(f"o{number}", f"X{number}")
        rows = [row async for row in port.edge.history(*EVER, None, None)]
        assert [row.order.client_order_id for row in rows] == ["o0", "o1", "o2", "o3", "o4"]
        first = [row async for row in port.edge.history(*EVER, None, 3)]
        assert [row.order.client_order_id for row in first] == ["o0", "o1", "o2"]
        rest = [row async for row in port.edge.history(*EVER, first[-1].cursor, 4)]
        assert [row.order.client_order_id for row in rest] == ["o3", "o4"]
        assert [row async for row in port.edge.history(*EVER, None, 0)] == []


async def test_reports_of_the_past_are_followed_by_those_that_become_durable(
    tmp_path: Path,
) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        await port.place("a", "X1")
        heard: asyncio.Queue[Released] = asyncio.Queue()

        async def follow() -> None:
            async for released in port.edge.reports("SIM", 0):
                heard.put_nowait(released)

        following = asyncio.ensure_future(follow())
        causes = []
        sequences = []
        for client_order_id in ("a", "b"):
            if client_order_id == "b":
                await port.place("b", "X2")
            while Cause.ROUTED not in causes:
                released = await heard.get()
                sequences.append(released.report.sequence)
                if isinstance(released.report, OrderReport):
                    assert released.order.client_order_id == client_order_id
                    assert released.order.sequence == released.report.sequence
                    causes.append(released.report.cause)
            assert causes == [Cause.ROUTING, Cause.ROUTED]
            causes.clear()
        assert sequences == list(range(1, len(sequences) + 1))
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following


async def test_a_snapshot_says_as_of_which_sequence_it_holds(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        with pytest.raises(ConnectionError, match="reconciling"):
            await port.edge.snapshot("SIM")
        await port.connect()
        await port.place("a", "X1")
        snapshot = await port.edge.snapshot("SIM")
        assert [order.client_order_id for order in snapshot.orders] == ["a"]
        assert [balance.asset for balance in snapshot.balances] == ["BTC", "USDT"]
        later = [
            released.report
            for released in port.edge._reader.reports_after("SIM", snapshot.sequence, 10)
        ]
        assert later == []


async def test_listeners_hear_each_durable_report_and_pages_hold_the_same(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        heard: list[Released] = []
        stop = port.edge.listen(heard.extend)
        also: list[Released] = []
        stop_also = port.edge.listen(also.extend)
        await port.place("a", "X1")
        stop_also()
        stop_also()
        await port.place("b", "X2")
        stop()
        await port.place("c", "X3")
        before = heard[0].report.sequence - 1
        assert len(also) * 2 == len(heard)
        assert heard == await port.edge.reports_page("SIM", before, len(heard))
        rest = await port.edge.reports_page("SIM", heard[-1].report.sequence, 100)
        assert len(rest) == len(also)
        assert await port.edge.reports_page("SIM", rest[-1].report.sequence, 100) == []
    with pytest.raises(ConnectionError, match="closed"):
        await port.edge.reports_page("SIM", 0, 1)


async def test_what_is_true_now_is_told_for_metrics(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        await port.place("a", "X1")
        doubted = asyncio.ensure_future(port.edge.submit(make_request("b")))
        port.link.hear([answer(await port.link.next_sent(VenuePlace), Outcome.UNKNOWN)])
        await port.link.waiting.get()  # the question about it
        port.clock.advance("2")
        gauges = {name: values for name, _, values in port.edge.gauges()}
        assert gauges["fairlead_orders_unsettled"] == {"SIM": 2}
        assert gauges["fairlead_orders_in_doubt"] == {"SIM": 1}
        assert gauges["fairlead_in_doubt_age_seconds"] == {"SIM": 2}
        assert gauges["fairlead_account_reconciled"] == {"SIM": 1}
        assert gauges["fairlead_requests_waiting"] == {"SIM": 0}
        assert gauges["fairlead_requests_per_second"] == {"SIM": 10_000}
        assert gauges["fairlead_inbox_messages"] == {"": 0}
        assert gauges["fairlead_timers"][""] > 0
    with pytest.raises(ConnectionError, match="shutting down"):
        await doubted


class FullJournal(Journal):
    """A journal on a disk without room."""

    def write(self, prepared: Prepared) -> None:
        raise CommitFailed("disk full")


async def test_what_is_read_is_given_when_it_is_durable(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        has_begun, may_end = port.hold_syncs()
        placing = asyncio.ensure_future(port.edge.submit(make_request("a")))
        await asyncio.to_thread(has_begun.wait)
        reading = asyncio.ensure_future(port.edge.reports_page("SIM", 2, 10))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not reading.done(), "it is written, but may still be lost"
        may_end.set()
        assert [each.report.sequence for each in await reading] == [3, 4]
        request = await port.link.next_sent(VenuePlace)
        port.link.hear([answer(request, Outcome.DONE, exchange_order_id="X1")])
        await placing


async def test_what_is_read_is_not_given_when_it_did_not_become_durable(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        has_begun, may_end = threading.Event(), threading.Event()

        def fail_when_it_may() -> None:
            has_begun.set()
            may_end.wait()
            raise CommitFailed("disk gone")

        port.edge._journal.sync = fail_when_it_may
        placing = asyncio.ensure_future(port.edge.submit(make_request("a")))
        await asyncio.to_thread(has_begun.wait)
        reading = asyncio.ensure_future(port.edge.reports_page("SIM", 2, 10))
        await asyncio.sleep(0)
        may_end.set()
        for each in (reading, placing):
            with pytest.raises(ConnectionError, match="disk gone"):
                await each


@pytest.mark.parametrize("in_thread", [False, True])
async def test_nothing_that_did_not_become_durable_is_read_after_the_failure(
    tmp_path: Path, in_thread: bool
) -> None:
    async with Port(tmp_path, in_thread=in_thread) as port:
        await port.connect()
        follower = port.edge.reports("SIM", 0)
        assert [(await anext(follower)).report.sequence for _ in range(2)] == [1, 2]
        waiting = asyncio.ensure_future(anext(follower))
        await asyncio.sleep(0)

        def fail() -> None:
            raise OSError(errno.EIO, "Input/output error")

        port.edge._journal._wal.sync = fail
        with pytest.raises(ConnectionError, match="the last unit was not made durable"):
            await port.edge.submit(make_request("a"))
        later = asyncio.ensure_future(port.edge.reports_page("SIM", 2, 10))
        for each in (waiting, later):
            with pytest.raises(ConnectionError, match="the last unit was not made durable"):
                await each


async def test_who_reads_after_a_stop_while_a_commit_is_synced_is_told(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        has_begun, may_end = port.hold_syncs()
        placing = asyncio.ensure_future(port.edge.submit(make_request("a")))
        await asyncio.to_thread(has_begun.wait)
        port.edge.sequencer.stop(RuntimeError("out of order"))
        reading = asyncio.ensure_future(port.edge.reports_page("SIM", 2, 10))
        for each in (placing, reading):
            with pytest.raises(ConnectionError, match="out of order"):
                await each
        may_end.set()


async def test_an_answer_that_cannot_be_made_ready_harms_nobody(tmp_path: Path) -> None:
    def prepare(_: Reply) -> None:
        raise RuntimeError("cannot be shown")

    async with Port(tmp_path, in_thread=False) as port:
        await port.connect()
        placing = asyncio.ensure_future(port.edge.submit(make_request("a"), prepare))
        other = asyncio.ensure_future(
            port.edge.submit(SetMode(account="SIM", mode=AccountMode.HALTED))
        )
        request = await port.link.next_sent(VenuePlace)
        port.link.hear([answer(request, Outcome.DONE, exchange_order_id="X1")])
        assert (await placing).order.client_order_id == "a"
        assert isinstance(await other, Done)
        assert port.fatal == []


async def test_a_journal_that_cannot_be_written_at_the_start_starts_no_link(
    tmp_path: Path,
) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        lost = asyncio.ensure_future(port.edge.submit(make_request("a")))
        await port.link.next_sent(VenuePlace)
    with pytest.raises(ConnectionError):
        await lost
    async with Port(
        tmp_path, FullJournal, in_thread=False
    ) as port:  # it would have to write that `a` is in doubt
        assert not port.link.is_started
        assert [str(error) for error in port.fatal] == ["disk full"]


async def test_reports_end_when_the_edge_has_stopped(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        port.edge.sequencer.stop(RuntimeError("out of order"))
        released = [r async for r in _until_it_stops(port.edge)]
        assert [r.report.sequence for r in released] == [1, 2]


async def test_followers_are_woken_each_and_told_of_the_end(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        followers = [port.edge.reports("SIM", 0) for _ in range(2)]
        for follower in followers:
            assert [(await anext(follower)).report.sequence for _ in range(2)] == [1, 2]
        waiting = [asyncio.ensure_future(anext(follower)) for follower in followers]
        await port.edge.submit(SetMode(account="SIM", mode=AccountMode.HALTED))
        assert [(await each).report.sequence for each in waiting] == [3, 3]
        waiting = [asyncio.ensure_future(anext(follower)) for follower in followers]
        await asyncio.sleep(0)
        port.edge.close()
        for each in waiting:
            with pytest.raises(ConnectionError, match="closed"):
                await each


async def _until_it_stops(edge: Edge) -> AsyncIterator[Released]:
    with pytest.raises(ConnectionError, match="out of order"):  # noqa: PT012 - that is all it does
        async for released in edge.reports("SIM", 0):
            yield released
