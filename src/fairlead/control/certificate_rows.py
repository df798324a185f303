"""Certificates as they stand in the database, read and changed within somebody's read or change.

One counts while it is active and in date and its key can be used. Must never begin or commit anything.
"""

from typing import Any

from sqlalchemy import Connection, Row, func, select

from fairlead.control.certificate import Certificate, CertificateState
from fairlead.control.keys import State
from fairlead.control.tables import CERTIFICATES, KEYS
from fairlead.tls.authority import Revoked


def usable(connection: Connection) -> dict[str, Certificate]:
    """Return by fingerprint the certificates that are not revoked and whose key can be used."""
    joined = CERTIFICATES.join(KEYS, CERTIFICATES.c.kid == KEYS.c.kid)
    rows = connection.execute(
        select(CERTIFICATES)
        .select_from(joined)
        .where(
            CERTIFICATES.c.state == CertificateState.ACTIVE,
            KEYS.c.state == State.ACTIVE,
            KEYS.c.subscription == CERTIFICATES.c.subscription,
        )
    )
    return {row.fingerprint: certificate_of(row) for row in rows}


def revoked(connection: Connection, now_ns: int) -> list[Revoked]:
    """Return the revoked certificates that have not ended, for the list of them."""
    rows = connection.execute(
        select(CERTIFICATES)
        .where(
            CERTIFICATES.c.state == CertificateState.REVOKED, CERTIFICATES.c.not_after_ns > now_ns
        )
        .order_by(CERTIFICATES.c.revoked_ns, CERTIFICATES.c.fingerprint)
    )
    return [Revoked(int(row.serial, 16), row.revoked_ns) for row in rows]


def revoke_all_of(change: Connection, kid: str, now_ns: int) -> int:
    """Revoke the certificates of a key that is revoked, in the same change; return how many."""
    return revoke(change, now_ns, CERTIFICATES.c.kid == kid)


def revoke(change: Connection, now_ns: int, which: Any) -> int:
    """Revoke those of the active ones that fulfil a condition; return how many."""
    result = change.execute(
        CERTIFICATES.update()
        .where(which, CERTIFICATES.c.state == CertificateState.ACTIVE)
        .values(state=CertificateState.REVOKED, revoked_ns=now_ns)
    )
    return result.rowcount


def living(change: Connection, kid: str, now_ns: int) -> int:
    """Return how many certificates of a key are active and in date."""
    of_key = (
        CERTIFICATES.c.kid == kid,
        CERTIFICATES.c.state == CertificateState.ACTIVE,
        CERTIFICATES.c.not_after_ns > now_ns,
    )
    count: int = change.execute(
        select(func.count()).select_from(CERTIFICATES).where(*of_key)
    ).scalar_one()
    return count


def those_of(subscription: str, kid: str | None = None) -> Any:
    """Return the question for the certificates of a subscription, of one key if `kid` is given."""
    of_us = select(CERTIFICATES).where(CERTIFICATES.c.subscription == subscription)
    return of_us if kid is None else of_us.where(CERTIFICATES.c.kid == kid)


def certificate_of(row: Row[Any]) -> Certificate:
    """Return the certificate of a row."""
    return Certificate(
        fingerprint=row.fingerprint,
        subscription=row.subscription,
        kid=row.kid,
        serial=row.serial,
        created_ns=row.created_ns,
        not_after_ns=row.not_after_ns,
        revoked_ns=row.revoked_ns,
    )
