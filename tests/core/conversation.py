"""A written conversation with the engine: a client and an exchange speak, time passes, the engine answers.

Drives `Engine` exactly as `edge/sequencer.py` does, one message to a batch unless `together` is used:
recall, decide, hand over, commit, and only then release. The exchange's side is spoken by the test.
"""

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TypeVar

import msgspec

from fairlead.core.deciding import EngineSettings, Now
from fairlead.core.engine import Engine
from fairlead.core.identity import venue_client_id
from fairlead.core.model import (
    Abilities,
    AccountMode,
    Liquidity,
    Order,
    Side,
    TimeInForce,
)
from fairlead.core.order import status
from fairlead.core.replies import Refused, Reply
from fairlead.core.reports import AlarmReport, OrderReport, Report
from fairlead.core.requests import (
    CancelAll,
    CancelOrder,
    QueryOrder,
    Request,
    Resolution,
    ResolveOrder,
    SetMode,
)
from fairlead.core.timing import TimerDue
from fairlead.core.unit import nothing_wanted
from fairlead.core.venue_messages import (
    Outcome,
    VenueAnswer,
    VenueAssetBalance,
    VenueBalancesStated,
    VenueCancel,
    VenueConnected,
    VenueDisconnected,
    VenueFill,
    VenueInstrumentsListed,
    VenueNotFound,
    VenueOrder,
    VenueOrderState,
    VenuePlace,
    VenueQuery,
    VenueReport,
    VenueRequest,
)
from tests.core.memory import INSTALLATION, Memory
from tests.core.words import (
    ABILITIES,
    BTC_PERP,
    BTC_USDT,
    ETH_BTC,
    SECOND_NS,
    START_NS,
    D,
    make_request,
)

_Request = TypeVar("_Request", bound=VenueRequest)
OPEN, FILLED = VenueOrderState.OPEN, VenueOrderState.FILLED
CANCELED, REJECTED = VenueOrderState.CANCELED, VenueOrderState.REJECTED
EXPIRED = VenueOrderState.EXPIRED


