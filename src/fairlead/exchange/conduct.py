"""How the exchange treats one message while it misbehaves.

The straight way is in `server`: answer, say, tell the events. This is the same way with every point at
which a fault may bite; `misbehavior` says which does.
"""

from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from fairlead.exchange.faults import FaultName, How, Point
from fairlead.exchange.ledger import Event
from fairlead.exchange.misbehavior import Active
from fairlead.exchange.orders import Account, Order
from fairlead.exchange.rules import Refusal
from fairlead.exchange.session import open_order, refused
from fairlead.venues.sim_messages import (
    Cancel,
    ClientMessage,
    ExchangeMessage,
    Login,
    OpenOrders,
    OrderState,
    Place,
    Placed,
    RefusalCode,
    Refused,
)

if TYPE_CHECKING:
    from fairlead.exchange.connection import Connection
    from fairlead.exchange.server import Exchange

FAULTS_ACCOUNT = "house:faults"  # trades what a fault wants filled
_INTERNAL = Refusal(RefusalCode.INTERNAL, "something went wrong")
_CANCEL = Refusal(RefusalCode.CANCEL, "the order cannot be canceled now")
_MAINTENANCE = Refusal(RefusalCode.MAINTENANCE, "the exchange is being maintained")


class Treatment(StrEnum):
    """What is done to the bytes of one answer."""

    DOUBLED = "DOUBLED"
    TRUNCATED = "TRUNCATED"  # half of it, then whatever comes next
    GARBAGE = "GARBAGE"
    CLOSED = "CLOSED"  # nothing of it, and the connection is closed
    CUT = "CUT"  # half of it, and the connection is closed


