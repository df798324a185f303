"""Where each key was used last: its last uses by minute, address, protocol and certificate, and no more.

Written with the usage, every few seconds; see `metering`.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Text, bindparam, delete, func, select

from fairlead.control.tables import ACTIVITY
from fairlead.control.upserting import upsert
from fairlead.control.usage import USES_MAX, Use

_PLACE = ("kid", "minute", "address", "protocol", "certificate")
_MINUTE_NS = 60 * 1_000_000_000


def add_uses(connection: Connection, uses: Sequence[Use]) -> None:
    """Keep uses, and of each key the last ones only."""
    if not uses:
        return
    values = [_row(each) for each in uses]
    # In one order for all processes, so that no two wait for each other.
    values.sort(key=lambda row: tuple(map(str, (row[each] for each in _PLACE))))
    upsert(connection, ACTIVITY, _PLACE, ("time_ns",), values, is_added=False)
    at, of_key = ACTIVITY.c, bindparam("of_key", type_=Text)
    oldest = select(at.time_ns).where(at.kid == of_key).order_by(at.time_ns.desc())
    last = oldest.limit(1).offset(USES_MAX - 1).correlate(None).scalar_subquery()
    older = delete(ACTIVITY).where(at.kid == of_key, at.time_ns < last)
    connection.execute(older, [{"of_key": kid} for kid in sorted({each.kid for each in uses})])


def uses_of(connection: Connection, kid: str) -> list[Use]:
    """Return the last uses of a key, the newest first."""
    at = ACTIVITY.c
    held = select(ACTIVITY).where(at.kid == kid)
    newest = held.order_by(at.time_ns.desc(), at.address, at.protocol, at.certificate)
    return [_use(row) for row in connection.execute(newest.limit(USES_MAX))]


def last_uses(connection: Connection, kids: Sequence[str]) -> dict[str, Use]:
    """Return the last use of each of these keys that has been used."""
    at = ACTIVITY.c
    newest = (
        select(at.kid, func.max(at.time_ns).label("time_ns"))
        .where(at.kid.in_(kids))
        .group_by(at.kid)
        .subquery()
    )
    same = (at.kid == newest.c.kid) & (at.time_ns == newest.c.time_ns)
    rows = connection.execute(select(ACTIVITY).join(newest, same))
    return {row.kid: _use(row) for row in rows}


def _row(use: Use) -> dict[str, object]:
    return {
        "kid": use.kid,
        "minute": use.time_ns // _MINUTE_NS,
        "address": use.address,
        "protocol": use.protocol,
        "certificate": use.certificate,
        "time_ns": use.time_ns,
    }


def _use(row: object) -> Use:
    return Use(*(getattr(row, each) for each in Use.__struct_fields__))
