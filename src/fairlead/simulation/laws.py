"""What must hold at every step, and the place where its break is noted.

`Laws` is told what leaves Fairlead, what it is given, what it answers and what reaches its disk: that by
`record`, which reads it, and it believes nothing else. What must hold in the end is in `judgement`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from fairlead.core.model import Order, Reason, Stage, TimeInForce
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
    OrderReport,
    PositionReport,
    Report,
)
from fairlead.core.requests import CancelAll, CancelOrder, EndSession, PlaceOrder, Request
from fairlead.core.unit import Unit
from fairlead.simulation.conversation import Conversation
from fairlead.simulation.law import Broken, Law
from fairlead.simulation.record import Record
from fairlead.venues import sim_messages as wire

OrderKey = tuple[str, str]  # account and client order id


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
        self.cancelled_elsewhere: set[tuple[str, str]] = set()  # (account, exchange's id)
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
        """Look at a request whose first byte is about to leave, with what was synced so far."""
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
        self,
        request: Request,
        reply: Reply,
        gone: Mapping[str, int] = MappingProxyType({}),
        later: Collection[OrderKey] = (),
    ) -> None:
        """Look at an answer as it leaves; `gone` is what `self.gone` was when it was asked for.

        `later`: where a session's end is answered, what it asked for since, having come back.
        """
        self._look_for_gone(request, reply, gone)
        for order in _orders_of(reply):
            self._shown_order(order)
        if isinstance(request, PlaceOrder):
            self._place_answered(request, reply)
        elif isinstance(request, EndSession):
            if not later:
                self.sessions.discard(request.session)
            ended = [
                order
                for order in self.record.orders.values()
                if order.session == request.session
                and request.account in ("", order.account)
                and (order.account, order.client_order_id) not in later
                and order.number not in self.inherited  # those ended with their process
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
