"""One world: Fairlead, its exchange and its clients, run from a seed to its end and judged.

Shipped and unchanged: journal, engine, sequencer, edge, reconciler, link, dialect, exchange. Put in
place of the real ones: the event loop and the clocks, the network, what a crash leaves on the disk.
"""

import asyncio
import contextvars
import logging
import traceback
from random import Random
from typing import NoReturn

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import InstrumentKind, Order
from fairlead.core.replies import (
    AccountsReply,
    BalancesReply,
    PositionsReply,
    ReconciliationReply,
    Reply,
)
from fairlead.core.requests import (
    CancelAll,
    QueryAccounts,
    QueryBalances,
    QueryPositions,
    QueryReconciliation,
    Request,
    Resolution,
)
from fairlead.journal.verify import verify
from fairlead.simulation.balances import BalanceWatch
from fairlead.simulation.clients import Client
from fairlead.simulation.clock import MachineClock, TrueClock
from fairlead.simulation.conversation import Conversation
from fairlead.simulation.crashes import CrashPlan
from fairlead.simulation.disk import Disk
from fairlead.simulation.door import Door
from fairlead.simulation.fix_client import FixClient
from fairlead.simulation.gate import Gate
from fairlead.simulation.host import Host
from fairlead.simulation.judgement import (
    is_at_rest,
    judge_account,
    judge_balances,
    judge_positions,
)
from fairlead.simulation.law import Broken, Law
from fairlead.simulation.laws import Laws
from fairlead.simulation.loop import NS, Deadlock, VirtualLoop
from fairlead.simulation.machine import Machine, public_key
from fairlead.simulation.network import CALM, MS, Network
from fairlead.simulation.orders import Orders, Surroundings
from fairlead.simulation.plan import WorldPlan, plan
from fairlead.simulation.positions import PositionWatch
from fairlead.simulation.trouble import Trouble
from fairlead.simulation.truth import Truth
from fairlead.simulation.websocket_client import WebSocketClient
from fairlead.venues.sim_messages import OrderState

_REST_POLL_S = 0.25
_REST_POLLS_MAX = 2_000
_SWEEPS = 2  # the first may have begun before
_FIRST_POLLS_MAX = 12  # at the start, before trouble begins
_LAST_LINES = 40
_OWED_NAMED_MAX = 3
_TOLD_NS = 100 * MS
_NOTICED_S = 1.0  # until Fairlead has noticed that those who kept a stream have left


class Verdict(msgspec.Struct, frozen=True):
    """How a world ended. `reach` counts what happened in it."""

    seed: int
    broken: tuple[Broken, ...]
    reach: dict[str, int]
    digest: str
    virtual_ns: int
    last_lines: tuple[str, ...]


def run_world(
    seed: int, *, machine_class: type[Machine] = Machine, changed: WorldPlan | None = None
) -> tuple[Verdict, Conversation]:
    """Run the world of a seed and judge it. `changed` is a plan other than the seed's own."""
    return contextvars.Context().run(_run, changed or plan(seed), machine_class)


def _run(world_plan: WorldPlan, machine_class: type[Machine]) -> tuple[Verdict, Conversation]:
    use_exact_decimals()
    world = World(world_plan, machine_class)
    try:
        world.run()
    finally:
        world.close()
    laws = world.laws
    verdict = Verdict(
        world_plan.seed,
        tuple(laws.broken),
        dict(sorted(laws.reach.items())),
        world.conversation.digest(),
        world.loop.now_ns,
        tuple(world.conversation.lines(_LAST_LINES)) if laws.broken else (),
    )
    return verdict, world.conversation


