"""Times on the wire (contract 1.2): ISO 8601 in UTC ⇄ integer nanoseconds."""

import re
from datetime import date
from functools import lru_cache

from fairlead.gateway.wrong import Wrong, shown

TIME_MAX_NS = 2**63 - 1  # 2262-04-11, the last that the journal can hold

_EXTENDED = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:T([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{7}|[0-9]{3}))?)?)?Z?)?"
).fullmatch
_BASIC = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})"
    r"(?:T([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.?([0-9]{7}|[0-9]{3}))?)?)?Z?)?"
).fullmatch
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_RIGHT = "give UTC such as 2021-01-08T09:30:00.0000000Z"


def read_time(value: object) -> int:
    """Return UTC ns; a missing zone means UTC. Raises Wrong.

    Accepts `yyyy-MM-ddTHH:mm:ss` with 7, 3 or 0 fraction digits, to the minute, hour or day, and
    the same in basic form (`yyyyMMddTHHmmss`), there also without the point before the fraction.
    The result may be negative or lie beyond `TIME_MAX_NS`.
    """
    if not isinstance(value, str):
        raise Wrong(f"{shown(value)} is not a time, {_RIGHT}")
    match = _EXTENDED(value) or _BASIC(value)
    if match is None:
        raise Wrong(
            f"{shown(value)} is not an ISO 8601 time with 7, 3 or 0 fraction digits, {_RIGHT}"
        )
    year, month, day, hour, minute, second, fraction = match.groups(default="0")
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    except ValueError:
        raise Wrong(f"{shown(value)} names a day that does not exist, {_RIGHT}") from None
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        raise Wrong(f"{shown(value)} names a time of day that does not exist, {_RIGHT}")
    seconds = ((days * 24 + int(hour)) * 60 + int(minute)) * 60 + int(second)
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0"))


def read_instant(value: object) -> int:
    """Return `read_time` for a moment that has to be kept: 1970 to 2262. Raises Wrong."""
    time_ns = read_time(value)
    if 0 <= time_ns <= TIME_MAX_NS:
        return time_ns
    raise Wrong(f"{shown(value)} does not lie between 1970-01-01 and 2262-04-11")


def read_bound(value: object) -> int:
    """Return `read_time` for the end of a range, moved into 1970 to 2262. Raises Wrong."""
    return min(max(read_time(value), 0), TIME_MAX_NS)


@lru_cache(maxsize=4096)  # all that a batch reports happened at one or two moments
def time_text(time_ns: int) -> str:
    """Return `yyyy-MM-ddTHH:mm:ss.fffffffZ`; what is below 100 ns is cut off."""
    return f"{_second_text(time_ns // 1_000_000_000)}{time_ns // 100 % 10_000_000:07d}Z"


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    day = date.fromordinal(days + _EPOCH_DAY)
    return f"{day.isoformat()}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}."
