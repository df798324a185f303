"""Exact decimal arithmetic: a context that refuses to round.

Sums, differences and products of prices and quantities are exact, or the process stops. Only an
average needs a division, and it says so by using `average`.
"""

import decimal
from decimal import Decimal

EXACT = decimal.Context(
    prec=160,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow, decimal.Inexact],
)
_AVERAGE = decimal.Context(prec=28, rounding=decimal.ROUND_HALF_EVEN)


def use_exact_decimals() -> None:
    """Make `EXACT` the arithmetic of the current task or thread and of tasks it starts."""
    decimal.setcontext(EXACT.copy())


def average(total: Decimal, count: Decimal) -> Decimal:
    """Return `total` / `count` to 28 significant digits, half even, without trailing zeros."""
    quotient = _AVERAGE.divide(total, count)
    return quotient.normalize(_AVERAGE)


def is_exact() -> bool:
    """Whether the current task or thread computes exactly."""
    context = decimal.getcontext()
    return context.prec >= EXACT.prec and context.traps[decimal.Inexact]
