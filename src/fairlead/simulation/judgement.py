"""What must hold in the end: everything Fairlead says is compared with the exchange's own truth.

The exchange's store and memory are read directly; of Fairlead, its disk and its answers. Called when
the world is at rest: no faults, no market, nothing on its way.
"""

from collections.abc import Iterable

from fairlead.core.model import ZERO, Order, Origin, Reason, Stage, TimeInForce
from fairlead.core.replies import BalancesReply, PositionsReply
from fairlead.exchange.orders import Account
from fairlead.exchange.server import Exchange
from fairlead.simulation.law import Law
from fairlead.simulation.laws import Laws
from fairlead.simulation.loop import NS
from fairlead.venues.sim_messages import OrderState, WireFill, WireOrder, WireOrigin

EXPIRY_LATE_NS = 10 * NS
_FILLS_PAGE = 10_000
_ORDERS_MAX = 100_000
_REASONS = {
    WireOrigin.LIQUIDATION: Reason.LIQUIDATION,
    WireOrigin.DELEVERAGING: Reason.AUTO_DELEVERAGING,
}
_ENDED_EARLY = (OrderState.CANCELED, OrderState.EXPIRED)
_STAGES = {
    OrderState.OPEN: Stage.WORKING,
    OrderState.FILLED: Stage.FILLED,
    OrderState.CANCELED: Stage.CANCELED,
    OrderState.EXPIRED: Stage.EXPIRED,
}


def is_at_rest(order: Order) -> bool:
    """Whether nothing more is to happen to the order by itself."""
    if order.stage.is_final:
        return order.is_settled
    return (
        order.stage is Stage.WORKING
        and not order.cancel_pending
        and order.in_doubt_ns is None
        and order.closed_quantity is None
        and order.expire_time_ns is None  # else it is waited for
    )


def _is_expired(order: Order, utc_ns: int) -> bool:
    return (
        order.time_in_force is TimeInForce.GOOD_TILL_TIME_OMS
        and order.expire_time_ns is not None
        and order.expire_time_ns <= utc_ns
    )


def judge_account(laws: Laws, name: str, exchange: Exchange, account: Account, utc_ns: int) -> None:
    """Compare the orders and fills of one account with the exchange's."""
    exchange.desk.commit()
    fills: dict[str, list[WireFill]] = {}
    for fill in exchange.store.fills_after(account.number, 0, _FILLS_PAGE):
        fills.setdefault(fill.exchange_order_id, []).append(fill)
    found: dict[int, WireOrder] = {}
    for _, stated in exchange.store.orders_after(0, _ORDERS_MAX, account.number):
        order = _ours(laws, name, stated)
        if order is None:
            _judge_unknown(laws, name, stated)
            continue
        if order.number in found:
            text = (
                f"{order.client_order_id} is at the exchange as"
                f" {found[order.number].exchange_order_id} and {stated.exchange_order_id}"
            )
            laws.breaks(Law.SENT_ONCE, text)
        found[order.number] = stated
        _judge_fills(laws, order, fills.pop(stated.exchange_order_id, []))
        _judge_stage(laws, order, stated)
        _judge_reason(laws, order, stated)
        _judge_words(laws, order, stated)
    for order in laws.record.orders.values():
        if order.account == name and order.number not in found:
            _judge_absent(laws, order)
        if order.account == name and not order.stage.is_final:
            _judge_expiry(laws, order, utc_ns)
            _judge_session(laws, order)


def judge_balances(
    laws: Laws, reply: BalancesReply, accounts: Iterable[tuple[str, Account]]
) -> None:
    """Compare every balance with the exchange's."""
    ours = {name: {b.asset_exchange: b for b in balances} for name, balances in reply.accounts}
    for name, account in accounts:
        kept = ours.get(name, {})
        for asset in sorted(kept.keys() | account.holdings.keys()):
            balance, holding = kept.get(asset), account.holdings.get(asset)
            said = (ZERO, ZERO) if balance is None else (balance.total, balance.locked)
            true = (ZERO, ZERO) if holding is None else (holding.total, holding.locked)
            if said != true:
                text = (
                    f"{name} {asset}: total {said[0]}, locked {said[1]};"
                    f" the exchange's: {true[0]}, {true[1]}"
                )
                laws.breaks(Law.BALANCES, text)


def judge_positions(
    laws: Laws, reply: PositionsReply, accounts: Iterable[tuple[str, Account]]
) -> None:
    """Compare every position with the exchange's: quantity, side, entry price, leverage."""
    ours = {
        name: {p.symbol_exchange: (p.signed_quantity, p.entry_price, p.leverage) for p in positions}
        for name, positions in reply.accounts
    }
    for name, account in accounts:
        true = {
            symbol: (position.quantity, position.entry_price, position.leverage)
            for symbol, position in account.positions.items()
            if position.quantity
        }
        if true:
            laws.count("position judged")
        if ours.get(name, {}) != true:
            laws.breaks(Law.POSITIONS, f"{name}: {ours.get(name)}; the exchange's: {true}")


def _judge_reason(laws: Laws, order: Order, stated: WireOrder) -> None:
    """What the exchange made itself is external and says why; nothing else says so."""
    reason = _REASONS.get(stated.origin)
    is_told = order.origin is Origin.EXTERNAL and order.error_message and order.reason is reason
    if (reason is not None and not is_told) or (
        reason is None and order.reason in _REASONS.values()
    ):
        text = f"order {order.client_order_id}: {order.reason}, the exchange's: {stated.origin}"
        laws.breaks(Law.REASONS, text)