class Conduct:
    """Takes messages for an exchange that has faults."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange

    def take(self, connection: "Connection", message: ClientMessage, now_ns: int) -> None:
        """Take one message as it arrives, or as a fault wants it to."""
        misbehavior = self._exchange.misbehavior
        public_key = _public_key(connection, message)
        active = misbehavior.hit_request(Point.ARRIVAL, public_key, message, now_ns)
        if active is not None:
            self._turn_away(connection, message, active)
        else:
            self._carry_out(connection, message, now_ns)

    def say_event(self, account: Account, event: Event, now_ns: int) -> None:
        """Tell an account event, or treat it as a fault wants it."""
        exchange, misbehavior = self._exchange, self._exchange.misbehavior
        active = misbehavior.hit_event(account, event, now_ns)
        if active is None:
            exchange.say_event(account, event)
        else:
            match active.fault.name:
                case FaultName.STREAM_REORDERED:
                    misbehavior.hold(account, event, active.fault.frames)
                    give_up = partial(self._say_overdue, account, event)
                    exchange.later(active.fault.delay_ms, give_up)
                    return
                case FaultName.STREAM_DOUBLED:
                    exchange.say_event(account, event)
                    exchange.say_event(account, event)
                case _:  # dropped or silent: nothing of it, and nothing passes the held ones
                    return
        for held in misbehavior.passed(account):
            exchange.say_event(account, held)

    def mistreat(self, connection: "Connection", data: bytes, treatment: Treatment) -> None:
        """Put the bytes of an answer, treated so, into the connection's next write."""
        match treatment:
            case Treatment.DOUBLED:
                connection.buffer(data + data)
            case Treatment.TRUNCATED:
                connection.buffer(data[: len(data) // 2])
            case Treatment.GARBAGE:
                connection.buffer(self._exchange.misbehavior.garbage(len(data)))
            case Treatment.CUT:
                connection.buffer(data[: len(data) // 2])
                connection.flush()
                connection.close()
            case Treatment.CLOSED:
                connection.flush()
                connection.close()

    def _turn_away(self, connection: "Connection", message: ClientMessage, active: Active) -> None:
        """Do what a fault on the way in wants instead of carrying out the request."""
        exchange, fault = self._exchange, active.fault
        match fault.name:
            case FaultName.REQUEST_LATE:
                arrive = partial(self._arrive, connection, message)
                exchange.later(fault.delay_ms, arrive)
            case FaultName.INTERNAL_ERROR:
                exchange.say(connection, refused(message, _INTERNAL))
            case FaultName.CANCEL_REFUSED:
                exchange.say(connection, refused(message, _CANCEL))
            case FaultName.RATE_LIMITED:
                refusal = Refusal(
                    RefusalCode.RATE, "too many requests", retry_after_ms=fault.retry_after_ms
                )
                exchange.say(connection, refused(message, refusal))
            case FaultName.MAINTENANCE if fault.how is How.REFUSED:
                exchange.say(connection, refused(message, _MAINTENANCE))
            case FaultName.DISCONNECT:
                connection.close()
            case _:  # lost, or a silent maintenance
                pass

    def _arrive(self, connection: "Connection", message: ClientMessage) -> None:
        """Take a delayed message, whether or not its connection still stands."""
        self._carry_out(connection, message, self._exchange.now_ns())

    def _carry_out(self, connection: "Connection", message: ClientMessage, now_ns: int) -> None:
        exchange, misbehavior = self._exchange, self._exchange.misbehavior
        account = connection.session.account
        if isinstance(message, Cancel) and account is not None:
            self._fill_before_cancel(account, message, now_ns)
        answer = exchange.answer(connection, message, now_ns)
        if isinstance(message, Place) and isinstance(answer, Placed) and account is not None:
            self._after_accepting(account, message, answer, now_ns)
        account = connection.session.account
        if account is not None:
            answer = misbehavior.altered(answer, message, account, now_ns)
        active = misbehavior.hit_request(
            Point.ANSWER,
            _public_key(connection, message),
            message,
            now_ns,
            is_refused=isinstance(answer, Refused),
        )
        if active is None:
            exchange.say(connection, answer)
        else:
            self._say_badly(connection, message, answer, active)

    def _say_badly(
        self,
        connection: "Connection",
        message: ClientMessage,
        answer: ExchangeMessage,
        active: Active,
    ) -> None:
        """Say an answer as a fault on the way out wants it."""
        exchange, fault = self._exchange, active.fault
        match fault.name:
            case FaultName.ANSWER_LATE:
                exchange.later(fault.delay_ms, partial(exchange.say, connection, answer))
            case FaultName.ANSWER_DOUBLED:
                exchange.say(connection, answer, Treatment.DOUBLED)
            case FaultName.ERROR_AFTER_ACCEPTING:
                exchange.say(connection, refused(message, _INTERNAL))
            case FaultName.TRUNCATED_FRAME:
                exchange.say(connection, answer, Treatment.TRUNCATED)
            case FaultName.GARBAGE:
                exchange.say(connection, answer, Treatment.GARBAGE)
            case FaultName.DISCONNECT:
                is_cut = fault.how is How.MID_ANSWER
                exchange.say(connection, answer, Treatment.CUT if is_cut else Treatment.CLOSED)
            case FaultName.STALE_OPEN_ORDERS:
                account = connection.session.account
                if account is not None and isinstance(answer, OpenOrders):
                    answer = exchange.misbehavior.stale(active, answer, account)
                exchange.say(connection, answer)
            case _:  # lost, or accepted and then silent
                pass

    def _after_accepting(
        self, account: Account, message: Place, placed: Placed, now_ns: int
    ) -> None:
        """Hide a new order, or tell its events (and perhaps a fill) before its answer."""
        exchange, misbehavior = self._exchange, self._exchange.misbehavior
        for name in (FaultName.ORDER_HIDDEN, FaultName.FILL_BEFORE_ANSWER):
            active = misbehavior.hit_request(
                Point.ACCEPTED, account.public_key, message, now_ns, name=name
            )
            if active is None:
                continue
            if name is FaultName.ORDER_HIDDEN:
                until_ns = now_ns + active.fault.hide_ms * 10**6
                misbehavior.hide_order(int(placed.exchange_order_id), until_ns)
                continue
            order = open_order(account, placed.exchange_order_id)
            if order is not None:
                self._fill(order, active.fault.share, now_ns)
            exchange.collect_events()

    def _fill_before_cancel(self, account: Account, message: Cancel, now_ns: int) -> None:
        """Fill a part of the order that is about to be canceled, and tell of it only later."""
        exchange, misbehavior = self._exchange, self._exchange.misbehavior
        if message.exchange_order_id is None:
            order = account.open_by_client_id.get(message.client_id)
        else:
            order = open_order(account, message.exchange_order_id)
        if order is None or order.state is not OrderState.OPEN:
            return
        active = misbehavior.hit_request(Point.BEFORE_CANCEL, account.public_key, message, now_ns)
        if active is None:
            return
        exchange.collect_events()
        self._fill(order, active.fault.share, now_ns)
        events = exchange.matching.ledger.take_events()
        delay_ms = active.fault.delay_ms
        for owner, event in events:
            exchange.later(delay_ms, partial(exchange.say_event, owner, event))
        if events:
            misbehavior.hide_fill(account, account.fills, now_ns + delay_ms * 10**6)

    def _fill(self, order: Order, share: Decimal, now_ns: int) -> None:
        """Let a house account trade `share` of what is open, rounded down to the step."""
        matching = self._exchange.matching
        step = matching.markets[order.symbol].instrument.quantity_step
        quantity = order.leaves_quantity * share // step * step
        if quantity > 0:
            matching.fill_from_house(matching.ledger.house(FAULTS_ACCOUNT), order, quantity, now_ns)

    def _say_overdue(self, account: Account, event: Event) -> None:
        for held in self._exchange.misbehavior.overdue(account, event):
            self._exchange.say_event(account, held)


def _public_key(connection: "Connection", message: ClientMessage) -> str | None:
    """Return whose message it is; a login says so itself."""
    if isinstance(message, Login):
        return message.public_key
    account = connection.session.account
    return None if account is None else account.public_key
