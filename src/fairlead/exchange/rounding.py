"""Rounding, said each time: a quotient or a product with its step and its direction; and numbers in words.

Arithmetic is exact here (`core/exact.py`) and refuses to round by accident; this is where it is meant.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_UP, Context, Decimal

MONEY_STEP = Decimal("0.00000001")  # of realized profit, margins, funding and entry prices

UP = Context(prec=80, rounding=ROUND_UP, traps=[])  # away from zero
CEILING = Context(prec=80, rounding=ROUND_CEILING, traps=[])
FLOOR = Context(prec=80, rounding=ROUND_FLOOR, traps=[])
NEAREST = Context(prec=80, rounding=ROUND_HALF_EVEN, traps=[])

_ONE = Decimal(1)
_TOLD_DIGITS = 38  # on either side of the point


def divided(value: Decimal, divisor: Decimal, way: Context, step: Decimal = MONEY_STEP) -> Decimal:
    """Return `value` / `divisor` with the decimals of `step`, rounded in this way."""
    return way.divide(value, divisor).quantize(step, context=way)


def rounded(value: Decimal, way: Context, step: Decimal = MONEY_STEP) -> Decimal:
    """Return `value` with the decimals of `step`, rounded in this way."""
    return value.quantize(step, context=way)


def told(number: Decimal) -> str:
    """Return `number` as a text says it: without an exponent, unless nobody could read it then."""
    exponent = number.as_tuple().exponent
    if (
        not isinstance(exponent, int)
        or exponent < -_TOLD_DIGITS
        or number.adjusted() > _TOLD_DIGITS
    ):
        return str(number)
    return f"{number:f}"


def to_multiple(value: Decimal, tick: Decimal, way: Context) -> Decimal:
    """Return the multiple of `tick` next to `value` in this way."""
    return way.divide(value, tick).quantize(_ONE, context=way) * tick
