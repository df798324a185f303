"""Pre-trade checks: instrument rules (a 400) and risk (a stored, REJECTED order).

Every message names the contract's field or the coded reason, the value, and the nearest that would
be right. Pure: values in, findings out.
"""

from decimal import Decimal

from fairlead.core.ledger import Ledger
from fairlead.core.messages import PlaceOrder
from fairlead.core.model import (
    ZERO,
    Abilities,
    AccountMode,
    ExecInst,
    Instrument,
    Reason,
    Side,
    TimeInForce,
)

_IMMEDIATE = frozenset({TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL})


def plain(value: Decimal) -> str:
    """Return `value` without an exponent and without trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def check_instrument(place: PlaceOrder, rules: Instrument) -> list[tuple[str, str]]:
    """Return (field, message) for every instrument rule the order breaks."""
    return [
        *_off_grid("price", place.price, rules.price_tick, "tick", rules.symbol),
        *_off_grid("amount_order", place.quantity, rules.quantity_step, "size step", rules.symbol),
        *_quantity_range(place, rules),
        *_notional(place, rules),
    ]


def check_abilities(place: PlaceOrder, abilities: Abilities) -> list[tuple[str, str]]:
    """Return (field, message) for what the exchange does not support."""
    findings = []
    if not _supports_time_in_force(place.time_in_force, abilities):
        findings.append((
            "time_in_force",
            f"{place.time_in_force_text} is not supported by {abilities.exchange};"
            f" supported: {_names(abilities.time_in_force)}",
        ))  # fmt: skip
    for instruction in place.exec_inst:
        if instruction not in abilities.exec_inst:
            findings.append((
                "exec_inst",
                f"{instruction} is not supported by {abilities.exchange};"
                f" supported: {_names(abilities.exec_inst)}",
            ))  # fmt: skip
    if ExecInst.MAKER_OR_CANCEL in place.exec_inst and place.time_in_force in _IMMEDIATE:
        findings.append((
            "exec_inst",
            f"MAKER_OR_CANCEL cannot be combined with time_in_force {place.time_in_force_text},"
            " which never rests; use GOOD_TILL_CANCEL or a GOOD_TILL_TIME",
        ))  # fmt: skip
    return findings


def check_expire_time(place: PlaceOrder, now_ns: int) -> list[tuple[str, str]]:
    """Return a finding when the order would be expired before it is sent."""
    if place.expire_time_ns is not None and place.expire_time_ns <= now_ns:
        late_ms = (now_ns - place.expire_time_ns) // 1_000_000
        return [("expire_time", f"lies {late_ms} ms in the past; give a time in the future")]
    return []


def check_risk(
    place: PlaceOrder, rules: Instrument, ledger: Ledger, mode: AccountMode, is_over_rate: bool
) -> tuple[Reason, str] | None:
    """Return the first reason, with its text, for which the order must not be sent."""
    if place.side is Side.BUY:
        asset, needed = rules.quote, place.price * place.quantity
    else:
        asset, needed = rules.base, place.quantity
    available = ledger.available(asset)
    if needed > available:
        return Reason.INSUFFICIENT_BALANCE, _insufficient(place, rules, asset, needed, available)
    if is_over_rate:
        return (
            Reason.ORDER_RATE,
            f"{Reason.ORDER_RATE}: the account's order rate is used up; send again in a second",
        )
    if mode is AccountMode.REDUCING and place.side is Side.BUY:
        return (
            Reason.ACCOUNT_REDUCING,
            f"{Reason.ACCOUNT_REDUCING}: {place.account} is reducing; only SELL orders pass",
        )
    if mode is AccountMode.HALTED:
        return (
            Reason.ACCOUNT_HALTED,
            f"{Reason.ACCOUNT_HALTED}: {place.account} is halted; only cancels pass",
        )
    return None


def _insufficient(
    place: PlaceOrder, rules: Instrument, asset: str, needed: Decimal, available: Decimal
) -> str:
    spendable = max(ZERO, available)
    per_step = rules.quantity_step * (place.price if place.side is Side.BUY else 1)
    most = spendable // per_step * rules.quantity_step
    return (
        f"{Reason.INSUFFICIENT_BALANCE}: needs {plain(needed)} {asset}, {plain(available)} available;"
        f" the most that amount_order can be at this price is {plain(most)}"
    )


def _off_grid(
    field: str, value: Decimal, step: Decimal, step_name: str, symbol: str
) -> list[tuple[str, str]]:
    if not value % step:
        return []
    return [(
        field,
        f"{plain(value)} is not a multiple of the {step_name} {plain(step)} of {symbol};"
        f" the nearest is {plain(_nearest(value, step))}",
    )]  # fmt: skip


def _nearest(value: Decimal, step: Decimal) -> Decimal:
    """Return the multiple of `step` nearest to `value`, at least one step."""
    below = value // step * step
    above = below + step
    return above if not below or above - value < value - below else below


def _quantity_range(place: PlaceOrder, rules: Instrument) -> list[tuple[str, str]]:
    if place.quantity < rules.quantity_min:
        side, limit = "below the least", rules.quantity_min
    elif place.quantity > rules.quantity_max:
        side, limit = "above the most", rules.quantity_max
    else:
        return []
    return [(
        "amount_order",
        f"{plain(place.quantity)} is {side} quantity {plain(limit)} of {rules.symbol}",
    )]  # fmt: skip


def _notional(place: PlaceOrder, rules: Instrument) -> list[tuple[str, str]]:
    notional = place.price * place.quantity
    if notional >= rules.notional_min:
        return []
    per_step = place.price * rules.quantity_step
    least = rules.notional_min // per_step * rules.quantity_step
    if least * place.price < rules.notional_min:
        least += rules.quantity_step
    return [(
        "amount_order",
        f"{plain(place.quantity)} at price {plain(place.price)} is worth {plain(notional)}"
        f" {rules.quote}, below the least notional {plain(rules.notional_min)} of {rules.symbol};"
        f" at this price the least is {plain(least)}",
    )]  # fmt: skip


def _supports_time_in_force(time_in_force: TimeInForce, abilities: Abilities) -> bool:
    if time_in_force is TimeInForce.GOOD_TILL_TIME_OMS:
        return TimeInForce.GOOD_TILL_CANCEL in abilities.time_in_force
    return time_in_force in abilities.time_in_force


def _names(values: frozenset[TimeInForce] | frozenset[ExecInst]) -> str:
    return ", ".join(sorted(values)) or "none"
