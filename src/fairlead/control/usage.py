"""How much each key has used: the words for it. Values only.

A day is that of UTC, as `2026-11-27`. What belongs to no account in particular has an empty one: a request
about all accounts, and the time of a connection.
"""

import time
from datetime import date

import msgspec

DAYS_SHOWN = 31
USES_MAX = 50  # that are remembered of each key
DAY_NS = 24 * 3_600 * 1_000_000_000


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What one key used of one account on one day; connected times are sums over its connections."""

    subscription: str
    day: str
    kid: str
    account: str
    requests: int = 0
    orders: int = 0
    websocket_ms: int = 0
    fix_ms: int = 0


class Use(msgspec.Struct, frozen=True):
    """When, from where and how a key was used. `certificate`: whose fingerprint proved it, empty if none."""

    kid: str
    time_ns: int
    address: str
    protocol: str
    certificate: str


class Batch(msgspec.Struct, frozen=True):
    """What one process has counted since its batch before. Numbers begin at 1."""

    number: int
    rows: tuple[Used, ...]
    uses: tuple[Use, ...] = ()


class UsageAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which usage; None: all keys, or all accounts. Both days are in it."""

    subscription: str
    day_first: str
    day_last: str
    kid: str | None = None
    accounts: frozenset[str] | None = None


def day_of(time_ns: int) -> str:
    """Return the day of a moment."""
    return time.strftime("%Y-%m-%d", time.gmtime(time_ns // 1_000_000_000))


def day_end_ns(time_ns: int) -> int:
    """Return the moment at which the day after this one begins."""
    return (time_ns // DAY_NS + 1) * DAY_NS


def first_day(last: date) -> date:
    """Return the day that usage is shown from, up to `last`, where nobody says from which."""
    return date.fromordinal(max(1, last.toordinal() - DAYS_SHOWN + 1))
