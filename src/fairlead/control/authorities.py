"""Who issues certificates: its certificate, and its key sealed by the vault. The newest one counts.

The root's key is never here: it is in the folder of `fairlead tls init`, or offline. Must never return a
key to anyone but who signs with it.
"""

from contextlib import AbstractContextManager
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import Connection, select

from fairlead.control.audit import Actor, Audit, Entry
from fairlead.control.tables import AUTHORITIES
from fairlead.control.vault import Place, Vault
from fairlead.core.requests import LOCAL
from fairlead.tls.authority import Authority, Issuer, PrivateKey, key_pem, pem


class Authorities:
    """The authorities of an installation, all subscriptions together."""

    def __init__(self, vault: Vault, audit: Audit) -> None:
        self._vault = vault
        self._audit = audit

    def current(self, connection: Connection) -> Authority | None:
        """Return who issues, None before `fairlead tls init`. Raises ControlError."""
        newest = select(AUTHORITIES).order_by(AUTHORITIES.c.created_ns.desc()).limit(1)
        row = connection.execute(newest).first()
        if row is None:
            return None
        key = self._vault.open(connection, _place(row.fingerprint), row.sealed_key)
        issuer = Issuer(
            x509.load_pem_x509_certificate(row.certificate.encode()),
            cast(PrivateKey, load_pem_private_key(key, None)),
        )
        return Authority(issuer, x509.load_pem_x509_certificate(row.root.encode()))

    def change(self) -> AbstractContextManager[Connection]:
        """Give a change in which one can be added. Raises ControlError."""
        return self._audit.change()

    def add(self, change: Connection, actor: Actor, authority: Authority, now_ns: int) -> None:
        """Have this one issue from now on."""
        self._vault.add_subscription(change, LOCAL, now_ns)
        issuer = authority.issuer
        name = issuer.certificate.fingerprint(hashes.SHA256()).hex()
        change.execute(
            AUTHORITIES.insert().values(
                fingerprint=name,
                certificate=pem(issuer.certificate).decode(),
                root=pem(authority.root).decode(),
                sealed_key=self._vault.seal(change, _place(name), key_pem(issuer.key)),
                created_ns=now_ns,
            )
        )
        after = {
            "subject": issuer.certificate.subject.rfc4514_string(),
            "root": authority.root.subject.rfc4514_string(),
            "not_after_ns": issuer.ends_ns,
        }
        self._audit.append(
            change, actor, Entry(action="authority.create", target=name, after=after), now_ns
        )


def _place(fingerprint: str) -> Place:
    return Place(LOCAL, "authority", fingerprint, "private_key", 1)
