"""Amounts and times as the API writes them: exact, never through a binary float."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

Amount = Decimal | int | str  # a string goes out as it is: the system judges it

NS_PER_S = 1_000_000_000


def wire_amount(name: str, amount: object) -> msgspec.Raw | str:
    """Return an amount for JSON, every digit of it.

    Raises TypeError for anything but a Decimal, an int or a string, above all for a float, and
    ValueError for a Decimal that is not a number.
    """
    if isinstance(amount, str):
        return amount
    if isinstance(amount, bool) or not isinstance(amount, Decimal | int):
        raise TypeError(
            f"{name} {amount!r} is a {type(amount).__name__}, give a decimal.Decimal, an int or a string"
        )
    if isinstance(amount, Decimal) and not amount.is_finite():
        raise ValueError(f"{name} {amount} is not a number")
    return msgspec.Raw(format(amount, "f"))


def wire_time(name: str, time: datetime | str) -> str:
    """Return a time for the API; text goes out as it is.

    Raises ValueError for a datetime without a zone.
    """
    if isinstance(time, str):
        return time
    if time.utcoffset() is None:
        raise ValueError(f"{name} {time} has no zone, give one such as datetime.now(UTC)")
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def time_text(time_ns: int) -> str:
    """Return UTC nanoseconds as the API writes times, to 100 ns."""
    seconds, rest = divmod(time_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 100:07d}Z"


def time_ns(text: str) -> int:
    """Return UTC nanoseconds of a time as the API writes it."""
    second = datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
    fraction = text[19:].strip(".Z")
    return int(second.timestamp()) * NS_PER_S + int(fraction.ljust(9, "0")[:9] or 0)
