"""Decimals on the wire (contract 1.3): exact in, exact and plain out.

Never a binary float: a JSON number arrives here as the text it was written in.
"""

import re
from decimal import Decimal

from fairlead.gateway.wrong import NumberText, Wrong, shown

DIGITS_MAX = 38  # of the plain form

_ZERO = Decimal(0)
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE]([+-]?[0-9]+))?").fullmatch
_EXPONENT_MAX = 999  # far beyond 38 digits, small enough to compute with


def read_number(value: object) -> Decimal:
    """Return the exact value of a JSON number or of a string holding one; raises Wrong."""
    if isinstance(value, str):
        return _parse(value, value)
    if isinstance(value, int) and value is not True and value is not False:
        if -(10**DIGITS_MAX) < value < 10**DIGITS_MAX:
            return Decimal(value)
        raise Wrong(_too_long(value))
    raise Wrong(f"{shown(value)} is not a number, give a JSON number or a string such as 0.045")


def read_positive(value: object) -> Decimal:
    """Return `read_number`, which must be greater than zero; raises Wrong."""
    number = read_number(value)
    if number > _ZERO:
        return number
    raise Wrong(f"{shown(value)} is not greater than 0, give a positive number")


def plain(number: Decimal) -> str:
    """Return the exact digits without an exponent, trailing zeros kept, zero without a sign."""
    text = str(number)
    if "E" in text:
        text = format(number, "f")
    if text[0] == "-" and not number:
        return text[1:]
    return text


def _parse(text: str, value: object) -> Decimal:
    match = _NUMBER(text)
    if match is None:
        raise Wrong(
            f"{shown(value)} is not a decimal number, give ASCII digits with at most one point"
            " such as 0.045 or 4.5e-2"
        )
    exponent = match[1]
    if exponent is None and len(text) <= DIGITS_MAX:
        return Decimal(text)
    if exponent is not None and len(exponent.lstrip("+-0")) > len(str(_EXPONENT_MAX)):
        raise Wrong(_too_long(value))
    number = Decimal(text)
    if _plain_digits(number) > DIGITS_MAX:
        raise Wrong(_too_long(value))
    return Decimal(format(number, "f"))


def _plain_digits(number: Decimal) -> int:
    """Count the digits of the plain form, a zero before the point included."""
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if exponent >= 0:
        return len(digits) + exponent
    return max(len(digits), 1 - exponent)


def _too_long(value: object) -> str:
    text = NumberText(value) if isinstance(value, int) else value
    return (
        f"{shown(text)} has more than {DIGITS_MAX} digits in plain form, give at most {DIGITS_MAX}"
    )
