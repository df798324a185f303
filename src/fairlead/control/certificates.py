"""Certificates of a subscription's keys: issued, revoked, listed. Each change, or refusal, is audited.

A certificate is bound to a key, and has no rights of its own: it counts while it is active and in date and
its key can be used, for what that key may then. Private keys are returned once and are nowhere afterwards.
"""

import re
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from fairlead.control import certificate_rows as rows
from fairlead.control.audit import Actor, Audit, Entry
from fairlead.control.authorities import Authorities
from fairlead.control.certificate import Certificate, CertificateState
from fairlead.control.key_text import plain
from fairlead.control.keyring import Keyring, named
from fairlead.control.keys import ApiKey, Denied, State
from fairlead.control.store import Store
from fairlead.control.tables import CERTIFICATES, KEYS
from fairlead.tls.authority import Issuer, pem, revoked_list
from fairlead.tls.client import Issued, client_of_request, client_text, read_request

_is_fingerprint = re.compile("[0-9a-f]{64}", re.ASCII).fullmatch

NO_AUTHORITY = "there is no authority that issues; `fairlead tls init` on the server makes one"
OF_KEY_MAX = 100  # that are active and in date
LISTED_MAX = 10_000


class Made(msgspec.Struct, frozen=True):
    """A new certificate. `text`: what its holder is given, in PEM; perhaps with its only private key."""

    certificate: Certificate
    text: str

    def __repr__(self) -> str:
        """Name it; never show a private key."""
        return f"Made({self.certificate!r})"


