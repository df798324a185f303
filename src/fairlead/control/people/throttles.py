"""How often something may be tried: counted in the database, so that neither a restart nor a second
process forgets it. An attempt counts before anybody knows what comes of it, so parallel ones count too.
"""

import hashlib
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, delete, func, select

from fairlead.control.tables import ATTEMPTS

_S = 1_000_000_000
_MINUTE = 60 * _S


class Limit(msgspec.Struct, frozen=True):
    """At most `count` attempts of a kind by one subject within `window_ns`."""

    kind: str
    count: int
    window_ns: int


# By e-mail and address together: who tries from elsewhere must not be able to lock an owner out.
SIGN_IN = Limit("sign_in", 10, 15 * _MINUTE)
SIGN_IN_ADDRESS = Limit("sign_in_address", 60, 15 * _MINUTE)
SECOND_FACTOR = Limit("second_factor", 10, 15 * _MINUTE)
# From wherever: who gets so far has the password, and a million codes are tried from a thousand addresses.
SECOND_FACTOR_USER = Limit("second_factor_user", 60, 60 * _MINUTE)
PROOF = Limit("proof", 10, 15 * _MINUTE)  # by session: a new one may try again
FORGOTTEN_ADDRESS = Limit("forgotten_address", 20, 15 * _MINUTE)


def attempt(change: Connection, limit: Limit, subject: str, now_ns: int) -> int | None:
    """Count an attempt; return None, or in how many ns there may be one again, having counted nothing."""
    return attempts(change, ((limit, subject),), now_ns)


def attempts(change: Connection, limits: Sequence[tuple[Limit, str]], now_ns: int) -> int | None:
    """Count an attempt with several limits, each with its subject, or with none where one is reached.

    Returns None, or in how many ns there may be one again.
    """
    waits = [_wait(change, limit, subject, now_ns) for limit, subject in limits]
    longest = max(each or 0 for each in waits)
    if longest:
        return longest
    for limit, subject in limits:
        change.execute(
            ATTEMPTS.insert().values(kind=limit.kind, subject=_kept(subject), time_ns=now_ns)
        )
    return None


def _wait(change: Connection, limit: Limit, subject: str, now_ns: int) -> int | None:
    since = now_ns - limit.window_ns
    change.execute(
        delete(ATTEMPTS).where(ATTEMPTS.c.kind == limit.kind, ATTEMPTS.c.time_ns <= since)
    )
    of_kind = (ATTEMPTS.c.kind == limit.kind) & (ATTEMPTS.c.subject == _kept(subject))
    count, oldest = change.execute(
        select(func.count(), func.min(ATTEMPTS.c.time_ns)).where(of_kind)
    ).one()
    return int(oldest) + limit.window_ns - now_ns if count >= limit.count else None


def take_back(change: Connection, limits: Sequence[tuple[Limit, str]], attempted_ns: int) -> None:
    """Have an attempt of that moment not count: nothing came of it, by no fault of who made it."""
    for limit, subject in limits:
        of_it = select(func.max(ATTEMPTS.c.attempt)).where(
            ATTEMPTS.c.kind == limit.kind,
            ATTEMPTS.c.subject == _kept(subject),
            ATTEMPTS.c.time_ns == attempted_ns,
        )
        change.execute(delete(ATTEMPTS).where(ATTEMPTS.c.attempt == of_it.scalar_subquery()))


def forgive(change: Connection, limit: Limit, subject: str) -> None:
    """Forget a subject's attempts: it has shown that they were its own."""
    change.execute(
        delete(ATTEMPTS).where(ATTEMPTS.c.kind == limit.kind, ATTEMPTS.c.subject == _kept(subject))
    )


def _kept(subject: str) -> str:
    """Return how a subject is kept: what somebody has typed as an address may be a password."""
    return hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()
