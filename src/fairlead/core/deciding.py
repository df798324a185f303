"""What deciding works on and what it leaves behind: the state, and the effects of one batch.

The primitives here are the only way to change an order, move a balance, answer a caller, ask an
exchange or set a timer. What to do when is decided in `placing`, `cancelling`, `doubt`, `hearing`, `stating`.
"""

from decimal import Decimal

import msgspec

from fairlead.core.account import Account
from fairlead.core.identity import ClientIds
from fairlead.core.model import AccountMode, Fill, InstrumentKind, Order, Reason, Stage
from fairlead.core.order import apply
from fairlead.core.orders import Orders
from fairlead.core.replies import AttentionReply, OrderReply, OrdersReply, Reply
from fairlead.core.reports import (
    AccountReport,
    AlarmReport,
    BalanceReport,
    Cause,
    OrderReport,
    PositionReport,
    Report,
)
from fairlead.core.timing import TimerDue, TimerKind
from fairlead.core.unit import (
    ExchangeKey,
    Recalled,
    Restored,
    TradeKey,
    Unit,
    empty_unit,
)
from fairlead.core.venue_messages import VenueFill, VenueRequest

MS = 1_000_000  # nanoseconds
_UNANSWERED = frozenset({Stage.RECEIVED, Stage.ROUTING})