class World:
    """The parts, put together."""

    def __init__(self, world_plan: WorldPlan, machine_class: type[Machine]) -> None:
        self.plan = world_plan
        seed = world_plan.seed
        self.loop = loop = VirtualLoop(self._on_error)
        self.conversation = Conversation(loop)
        self.laws = Laws(self.conversation, self._on_broken)
        self.laws.is_operator_fallible = world_plan.clock_jumps > 0  # he goes by the wrong time
        self._end: asyncio.Future[None] = loop.create_future()
        self._clock = MachineClock(loop)
        self._true_clock = TrueClock(loop)
        self._disk = Disk()
        self._network = Network(
            loop, Random(f"network {seed}"), world_plan.weather, self.conversation
        )
        self._host = Host(
            loop, world_plan, self._network, self._disk, self._true_clock, self.conversation
        )
        self._door = Door(loop, Random(f"door {seed}"), self.laws, self.conversation)
        self._crashes = CrashPlan(Random(f"crashes {seed}"), world_plan.crashes)
        self._gate = self._make_gate(world_plan)
        self._machine = machine_class(
            loop, world_plan, self._network, self._disk, self._clock, self._crashes,
            self.laws, self._door, self.conversation, self._host, self._gate,
        )  # fmt: skip
        self._trouble = Trouble(
            world_plan, self._host, self._clock, self.laws, self.conversation, self._machine
        )
        if not world_plan.strangers and not _has_perpetuals(world_plan):
            self.laws.look_at_balance = BalanceWatch(
                world_plan.exchange.starting_balances,
                lambda: self._host.exchange,
                self._machine.is_reconciled,
            ).look
        if not world_plan.strangers:  # of their fills the order may have to be asked for
            self.laws.look_at_position = PositionWatch(
                lambda: self._host.exchange, self._machine.has_whole_books
            ).look
        self._surroundings = Surroundings(self._true_clock, self._host.top, self._truth)
        self._clients = [self._client(number) for number in range(world_plan.clients)]
        self._followers = [] if self._gate is None else self._make_followers(self._gate)

    def run(self) -> None:
        """Run to the end, or to the first broken law. What is logged goes into the conversation."""
        was_configured, before = structlog.is_configured(), structlog.get_config()
        structlog.configure(
            processors=[self._log],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            cache_logger_on_first_use=False,
        )
        try:
            self.loop.run(self._live())
        except Deadlock as error:
            self.laws.breaks(Law.QUIET, str(error))
        finally:
            if was_configured:
                structlog.configure(**before)
            else:
                structlog.reset_defaults()

    def close(self) -> None:
        """Leave nothing behind."""
        self._machine.close()
        self._host.close()
        self.laws.record.close()
        self._disk.remove()

    # ── its life ─────────────────────────────────────────────────────────────────────────────────

    async def _live(self) -> None:
        story = self.loop.create_task(self._story())
        await asyncio.wait([story, self._end], return_when=asyncio.FIRST_COMPLETED)
        if story.done():
            story.result()

    async def _story(self) -> None:
        self._host.start()
        self._machine.start()
        await self._is_open(_FIRST_POLLS_MAX)
        self._trouble.begin()
        duration_ns = self.plan.duration_ms * MS
        await asyncio.gather(
            *(client.trade(duration_ns) for client in self._clients),
            *(follower.live(duration_ns) for follower in self._followers),
        )
        self._calm()
        await self._until_open()
        await asyncio.gather(*(client.finish() for client in self._clients))
        await self._until_rest()
        if self._followers:
            await asyncio.gather(*(follower.finish() for follower in self._followers))
            await asyncio.sleep(_NOTICED_S)
            await self._until_rest()
        await self._judge()
        for account in self.plan.accounts:
            await self._ask(CancelAll(account=account))
        await self._until_rest()
        await self._judge()
        found = verify(self._machine.folder)
        if not found.holds:
            self.laws.breaks(Law.VERIFY, "; ".join(found.differences))

    def _calm(self) -> None:
        self.conversation.note("world", "calms down")
        self._network.weather = CALM
        self._crashes.stop()
        self._trouble.end()
        if self._gate is not None:
            self._gate.calm()

    async def _until_open(self) -> None:
        """Wait until every account is reconciled."""
        if not await self._is_open(_REST_POLLS_MAX):
            self.laws.breaks(Law.QUIET, "accounts are not reconciled, though nothing goes wrong")

    async def _is_open(self, polls_max: int) -> bool:
        for _ in range(polls_max):
            reply = await self._ask(QueryAccounts(account=""), is_patient=False)
            if isinstance(reply, AccountsReply) and self._are_here(reply):
                return True
            await asyncio.sleep(_REST_POLL_S)
        return False

    def _are_here(self, reply: AccountsReply) -> bool:
        """Whether all accounts that should be are there and reconciled."""
        found = sorted(each.account for each in reply.accounts if each.reconciled)
        return found == sorted(self._machine.here)

    async def _until_rest(self) -> None:
        """Wait until nothing is owed, then for whole sweeps to have looked at everything."""
        owed: list[Order] = []
        for _ in range(_REST_POLLS_MAX):
            orders = self.laws.record.orders.values()
            owed = [order for order in orders if not is_at_rest(order)]
            if not owed:
                break
            await asyncio.sleep(_REST_POLL_S)
        if owed:
            named = "; ".join(
                f"{order.client_order_id} {order.stage} filled {order.quantity_filled} closed"
                f" {order.closed_quantity} pending {order.cancel_pending} doubt {order.in_doubt_ns}"
                for order in owed[:_OWED_NAMED_MAX]
            )
            self.laws.breaks(Law.DECIDED, f"{len(owed)} orders do not come to an end: {named}")
        swept = await self._sweeps()
        await asyncio.sleep(2 * self.plan.edge.reconcile.interval_ms / 1_000 + 1)
        await self._until_swept({account: count + _SWEEPS for account, count in swept.items()})
        await self._until_open()

    async def _until_swept(self, wanted: dict[str, int]) -> None:
        """Wait for so many sweeps of each account: they may be asked for slowly, after refusals."""
        for _ in range(_REST_POLLS_MAX):
            swept = await self._sweeps()
            if all(swept[account] >= count for account, count in wanted.items()):
                return
            await asyncio.sleep(_REST_POLL_S)
        self.laws.breaks(Law.QUIET, "sweeps do not come to their end, though nothing goes wrong")

    async def _sweeps(self) -> dict[str, int]:
        """Return how many sweeps of each account have come to their end."""
        reply = await self._ask(QueryReconciliation(account=""))
        assert isinstance(reply, ReconciliationReply)
        return {each.account: each.sweeps_succeeded for each in reply.accounts}

    async def _judge(self) -> None:
        self.conversation.note("world", "is judged")
        await self._between_fundings()
        exchange = self._host.exchange
        assert exchange is not None
        accounts = []
        for name in self.plan.accounts:
            account = self._host.account(public_key(name))
            assert account is not None
            accounts.append((name, account))
            judge_account(self.laws, name, exchange, account, self._clock.utc_ns())
        reply = await self._ask(QueryBalances(account=""))
        assert isinstance(reply, BalancesReply)
        judge_balances(self.laws, reply, accounts)
        positions = await self._ask(QueryPositions(account=""))
        assert isinstance(positions, PositionsReply)
        judge_positions(self.laws, positions, accounts)
        self._judge_memory()

    async def _between_fundings(self) -> None:
        """Wait until no payment of funding, which never rests, is being told or about to be made."""
        if not _has_perpetuals(self.plan):
            return
        interval_ns = self.plan.exchange.perpetuals.funding_interval_ms * MS
        since_ns = self._true_clock() % interval_ns
        if not _TOLD_NS < since_ns < interval_ns - _TOLD_NS:
            await asyncio.sleep((interval_ns - since_ns + _TOLD_NS) % interval_ns / NS)

    def _judge_memory(self) -> None:
        edge = self._machine.edge
        assert edge is not None
        gauges = {name: values for name, _, values in edge.gauges()}
        record = self.laws.record.orders.values()
        for name in self.plan.accounts:
            alive = sum(order.account == name and not order.is_settled for order in record)
            held = int(gauges["fairlead_orders_unsettled"][name])
            if held != alive:
                text = f"{name}: {held} orders in memory, {alive} are not settled"
                self.laws.breaks(Law.FORGOTTEN, text)

    async def _ask(self, request: Request, *, is_patient: bool = True) -> Reply | None:
        """Ask as one who is there when the world is at rest."""
        while True:
            try:
                return await self._door.submit("world", request)
            except ConnectionError:
                if not is_patient:
                    return None
                await asyncio.sleep(_REST_POLL_S)

    # ── its parts ────────────────────────────────────────────────────────────────────────────────

    def _client(self, number: int) -> Client:
        seed, accounts, settings = self.plan.seed, self.plan.accounts, self.plan.client
        if number % 2 and _has_perpetuals(self.plan):  # somebody must take the other side
            sides = tuple(side.opposite for side in settings.sides)
            settings = msgspec.structs.replace(settings, sides=sides)
        return Client(
            f"c{number}",
            accounts[number % len(accounts)],
            self._door,
            Random(f"client {seed} {number}"),
            self.laws,
            settings,
            self._surroundings,
            Random(f"sessions {seed} {number}"),
        )

    def _make_gate(self, world_plan: WorldPlan) -> Gate | None:
        streams = world_plan.streams
        if streams is None:
            return None
        random = Random(f"streams network {world_plan.seed}")
        network = Network(
            self.loop, random, streams.weather, self.conversation, streams.buffer_bytes
        )
        return Gate(
            self.loop, world_plan.seed, streams, network, self._disk, self._clock, self.laws
        )

    def _make_followers(self, gate: Gate) -> list[WebSocketClient | FixClient]:
        truth, made = Truth(self.laws), gate.settings
        return [
            *(
                WebSocketClient(
                    name, gate, self.loop, Random(f"{name} {self.plan.seed}"), self.laws, truth,
                    self._orders(name), self.conversation,
                )
                for name in (f"w{number}" for number in range(made.websocket_clients))
            ),
            *(
                FixClient(
                    name, gate, self.loop, self._true_clock, Random(f"{name} {self.plan.seed}"),
                    self.laws, truth, self._orders(name), self.conversation,
                )
                for name in (f"f{number}" for number in range(made.fix_clients))
            ),
        ]  # fmt: skip

    def _orders(self, name: str) -> dict[str, Orders]:
        """Return what a client may order on each account."""
        random = Random(f"orders {name} {self.plan.seed}")
        return {
            account: Orders(
                f"{name}-{number}", account, random, self.plan.client, self._surroundings
            )
            for number, account in enumerate(self.plan.accounts)
        }

    def _truth(self, order: Order) -> Resolution | None:
        """Say what an operator sees at the exchange about an order in doubt."""
        exchange = self._host.exchange
        account = self._host.account(public_key(order.account))
        if exchange is None or account is None:
            return None
        exchange.desk.commit()
        found = exchange.store.order_of_client(account.number, order.venue_client_id)
        if found is None:
            return Resolution.NEVER_REACHED
        if found.state is OrderState.OPEN:
            return Resolution.WORKING
        return Resolution.CANCELED

    def _log(self, _logger: WrappedLogger, method: str, event: EventDict) -> NoReturn:
        self.conversation.note("log", f"{method}: {event}")
        raise structlog.DropEvent

    def _on_broken(self) -> None:
        if not self._end.done():
            self._end.set_result(None)

    def _on_error(self, message: str, error: BaseException | None) -> None:
        text = message if error is None else "".join(traceback.format_exception(error))
        self.laws.breaks(Law.RUNS, text)


def _has_perpetuals(world_plan: WorldPlan) -> bool:
    return any(each.kind is InstrumentKind.PERPETUAL for each in world_plan.exchange.instruments)