class Call:
    """A client's request; `reply` once it was answered."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.reply: Reply | None = None

    @property
    def order(self) -> Order:
        """Return the order in the answer."""
        assert self.reply is not None, f"{self.request} is not answered yet"
        order = getattr(self.reply, "order", None)
        assert isinstance(order, Order), self.reply
        return order

    @property
    def refusal(self) -> str:
        """Return the code of the refusal."""
        assert isinstance(self.reply, Refused), self.reply
        return self.reply.refusal.value


class Conversation:
    """Everything that is said, and what came of it.

    `sent` are the requests to the exchange that no test has looked at yet, `alarms` the codes of all
    alarms, `sweeps` how often the engine wanted the account reconciled.
    """

    def __init__(
        self,
        memory: Memory | None = None,
        *,
        settings: EngineSettings = EngineSettings(),  # noqa: B008 - frozen
        abilities: Abilities = ABILITIES,
        accounts: tuple[str, ...] = ("SIM",),
        now: Now = Now(START_NS, 1_000 * SECOND_NS),  # noqa: B008 - frozen
    ) -> None:
        self.memory = memory or Memory()
        self.settings = settings
        self.abilities = abilities
        self.now = now
        self.engine = Engine(settings, self.memory.restore(), accounts)
        self.sent: list[VenueRequest] = []
        self.reports: list[tuple[Report, Order | None]] = []
        self.sweeps = 0
        self._accounts = accounts
        self._calls: dict[int, Call] = {}
        self._token = 0
        self._timers: list[tuple[int, int, TimerDue]] = []
        self._wall_timers: list[tuple[int, int, TimerDue]] = []
        self._timer_count = 0
        self._batch: list[Call | VenueReport] | None = None
        self._trades = 0
        self._begin_batch()
        self.engine.restart(self.now)
        self._end_batch()

    # ── the client ───────────────────────────────────────────────────────────────────────────────

    def place(self, client_order_id: str = "a", **changes: object) -> Call:
        """Place the usual order (buy 2 BTC at 100 USDT) with these changes."""
        return self.say(make_request(client_order_id, **changes))

    def cancel(self, client_order_id: str = "a", account: str = "SIM") -> Call:
        return self.say(CancelOrder(account=account, client_order_id=client_order_id))

    def cancel_by_exchange_id(self, exchange_order_id: str) -> Call:
        return self.say(CancelOrder(account="SIM", exchange_order_id=exchange_order_id))

    def cancel_all(self, account: str = "SIM") -> Call:
        return self.say(CancelAll(account=account))

    def look_up(self, client_order_id: str = "a", account: str = "SIM") -> Call:
        return self.say(QueryOrder(account=account, client_order_id=client_order_id))

    def resolve(self, resolution: Resolution, client_order_id: str = "a") -> Call:
        return self.say(
            ResolveOrder(account="SIM", client_order_id=client_order_id, resolution=resolution)
        )

    def set_mode(self, mode: AccountMode) -> Call:
        return self.say(SetMode(account="SIM", mode=mode))

    def say(self, request: Request) -> Call:
        """Put a client's request."""
        call = Call(request)
        self._take(call)
        return call

    # ── the exchange ─────────────────────────────────────────────────────────────────────────────

    def connects(self, account: str = "SIM", **totals: str) -> None:
        """Connect and reconcile the account: instruments and balances are known, orders may come."""
        self.hear(VenueConnected(account=account, abilities=self.abilities))
        self.hear(
            VenueInstrumentsListed(account=account, instruments=(BTC_USDT, ETH_BTC, BTC_PERP))
        )
        self.states_balances(account, **(totals or {"USDT": "100000", "BTC": "1000"}))
        self.is_reconciled(account)

    def is_reconciled(self, account: str = "SIM") -> None:
        """Open the account for new orders, as the end of a sweep does."""
        self.engine.account(account).is_reconciled = True
        self.engine.account(account).trouble = None

    def disconnects(self, account: str = "SIM") -> None:
        """Lose the connection; what was asked and not answered ends by its own word."""
        self.hear(VenueDisconnected(account=account, text="the line is dead"))

    def states_balances(
        self, account: str = "SIM", *, ordinal: int = 0, is_complete: bool = True, **totals: str
    ) -> None:
        """State balances, nothing locked: all of them, or as the stream does those that have changed."""
        self.hear(
            VenueBalancesStated(
                account=account,
                balances=tuple(
                    VenueAssetBalance({"BTC": "XBT"}.get(asset, asset), D(total), D(0))
                    for asset, total in totals.items()
                ),
                exchange_ordinal=ordinal,
                time_ns=self.now.utc_ns,
                is_complete=is_complete,
            )
        )

    def accepts(self, request: VenueRequest, exchange_order_id: str | None = None) -> None:
        """Answer that a request was carried out."""
        self._answer(request, Outcome.DONE, exchange_order_id=exchange_order_id)

    def refuses(
        self,
        request: VenueRequest,
        text: str = "no",
        *,
        order_unknown: bool = False,
        retry_after_ms: int | None = None,
    ) -> None:
        """Answer that a request was not carried out."""
        self._answer(
            request,
            Outcome.REFUSED,
            text=text,
            order_unknown=order_unknown,
            retry_after_ms=retry_after_ms,
        )

    def loses(self, request: VenueRequest) -> None:
        """Let the answer to a request never come."""
        self._answer(request, Outcome.UNKNOWN, text="no answer")

    def never_gets(self, request: VenueRequest) -> None:
        """Let a request not leave this process."""
        self._answer(request, Outcome.NOT_SENT, text="not connected")

    def does_not_know(self, query: VenueQuery) -> None:
        """Answer a query with "no such order"."""
        with self.together():
            self.hear(
                VenueNotFound(account=query.account, request_id=query.request_id, asked=query)
            )
            self._answer(query, Outcome.DONE)

    def states(
        self,
        exchange_order_id: str,
        state: VenueOrderState,
        filled: str = "0",
        *,
        client_order_id: str | None = "a",
        asked: VenueQuery | VenueCancel | None = None,
        **changes: object,
    ) -> None:
        """Say how an order stands: by the stream, or as the answer to `asked`."""
        with self.together():
            self.hear(
                self.word(
                    exchange_order_id,
                    state,
                    filled,
                    client_order_id=client_order_id,
                    asked=asked,
                    **changes,
                )
            )
            if asked is not None:
                self._answer(asked, Outcome.DONE, exchange_order_id=exchange_order_id)

    def word(
        self,
        exchange_order_id: str,
        state: VenueOrderState,
        filled: str = "0",
        *,
        client_order_id: str | None = "a",
        **changes: object,
    ) -> VenueOrder:
        """Return the exchange's word on the usual order; `client_order_id` None: not one of ours."""
        ours = None if client_order_id is None else self.venue_id(client_order_id)
        fields: dict[str, object] = {
            "account": "SIM",
            "exchange_order_id": exchange_order_id,
            "venue_client_id": ours,
            "symbol_exchange": "BTC-USDT",
            "side": Side.BUY,
            "price": D(100),
            "quantity": D(2),
            "quantity_filled": D(filled),
            "time_in_force": TimeInForce.GOOD_TILL_CANCEL,
            "expire_time_ns": None,
            "state": state,
            "time_ns": self.now.utc_ns,
            **changes,
        }
        return VenueOrder(**fields)

    def fills(
        self,
        exchange_order_id: str,
        quantity: str,
        trade_id: str | None = None,
        *,
        client_order_id: str | None = "a",
        **changes: object,
    ) -> VenueFill:
        """Say that an order was executed."""
        fill = self.fill(
            exchange_order_id, quantity, trade_id, client_order_id=client_order_id, **changes
        )
        self.hear(fill)
        return fill

    def fill(
        self,
        exchange_order_id: str,
        quantity: str,
        trade_id: str | None = None,
        *,
        client_order_id: str | None = "a",
        **changes: object,
    ) -> VenueFill:
        """Return an execution at 100 without a fee."""
        self._trades += 1
        fields: dict[str, object] = {
            "account": "SIM",
            "exchange_order_id": exchange_order_id,
            "venue_client_id": client_order_id and self.venue_id(client_order_id),
            "symbol_exchange": "BTC-USDT",
            "side": Side.BUY,
            "trade_id": trade_id or f"t{self._trades}",
            "price": D(100),
            "quantity": D(quantity),
            "fee": D(0),
            "fee_asset_exchange": "USDT",
            "liquidity": Liquidity.MAKER,
            "time_ns": self.now.utc_ns,
            **changes,
        }
        return VenueFill(**fields)

    def hear(self, news: VenueReport) -> None:
        """Let the exchange say anything."""
        self._take(news)

    def venue_id(self, client_order_id: str, account: str = "SIM") -> str:
        """Return what the exchange was given for a client's id."""
        return venue_client_id(INSTALLATION, account, client_order_id)

    # ── accounts ─────────────────────────────────────────────────────────────────────────────────

    def come(self, account: str = "SIM") -> None:
        """Let an account come, new or back."""
        self._begin_batch()
        self.engine.come(account)
        self._end_batch()

    def go(self, account: str = "SIM") -> None:
        """Let an account go: its connection is closed first, and what was not answered is unknown."""
        self.disconnects(account)
        self._begin_batch()
        self.engine.go(account)
        self._end_batch()

    # ── time ─────────────────────────────────────────────────────────────────────────────────────

    def wait(self, seconds: str) -> None:
        """Let time pass; whatever comes due on the way is decided at its moment."""
        end_ns = self.now.steady_ns + int(D(seconds) * SECOND_NS)
        while True:
            due_ns = min((timer[0] for timer in self._timers), default=end_ns + 1)
            if self._wall_timers:
                wall_wait_ns = max(0, self._wall_timers[0][0] - self.now.utc_ns)
                due_ns = min(due_ns, self.now.steady_ns + wall_wait_ns)
            if due_ns > end_ns:
                break
            self._pass_to(due_ns)
            self._fire()
        self._pass_to(end_ns)

    def jump(self, seconds: str) -> None:
        """Set the wall clock by this much; steady time does not notice."""
        utc_ns = self.now.utc_ns + int(D(seconds) * SECOND_NS)
        self.now = Now(utc_ns, self.now.steady_ns)
        self._fire()

    def _pass_to(self, steady_ns: int) -> None:
        gone_ns = max(0, steady_ns - self.now.steady_ns)
        self.now = Now(self.now.utc_ns + gone_ns, self.now.steady_ns + gone_ns)

    def _fire(self) -> None:
        due = []
        for heap, now_ns in (
            (self._timers, self.now.steady_ns),
            (self._wall_timers, self.now.utc_ns),
        ):
            while heap and heap[0][0] <= now_ns:
                due.append(heapq.heappop(heap)[2])
        if due:
            self._begin_batch()
            for timer in due:
                self._time(timer)
            self._end_batch()

    def _time(self, timer: TimerDue) -> None:
        self.engine.timer(timer)

    def set_timer(self, due_ns: int, timer: TimerDue) -> None:
        """Have a timer fire at a steady time."""
        self._timer_count += 1
        heapq.heappush(self._timers, (due_ns, self._timer_count, timer))

    # ── what came of it ──────────────────────────────────────────────────────────────────────────

    def next_sent(self, kind: type[_Request]) -> _Request:
        """Return the one request the exchange has been sent since the last look."""
        (request,) = self.sent
        assert isinstance(request, kind), request
        self.sent.clear()
        return request

    def all_sent(self) -> list[type]:
        """Return the kinds of the requests sent since the last look."""
        kinds = [type(request) for request in self.sent]
        self.sent.clear()
        return kinds

    def order(self, client_order_id: str = "a", account: str = "SIM") -> Order:
        """Return the durable order."""
        return self.memory.find(account, client_order_id)

    def status(self, client_order_id: str = "a") -> str:
        return status(self.order(client_order_id)).value

    def history(self, client_order_id: str = "a") -> str:
        """Return the statuses the order has shown, in a line."""
        return " ".join(shown for shown, _ in self.order(client_order_id).status_history)

    def causes(self, client_order_id: str = "a") -> str:
        """Return the causes of the order's reports, in a line."""
        number = self.order(client_order_id).number
        reports = (report for report, _ in self.reports if isinstance(report, OrderReport))
        return " ".join(report.cause for report in reports if report.number == number)

    @property
    def alarms(self) -> list[str]:
        return [report.code for report, _ in self.reports if isinstance(report, AlarmReport)]

    @property
    def alarm_texts(self) -> list[str]:
        return [report.text for report, _ in self.reports if isinstance(report, AlarmReport)]

    def available(self, asset: str = "USDT", account: str = "SIM") -> Decimal:
        return self.engine.account(account).ledger.available(asset)

    def is_in_memory(self, client_order_id: str = "a") -> bool:
        """Whether the engine still holds the order: what is settled it lets go."""
        return self.engine.order(self.order(client_order_id).number) is not None

    def restart(self, seconds_down: str = "1", **changes: object) -> "Conversation":
        """Return the conversation with the next process: only what is durable is left."""
        down_ns = int(D(seconds_down) * SECOND_NS)
        fields: dict[str, object] = {
            "settings": self.settings,
            "abilities": self.abilities,
            "accounts": self._accounts,
            "now": Now(self.now.utc_ns + down_ns, 5 * SECOND_NS),
            **changes,
        }
        following = type(self)(self.memory, **fields)
        following._trades = self._trades
        return following

    # ── a batch ──────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def together(self) -> Iterator[None]:
        """Put everything that is said within into one batch."""
        if self._batch is not None:
            yield
            return
        self._batch = []
        yield
        batch, self._batch = self._batch, None
        self._decide(batch)

    def _take(self, message: Call | VenueReport) -> None:
        if self._batch is None:
            self._decide([message])
        else:
            self._batch.append(message)

    def _decide(self, batch: list[Call | VenueReport]) -> None:
        self._begin_batch()
        wanted = nothing_wanted()
        for message in batch:
            self.engine.wants(message.request if isinstance(message, Call) else message, wanted)
        if wanted:
            self.engine.remember(self.memory.recall(wanted))
        for message in batch:
            if isinstance(message, Call):
                self._token += 1
                self._calls[self._token] = message
                self.engine.request(message.request, self._token)
            else:
                self.engine.hear(message)
                self._heard(message)
        self._end_batch()

    def _heard(self, news: VenueReport) -> None:
        """Let others take what the exchange said, after the engine has."""

    def _swept(self, accounts: set[str]) -> list[VenueRequest]:
        """Take note of the accounts to reconcile; return what a reconciler asks."""
        self.sweeps += len(accounts)
        return []

    def _begin_batch(self) -> None:
        self.engine.begin(self.now)

    def _end_batch(self) -> None:
        self.engine.ask_open_questions()
        asked = self._swept(self.engine.take_sweeps())
        requests = [
            request
            for request in [*self.engine.take_requests(), *asked]
            if not isinstance(request, VenuePlace) or self.engine.hand_over(request)
        ]
        effects = self.engine.finish()
        self.memory.commit(effects.unit)
        self._nothing_is_out_that_is_not_durable(effects.answers, effects.released)
        self.engine.sent(requests, self.now)
        self.sent += requests
        for token, reply in effects.answers:
            call = self._calls.pop(token)
            assert call.reply is None
            call.reply = reply
        for due_ns, timer in effects.timers:
            self.set_timer(due_ns, timer)
        for due_ns, timer in effects.wall_timers:
            self._timer_count += 1
            heapq.heappush(self._wall_timers, (due_ns, self._timer_count, timer))
        self.reports += effects.released

    def _nothing_is_out_that_is_not_durable(
        self, answers: list[tuple[int, Reply]], released: list[tuple[Report, Order | None]]
    ) -> None:
        orders = [order for _, order in released if order is not None]
        orders += [
            order
            for _, reply in answers
            if isinstance(order := getattr(reply, "order", None), Order)
        ]
        for order in orders:
            durable = self.memory.orders[order.number]
            assert durable.sequence >= order.sequence
            if durable.sequence == order.sequence:
                assert durable == order

    def _answer(self, request: VenueRequest, outcome: Outcome, **fields: object) -> None:
        self.hear(
            VenueAnswer(
                account=request.account,
                request_id=request.request_id,
                request=request,
                outcome=outcome,
                **fields,
            )
        )


