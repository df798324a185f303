"""What goes wrong in a world while its clients trade: faults, kills, clock jumps, strangers."""

import asyncio
from decimal import Decimal
from functools import partial
from random import Random

from fairlead.core.model import InstrumentKind, Side, TimeInForce
from fairlead.exchange.orders import Account
from fairlead.exchange.rules import Refusal
from fairlead.exchange.server import Exchange
from fairlead.simulation.clock import MachineClock
from fairlead.simulation.conversation import Conversation
from fairlead.simulation.faults import Mischief, command
from fairlead.simulation.host import Host
from fairlead.simulation.laws import Laws
from fairlead.simulation.loop import NS
from fairlead.simulation.machine import AccountChange, Machine, public_key
from fairlead.simulation.network import MS
from fairlead.simulation.plan import WorldPlan
from fairlead.venues.sim_messages import Place

_STRANGER_WAIT_MS_MAX = 600
_JUMP_LASTS_MS_MAX = 1_500
_MARK_LASTS_MS_MAX = 500
PERPETUAL = InstrumentKind.PERPETUAL


class Trouble:
    """Starts what the plan wants; `end` leaves a world in which all is well."""

    def __init__(
        self,
        plan: WorldPlan,
        host: Host,
        clock: MachineClock,
        laws: Laws,
        conversation: Conversation,
        machine: Machine,
    ) -> None:
        self._machine = machine
        self._comings = Random(f"comings {plan.seed}")
        self._suspensions = Random(f"suspensions of {plan.seed}")
        self._plan = plan
        self._host = host
        self._clock = clock
        self._laws = laws
        self._conversation = conversation
        self._random = Random(f"trouble {plan.seed}")
        self._orders = 0
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Let it begin."""
        plan, start = self._plan, asyncio.get_running_loop().create_task
        if plan.fault_wait_ms is not None:
            self._tasks.append(start(self._faults(plan.fault_wait_ms)))
        if plan.strangers:
            self._tasks.append(start(self._strangers()))
        for _ in range(plan.marks):
            self._tasks.append(start(self._mark()))
        for _ in range(plan.exchange_kills):
            self._tasks.append(start(self._kill()))
        for _ in range(plan.clock_jumps):
            self._tasks.append(start(self._jump()))
        for _ in range(plan.goings):
            self._tasks.append(start(self._account_goes()))
        for _ in range(plan.suspensions):
            self._tasks.append(start(self._account_is_suspended()))
        for name in plan.late:
            self._tasks.append(start(self._account_comes(name, plan.duration_ms)))

    def end(self) -> None:
        """End it all."""
        for task in self._tasks:
            task.cancel()
        self._clock.offset_ns = 0
        self._host.close_market()
        for name in self._plan.accounts:
            self._machine.change_account(name, AccountChange.COME)

    async def _faults(self, wait_ms: int) -> None:
        mischief = Mischief(Random(f"mischief {self._plan.seed}"), self._plan.faults)
        while True:
            await self._wait(wait_ms * 2)
            keys = [public_key(account) for account in self._plan.accounts]
            fault = mischief.draw([key for key in keys if self._host.account(key) is not None])
            self._conversation.note("mischief", fault)
            self._laws.count(f"fault {fault.name.value}")

            def act(exchange: Exchange) -> None:
                if command(exchange, fault):  # noqa: B023 - it runs before the next is drawn
                    self._laws.is_revival_allowed = True

            self._host.run(act)

    async def _mark(self) -> None:
        """Let the mark price of a perpetual be another for a while, far enough to liquidate somebody."""
        await self._wait(self._plan.duration_ms)
        market = self._random.choice(
            [each for each in self._plan.exchange.instruments if each.kind is PERPETUAL]
        )
        moved_per_mille = self._random.choice([-200, -60, -20, 20, 60, 200])

        def move(exchange: Exchange) -> None:
            found = exchange.matching.markets[market.symbol_exchange]
            if found.mark is not None:
                ticks = int(found.mark * (1_000 + moved_per_mille) / 1_000 // market.price_tick)
                exchange.clearing.set_mark(found, market.price_tick * ticks)
                self._conversation.note("mark", f"{market.symbol_exchange} {found.mark_set}")
                self._laws.count("mark moved")
                exchange.release()

        self._host.run(move)
        await self._wait(_MARK_LASTS_MS_MAX)
        self._host.run(partial(_let_marks_follow, market.symbol_exchange))

    async def _kill(self) -> None:
        await self._wait(self._plan.duration_ms)
        self._laws.count("exchange killed")
        self._host.kill(self._random.randrange(1, 1_000) / 1_000)

    async def _jump(self) -> None:
        """Let the wall clock be wrong for a while."""
        await self._wait(self._plan.duration_ms)
        most = self._plan.clock_jump_ms_max
        self._clock.offset_ns = self._random.randrange(-most, most + 1) * MS
        self._conversation.note("clock", f"jumps to {self._clock.offset_ns / NS:+.3f} s")
        self._laws.count("clock jump")
        await self._wait(_JUMP_LASTS_MS_MAX)
        self._clock.offset_ns = 0
        self._conversation.note("clock", "is right again")

    async def _account_goes(self) -> None:
        """Let an account go and come back, at once or after a while, or only log in anew."""
        await self._pause(self._plan.duration_ms)
        name = self._comings.choice(self._plan.accounts)
        match self._comings.randrange(4):
            case 0:
                self._machine.change_account(name, AccountChange.RENEW)
            case 1:
                self._machine.change_account(name, AccountChange.GO)
                self._machine.change_account(name, AccountChange.COME)
            case _:
                self._machine.change_account(name, AccountChange.GO)
                await self._account_comes(name, self._plan.away_ms_max)

    async def _account_comes(self, name: str, ms_max: int) -> None:
        await self._pause(ms_max)
        self._machine.change_account(name, AccountChange.COME)

    async def _account_is_suspended(self) -> None:
        """Have an account's login be about to become another, at a moment when nothing may be owed to it."""
        random, plan = self._suspensions, self._plan
        await asyncio.sleep(random.randrange(1, plan.duration_ms * 1_000 + 1) / 1e6)
        lasts_s = random.randrange(1, plan.suspended_ms_max * 1_000 + 1) / 1e6
        self._machine.suspend_account(random.choice(plan.accounts), lasts_s)

    async def _pause(self, ms_max: int) -> None:
        await asyncio.sleep(self._comings.randrange(1, ms_max * 1_000 + 1) / 1e6)

    async def _strangers(self) -> None:
        """Somebody else uses the same accounts at the exchange directly."""
        while True:
            await self._wait(_STRANGER_WAIT_MS_MAX)
            name = self._random.choice(self._plan.accounts)
            if self._laws.record.is_loaded(name):
                self._host.run(partial(self._stranger, name))

    def _stranger(self, name: str, exchange: Exchange) -> None:
        """Runs in the exchange."""
        account = exchange.matching.accounts.get(public_key(name))
        if account is None:
            return
        exchange.catch_up(exchange.now_ns())
        match self._random.randrange(6):
            case 0:
                asset = self._random.choice(["BTC", "ETH", "USDT", "XRP"])
                change = Decimal(self._random.randrange(-50, 200)) / 100
                exchange.adjust(account, asset, change)
                self._conversation.note("stranger", f"{name}: {change} {asset}")
            case 1 | 2:
                orders = list(account.open_orders.values())
                if orders:
                    order = self._random.choice(orders)
                    self._conversation.note("stranger", f"{name}: cancels {order.number}")
                    self._laws.cancelled_elsewhere.add((name, order.exchange_order_id))
                    exchange.matching.cancel(order, exchange.now_ns())
            case _:
                self._stranger_order(exchange, name, account)
        exchange.release()

    def _stranger_order(self, exchange: Exchange, name: str, account: Account) -> None:
        random = self._random
        instrument = random.choice(self._plan.exchange.instruments)
        top = exchange.matching.top(instrument.symbol_exchange)
        side = random.choice([Side.BUY, Side.SELL])
        price = (top.ask if side is Side.BUY else top.bid) or top.bid or top.ask
        if price is None:
            return
        self._orders += 1
        # Strangers may use a client id again, and ids that look like ours.
        client_id = random.choice([f"stranger-{self._orders}", "stranger", "a" * 26])
        step = instrument.quantity_step
        ticket = Place(
            0,
            exchange.now_ns(),
            client_id,
            instrument.symbol_exchange,
            side,
            price,
            step * max(1, int(20 // (price * step))),
            random.choice([TimeInForce.GOOD_TILL_CANCEL, TimeInForce.IMMEDIATE_OR_CANCEL]),
            False,
            None,
        )
        placed = exchange.matching.place(account, ticket, exchange.now_ns())
        outcome = placed.text if isinstance(placed, Refusal) else f"order {placed.number}"
        self._conversation.note("stranger", f"{name}: {ticket.side} {ticket.client_id}: {outcome}")

    async def _wait(self, ms_max: int) -> None:
        await asyncio.sleep(self._random.randrange(1, ms_max * 1_000 + 1) / 1e6)


def _let_marks_follow(symbol: str, exchange: Exchange) -> None:
    exchange.clearing.set_mark(exchange.matching.markets[symbol], None)
    exchange.release()
