"""The people of a world: clients who trade through Fairlead, and what they make of its answers.

A client sends all kinds of orders, right and wrong, sends them again when no answer came, cancels what
it has and what it has not, and looks things up. It remembers what it asked for; what it was told is
watched by `laws`.
"""

import asyncio
from decimal import Decimal
from random import Random

import msgspec

from fairlead.core.model import AccountMode, Stage, TimeInForce
from fairlead.core.replies import AttentionReply, OrderReply, Refusal, Refused, Reply
from fairlead.core.requests import (
    CancelAll,
    CancelOrder,
    PlaceOrder,
    QueryAccounts,
    QueryAttention,
    QueryBalances,
    QueryInstruments,
    QueryOrder,
    QueryOrders,
    QuerySnapshot,
    Request,
    ResolveOrder,
    SetMode,
)
from fairlead.simulation.door import Door
from fairlead.simulation.law import Law
from fairlead.simulation.laws import Laws
from fairlead.simulation.lines import ClientLine
from fairlead.simulation.loop import NS
from fairlead.simulation.orders import Orders, Surroundings, Taste

_RESOLVE_AGE_NS = 3 * NS  # by then no request can still arrive


class ClientSettings(Taste, frozen=True, kw_only=True):
    """How lively a client is, what it trades, and what it likes: `weights` by name of the act.

    `has_sessions`: it places most orders over a connection that it keeps, and some end with it.
    """

    pause_ms_max: int = 200
    has_sessions: bool = False
    weights: tuple[tuple[str, int], ...] = (
        ("place", 50),
        ("burst", 3),
        ("again", 8),
        ("again_other", 2),
        ("same_at_once", 2),
        ("wrong", 4),
        ("cancel", 22),
        ("cancel_unanswered", 4),
        ("cancel_unknown", 2),
        ("cancel_all", 1),
        ("look", 8),
        ("mode", 1),
        ("resolve", 1),
    )


