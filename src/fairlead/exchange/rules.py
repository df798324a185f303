"""Whether an order's form is one the exchange takes, before balances and the book are looked at.

Pure: a ticket, an instrument and the time in, a refusal or nothing out. A refusal says what was
wrong, with the value, and what would be right.
"""

import decimal
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from fairlead.core.model import ZERO, Instrument, TimeInForce
from fairlead.exchange.rounding import told
from fairlead.venues.sim_messages import Place, RefusalCode, WireOrigin

CLIENT_ID_LENGTH_MAX = 64
CLIENT_ID_ALPHABET = "A-Z a-z 0-9 . _ : / -"
PRICE_MAX = Decimal(10**12)
EXPIRE_TIME_MAX_NS = 2**63 - 1  # in the year 2262

# What the exchange makes itself has ids of its own.
OWN_CLIENT_IDS = {WireOrigin.LIQUIDATION: "liq-", WireOrigin.DELEVERAGING: "adl-"}

_client_id = re.compile(r"(?!liq-|adl-)[A-Za-z0-9._:/-]{1,64}", re.ASCII).fullmatch
_WIDE = decimal.Context(prec=60, traps=[])
_SHORT_LIVED = frozenset({TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL})


class Refusal(msgspec.Struct, frozen=True):
    """Why something was not done; nothing was changed."""

    code: RefusalCode
    text: str
    retry_after_ms: int | None = None


def refusal_of_form(ticket: Place, instrument: Instrument, now_ns: int) -> Refusal | None:
    """Return why `ticket` cannot be an order in `instrument` at `now_ns`, or None if it can."""
    if _client_id(ticket.client_id) is None:
        return Refusal(
            RefusalCode.MALFORMED,
            f"client_id must be 1 to {CLIENT_ID_LENGTH_MAX} characters of {CLIENT_ID_ALPHABET},"
            f" not beginning with {' or '.join(OWN_CLIENT_IDS.values())}",
        )
    return (
        _refusal_of_price(ticket.price, instrument)
        or _refusal_of_quantity(ticket.quantity, instrument)
        or _refusal_of_notional(ticket.price, ticket.quantity, instrument)
        or _refusal_of_time_in_force(ticket, now_ns)
    )


def tick_is_valid(tick: Decimal) -> bool:
    """Whether prices can be multiples of `tick`: 10⁻¹² to 10⁶, with at most 12 decimals."""
    exponent = tick.as_tuple().exponent
    return isinstance(exponent, int) and -12 <= exponent <= 0 and 0 < tick <= 10**6


def _refusal_of_price(price: Decimal, instrument: Instrument) -> Refusal | None:
    if not price.is_finite() or not ZERO < price <= PRICE_MAX:
        return Refusal(RefusalCode.PRICE, f"price {told(price)} is not between 0 and {PRICE_MAX:f}")
    tick = instrument.price_tick
    if _is_multiple(price, tick):
        return None
    return Refusal(
        RefusalCode.PRICE,
        f"price {told(price)} is not a multiple of the price tick {told(tick)} of"
        f" {instrument.symbol_exchange}; the nearest are {_nearest(price, tick)}",
    )


def _refusal_of_quantity(quantity: Decimal, instrument: Instrument) -> Refusal | None:
    least, most = instrument.quantity_min, instrument.quantity_max
    if not quantity.is_finite() or not least <= quantity <= most:
        return Refusal(
            RefusalCode.QUANTITY,
            f"quantity {told(quantity)} is not between {told(least)} and {told(most)} of"
            f" {instrument.symbol_exchange}",
        )
    step = instrument.quantity_step
    if _is_multiple(quantity, step):
        return None
    return Refusal(
        RefusalCode.QUANTITY,
        f"quantity {told(quantity)} is not a multiple of the size step {told(step)} of"
        f" {instrument.symbol_exchange}; the nearest are {_nearest(quantity, step)}",
    )


def _refusal_of_notional(
    price: Decimal, quantity: Decimal, instrument: Instrument
) -> Refusal | None:
    if price * quantity >= instrument.notional_min:
        return None
    return Refusal(
        RefusalCode.NOTIONAL,
        f"price × quantity is {told(price * quantity)} {instrument.quote_exchange}, below the least"
        f" notional {told(instrument.notional_min)} of {instrument.symbol_exchange}",
    )


def _refusal_of_time_in_force(ticket: Place, now_ns: int) -> Refusal | None:
    time_in_force = ticket.time_in_force
    if time_in_force is TimeInForce.GOOD_TILL_TIME_EXCHANGE:
        expire_ns = ticket.expire_time_ns
        if expire_ns is None or not now_ns < expire_ns <= EXPIRE_TIME_MAX_NS:
            return Refusal(
                RefusalCode.EXPIRE_TIME,
                f"expire_time_ns {expire_ns} is not after the exchange's time {now_ns}",
            )
        return None
    if ticket.expire_time_ns is not None:
        return Refusal(
            RefusalCode.EXPIRE_TIME, f"expire_time_ns must be absent with {time_in_force.value}"
        )
    if time_in_force is TimeInForce.GOOD_TILL_TIME_OMS:
        return Refusal(
            RefusalCode.MALFORMED, "time_in_force GOOD_TILL_TIME_OMS is not an exchange's"
        )
    if ticket.post_only and time_in_force in _SHORT_LIVED:
        return Refusal(
            RefusalCode.MALFORMED, f"post_only cannot be combined with {time_in_force.value}"
        )
    return None


def _is_multiple(value: Decimal, step: Decimal) -> bool:
    try:
        return not value % step
    except decimal.DecimalException:  # more digits than the exact context has room for
        return False


def _nearest(value: Decimal, step: Decimal) -> str:
    count = _WIDE.divide(value, step)
    below = _WIDE.multiply(count.to_integral_value(ROUND_FLOOR, _WIDE), step)
    above = _WIDE.multiply(count.to_integral_value(ROUND_CEILING, _WIDE), step)
    return told(above) if not below else f"{told(below)} and {told(above)}"
