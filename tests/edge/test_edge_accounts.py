"""Accounts that come, go and log in anew while the edge runs: their links, their orders, those who wait."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from fairlead.core.deciding import EngineSettings
from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import Stage, TimeInForce
from fairlead.core.replies import OrderReply, Refused
from fairlead.core.reports import AccountReport
from fairlead.core.requests import CancelOrder, QueryOrders
from fairlead.core.venue_messages import (
    Outcome,
    VenueConnected,
    VenueDisconnected,
    VenuePlace,
    VenueQuery,
    VenueRequest,
)
from fairlead.edge.edge import Edge, EdgeSettings, Inbox
from fairlead.edge.limits import Limits
from fairlead.edge.reconcile import ReconcileSettings
from fairlead.journal.journal import Journal
from fairlead.journal.reader import JournalReader
from tests.core.words import ABILITIES, SECOND_NS, START_NS, make_request
from tests.edge.desk import ManualClock, ScriptedLink, answer, done

pytestmark = pytest.mark.asyncio
_Result = TypeVar("_Result")
BOB = "SIM/BOB"
ONE_BY_ONE = Limits(fillings_most=0, threaded_orders_least=1, threaded_sync_least_us=0)


class OwnedLink(ScriptedLink):
    """A scripted link: ready from its start to its close, at which it says what became of what it sent."""

    is_ready = False
    is_closed = False

    def start(self) -> None:
        assert not self.is_closed
        self.is_ready = True
        self.hear([VenueConnected(account=self.account, abilities=ABILITIES)])

    def send_many(self, requests: list[VenueRequest]) -> None:
        for request in requests:
            if not self.is_ready:
                self.hear([answer(request, Outcome.NOT_SENT, text="closed by us")])
            elif isinstance(request, VenueQuery) and request.exchange_order_id is not None:
                self.hear([done(request)])  # it was accepted, and there is nothing new about it
            else:
                super().send_many([request])

    def close(self) -> None:
        self.is_ready = False
        self.is_closed = True
        self.hear([VenueDisconnected(account=self.account, text="closed by us")])
        while not self.waiting.empty():
            self.hear([answer(self.waiting.get_nowait(), Outcome.UNKNOWN, text="closed by us")])


async def at_once(work: Callable[[], _Result]) -> _Result:
    return work()


class System:
    """`async with System(folder) as system:` is an edge; `links` has every link there was, by account."""

    def __init__(
        self,
        folder: Path,
        *,
        in_thread: bool,
        accounts: tuple[str, ...] = ("SIM",),
        requests_per_s: int = 10_000,
    ) -> None:
        self._in_thread = in_thread
        self._folder = folder
        self._accounts = accounts
        self._requests_per_s = requests_per_s
        self.fatal: list[BaseException] = []
        self.clock = ManualClock()
        self.links: dict[str, list[OwnedLink]] = {}
        self.cursors: list[tuple[str, str]] = []  # of each link: the account, what it was given

    async def __aenter__(self) -> "System":
        self.edge = Edge(
            journal=Journal.open(self._folder),
            reader=JournalReader(self._folder),
            run_blocking=at_once,
            clock=self.clock,
            accounts=self._accounts,
            make_link=self._make_link,
            settings=EdgeSettings(
                engine=EngineSettings(),
                reconcile=ReconcileSettings(tickers_ms=0),
                limits=ONE_BY_ONE,
                requests_per_s=self._requests_per_s,
                cancel_reserve=1,
            ),
            on_fatal=self.fatal.append,
            syncs=(
                ThreadPoolExecutor(1, initializer=use_exact_decimals) if self._in_thread else None
            ),
        )
        self.edge.start()
        await self.connected(*self._accounts)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.edge.close()
        assert self.fatal == []

    def _make_link(self, account: str, inbox: Inbox, fills_cursor: str) -> OwnedLink:
        link = OwnedLink(account, [])
        link.hear = inbox
        self.cursors.append((account, fills_cursor))
        self.links.setdefault(account, []).append(link)
        return link

    async def connected(self, *accounts: str) -> None:
        """Wait until these accounts, and no others, are here and reconciled."""
        for _ in range(200):
            await self.batch()
            if self.edge.account_states() == dict.fromkeys(accounts, "reconciled"):
                return
        raise AssertionError(self.edge.account_states())

    async def batch(self) -> None:
        await self.edge.submit(QueryOrders(account=""))

    async def place(
        self, account: str = BOB, client_order_id: str = "a", **changes: object
    ) -> VenuePlace:
        """Place an order and have the exchange accept it."""
        reply = asyncio.ensure_future(
            self.edge.submit(make_request(client_order_id, account=account, **changes))
        )
        request = await self.links[account][-1].next_sent(VenuePlace)
        accepted = answer(request, Outcome.DONE, exchange_order_id=f"X-{client_order_id}")
        self.links[account][-1].hear([accepted])
        assert (await reply).order.stage is Stage.ROUTED
        return request

    async def reports(self, account: str) -> list[object]:
        return [each.report for each in await self.edge.reports_page(account, 0, 1_000)]


@pytest.fixture(params=[False, True], ids=["inline", "thread"])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., System]:
    """Open systems on one journal, which commits inline or in a thread."""
    return partial(System, tmp_path, in_thread=request.param)


async def test_an_account_added_trades_and_one_removed_is_unknown(
    system: Callable[..., System],
) -> None:
    async with system() as running:
        edge = running.edge
        edge.add_account(BOB)
        assert edge.accounts == ("SIM", BOB)
        await running.connected("SIM", BOB)
        await running.place()
        assert edge.has_unsettled(BOB)
        edge.remove_account(BOB)
        refused = await edge.submit(make_request("b", account=BOB))
        assert isinstance(refused, Refused)
        assert refused.refusal == "ACCOUNT_UNKNOWN"
        assert edge.accounts == ("SIM",)
        assert (await edge.submit(QueryOrders(account=""))).orders == ()
        assert running.links[BOB][-1].is_closed
        assert edge.has_unsettled(BOB)
        history = [row async for row in edge.history(0, START_NS * 2, None, None)]
        assert [row.order.account for row in history] == [BOB]


async def test_what_is_counted_and_shown_follows(system: Callable[..., System]) -> None:
    def accounts(edge: Edge) -> set[tuple[str, ...]]:
        gauges = {name: tuple(values) for name, _, values in edge.gauges()}
        return {gauges["fairlead_orders_unsettled"], gauges["fairlead_requests_waiting"]}

    async with system() as running:
        edge = running.edge
        edge.add_account(BOB)
        assert edge.account_states()[BOB] == "not connected yet"  # it waits in the inbox
        assert accounts(edge) == {("SIM",)}
        await running.connected("SIM", BOB)
        assert accounts(edge) == {("SIM", BOB)}
        edge.remove_account(BOB)
        assert edge.account_states() == {"SIM": "reconciled"}
        assert accounts(edge) == {("SIM",)}
        await running.batch()
        assert accounts(edge) == {("SIM",)}
        assert all(
            sample.labels["account"] == "SIM"
            for family in edge.reconciliation_metrics()
            for sample in family.samples
        )


async def test_adding_and_removing_twice_is_once(system: Callable[..., System]) -> None:
    async with system() as running:
        edge = running.edge
        edge.add_account(BOB)
        edge.add_account(BOB)
        await running.connected("SIM", BOB)
        assert len(running.links[BOB]) == 1
        edge.remove_account(BOB)
        edge.remove_account(BOB)
        edge.remove_account("SIM/NOBODY")
        edge.renew_login("SIM/NOBODY")
        await running.connected("SIM")
        assert [r.is_here for r in await running.reports(BOB) if isinstance(r, AccountReport)] == [
            True,
            False,
        ]


async def test_every_login_begins_with_the_cursor_which_says_where_the_orders_are(
    system: Callable[..., System],
) -> None:
    async with system() as running:
        edge = running.edge
        edge.add_account(BOB)
        await running.connected("SIM", BOB)
        edge.renew_login("SIM")
        edge.remove_account(BOB)
        await running.batch()
        edge.add_account(BOB)
        await running.connected("SIM", BOB)
        edge.remove_account(BOB)
    assert running.cursors == [("SIM", ""), (BOB, ""), ("SIM", "c"), (BOB, "c")]
    async with system() as following:
        assert following.cursors == [("SIM", "c")]
        following.edge.add_account(BOB)  # of the journal, and not of this process
        assert following.cursors[1:] == [(BOB, "c")]
        await following.connected("SIM", BOB)


async def test_going_and_coming_in_one_breath_ends_in_the_last_word(
    system: Callable[..., System],
) -> None:
    async with system() as running:
        edge = running.edge
        edge.add_account(BOB)
        edge.remove_account(BOB)
        edge.add_account(BOB)
        edge.remove_account("SIM")
        edge.add_account("SIM")
        edge.remove_account(BOB)
        edge.add_account(BOB)
        await running.connected(BOB, "SIM")
        assert [link.is_closed for link in running.links[BOB]] == [True, True, False]
        await running.place()
        await running.place("SIM")


async def test_an_order_on_its_way_is_doubted_and_taken_up_when_the_account_is_back(
    system: Callable[..., System],
) -> None:
    async with system() as running:
        edge = running.edge
        edge.add_account(BOB)
        await running.connected("SIM", BOB)
        waiting = asyncio.ensure_future(edge.submit(make_request("a", account=BOB)))
        request = await running.links[BOB][-1].next_sent(VenuePlace)
        running.links[BOB][-1].waiting.put_nowait(request)  # it stays unanswered
        edge.remove_account(BOB)
        refused = await waiting
        assert isinstance(refused, Refused)
        assert refused.refusal == "IN_DOUBT"
        assert edge.has_unsettled(BOB)
        edge.add_account(BOB)
        link = running.links[BOB][-1]
        asked = await link.next_sent(VenueQuery)
        assert asked.number == request.number


async def test_what_waits_for_the_rate_is_withdrawn_and_the_rate_begins_anew(
    system: Callable[..., System],
) -> None:
    async with system(requests_per_s=20) as running:
        edge = running.edge
        edge.add_account(BOB)
        await running.connected("SIM", BOB)
        calls = [
            asyncio.ensure_future(edge.submit(make_request(f"o{number}", account=BOB)))
            for number in range(30)
        ]
        await running.batch()
        edge.remove_account(BOB)
        replies = await asyncio.gather(*calls)
        stages = [each.order.stage for each in replies if isinstance(each, OrderReply)]
        assert set(stages) == {Stage.REJECTED}
        assert {each.refusal for each in replies if isinstance(each, Refused)} == {"IN_DOUBT"}
        assert 0 < len(stages) < len(replies)
        edge.add_account(BOB)
        await running.batch()
        rates = {name: values for name, _, values in edge.gauges()}
        assert rates["fairlead_requests_per_second"][BOB] == 20


async def test_a_timer_of_an_order_whose_account_has_gone_means_nothing_whoever_asks_for_it(
    system: Callable[..., System],
) -> None:
    by_oms = TimeInForce.GOOD_TILL_TIME_OMS
    expires = {"time_in_force": by_oms, "time_in_force_text": by_oms.value}
    async with system(accounts=(BOB,)) as running:
        edge = running.edge
        await running.place(**expires, expire_time_ns=running.clock.now().utc_ns + SECOND_NS)
        edge.remove_account(BOB)
        await running.batch()
        running.clock.advance("2")  # the next batch has the timer, and an order that is named
        refused = await edge.submit(CancelOrder(account=BOB, client_order_id="a"))
        assert isinstance(refused, Refused)
        assert refused.refusal == "ACCOUNT_UNKNOWN"
        await running.batch()


async def test_a_login_renewed_is_another_link_and_the_same_account(
    system: Callable[..., System],
) -> None:
    async with system(accounts=(BOB,)) as running:
        edge = running.edge
        await running.place()
        count = len(await running.reports(BOB))
        edge.renew_login(BOB)
        old, new = running.links[BOB]
        assert (old.is_closed, new.is_closed) == (True, False)
        await running.connected(BOB)
        (order,) = (await edge.submit(QueryOrders(account=BOB))).orders
        assert order.stage is Stage.ROUTED
        assert all(not isinstance(r, AccountReport) for r in (await running.reports(BOB))[count:])
        await running.place(client_order_id="b")


async def test_an_account_suspended_takes_no_orders_until_its_login_is_renewed(
    system: Callable[..., System],
) -> None:
    async with system(accounts=(BOB,)) as running:
        edge = running.edge
        assert await edge.suspend(BOB)
        refused = await edge.submit(make_request("a", account=BOB))
        assert isinstance(refused, Refused)
        assert refused.refusal == "ACCOUNT_UNAVAILABLE"
        edge.renew_login(BOB)
        await running.connected(BOB)
        await running.place()
        assert not await edge.suspend(BOB)
        assert edge.account_states() == {BOB: "reconciled"}
        assert len(running.links[BOB]) == 2
        edge.remove_account(BOB)
        assert not await edge.suspend(BOB)  # what it left is known to its old login only
        assert await edge.suspend("SIM/NOBODY")


async def test_an_order_that_comes_just_before_is_not_sent(system: Callable[..., System]) -> None:
    async with system(accounts=(BOB,)) as running:
        edge = running.edge
        suspending = asyncio.ensure_future(edge.suspend(BOB))
        waiting = asyncio.ensure_future(edge.submit(make_request("a", account=BOB)))
        if await suspending:
            edge.renew_login(BOB)
        assert (await waiting).order.stage is Stage.REJECTED
        await running.connected(BOB)
        assert not edge.has_unsettled(BOB)


async def test_what_waits_when_the_login_is_renewed_is_not_sent(
    system: Callable[..., System],
) -> None:
    async with system(accounts=(BOB,), requests_per_s=20) as running:
        edge = running.edge
        calls = [
            asyncio.ensure_future(edge.submit(make_request(f"o{number}", account=BOB)))
            for number in range(30)
        ]
        await running.batch()
        edge.renew_login(BOB)
        running.clock.advance("10")
        replies = await asyncio.gather(*calls)
        assert {type(each) for each in replies} == {OrderReply, Refused}
        assert {each.order.stage for each in replies if isinstance(each, OrderReply)} == {
            Stage.REJECTED
        }


async def test_an_account_removed_stays_so_over_a_restart_and_comes_back_whole(
    system: Callable[..., System],
) -> None:
    async with system(accounts=("SIM", BOB)) as running:
        await running.place()
        running.edge.remove_account(BOB)
        await running.batch()
        last = len(await running.reports(BOB))
    async with system() as running:
        assert running.edge.has_unsettled(BOB)
        assert len(await running.reports(BOB)) == last
        running.edge.add_account(BOB)
        await running.connected("SIM", BOB)
        (order,) = (await running.edge.submit(QueryOrders(account=""))).orders
        assert order.exchange_order_id == "X-a"
        sequences = [report.sequence for report in await running.reports(BOB)]
        assert sequences == list(range(1, len(sequences) + 1))


async def test_nothing_comes_or_goes_once_the_edge_is_closed(system: Callable[..., System]) -> None:
    async with system() as running:
        running.edge.close()
        running.edge.add_account(BOB)
        running.edge.renew_login("SIM")
        running.edge.remove_account("SIM")
        assert BOB not in running.links
        assert len(running.links["SIM"]) == 1