class Client:
    """One trader on one account."""

    def __init__(
        self,
        name: str,
        account: str,
        door: Door,
        random: Random,
        laws: Laws,
        settings: ClientSettings,
        surroundings: Surroundings,
        sessions_random: Random,
    ) -> None:
        self.name = name
        self._account = account
        self._door = door
        self._random = random
        self._laws = laws
        self._settings = settings
        self._surroundings = surroundings
        self._acts = [name for name, _ in settings.weights]
        self._weights = [weight for _, weight in settings.weights]
        self._orders = Orders(name, account, random, settings, surroundings)
        self._asked: list[PlaceOrder] = []
        self._unanswered: list[PlaceOrder] = []
        self._exchange_ids: list[str] = []
        self._mode_asked = AccountMode.ACTIVE
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._line = ClientLine(name, door, sessions_random) if settings.has_sessions else None

    async def trade(self, duration_ns: int) -> None:
        """Act until the time is over, then send again what was never answered, until it is."""
        loop = asyncio.get_running_loop()
        end = loop.time() + duration_ns / NS
        while loop.time() < end:
            await asyncio.sleep(self._random.randrange(self._settings.pause_ms_max * 1_000) / 1e6)
            act = self._random.choices(self._acts, self._weights)[0]
            getattr(self, f"_{act}")()
        await self._all_done()

    async def finish(self) -> None:
        """Undo halts, and ask again for every answer that was lost; the world is calm now."""
        for _ in range(3):
            self._start(SetMode(account=self._account, mode=AccountMode.ACTIVE))
            unanswered, self._unanswered = self._unanswered, []
            for request in unanswered:
                self._start(request)
            await self._all_done()
        if self._line is not None:
            await self._line.hang_up()

    # ── acts ─────────────────────────────────────────────────────────────────────────────────────

    def _place(self) -> None:
        self._start(self._new_order())

    def _burst(self) -> None:
        for _ in range(self._random.randrange(2, 12)):
            self._place()

    def _again(self) -> None:
        """Send once more what got no answer, or anything."""
        if self._unanswered:
            at = self._random.randrange(len(self._unanswered))
            self._start(self._unanswered.pop(at))
            self._laws.count("sent again")
        elif self._asked:
            self._start(self._random.choice(self._asked))

    def _again_other(self) -> None:
        """Use a client id again, for another order."""
        if self._asked:
            request = self._random.choice(self._asked)
            self._start(msgspec.structs.replace(request, quantity=request.quantity * 2))

    def _same_at_once(self) -> None:
        request = self._new_order()
        for _ in range(self._random.randrange(2, 6)):
            self._start(request)

    def _wrong(self) -> None:
        request = self._new_order()
        tiny = Decimal("0.000000001")
        match self._random.randrange(6):
            case 0:
                request = msgspec.structs.replace(request, price=request.price + tiny)
            case 1:
                request = msgspec.structs.replace(request, quantity=request.quantity + tiny)
            case 2:
                request = msgspec.structs.replace(request, quantity=request.quantity * 1_000_000)
            case 3:
                request = msgspec.structs.replace(request, symbol="SIM_SPOT_XRP_USDT")
            case 4:
                request = msgspec.structs.replace(request, account="NONE")
            case _:
                request = msgspec.structs.replace(
                    request,
                    time_in_force=TimeInForce.GOOD_TILL_TIME_OMS,
                    expire_time_ns=self._surroundings.utc_ns() - 5,
                )
        self._start(request)

    def _cancel(self) -> None:
        """Cancel an order: a new one most of the time, sometimes by the exchange's id."""
        if self._exchange_ids and not self._random.randrange(4):
            exchange_id = self._random.choice(self._exchange_ids[-20:])
            self._start(CancelOrder(account=self._account, exchange_order_id=exchange_id))
        elif self._asked:
            asked = self._random.choice(self._asked[-15:])
            self._start(CancelOrder(account=self._account, client_order_id=asked.client_order_id))

    def _cancel_unanswered(self) -> None:
        """Cancel an order in the same breath as it is sent."""
        request = self._new_order()
        self._start(request)
        self._start(CancelOrder(account=self._account, client_order_id=request.client_order_id))

    def _cancel_unknown(self) -> None:
        self._start(CancelOrder(account=self._account, client_order_id=f"{self.name}-nothing"))

    def _cancel_all(self) -> None:
        self._start(CancelAll(account=self._account))

    def _look(self) -> None:
        account = self._account if self._random.randrange(4) else ""
        match self._random.randrange(7):
            case 0:
                self._start(QueryOrders(account=account))
            case 1:
                self._start(QueryBalances(account=account))
            case 2:
                self._start(QueryAccounts(account=account))
            case 3:
                self._start(QueryInstruments(account=account))
            case 4:
                self._start(QuerySnapshot(account=self._account))
            case _:
                if self._asked:
                    asked = self._random.choice(self._asked)
                    self._start(QueryOrder(account=account, client_order_id=asked.client_order_id))

    def _mode(self) -> None:
        """Halt or reduce; and back, so that trading goes on."""
        if self._mode_asked is AccountMode.ACTIVE:
            self._mode_asked = self._random.choice([AccountMode.HALTED, AccountMode.REDUCING])
        else:
            self._mode_asked = AccountMode.ACTIVE
        self._start(SetMode(account=self._account, mode=self._mode_asked))
        if self._mode_asked is not AccountMode.ACTIVE:
            loop = asyncio.get_running_loop()
            loop.call_later(self._random.randrange(1, 500) / 1_000, self._mode)

    def _resolve(self) -> None:
        """Be an operator, who looks at the exchange and says what is so."""
        self._keep(asyncio.get_running_loop().create_task(self._resolve_doubts()))

    def _hang_up(self) -> None:
        """End the connection, in the same breath as an order is sent; the next one goes over another."""
        self._start(self._new_order())
        if self._line is not None:
            self._keep(asyncio.get_running_loop().create_task(self._line.hang_up()))

    # ── asking ───────────────────────────────────────────────────────────────────────────────────

    def _new_order(self) -> PlaceOrder:
        return self._orders.new(None if self._line is None else self._line.instructions)

    def _start(self, request: Request) -> None:
        if isinstance(request, PlaceOrder) and request not in self._asked[-30:]:
            self._asked.append(request)
        self._keep(asyncio.get_running_loop().create_task(self._ask(request)))

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks[task] = None
        task.add_done_callback(lambda task: self._tasks.pop(task, None))

    async def _all_done(self) -> None:
        while self._tasks:
            await asyncio.wait(list(self._tasks))
            self._tasks = {task: None for task in self._tasks if not task.done()}

    async def _ask(self, request: Request) -> None:
        try:
            if self._line is not None and isinstance(request, PlaceOrder):
                reply = await self._line.place(request)
            else:
                reply = await self._door.submit(self.name, request)
        except ConnectionError:
            if isinstance(request, PlaceOrder):
                self._unanswered.append(request)
            return
        self._take(request, reply)

    def _take(self, request: Request, reply: Reply) -> None:
        if isinstance(reply, OrderReply):
            exchange_id = reply.order.exchange_order_id
            if exchange_id is not None:
                self._exchange_ids.append(exchange_id)
            return
        is_again = isinstance(request, PlaceOrder) and isinstance(reply, Refused)
        if is_again and isinstance(reply, Refused) and isinstance(request, PlaceOrder):
            if reply.refusal is Refusal.IN_DOUBT:
                self._unanswered.append(request)
            elif reply.refusal is Refusal.CONFLICT and self._is_only_use(request):
                text = f"{request.client_order_id} is refused as used by another order; it is not"
                self._laws.breaks(Law.ONE_ID, text)

    def _is_only_use(self, request: PlaceOrder) -> bool:
        uses = [each for each in self._asked if each.client_order_id == request.client_order_id]
        return uses == [request]

    async def _resolve_doubts(self) -> None:
        try:
            reply = await self._door.submit(self.name, QueryAttention(account=self._account))
            if not isinstance(reply, AttentionReply):
                return
            for order, _ in reply.orders:
                resolution = self._surroundings.truth(order)
                age_ns = self._surroundings.utc_ns() - (order.in_doubt_ns or 0)
                if resolution is None or order.stage is not Stage.ROUTING:
                    continue
                if age_ns < _RESOLVE_AGE_NS:
                    continue
                await self._door.submit(
                    self.name,
                    ResolveOrder(
                        account=self._account,
                        client_order_id=order.client_order_id,
                        resolution=resolution,
                    ),
                )
        except ConnectionError:
            return