class Unhurried(Conversation):
    """A conversation in which requests to the exchange wait for the rate budget: they are `held`."""

    held: tuple[VenueRequest, ...] = ()

    def _end_batch(self) -> None:
        self.engine.ask_open_questions()
        self.held = (*self.held, *self.engine.take_requests())
        super()._end_batch()


def started(**changes: object) -> Conversation:
    """Return a conversation with a connected, reconciled account that holds 100,000 USDT and 1,000 BTC."""
    conversation = Conversation(**changes)
    for account in conversation._accounts:
        conversation.connects(account)
    conversation.all_sent()
    return conversation


def reconnected(talk: Conversation) -> Conversation:
    """Return the next process, connected."""
    following = talk.restart()
    following.hear(VenueConnected(account="SIM", abilities=ABILITIES))
    return following


def placed(talk: Conversation, client_order_id: str = "a", **changes: object) -> VenuePlace:
    """Place the usual order and return what the exchange was sent."""
    talk.place(client_order_id, **changes)
    return talk.next_sent(VenuePlace)


def working(
    talk: Conversation, client_order_id: str = "a", exchange_order_id: str = "X1", **changes: object
) -> VenuePlace:
    """Place an order, have it accepted and heard of as open; return what the exchange was sent."""
    request = placed(talk, client_order_id, **changes)
    talk.accepts(request, exchange_order_id)
    request_words = {
        name: getattr(request, name) for name in ("side", "price", "quantity")
    }  # fmt: skip
    talk.states(exchange_order_id, OPEN, client_order_id=client_order_id, **request_words)
    return request


def changed(abilities: Abilities, **changes: object) -> Abilities:
    """Return abilities with these changes."""
    return msgspec.structs.replace(abilities, **changes)
