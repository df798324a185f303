"""Keys as they stand in the database, read within somebody's read.

Must never begin or commit anything, nor give what proves a key to anybody but who decides about requests.
"""

from typing import Any, assert_never

import msgspec
import structlog
from sqlalchemy import Connection, Row, select

from fairlead.control.keys import ApiKey, Kind, Rights, State, Usable
from fairlead.control.tables import KEYS
from fairlead.control.vault import Place, SealBroken, Vault

log = structlog.get_logger()


def row_of(key: ApiKey) -> dict[str, object]:
    """Return the row of a key, without what proves it; so it stands in the audit too."""
    return {
        "kid": key.kid,
        "subscription": key.subscription,
        "label": key.label,
        "state": str(key.stored_state),
        "rights": msgspec.json.encode(key.rights).decode(),
        "created_ns": key.created_ns,
        "expires_ns": key.expires_ns,
        "version": key.version,
        "kind": str(key.kind),
    }


def key_of(row: Row[Any]) -> ApiKey:
    """Return the key of a row."""
    return ApiKey(
        kid=row.kid,
        subscription=row.subscription,
        label=row.label,
        stored_state=State(row.state),
        rights=msgspec.json.decode(row.rights, type=Rights),
        created_ns=row.created_ns,
        expires_ns=row.expires_ns,
        version=row.version,
        kind=Kind(row.kind),
    )


def usable(connection: Connection, vault: Vault) -> list[Usable]:
    """Return the keys that are active, with what proves them.

    Of every subscription: whose somebody is shows when the key is known. One whose sealed secret does
    not open is left out, and the log says so: it must not keep the changes of the others from being
    heard of.
    """
    found = []
    for row in connection.execute(select(KEYS).where(KEYS.c.state == State.ACTIVE)):
        try:
            found.append(Usable(key_of(row), _proof(connection, vault, row)))
        except SealBroken as error:
            log.error("key unusable", key=row.kid, cause=str(error))  # noqa: TRY400 - no trace
    return found


def _proof(connection: Connection, vault: Vault, row: Row[Any]) -> bytes:
    """Return what proves a key. Raises SealBroken."""
    proof: bytes
    match Kind(row.kind):
        case Kind.BEARER:
            proof = row.secret_hash
        case Kind.ED25519:
            proof = row.public_key
        case Kind.HMAC:
            place = place_of_secret(row.subscription, row.kid)
            proof = vault.open(connection, place, row.sealed_secret)
        case unknown:
            assert_never(unknown)
    return proof


def place_of_secret(subscription: str, kid: str) -> Place:
    """Return where the sealed secret of a key lies."""
    return Place(subscription, "key", kid, "secret", 1)
