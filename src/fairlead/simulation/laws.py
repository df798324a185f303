"""What must hold at every step: each law by name, and the place where its break is noted.

`Laws` is told what leaves Fairlead, what it is given, what it answers and what reaches its disk. It
reads the disk by a connection of its own and believes nothing else. What must hold in the end is in
`judgement`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import MappingProxyType

import msgspec

from fairlead.core.model import Order, Origin, Reason, Stage, TimeInForce
from fairlead.core.order import IllegalChange, apply
from fairlead.core.replies import (
    AccountsReply,
    AttentionReply,
    BalancesReply,
    CancelAllReply,
    InstrumentsReply,
    OrderReply,
    OrdersReply,
    PositionsReply,
    ReconciliationReply,
    Refusal,
    Refused,
    Reply,
    SnapshotReply,
)
from fairlead.core.reports import (
    AccountReport,
    AlarmReport,
    BalanceReport,
    Cause,
    OrderReport,
    PositionReport,
    Report,
)
from fairlead.core.requests import CancelAll, CancelOrder, EndSession, PlaceOrder, Request
from fairlead.core.unit import Unit
from fairlead.simulation.conversation import Conversation
from fairlead.simulation.disk import Observer
from fairlead.venues import sim_messages as wire


class Law(Enum):
    """The laws of design section 2 and issue 2, as a broken one is named."""

    RUNS = "the process runs: it stops only when it is killed"
    DURABLE_FIRST = "nothing leaves before it is durable"
    SENT_ONCE = "no order is sent twice"
    SURVIVES = "what a client was told survives"
    ANSWER_DURABLE = "an answer says what is durable"
    VIEW = "an order never goes back to what it was"
    ONE_ID = "a client id means one order for ever"
    DENSE = "an account's reports are numbered without a gap"
    SETTLED = "closed is not settled: an order is let go only with all its fills"
    ABSENCE = "absence ends no order: what was declared never to have arrived never arrives"
    KNOWN = "every order of the account at the exchange is known"
    FILLS = "our fills are the exchange's, each once"
    STATES = "our orders stand as the exchange's do"
    BALANCES = "our balances are the exchange's"
    POSITIONS = "our positions are the exchange's"
    REASONS = "what the exchange does itself is told with its reason"
    DECIDED = "nothing stays in doubt, pending or owed"
    CANCELS = "a cancel ends its order or somebody is told"
    UNASKED = "no order is cancelled that nobody asked to cancel"
    SESSIONS = "what ends with its session does not outlive it"
    STREAMED = "a stream is the account's reports, each once, in order, as they were"
    RESUMED = "who resumes goes on where he was; who cannot is given the whole state"
    SNAPSHOT = "snapshot and stream make the state that the journal has"
    FIX_ONCE = "a FIX session hears every report once"
    FIX_ANSWERED = "a FIX request is answered, also across connections"
    FIX_VIEW = "who comes back by FIX learns what became of every order"
    GONE = "of an account that has gone nothing is shown, sent or left half told"
    SUSPENDED = (
        "of a suspended account nothing leaves, no order is taken, and nothing comes to be owed"
    )
    EXPIRY = "what expires here does not stay open"
    FORGOTTEN = "what is settled is out of memory"
    VERIFY = "the journal says the same everywhere"
    QUIET = "the world comes to rest"


class Broken(msgspec.Struct, frozen=True):
    """A law that was broken, and how."""

    law: Law
    text: str


class Laws:
    """One world's watch. `broken` is what was found, `on_broken` is called at the first."""

    def __init__(self, conversation: Conversation, on_broken: Callable[[], None]) -> None:
        self.broken: list[Broken] = []
        self.is_revival_allowed = False  # the exchange lied, or an operator erred
        self.is_operator_fallible = False
        self.look_at_balance: Callable[[BalanceReport], str | None] | None = None
        self.look_at_position: Callable[[PositionReport], str | None] | None = None
        self.record = Record(self)
        self.asking: dict[object, Request] = {}  # let in and not yet answered
        self.sessions: set[str] = set()  # that have begun and not ended
        self.inherited: set[int] = set()  # orders that a process left to the next one
        self._is_restart = False  # until the first commit
        self.gone: dict[str, int] = {}  # accounts that were let go, by the count of goings then
        self.have_gone: set[str] = set()  # ever
        self.goings: dict[str, int] = {}  # how often each account has gone
        self._goings = 0
        self.suspended: set[str] = set()  # accounts whose login may become another just now
        self._ended_away: set[tuple[str, str]] = set()  # (account, session) that ended meanwhile
        self.power_failures = 0
        self.reach: dict[str, int] = {}  # how often what was to happen did happen, by name
        self._conversation = conversation
        self._on_broken = on_broken
        self._sent: dict[tuple[str, str], None] = {}  # (account, venue client id) of every place
        self._told_closed: dict[tuple[str, str], wire.WireOrder] = {}
        self._numbers: dict[tuple[str, str], int] = {}  # (account, client id) → number answered
        self._shown: dict[str, int] = {}  # account → newest sequence that anybody saw

    def breaks(self, law: Law, text: str) -> None:
        """Note a broken law."""
        self.broken.append(Broken(law, text))
        self._conversation.note("LAW BROKEN", f"{law.name}: {text}")
        if len(self.broken) == 1:
            self._on_broken()

    def count(self, name: str) -> None:
        """Count something that happened, so that a world can be seen to reach it."""
        self.reach[name] = self.reach.get(name, 0) + 1

    # ── what leaves for the exchange ─────────────────────────────────────────────────────────────

    def leaving(self, account: str, message: wire.ClientMessage) -> None:
        """Look at a request whose first byte is about to leave."""
        self.record.refresh()
        if account in self.gone:
            self.breaks(Law.GONE, f"{type(message).__name__} leaves for {account}, which has gone")
        if account in self.suspended:
            text = f"{type(message).__name__} leaves for {account}, which is suspended"
            self.breaks(Law.SUSPENDED, text)
        match message:
            case wire.Place():
                self._place_leaving(account, message)
            case wire.Cancel():
                key = (account, message.exchange_order_id or "")
                number = self.record.exchange_numbers.get(key)
                if number is None:
                    number = self.record.venue_numbers.get((account, message.client_id))
                if number not in self.record.cancels_wanted:
                    text = f"a cancel of {message.client_id} leaves, and the wish is not on disk"
                    self.breaks(Law.DURABLE_FIRST, text)
            case _:
                pass

    def _place_leaving(self, account: str, message: wire.Place) -> None:
        key = (account, message.client_id)
        if key in self._sent:
            self.breaks(Law.SENT_ONCE, f"{account} sends {message.client_id} again")
        self._sent[key] = None
        number = self.record.venue_numbers.get(key)
        if number is None:
            text = f"{account} sends {message.client_id}, which is not on disk"
            self.breaks(Law.DURABLE_FIRST, text)
            return
        order = self.record.orders[number]
        if order.stage is Stage.RECEIVED:
            text = f"{account} sends {order.client_order_id}, on disk only as RECEIVED"
            self.breaks(Law.DURABLE_FIRST, text)

    def is_sent(self, order: Order) -> bool:
        """Whether a byte of the order ever left."""
        return (order.account, order.venue_client_id) in self._sent

    # ── what comes from the exchange ─────────────────────────────────────────────────────────────

    def told(self, account: str, message: wire.ExchangeMessage) -> None:
        """Remember with which filled quantity an order was said to be closed."""
        if isinstance(message, wire.Stated | wire.Execution):
            order = message.order
            if order.state is not wire.OrderState.OPEN:
                self._told_closed[account, order.exchange_order_id] = order
            if order.origin is not wire.WireOrigin.CLIENT:
                self.count(f"told {order.origin.value}")
        elif isinstance(message, wire.PositionsChanged):
            self.count("told PositionsChanged")

    # ── what reaches the disk ────────────────────────────────────────────────────────────────────

    def committed(self, unit: Unit) -> None:
        """Look at what was made durable: who was let go must have all that is his."""
        self.record.refresh()
        if self._is_restart:
            self._is_restart = False
            left = [
                order
                for number in self.inherited
                if (order := self.record.orders[number]).account not in self.record.away
            ]
            self._session_ended(order for order in left if order.ends_with_session)
        for report in unit.reports:
            if isinstance(report, AccountReport) and report.is_here is False:
                self._left(report.account)
        for number in unit.settled:
            order = unit.orders[number]
            told = self._told_closed.get((order.account, order.exchange_order_id or ""))
            is_short = told is not None and order.quantity_filled < told.filled
            if is_short and number not in self.record.resolved and told is not None:
                text = (
                    f"order {order.client_order_id} is let go with {order.quantity_filled} filled;"
                    f" the exchange said {told.state.value} with {told.filled}"
                )
                self.breaks(Law.SETTLED, text)

    def released(self, released: Sequence[tuple[Report, Order | None]]) -> None:
        """Look at reports as they are shown to whoever follows the account."""
        for report, _ in released:
            self._show(report.account, report.sequence)
            is_new = isinstance(report, OrderReport) and report.opened is not None
            if is_new and report.account in self.suspended:
                text = (
                    f"report {report.sequence} of {report.account} opens an order while suspended"
                )
                self.breaks(Law.SUSPENDED, text)
            kept = self.record.reports.get(report.account, [])
            if len(kept) < report.sequence or kept[report.sequence - 1] != report:
                text = f"report {report.sequence} of {report.account} is shown and not on disk"
                self.breaks(Law.ANSWER_DURABLE, text)

    # ── accounts that come and go ────────────────────────────────────────────────────────────────

    def only_here(self, here: Collection[str], accounts: Collection[str]) -> None:
        """A process begins that has these accounts; the others of all `accounts` have gone."""
        self.record.away = set(accounts) - set(here)
        self.gone.clear()
        self.suspended.clear()
        for account in self.record.away:
            self.account_gone(account)

    def account_gone(self, account: str) -> None:
        """An account was let go: from the next request on nothing may be seen of it."""
        if account not in self.gone:
            self._goings += 1
            self.gone[account] = self._goings
            self.have_gone.add(account)
            self.goings[account] = self.goings.get(account, 0) + 1
            self.count("account gone")

    def account_comes(self, account: str) -> None:
        """An account comes, new or back."""
        if self.gone.pop(account, None) is not None:
            self.count("account back" if account in self.record.reports else "account new")

    def account_suspended(self, account: str) -> None:
        """An account takes no orders from now on, and nothing is owed to any of its own."""
        self.suspended.add(account)
        self.count("account suspended")

    def account_resumes(self, account: str, *, is_owed: bool) -> None:
        """It is about to log in anew, perhaps by another login, which knows no order of before."""
        if is_owed:
            self.breaks(
                Law.SUSPENDED, f"{account} was suspended, and something is owed to its orders"
            )
        self.suspended.discard(account)

    def _left(self, account: str) -> None:
        """Look at what an account leaves: what was on its way must be named for what it is."""
        for order in self.record.orders.values():
            is_open = order.stage is Stage.ROUTING and order.in_doubt_ns is None
            if order.account == account and (is_open or order.stage is Stage.RECEIVED):
                text = f"{account} leaves order {order.client_order_id} as {order.stage}"
                self.breaks(Law.GONE, text)

    def _look_for_gone(self, request: Request, reply: Reply, gone: Mapping[str, int]) -> None:
        """Look at the answer to a request that was made when these accounts had gone."""
        for account, going in gone.items():
            if self.gone.get(account) != going:
                continue  # it was back before this was answered
            is_answered = request.account == account and not isinstance(reply, Refused)
            if is_answered or account in _accounts_of(reply):
                text = f"{type(request).__name__} is answered with {account}, which has gone"
                self.breaks(Law.GONE, text)

    # ── what a client sees ───────────────────────────────────────────────────────────────────────

    def answering(
        self, request: Request, reply: Reply, gone: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        """Look at an answer as it leaves; `gone` is what `self.gone` was when it was asked for."""
        self._look_for_gone(request, reply, gone)
        for order in _orders_of(reply):
            self._shown_order(order)
        if isinstance(request, PlaceOrder):
            self._place_answered(request, reply)
        elif isinstance(request, EndSession):
            self.sessions.discard(request.session)
            ended = [
                order
                for order in self.record.orders.values()
                if order.session == request.session and request.account in ("", order.account)
            ]
            away = self.record.away
            self._ended_away |= {(o.account, o.session) for o in ended if o.account in away}
            self._session_ended(order for order in ended if order.account not in away)
        elif isinstance(request, CancelOrder) and isinstance(reply, OrderReply):
            self._cancel_answered(reply.order)
        elif isinstance(reply, SnapshotReply):
            self._show(request.account, reply.sequence)
        elif isinstance(reply, CancelAllReply) and reply.count:
            self.count("cancel all")

    def _shown_order(self, order: Order) -> None:
        self._show(order.account, order.sequence)
        kept = self.record.orders.get(order.number)
        if kept is None or kept.sequence < order.sequence:
            text = f"order {order.client_order_id} is shown as of {order.sequence}, not yet on disk"
            self.breaks(Law.ANSWER_DURABLE, text)
        elif kept.sequence == order.sequence and kept != order:
            text = f"order {order.client_order_id} is shown other than it is on disk"
            self.breaks(Law.ANSWER_DURABLE, text)

    def _place_answered(self, request: PlaceOrder, reply: Reply) -> None:
        if isinstance(reply, OrderReply):
            order: Order | None = reply.order
        elif isinstance(reply, Refused) and reply.refusal is Refusal.IN_DOUBT:
            order = reply.order
            self.count("in doubt answered")
        else:
            return
        assert order is not None
        key = (request.account, request.client_order_id)
        number = self._numbers.setdefault(key, order.number)
        if number != order.number or order.client_order_id != request.client_order_id:
            text = f"{request.client_order_id} was order {number} and is now {order.number}"
            self.breaks(Law.ONE_ID, text)

    def _cancel_answered(self, order: Order) -> None:
        if order.stage.is_final or order.cancel_pending:
            return
        text = f"the cancel of {order.client_order_id} is answered and nothing was made of it"
        self.breaks(Law.CANCELS, text)

    def _session_ended(self, orders: Iterable[Order]) -> None:
        """Look at a session's orders at its end: the wish to cancel must be durable."""
        for order in orders:
            is_open = not (order.stage.is_final or order.cancel_pending)
            if order.ends_with_session and is_open and order.attention is None:
                text = f"order {order.client_order_id} is {order.stage}; {order.session} has ended"
                self.breaks(Law.SESSIONS, text)

    def streamed(self, account: str, sequence: int) -> bool:
        """Look at a report that somebody was sent; whether it is on the disk."""
        self._show(account, sequence)
        is_kept = sequence <= len(self.record.reports.get(account, ()))
        if not is_kept:
            text = f"report {sequence} of {account} is streamed and not on disk"
            self.breaks(Law.ANSWER_DURABLE, text)
        return is_kept

    def _show(self, account: str, sequence: int) -> None:
        self._shown[account] = max(self._shown.get(account, 0), sequence)

    # ── after a crash ────────────────────────────────────────────────────────────────────────────

    def restarted(self, folder: Path) -> None:
        """Read the disk that a crash left: everything anybody saw must be on it."""
        before = self.record.reports
        self._told_closed.clear()
        self.record.reopen(folder)
        self._is_restart = True
        self.sessions.clear()
        self.inherited = {
            number for number, order in self.record.orders.items() if not order.is_settled
        }
        for account, shown in self._shown.items():
            kept = self.record.reports.get(account, [])
            if len(kept) < shown:
                text = f"{account} was shown up to {shown}; the disk ends with {len(kept)}"
                self.breaks(Law.SURVIVES, text)
            elif kept[:shown] != before[account][:shown]:
                self.breaks(Law.SURVIVES, f"{account}: what was shown up to {shown} has changed")

    def alarm(self, report: AlarmReport) -> None:
        """Look at an alarm: some must not be raised in this world."""
        self.count(f"alarm {report.code}")
        if report.code == "order_revived" and not self.is_revival_allowed:
            order = self.record.orders.get(report.number or 0)
            law = Law.ABSENCE
            if order is not None and order.reason is Reason.NOT_SENT:
                law = Law.SENT_ONCE
            self.breaks(law, report.text)
        elif report.code in ("order_doubled", "order_overfilled", "order_impossible"):
            law = Law.FILLS if report.code == "order_overfilled" else Law.SENT_ONCE
            self.breaks(law, report.text)

    def opened(self, order: Order) -> None:
        """Look at an order that has just been made durable for the first time."""
        if order.ends_with_session and order.session not in self.sessions:
            text = f"order {order.client_order_id} is placed; {order.session} had ended"
            self.breaks(Law.SESSIONS, text)

    def cancelling(self, before: Order, after: Order) -> None:
        """Look at an order whose cancel has just been made durable: who wanted it?"""
        is_expired = after.time_in_force is TimeInForce.GOOD_TILL_TIME_OMS
        is_revived = before.stage is Stage.REJECTED
        is_left = after.ends_with_session and after.number in self.inherited
        is_away = after.ends_with_session and (after.account, after.session) in self._ended_away
        if is_expired or is_revived or is_left or is_away:
            is_restart = is_left and not is_away
            self.count("cancelled at restart" if is_restart else "cancelled by itself")
            return
        asked = [each for each in self.asking.values() if _wants_cancelled(each, after)]
        if not asked:
            text = f"nobody asked to cancel {after.client_order_id} of session {after.session!r}"
            self.breaks(Law.UNASKED, text)
        elif isinstance(asked[0], EndSession):
            self.count("cancelled with its session")

    def balance(self, report: BalanceReport) -> None:
        """Look at a balance that has just been made durable, where somebody can judge it."""
        wrong = None if self.look_at_balance is None else self.look_at_balance(report)
        if wrong is not None:
            self.breaks(Law.BALANCES, wrong)

    def position(self, report: PositionReport) -> None:
        """Look at a position that has just been made durable."""
        wrong = None if self.look_at_position is None else self.look_at_position(report)
        if wrong is not None:
            self.breaks(Law.POSITIONS, wrong)


class Record:
    """All that is on the disk: the reports, and the orders they make."""

    def __init__(self, laws: Laws) -> None:
        self._laws = laws
        self._observer: Observer | None = None
        self._forget()

    def _forget(self) -> None:
        self.reports: dict[str, list[Report]] = {}
        self.orders: dict[int, Order] = {}
        self.venue_numbers: dict[tuple[str, str], int] = {}
        self.exchange_numbers: dict[tuple[str, str], int] = {}
        self.cancels_wanted: dict[int, None] = {}
        self.resolved: dict[int, None] = {}
        self.away: set[str] = set()  # accounts that have gone, durably

    def reopen(self, folder: Path) -> None:
        """Read another disk from its beginning."""
        self.close()
        self._forget()
        self._observer = Observer(folder)
        self._read(is_new=False)

    def refresh(self) -> None:
        """Read what was added."""
        self._read(is_new=True)

    def close(self) -> None:
        """Read no more."""
        if self._observer is not None:
            self._observer.close()
            self._observer = None

    def is_loaded(self, account: str) -> bool:
        """Whether the account's balances were ever heard."""
        return any(isinstance(report, BalanceReport) for report in self.reports.get(account, ()))

    def _read(self, *, is_new: bool) -> None:
        assert self._observer is not None
        for reports in self._observer.new_reports():
            for report in reports:
                self._add(report, is_new=is_new)

    def _add(self, report: Report, *, is_new: bool) -> None:
        kept = self.reports.setdefault(report.account, [])
        if report.sequence != len(kept) + 1:
            text = f"{report.account}: report {report.sequence} where {len(kept) + 1} was due"
            self._laws.breaks(Law.DENSE, text)
        kept.append(report)
        if isinstance(report, OrderReport):
            self._add_order(report, is_new=is_new)
        elif isinstance(report, AlarmReport) and is_new:
            self._laws.alarm(report)
        elif isinstance(report, AccountReport) and report.is_here is not None:
            if report.is_here:
                self.away.discard(report.account)
            else:
                self.away.add(report.account)
        elif isinstance(report, BalanceReport) and is_new:
            self._laws.balance(report)
        elif isinstance(report, PositionReport) and is_new:
            self._laws.position(report)

    def _add_order(self, report: OrderReport, *, is_new: bool) -> None:
        before = self.orders.get(report.number)
        try:
            after = self.orders[report.number] = apply(before, report)
        except IllegalChange as error:
            self._laws.breaks(Law.VIEW, str(error))
            return
        if before is None:
            self.venue_numbers[after.account, after.venue_client_id] = after.number
            if is_new:
                self._laws.opened(after)
        elif is_new:
            self._look_at_change(before, after)
            is_withdrawn = report.cause is Cause.CANCELED and before.stage is Stage.RECEIVED
            if is_withdrawn or report.cause is Cause.CANCEL_REQUESTED:
                self._laws.cancelling(before, after)
        if after.exchange_order_id is not None:
            self.exchange_numbers[after.account, after.exchange_order_id] = after.number
        if report.cause is Cause.CANCEL_REQUESTED:
            self.cancels_wanted[report.number] = None
        elif report.cause is Cause.RESOLVED:
            self.resolved[report.number] = None
            if self._laws.is_operator_fallible:
                self._laws.is_revival_allowed = True
        if is_new:
            self._laws.count(report.cause.value)

    def _look_at_change(self, before: Order, after: Order) -> None:
        is_late_fill = after.stage is Stage.FILLED and before.stage is not Stage.FILLED
        is_revived = before.stage is Stage.REJECTED
        if before.stage.is_final and after.stage is not before.stage:
            if not (is_late_fill or is_revived):
                text = f"order {after.client_order_id} was {before.stage} and is {after.stage}"
                self._laws.breaks(Law.VIEW, text)
            self._laws.count("left a final stage")
        if after.quantity_filled < before.quantity_filled:
            text = f"order {after.client_order_id}: filled fell to {after.quantity_filled}"
            self._laws.breaks(Law.VIEW, text)
        if after.quantity_filled > after.quantity:
            text = f"order {after.client_order_id}: {after.quantity_filled} of {after.quantity}"
            self._laws.breaks(Law.FILLS, text)
        if after.origin is Origin.CLIENT and before.exchange_order_id not in (
            None,
            after.exchange_order_id,
        ):
            text = f"order {after.client_order_id} changed its exchange id"
            self._laws.breaks(Law.SENT_ONCE, text)


def _wants_cancelled(request: Request, order: Order) -> bool:
    match request:
        case CancelOrder():
            named = (request.client_order_id, request.exchange_order_id)
            is_named = order.client_order_id == named[0] or order.exchange_order_id in named[1:]
            return request.account == order.account and is_named
        case CancelAll():
            return request.account == order.account
        case EndSession():
            return order.ends_with_session and request.session == order.session
        case _:
            return False


def _accounts_of(reply: Reply) -> set[str]:
    """Return the accounts that an answer shows."""
    accounts = {order.account for order in _orders_of(reply)}
    match reply:
        case AttentionReply():
            accounts |= {order.account for order, _ in reply.orders}
        case BalancesReply() | PositionsReply() | InstrumentsReply():
            accounts |= {each[0] for each in reply.accounts}
        case AccountsReply() | ReconciliationReply():
            accounts |= {each.account for each in reply.accounts}
        case _:
            pass
    return accounts


def _orders_of(reply: Reply) -> Sequence[Order]:
    match reply:
        case OrderReply():
            return (reply.order,)
        case OrdersReply() | SnapshotReply():
            return reply.orders
        case Refused(order=Order() as order):
            return (order,)
        case _:
            return ()