class Certificates:
    """The certificates of one subscription."""

    def __init__(
        self, store: Store, audit: Audit, keyring: Keyring, authorities: Authorities
    ) -> None:
        self._store = store
        self._audit = audit
        self._keyring = keyring
        self._authorities = authorities

    # ── looking ──────────────────────────────────────────────────────────────────────────────────

    def listed(self, kid: str | None = None) -> list[Certificate]:
        """Return the certificates, the newest first, of one key if `kid` is given. Raises ControlError."""
        return self._newest(rows.those_of(self._audit.subscription, kid))

    def listed_of(self, user: str) -> list[Certificate]:
        """Return those of a user's keys, as `listed` does. Raises ControlError."""
        of_user = CERTIFICATES.c.kid.in_(select(KEYS.c.kid).where(KEYS.c.user == user))
        return self._newest(rows.those_of(self._audit.subscription).where(of_user))

    def _newest(self, those: Any) -> list[Certificate]:
        newest = those.order_by(CERTIFICATES.c.created_ns.desc(), CERTIFICATES.c.fingerprint)
        with self._store.read() as connection:
            return [
                rows.certificate_of(row) for row in connection.execute(newest.limit(LISTED_MAX))
            ]

    def authority_text(self) -> str | Denied:
        """Return in PEM who issues, and the root of both: what a client trusts. Raises ControlError."""
        with self._store.read() as connection:
            authority = self._authorities.current(connection)
        if authority is None:
            return Denied("authority_missing", NO_AUTHORITY)
        return authority.chain.decode("ascii")

    def revoked_text(self, now_ns: int) -> str | Denied:
        """Return the list of revoked certificates in PEM, signed now. Raises ControlError."""
        with self._store.read() as connection:
            authority = self._authorities.current(connection)
            entries = rows.revoked(connection, now_ns)
        if authority is None:
            return Denied("authority_missing", NO_AUTHORITY)
        return pem(revoked_list(authority.issuer, entries, now_ns // 1_000_000, now_ns)).decode()

    # ── changing ─────────────────────────────────────────────────────────────────────────────────

    def issue(
        self, actor: Actor, name: str, now_ns: int, request: str | None = None
    ) -> Made | Denied:
        """Issue a certificate for the key of that public id, or label. Raises ControlError.

        `request`: a PKCS#10 request in PEM for a private key that its sender keeps; None: with a new one.
        """
        with self._audit.change() as change:
            return self.issue_in(change, actor, name, now_ns, request)

    def issue_in(
        self, change: Connection, actor: Actor, name: str, now_ns: int, request: str | None = None
    ) -> Made | Denied:
        """Issue one within a change. Raises ControlError."""
        key = self._keyring.find_in(change, name)
        made = key if isinstance(key, Denied) else self._made(change, key, now_ns, request)
        if isinstance(made, Denied):
            target = named(name) if isinstance(key, Denied) else key.kid
            return self._audit.refuse(change, actor, "certificate.issue", target, made, now_ns)
        row = _row(made.certificate)
        change.execute(CERTIFICATES.insert().values(**row, state=CertificateState.ACTIVE))
        entry = Entry(action="certificate.issue", target=made.certificate.fingerprint, after=row)
        self._audit.append(change, actor, entry, now_ns)
        return made

    def revoke(self, actor: Actor, fingerprint: str, now_ns: int) -> Certificate | Denied:
        """Take a certificate back for ever. Raises ControlError."""
        with self._audit.change() as change:
            return self.revoke_in(change, actor, fingerprint, now_ns)

    def revoke_in(
        self, change: Connection, actor: Actor, fingerprint: str, now_ns: int
    ) -> Certificate | Denied:
        """Take one back within a change. Raises ControlError."""
        before = self._revocable(change, fingerprint)
        if isinstance(before, Denied):
            target = fingerprint if _is_fingerprint(fingerprint) else ""  # it may be a secret
            return self._audit.refuse(change, actor, "certificate.revoke", target, before, now_ns)
        after = msgspec.structs.replace(before, revoked_ns=now_ns)
        rows.revoke(change, now_ns, CERTIFICATES.c.fingerprint == fingerprint)
        entry = Entry(
            action="certificate.revoke",
            target=fingerprint,
            before=_row(before),
            after=_row(after),
        )
        self._audit.append(change, actor, entry, now_ns)
        return after

    def revoke_wrong(self, fingerprint: str) -> Denied | None:
        """Return why a certificate cannot be taken back, None if it can. Raises ControlError."""
        with self._store.read() as connection:
            found = self._revocable(connection, fingerprint)
        return found if isinstance(found, Denied) else None

    def _revocable(self, connection: Connection, fingerprint: str) -> Certificate | Denied:
        found = self._find(connection, fingerprint)
        if isinstance(found, Denied) or found.revoked_ns is None:
            return found
        return Denied("certificate_revoked", f"certificate {fingerprint} is revoked already")

    def check(self, key: ApiKey, now_ns: int, request: str | None = None) -> Denied | None:
        """Return why no certificate could be issued for a key now, None if one could. Raises ControlError."""
        with self._store.read() as connection:
            issuer = self._issuer(connection, key, now_ns)
        if isinstance(issuer, Denied):
            return issuer
        try:
            if request is not None:
                read_request(request)
        except ValueError as error:
            return _request_invalid(error)
        return None

    def _issuer(self, connection: Connection, key: ApiKey, now_ns: int) -> Issuer | Denied:
        """Return who would issue a certificate for a key, or why nobody does."""
        state = key.state(now_ns)
        if state is not State.ACTIVE:
            return Denied("key_unusable", f"key {key.kid} is {state}; it must be active")
        if rows.living(connection, key.kid, now_ns) >= OF_KEY_MAX:
            text = f"key {key.kid} has {OF_KEY_MAX} certificates in force; revoke one first"
            return Denied("certificates_too_many", text)
        authority = self._authorities.current(connection)
        if authority is None or authority.issuer.ends_ns <= now_ns:
            return Denied("authority_missing", NO_AUTHORITY)
        return authority.issuer

    def _made(
        self, change: Connection, key: ApiKey, now_ns: int, request: str | None
    ) -> Made | Denied:
        issuer, until_ns = self._issuer(change, key, now_ns), key.expires_ns
        if isinstance(issuer, Denied):
            return issuer
        try:
            if request is None:
                text, issued = client_text(issuer, key.kid, now_ns, until_ns)
            else:
                public_key = read_request(request)
                text, issued = client_of_request(issuer, key.kid, public_key, now_ns, until_ns)
        except ValueError as error:
            return _request_invalid(error)
        return Made(_remembered(issued, key, now_ns), text)

    def _find(self, connection: Connection, fingerprint: str) -> Certificate | Denied:
        of_us = rows.those_of(self._audit.subscription).where(
            CERTIFICATES.c.fingerprint == fingerprint
        )
        is_one = fingerprint.isascii() and fingerprint.isalnum()
        row = connection.execute(of_us).first() if is_one else None
        if row is None:
            return unknown(fingerprint)
        return rows.certificate_of(row)


def unknown(fingerprint: str) -> Denied:
    """Return why nothing is done to a certificate that there is not, or not for who asks."""
    text = f"there is no certificate {plain(fingerprint)}; give its SHA-256 in lower-case hex"
    return Denied("certificate_unknown", text)


def _request_invalid(error: ValueError) -> Denied:
    return Denied("request_invalid", f"csr: {error}")


def _remembered(issued: Issued, key: ApiKey, now_ns: int) -> Certificate:
    return Certificate(
        fingerprint=issued.fingerprint,
        subscription=key.subscription,
        kid=key.kid,
        serial=f"{issued.serial_number:032x}",
        created_ns=now_ns,
        not_after_ns=issued.not_after_ns,
        revoked_ns=None,
    )


def _row(certificate: Certificate) -> dict[str, object]:
    return msgspec.structs.asdict(certificate)