class Now(msgspec.Struct, frozen=True):
    """A moment: `utc_ns` is the wall clock, which may jump; `steady_ns` only ever grows."""

    utc_ns: int
    steady_ns: int


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of deciding. Times in milliseconds; delays double from the first to the longest."""

    order_answer_timeout_ms: int = 5_000
    ask_delay_ms: int = 250
    ask_delay_longest_ms: int = 30_000
    not_found_margin_ms: int = (
        1_500  # exchanges take timestamps of clocks up to 1 s ahead of theirs
    )
    not_found_count: int = 2
    cancel_delay_ms: int = 1_000
    cancel_delay_longest_ms: int = 30_000
    cancel_attempts_most: int = 5
    settle_delay_ms: int = 500
    settle_delay_longest_ms: int = 60_000
    settle_deadline_ms: int = 30_000
    order_rate_per_s: int = 10_000
    orphan_orders_most: int = 10_000
    orphan_fills_most: int = 10_000
    rate_age_ms_max: int = 120_000
    drift_sweeps_most: int = 3


class Flight(msgspec.Struct):
    """What is under way for one order, and is made anew after a restart.

    Times are steady ns. `waiters` are the callers to answer; `is_answer_due` once they have waited
    long enough. `is_cancel_refused`: the exchange refused the last cancel and has not said since that the
    order is open. `asked` are the questions that have not ended, with the time of each; several may wait
    for the exchange's rate. `not_found_ns` is when the last "not found" that counts was asked for.
    `handed_ns` is when the order may have been sent at the latest. `ask_due_ns`, `cancel_due_ns` and
    `settle_due_ns` are the times the next step is due, None when none is.
    """

    waiters: list[int] = []
    is_answer_due: bool = False
    handed_ns: int = 0
    asks: int = 0
    ask_due_ns: int | None = None
    asked: dict[int, int] = {}
    not_found: int = 0
    not_found_ns: int = 0
    cancels: int = 0
    cancel_due_ns: int | None = None
    is_cancel_refused: bool = False
    settles: int = 0
    settle_due_ns: int | None = None
    closed_ns: int | None = None


OrphanKey = tuple[str, str, str]  # account, the exchange's symbol, its order id


class Orphans(msgspec.Struct):
    """Fills of one order that nobody knows yet, since `since_ns`; an operator was told at `alarmed_ns`.

    Both are steady.
    """

    fills: list[VenueFill]
    since_ns: int
    alarmed_ns: int | None = None


class Absent(msgspec.Struct):
    """An account that is not here now, as it was when it went, with its unsettled orders, oldest first.

    `sessions_over` are the client's sessions, of its orders, that have ended since;
    `are_sessions_over`: all have, for they ended with the process.
    """

    account: Account
    orders: list[Order]
    sessions_over: set[str] = set()
    are_sessions_over: bool = False


class Effects(msgspec.Struct):
    """What a batch leaves to be done: commit `unit`, then the rest."""

    unit: Unit
    released: list[tuple[Report, Order | None]]
    answers: list[tuple[int, Reply]]
    timers: list[tuple[int, TimerDue]]
    wall_timers: list[tuple[int, TimerDue]]


class Deciding:
    """The engine's state, with the primitives that change it and remember the effects."""

    def __init__(self, settings: EngineSettings, restored: Restored) -> None:
        self.settings = settings
        self.client_ids = ClientIds(restored.installation_id)
        self.accounts: dict[str, Account] = {}
        self.absent: dict[str, Absent] = {}
        self.going: list[str] = []  # accounts that are not here any more when this batch is closed
        self.orders = Orders()
        self.flights: dict[int, Flight] = {}
        self.orphans: dict[OrphanKey, Orphans] = {}
        self.orphans_new: list[OrphanKey] = []
        self.now = Now(0, 0)
        self.next_number = restored.next_number
        self.next_request_id = 1
        self.trades_known: set[TradeKey] = set()
        self._visiting: set[int] = set()
        self._requests: list[VenueRequest] = []
        self._begin()

    def _begin(self) -> None:
        self.unit = empty_unit(self.now.utc_ns)
        self.released: list[tuple[Report, Order | None]] = []
        self.answers: list[tuple[int, Reply]] = []
        self.snapshots_due: list[tuple[int, Account]] = []
        self.timers: list[tuple[int, TimerDue]] = []
        self.wall_timers: list[tuple[int, TimerDue]] = []
        self.sweeps: set[str] = set()
        self._openings: dict[int, int] = {}  # order opened in this batch → place of that report

    # ── reports ──────────────────────────────────────────────────────────────────────────────────

    def open(self, order: Order, cause: Cause) -> Order:
        """Report a new order, which `order` is but for its sequence and history."""
        account = self.accounts[order.account]
        account.sequence += 1
        report = OrderReport(
            order.account, account.sequence, order.number, self.now.utc_ns, cause, order
        )
        key = self.client_ids.key(order.account, order.client_order_id)
        self.unit.opened.append((key, order.number))
        self.unit.unsettled.add(order.number)
        self._openings[order.number] = len(self.unit.reports)
        return self._keep(account, None, apply(None, report), report)

    def route(self, order: Order) -> Order:
        """Report that the order is handed to its exchange; return it as it is now.

        Where nothing but its opening was reported, in this very batch, and it was shown to nobody, the
        opening says that too: one report instead of two.
        """
        place = self._openings.get(order.number)
        opening = None if place is None else self.unit.reports[place]
        if place is None or opening is None or opening.sequence != order.sequence:
            return self.report(order, Cause.ROUTING, stage=Stage.ROUTING)
        assert isinstance(opening, OrderReport)
        report = OrderReport(
            opening.account, opening.sequence, opening.number, opening.time_ns,
            Cause.ROUTING, opening.opened, Stage.ROUTING,
        )  # fmt: skip
        after = apply(
            None, report
        )  # it holds of the account what it held: see `ledger.reservation`
        self.unit.reports[place] = report
        self.released[place] = (report, after)
        self.unit.orders[order.number] = after
        self.orders.put(after)
        return after

    def report(
        self,
        order: Order,
        cause: Cause,
        *,
        stage: Stage | None = None,
        exchange_order_id: str | None = None,
        fill: Fill | None = None,
        closed_quantity: Decimal | None = None,
        reason: Reason | None = None,
        error_message: str | None = None,
        attention: str | None = None,
    ) -> Order:
        """Change `order` by one report and return it as it is now. Raises IllegalChange."""
        account = self.accounts[order.account]
        report = OrderReport(
            order.account, account.sequence + 1, order.number, self.now.utc_ns, cause, None,
            stage, exchange_order_id, fill, closed_quantity, reason, error_message, attention,
        )  # fmt: skip
        after = apply(order, report)
        account.sequence += 1
        return self._keep(account, order, after, report)

    def _keep(
        self, account: Account, before: Order | None, after: Order, report: OrderReport
    ) -> Order:
        account.is_dirty = True
        self.unit.reports.append(report)
        self.unit.orders[after.number] = after
        self.released.append((report, after))
        self.orders.put(after)
        if after.exchange_order_id is not None and (
            before is None or before.exchange_order_id is None
        ):
            key = ExchangeKey(after.account, after.exchange_order_id)
            self.unit.identified.append((key, after.number))
        account.ledger.order_changed(before, after, self.now.utc_ns)
        return after

    def book(self, order: Order, key: TradeKey, fill: Fill, exchange_order_id: str) -> Order:
        """Book a fill that was never booked before; the ledger and the trade's id go with it."""
        account = self.accounts[order.account]
        account.ledger.fill_booked(order, fill, self.now.utc_ns)
        if order.kind is InstrumentKind.PERPETUAL:
            account.positions.fill_booked(order, fill, self.now.utc_ns)
            account.position_moved(order.symbol, self.now.utc_ns)
        account.last_trade_id = fill.trade_id
        self.trades_known.add(key)
        self.unit.booked.append((order.number, len(order.fills), key, fill))
        identified = exchange_order_id if order.exchange_order_id is None else None
        return self.report(order, Cause.TRADE, fill=fill, exchange_order_id=identified)

    def alarm(self, account: Account, code: str, number: int | None, text: str) -> None:
        """Tell an operator; it is journaled, logged and counted."""
        account.sequence += 1
        account.is_dirty = True
        report = AlarmReport(account.name, account.sequence, self.now.utc_ns, code, number, text)
        self.unit.reports.append(report)
        self.released.append((report, None))

    def set_mode(self, account: Account, mode: AccountMode) -> None:
        """Report the account's new mode."""
        account.mode = mode
        self._report_account(account, None)

    def set_presence(self, account: Account, *, is_here: bool) -> None:
        """Report that the account has come, or goes with this batch."""
        self._report_account(account, is_here)

    def _report_account(self, account: Account, is_here: bool | None) -> None:
        account.sequence += 1
        account.is_dirty = True
        report = AccountReport(
            account.name, account.sequence, self.now.utc_ns, account.mode, is_here
        )
        self.unit.reports.append(report)
        self.released.append((report, None))

    # ── effects ──────────────────────────────────────────────────────────────────────────────────

    def answer(self, token: int, reply: Reply) -> None:
        """Have the caller of `token` answered once the batch is durable; what it shows stands."""
        self.answers.append((token, reply))
        if isinstance(reply, OrderReply):
            self._openings.pop(reply.order.number, None)
        elif isinstance(reply, OrdersReply | AttentionReply):
            self._openings.clear()

    def answer_snapshot(self, token: int, account: Account) -> None:
        """Have the caller of `token` answered with the account as the whole batch leaves it.

        What orders moved is reported at the batch's end: before that, no sequence says what balances and
        positions are, and a client that goes on from one would be told of them late, or twice.
        """
        self.snapshots_due.append((token, account))

    def ask_venue(self, request: VenueRequest) -> None:
        """Have the exchange asked once the batch is durable and the budget allows."""
        self._requests.append(request)

    def request_id(self) -> int:
        """Return an id for a request to an exchange, unique within the process."""
        self.next_request_id += 1
        return self.next_request_id

    def flight(self, number: int) -> Flight:
        """Return what is under way for the order, beginning it if nothing was."""
        flight = self.flights.get(number)
        if flight is None:
            flight = self.flights[number] = Flight()
        return flight

    def timer(self, kind: TimerKind, order: Order, delay_ms: int) -> int:
        """Have `TimerDue` come after `delay_ms`; return the steady time it is due."""
        due_ns = self.now.steady_ns + delay_ms * MS
        self.timers.append(
            (due_ns, TimerDue(account=order.account, kind=kind, number=order.number))
        )
        return due_ns

    def wall_timer(self, kind: TimerKind, order: Order, due_utc_ns: int) -> None:
        """Have `TimerDue` come when the wall clock reaches `due_utc_ns`."""
        due = TimerDue(account=order.account, kind=kind, number=order.number)
        self.wall_timers.append((due_utc_ns, due))

    def sweep(self, account: str) -> None:
        """Have the account reconciled soon: something about it is not known."""
        self.sweeps.add(account)

    # ── one batch ────────────────────────────────────────────────────────────────────────────────

    def remember(self, recalled: Recalled) -> None:
        """Take back settled orders for this batch, and the trades that were already booked.

        Of an account that has gone nothing is taken: what is not settled would find its timers due.
        """
        self.trades_known |= recalled.trades
        for order in recalled.orders:
            if order.account in self.accounts and self.orders.get(order.number) is None:
                self.orders.put(order)
                self._visiting.add(order.number)

    def take_requests(self) -> list[VenueRequest]:
        """Return what exchanges are to be asked, in the order of decision; each is returned once."""
        requests, self._requests = self._requests, []
        return requests

    def close(self) -> None:
        """Close the batch: answer who can be answered, let settled orders go, name the balances.

        Nothing is reported after it; only answers may still be added.
        """
        for number, order in self.unit.orders.items():
            flight = self.flights.get(number)
            if flight is not None and flight.waiters and order.stage not in _UNANSWERED:
                for token in flight.waiters:
                    self.answers.append((token, OrderReply(order)))
                flight.waiters = []
            if order.is_settled:
                self.unit.settled.add(number)
                self.unit.unsettled.discard(number)
                self.let_go(number)
            elif number in self._visiting:
                self.unit.unsettled.add(number)
                self._visiting.discard(number)
        for number in self._visiting:
            if self.orders.get(number) is not None:
                self.let_go(number)
        self._visiting.clear()
        self.trades_known.clear()
        self.client_ids.forget()
        for account in self.accounts.values():
            if account.ledger.changed:
                self._report_balances(account)
            if account.positions.changed:
                self._report_positions(account)
            if account.is_dirty:
                self.unit.accounts[account.name] = account.record()
                account.is_dirty = False
        for name in self.going:
            del self.accounts[name]
        self.going.clear()
        self.unit.time_ns = self.now.utc_ns

    def take_effects(self) -> Effects:
        """Return what the closed batch leaves to be done, and begin the next."""
        effects = Effects(self.unit, self.released, self.answers, self.timers, self.wall_timers)
        self._begin()
        return effects

    def let_go(self, number: int) -> None:
        """Have the order in memory no longer."""
        self.orders.drop(number)
        self.flights.pop(number, None)

    def _report_balances(self, account: Account) -> None:
        if not account.is_loaded:
            return  # what orders move is not a balance before the exchange has stated one
        for balance in account.ledger.take_changed():
            account.sequence += 1
            account.is_dirty = True
            report = BalanceReport(account.name, account.sequence, self.now.utc_ns, balance)
            self.unit.reports.append(report)
            self.unit.balances[account.name, balance.asset] = balance
            self.released.append((report, None))

    def _report_positions(self, account: Account) -> None:
        if not account.is_loaded:
            return
        for position in account.positions.take_changed():
            account.sequence += 1
            account.is_dirty = True
            report = PositionReport(account.name, account.sequence, self.now.utc_ns, position)
            self.unit.reports.append(report)
            self.unit.positions[account.name, position.symbol] = position
            self.released.append((report, None))