def _judge_words(laws: Laws, order: Order, stated: WireOrder) -> None:
    """What the exchange ended says why in its own words, if none of ours ended it, and only then."""
    if stated.state not in _ENDED_EARLY or order.stage not in (Stage.CANCELED, Stage.EXPIRED):
        return
    is_asked = (
        order.number in laws.record.cancels_wanted
        or (order.account, stated.exchange_order_id) in laws.cancelled_elsewhere
    )
    if stated.text is None and not is_asked:
        text = (
            f"order {order.client_order_id} is {stated.state.value}, and the exchange says not why"
        )
        laws.breaks(Law.WORDS, text)
    if order.reason in _REASONS.values() or order.number in laws.record.resolved:
        return
    told = order.error_message if order.reason is Reason.EXCHANGE else None
    if told != stated.text:
        text = f"order {order.client_order_id}: {told!r}; the exchange's: {stated.text!r}"
        laws.breaks(Law.WORDS, text)
    elif told is not None:
        laws.count("told why it ended")


def _ours(laws: Laws, name: str, stated: WireOrder) -> Order | None:
    """Return the order that the exchange's is, by its id or by the client id we gave it."""
    number = laws.record.exchange_numbers.get((name, stated.exchange_order_id))
    if number is None:
        number = laws.record.venue_numbers.get((name, stated.client_id))
        if number is not None and laws.record.orders[number].origin is Origin.EXTERNAL:
            return None
    return None if number is None else laws.record.orders[number]


def _judge_unknown(laws: Laws, name: str, stated: WireOrder) -> None:
    if stated.state is OrderState.OPEN or stated.filled:
        text = (
            f"{name}: order {stated.exchange_order_id} ({stated.client_id}) is {stated.state.value}"
            f" with {stated.filled} filled and nobody knows it"
        )
        laws.breaks(Law.KNOWN, text)


def _judge_fills(laws: Laws, order: Order, stated: list[WireFill]) -> None:
    ours = sorted((f.trade_id, f.price, f.quantity, f.fee, f.realized) for f in order.fills)
    true = sorted((f.trade_id, f.price, f.quantity, f.fee, f.realized) for f in stated)
    if ours != true:
        extra = [f[0] for f in ours if f not in true]
        lacking = [f[0] for f in true if f not in ours]
        doubled = sorted({f[0] for f in ours if ours.count(f) > 1})
        text = (
            f"order {order.client_order_id}: {len(ours)} fills, the exchange's {len(true)};"
            f" lacking {lacking}, too many {extra}, doubled {doubled}"
        )
        laws.breaks(Law.FILLS, text)


def _judge_stage(laws: Laws, order: Order, stated: WireOrder) -> None:
    if order.stage is Stage.REJECTED:
        if laws.is_revival_allowed and stated.state is not OrderState.OPEN and not stated.filled:
            return  # it was hidden until it had ended without effect: nothing tells of it any more
        text = (
            f"order {order.client_order_id} is REJECTED ({order.reason}), and is"
            f" {stated.state.value} at the exchange"
        )
        laws.breaks(Law.ABSENCE, text)
        return
    is_resolved = order.number in laws.record.resolved
    if order.stage is not _STAGES[stated.state] and not (is_resolved and order.stage.is_final):
        text = (
            f"order {order.client_order_id} is {order.stage}, at the exchange {stated.state.value}"
        )
        laws.breaks(Law.STATES, text)
    if order.quantity_filled != stated.filled:
        text = (
            f"order {order.client_order_id}: {order.quantity_filled} filled,"
            f" at the exchange {stated.filled}"
        )
        laws.breaks(Law.FILLS, text)


def _judge_absent(laws: Laws, order: Order) -> None:
    """An order that the exchange does not have must have ended for a reason that says so."""
    if order.fills:
        laws.breaks(
            Law.FILLS, f"order {order.client_order_id} has fills, the exchange has no order"
        )
    if not order.stage.is_final:
        laws.breaks(
            Law.STATES, f"order {order.client_order_id} is {order.stage}, the exchange has none"
        )
    elif order.stage is Stage.REJECTED:
        if order.reason is Reason.NOT_SENT and laws.is_sent(order):
            text = f"order {order.client_order_id} is said to be not sent, and was"
            laws.breaks(Law.ABSENCE, text)
    elif laws.is_sent(order) and order.number not in laws.record.resolved:
        laws.breaks(
            Law.ABSENCE, f"order {order.client_order_id} is {order.stage}, the exchange has none"
        )


def _judge_session(laws: Laws, order: Order) -> None:
    """Every client has hung up by now, and every earlier process is dead."""
    if order.attention is None and order.ends_with_session:
        text = f"order {order.client_order_id} is {order.stage}; {order.session} has ended"
        laws.breaks(Law.SESSIONS, text)


def _judge_expiry(laws: Laws, order: Order, utc_ns: int) -> None:
    if order.attention is None and _is_expired(order, utc_ns - EXPIRY_LATE_NS):
        text = f"order {order.client_order_id} is {order.stage} long after its time"
        laws.breaks(Law.EXPIRY, text)
