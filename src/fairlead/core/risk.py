"""Pre-trade checks: instrument rules (a 400) and risk (a stored, REJECTED order).

Every message names the contract's field or the coded reason, the value, and the nearest that would
be right. Pure: values in, findings out.
"""

from decimal import Decimal

import msgspec

from fairlead.core.ledger import Ledger
from fairlead.core.margin import Margin
from fairlead.core.model import (
    ZERO,
    Abilities,
    AccountMode,
    ExecInst,
    Instrument,
    InstrumentKind,
    Order,
    Reason,
    Side,
    TimeInForce,
)
from fairlead.core.requests import PlaceOrder

_IMMEDIATE = frozenset({TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL})

_ON_DISCONNECT = frozenset({ExecInst.CANCEL_ON_DISCONNECT, ExecInst.DO_NOT_CANCEL_ON_DISCONNECT})


class Exposure(msgspec.Struct, frozen=True):
    """How the account stands in a perpetual: what it holds (negative when short), what that locks.

    `reducing_quantity` is what its open orders may take from the position.
    """

    signed_quantity: Decimal
    margin: Margin
    reducing_quantity: Decimal


def plain(value: Decimal) -> str:
    """Return `value` without an exponent and without trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def check_instrument(place: PlaceOrder, rules: Instrument) -> list[tuple[str, str]]:
    """Return (field, message) for every instrument rule the order breaks.

    The values that the messages name keep all rules together: with them in place of the order's own
    there is no finding.
    """
    price, quantity = place.price, place.quantity
    if (
        not price % rules.price_tick
        and not quantity % rules.quantity_step
        and rules.quantity_min <= quantity <= rules.quantity_max
        and price * quantity >= rules.notional_min
    ):
        return []
    nearest_price = _nearest(price, rules.price_tick)
    return [
        *_price_off_grid(price, nearest_price, rules),
        *_quantity_findings(quantity, nearest_price, rules),
    ]


def quantity_range(price: Decimal, rules: Instrument) -> tuple[Decimal, Decimal]:
    """Return the least and the most quantity an order at `price` may have; none if least > most."""
    step = rules.quantity_step
    least = max(_up(rules.quantity_min, step), _up(rules.notional_min, price * step) / price)
    return least, rules.quantity_max // step * step


def check_abilities(
    place: PlaceOrder, abilities: Abilities, kind: InstrumentKind
) -> list[tuple[str, str]]:
    """Return (field, message) for what the exchange does not support in instruments of this kind.

    What a session's end does to an order that came over one is up to us (`core/sessions.py`).
    """
    findings = []
    if not _supports_time_in_force(place.time_in_force, abilities):
        findings.append((
            "time_in_force",
            f"{place.time_in_force_text} is not supported by {abilities.exchange};"
            f" supported: {_names(abilities.time_in_force)}",
        ))  # fmt: skip
    supported = abilities.exec_inst
    if kind is InstrumentKind.PERPETUAL:
        supported |= abilities.exec_inst_perpetual
    if place.session:
        supported |= _ON_DISCONNECT
    for instruction in place.exec_inst:
        if instruction not in supported:
            where = f" in {kind} markets" if abilities.exec_inst_perpetual else ""
            if instruction in _ON_DISCONNECT:
                where += ", only by WebSocket or FIX"
            findings.append((
                "exec_inst",
                f"{instruction} is not supported by {abilities.exchange}{where};"
                f" supported: {_names(supported)}",
            ))  # fmt: skip
    return findings


def check_combinations(place: PlaceOrder) -> list[tuple[str, str]]:
    """Return (field, message) for instructions that contradict one another, whatever the exchange."""
    findings = []
    if _ON_DISCONNECT.issubset(place.exec_inst):
        findings.append((
            "exec_inst",
            "CANCEL_ON_DISCONNECT contradicts DO_NOT_CANCEL_ON_DISCONNECT; give one of the two",
        ))  # fmt: skip
    if ExecInst.MAKER_OR_CANCEL in place.exec_inst and place.time_in_force in _IMMEDIATE:
        findings.append((
            "exec_inst",
            f"MAKER_OR_CANCEL cannot be combined with time_in_force {place.time_in_force_text},"
            " which never rests; use GOOD_TILL_CANCEL or a GOOD_TILL_TIME",
        ))  # fmt: skip
    return findings


def exec_inst_told(order: Order, abilities: Abilities | None) -> tuple[ExecInst, ...]:
    """Return the instructions that the exchange is given with an order that came over a session.

    The session's end is not the exchange's to act on; that it shall not act on the end of ours it is told
    if it knows the word.
    """
    untold = {ExecInst.CANCEL_ON_DISCONNECT}
    if abilities is None or ExecInst.DO_NOT_CANCEL_ON_DISCONNECT not in abilities.exec_inst:
        untold.add(ExecInst.DO_NOT_CANCEL_ON_DISCONNECT)
    return tuple(each for each in order.exec_inst if each not in untold)


def check_expire_time(place: PlaceOrder, now_ns: int) -> list[tuple[str, str]]:
    """Return a finding when the order would be expired before it is sent."""
    if place.expire_time_ns is not None and place.expire_time_ns <= now_ns:
        late_ms = (now_ns - place.expire_time_ns) // 1_000_000
        return [("expire_time", f"lies {late_ms} ms in the past; give a time in the future")]
    return []


def check_risk(
    place: PlaceOrder,
    rules: Instrument,
    ledger: Ledger,
    mode: AccountMode,
    is_over_rate: bool,
    exposure: Exposure | None = None,
) -> tuple[Reason, str] | None:
    """Return the first reason, with its text, for which the order must not be sent.

    `exposure` is None for spot.
    """
    if exposure is not None:
        asset, needed = rules.quote, _margin(place, exposure, place.quantity)
    elif place.side is Side.BUY:
        asset, needed = rules.quote, place.price * place.quantity
    else:
        asset, needed = rules.base, place.quantity
    available = ledger.available(asset)
    if needed > available and needed:
        text = _insufficient(place, rules, asset, needed, available, exposure)
        return Reason.INSUFFICIENT_BALANCE, text
    if is_over_rate:
        return (
            Reason.ORDER_RATE,
            f"{Reason.ORDER_RATE}: the account's order rate is used up; send again in a second",
        )
    if mode is AccountMode.REDUCING:
        only = _increasing(place, rules, exposure)
        if only is not None:
            text = f"{Reason.ACCOUNT_REDUCING}: {place.account} is reducing; {only}"
            return Reason.ACCOUNT_REDUCING, text
    if mode is AccountMode.HALTED:
        return (
            Reason.ACCOUNT_HALTED,
            f"{Reason.ACCOUNT_HALTED}: {place.account} is halted; only cancels pass",
        )
    return None


def _margin(place: PlaceOrder, exposure: Exposure, quantity: Decimal) -> Decimal:
    """Return what the order would lock if it were for `quantity`."""
    if ExecInst.DO_NOT_INCREASE in place.exec_inst:
        return ZERO
    return exposure.margin.more(place.side, place.price, quantity)


def _most(
    place: PlaceOrder, rules: Instrument, available: Decimal, exposure: Exposure | None
) -> Decimal:
    """Return the most steps of quantity that `available` is enough for."""
    step = rules.quantity_step
    if exposure is None:
        per_step = step * (place.price if place.side is Side.BUY else 1)
        return max(ZERO, available) // per_step * step
    enough, too_many = 0, int(place.quantity // step) + 1
    while too_many - enough > 1:
        steps = (enough + too_many) // 2
        if _margin(place, exposure, step * steps) <= max(ZERO, available):
            enough = steps
        else:
            too_many = steps
    return step * enough


def _increasing(place: PlaceOrder, rules: Instrument, exposure: Exposure | None) -> str | None:
    """Return which orders would reduce, None if this one does."""
    if exposure is None:
        return "only SELL orders pass" if place.side is Side.BUY else None
    held = exposure.signed_quantity
    if not held:
        return f"there is no position in {rules.symbol}, so no order reduces it"
    side = Side.SELL if held > ZERO else Side.BUY
    most = max(ZERO, abs(held) - exposure.reducing_quantity)
    if place.side is side and place.quantity <= most:
        return None
    if not most:
        return f"open orders may close the whole position in {rules.symbol} already"
    return f"only {side} orders of at most {plain(most)} pass in {rules.symbol}"


def _insufficient(
    place: PlaceOrder,
    rules: Instrument,
    asset: str,
    needed: Decimal,
    available: Decimal,
    exposure: Exposure | None,
) -> str:
    least, most = quantity_range(place.price, rules)
    most = min(most, _most(place, rules, available, exposure))
    can_be = (
        f"the most that amount_order can be at this price is {plain(most)}"
        if most >= least
        else f"not enough for {plain(least)}, the least that amount_order can be at this price"
    )
    return (
        f"{Reason.INSUFFICIENT_BALANCE}: needs {plain(needed)} {asset}, {plain(available)} available;"
        f" {can_be}"
    )


def _price_off_grid(price: Decimal, nearest: Decimal, rules: Instrument) -> list[tuple[str, str]]:
    if price == nearest:
        return []
    return [(
        "price",
        f"{plain(price)} is not a multiple of the tick {plain(rules.price_tick)} of {rules.symbol};"
        f" the nearest is {plain(nearest)}",
    )]  # fmt: skip


def _quantity_findings(
    quantity: Decimal, price: Decimal, rules: Instrument
) -> list[tuple[str, str]]:
    """Return what is wrong with `quantity` in an order at `price`, which keeps its own rule."""
    shown, symbol = plain(quantity), rules.symbol
    wrong = []
    if quantity % rules.quantity_step:
        wrong.append(
            f"{shown} is not a multiple of the size step {plain(rules.quantity_step)} of {symbol}"
        )
    if quantity < rules.quantity_min:
        wrong.append(f"{shown} is below the least quantity {plain(rules.quantity_min)} of {symbol}")
    elif quantity > rules.quantity_max:
        wrong.append(f"{shown} is above the most quantity {plain(rules.quantity_max)} of {symbol}")
    if price * quantity < rules.notional_min:
        wrong.append(
            f"{shown} at price {plain(price)} is worth {plain(price * quantity)} {rules.quote},"
            f" below the least notional {plain(rules.notional_min)} of {symbol}"
        )
    least, most = quantity_range(price, rules)
    if least > most:
        right = f"no amount_order is valid at price {plain(price)}"
    else:
        right = f"the nearest is {plain(min(max(_nearest(quantity, rules.quantity_step), least), most))}"
    return [("amount_order", f"{text}; {right}") for text in wrong]


def _nearest(value: Decimal, step: Decimal) -> Decimal:
    """Return the multiple of `step` nearest to `value`, at least one step."""
    below = value // step * step
    above = below + step
    return above if not below or above - value < value - below else below


def _up(value: Decimal, step: Decimal) -> Decimal:
    """Return the least multiple of `step` that is not below `value`."""
    below = value // step * step
    return below if below == value else below + step


def _supports_time_in_force(time_in_force: TimeInForce, abilities: Abilities) -> bool:
    if time_in_force is TimeInForce.GOOD_TILL_TIME_OMS:
        return TimeInForce.GOOD_TILL_CANCEL in abilities.time_in_force
    return time_in_force in abilities.time_in_force


def _names(values: frozenset[TimeInForce] | frozenset[ExecInst]) -> str:
    return ", ".join(sorted(values)) or "none"
