"""The keys of a subscription: made, changed, taken back, listed. Each change, done or refused, is audited.

A secret is returned once, by `create`. Afterwards its hash is kept, or, for a key that signs by HMAC, the
secret itself, sealed. Of a key that signs by Ed25519 nobody here ever has a secret.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import msgspec
import structlog
from sqlalchemy import Connection, Row, or_, select

from fairlead.control.audit import Actor, Audit, Entry, Outcome
from fairlead.control.certificate_rows import revoke_all_of
from fairlead.control.key_text import hash_of, hidden, is_kid, new_kid, new_secret
from fairlead.control.keys import (
    DAY_NS,
    DAYS_MAX,
    LABEL_FORM,
    NEXT,
    Act,
    ApiKey,
    Denied,
    Kind,
    Rights,
    State,
    Usable,
    label_wrong,
    read_rights,
)
from fairlead.control.public_key import read_public_key
from fairlead.control.store import Store
from fairlead.control.tables import KEYS
from fairlead.control.vault import Place, SealBroken, Vault

log = structlog.get_logger()
KEYS_MAX = 1_000  # of a subscription and all its users together, revoked ones left out
LISTED_MAX = 10_000  # more than KEYS_MAX, so that all that can be used are


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A key to be made. None: all accounts, all addresses, no end. `public_key`: PEM, of Ed25519 alone."""

    label: str
    kind: Kind = Kind.BEARER
    public_key: bytes | None = None
    scopes: Sequence[str] = ()
    accounts: Sequence[str] | None = None
    addresses: Sequence[str] | None = None
    days: int | None


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a key; UNSET leaves as it is, None is as in `Wanted`.

    `version`: the one that was looked at, so that no change in between is lost; None: whatever it is.
    """

    scopes: Sequence[str] | msgspec.UnsetType = msgspec.UNSET
    accounts: Sequence[str] | msgspec.UnsetType | None = msgspec.UNSET
    addresses: Sequence[str] | msgspec.UnsetType | None = msgspec.UNSET
    days: int | msgspec.UnsetType | None = msgspec.UNSET
    version: int | None = None


class Made(msgspec.Struct, frozen=True):
    """A new key, with its secret, which is told this once; None of a key that signs by Ed25519."""

    key: ApiKey
    secret: str | None

    def __repr__(self) -> str:
        """Name the key; never show its secret."""
        return f"Made({self.key!r})"


class Keyring:
    """The keys of one subscription: all of them for the machine's owner, for a user that user's."""

    def __init__(
        self, store: Store, vault: Vault, audit: Audit, subscription: str, user: str | None = None
    ) -> None:
        """`user`: who alone is asked about, and whose new keys are; None: the machine's owner."""
        self._store = store
        self._vault = vault
        self._audit = audit
        self._subscription = subscription
        self._user = user

    def of(self, user: str) -> "Keyring":
        """Return the keyring as a user has it: nobody else's keys exist there."""
        return Keyring(self._store, self._vault, self._audit, self._subscription, user)

    # ── looking ──────────────────────────────────────────────────────────────────────────────────

    def listed(self) -> list[ApiKey]:
        """Return the keys, the oldest first, revoked ones too. Raises ControlError."""
        with self._store.read() as connection:
            return self.listed_in(connection)

    def listed_in(self, connection: Connection) -> list[ApiKey]:
        """Return the same as a connection sees it; of very many the revoked ones made first are left out."""
        wanted = self._all().order_by(None)
        wanted = wanted.order_by(KEYS.c.state == State.REVOKED, KEYS.c.created_ns.desc())
        found = [key_of(row) for row in connection.execute(wanted.limit(LISTED_MAX))]
        return sorted(found, key=lambda key: (key.created_ns, key.kid))

    def usable(self) -> list[Usable]:
        """Return the keys that are active, with what proves them.

        Of every subscription: whose somebody is shows when the key is known. One whose sealed secret does
        not open is left out, and the log says so: it must not keep the changes of the others from being
        heard of. Raises ControlError.
        """
        usable = []
        with self._store.read() as connection:
            for row in connection.execute(select(KEYS).where(KEYS.c.state == State.ACTIVE)):
                try:
                    usable.append(Usable(key_of(row), self._proof(connection, row)))
                except SealBroken as error:
                    log.error("key unusable", key=row.kid, cause=str(error))  # noqa: TRY400
        return usable

    def _proof(self, connection: Connection, row: Row[Any]) -> bytes:
        """Return what proves a key. Raises SealBroken."""
        proof: bytes
        match Kind(row.kind):
            case Kind.BEARER:
                proof = row.secret_hash
            case Kind.ED25519:
                proof = row.public_key
            case Kind.HMAC:
                place = _place_of_secret(row.subscription, row.kid)
                proof = self._vault.open(connection, place, row.sealed_secret)
            case unknown:
                assert_never(unknown)
        return proof

    def find(self, name: str) -> ApiKey | Denied:
        """Return the key of that public id, or label. Raises ControlError."""
        with self._store.read() as connection:
            return self.find_in(connection, name)

    # ── changing ─────────────────────────────────────────────────────────────────────────────────

    def create(
        self, actor: Actor, wanted: Wanted, now_ns: int, *, is_test: bool = False
    ) -> Made | Denied:
        """Make a key. Raises ControlError."""
        with self._audit.change() as change:
            return self.create_in(change, actor, wanted, now_ns, is_test=is_test)

    def create_in(
        self,
        change: Connection,
        actor: Actor,
        wanted: Wanted,
        now_ns: int,
        *,
        is_test: bool = False,
    ) -> Made | Denied:
        """Make a key within a change. Raises ControlError."""
        rights = self._rights_of_new(change, wanted)
        public_key = _public_key_of_new(wanted)
        denied = next((each for each in (rights, public_key) if isinstance(each, Denied)), None)
        if denied is not None:
            return self._refused(change, actor, "key.create", named(wanted.label), denied, now_ns)
        assert isinstance(rights, Rights)
        key = ApiKey(
            kid=new_kid(),
            subscription=self._subscription,
            label=wanted.label,
            stored_state=State.ACTIVE,
            rights=rights,
            created_ns=now_ns,
            expires_ns=_end(wanted.days, now_ns),
            version=1,
            kind=wanted.kind,
        )
        secret = None if key.kind is Kind.ED25519 else new_secret(is_test=is_test)
        kept = {
            "user": self._user or "",
            "label_folded": key.label.lower(),
            "secret_hash": None,
            "sealed_secret": None,
            "public_key": public_key,
        }
        if secret is not None and key.kind is Kind.HMAC:
            place = _place_of_secret(key.subscription, key.kid)
            kept["sealed_secret"] = self._vault.seal(change, place, secret.encode())
        elif secret is not None:
            kept["secret_hash"] = hash_of(secret)
        change.execute(KEYS.insert().values(_row(key) | kept))
        self._done(change, actor, "key.create", None, key, now_ns)
        return Made(key, secret)

    def new_wrong(self, wanted: Wanted) -> Denied | None:
        """Say why a key could not be made now. Raises ControlError."""
        with self._store.read() as connection:
            rights = self._rights_of_new(connection, wanted)
        public_key = _public_key_of_new(wanted)
        return next((each for each in (rights, public_key) if isinstance(each, Denied)), None)

    def edit(self, actor: Actor, name: str, edit: Edit, now_ns: int) -> ApiKey | Denied:
        """Change the rights or the end of a key. Raises ControlError."""
        with self._audit.change() as change:
            return self.edit_in(change, actor, name, edit, now_ns)

    def edit_in(
        self, change: Connection, actor: Actor, name: str, edit: Edit, now_ns: int
    ) -> ApiKey | Denied:
        """Change the rights or the end of a key within a change."""
        before = self.find_in(change, name)
        after = before if isinstance(before, Denied) else edited(before, edit, now_ns)
        return self._put(change, actor, Act.EDIT, name, before, after, now_ns)

    def end_in(
        self, change: Connection, actor: Actor, kid: str, expires_ns: int, now_ns: int
    ) -> ApiKey | Denied:
        """Have a key end at a moment, unless it ends earlier anyway, within a change."""
        before = self.find_in(change, kid)
        after = before if isinstance(before, Denied) else _ended(before, expires_ns, now_ns)
        return self._put(change, actor, Act.EDIT, kid, before, after, now_ns)

    def move(self, actor: Actor, name: str, act: Act, now_ns: int) -> ApiKey | Denied:
        """Suspend, disable, enable or revoke a key. Raises ControlError."""
        with self._audit.change() as change:
            return self.move_in(change, actor, name, act, now_ns)

    def move_in(
        self, change: Connection, actor: Actor, name: str, act: Act, now_ns: int
    ) -> ApiKey | Denied:
        """Suspend, disable, enable or revoke a key within a change."""
        before = self.find_in(change, name)
        after = before if isinstance(before, Denied) else moved(before, act, now_ns)
        return self._put(change, actor, act, name, before, after, now_ns)

    def move_all_in(self, change: Connection, actor: Actor, act: Act, now_ns: int) -> list[ApiKey]:
        """Do the same to every key to which it can be done, within a change; return them."""
        able = [key for key in self.listed_in(change) if (key.state(now_ns), act) in NEXT]
        done = [self.move_in(change, actor, key.kid, act, now_ns) for key in able]
        return [key for key in done if isinstance(key, ApiKey)]

    def _put(
        self,
        change: Connection,
        actor: Actor,
        act: Act,
        name: str,
        before: ApiKey | Denied,
        after: ApiKey | Denied,
        now_ns: int,
    ) -> ApiKey | Denied:
        """Store what has become of a key, or audit that it was refused."""
        if isinstance(before, Denied) or isinstance(after, Denied):
            target = named(name) if isinstance(before, Denied) else before.kid
            denied = after if isinstance(after, Denied) else before
            assert isinstance(denied, Denied)
            return self._refused(change, actor, f"key.{act}", target, denied, now_ns)
        change.execute(KEYS.update().filter_by(kid=after.kid).values(_row(after)))
        if act is Act.REVOKE:
            revoke_all_of(change, after.kid, now_ns)
        self._done(change, actor, f"key.{act}", before, after, now_ns)
        return after

    def _rights_of_new(self, change: Connection, wanted: Wanted) -> Rights | Denied:
        denied = label_wrong(wanted.label) or _days_wrong(wanted.days)
        if denied is not None:
            return denied
        of_all = select(KEYS.c.user, KEYS.c.label_folded).where(
            KEYS.c.subscription == self._subscription, KEYS.c.state != State.REVOKED
        )
        living = change.execute(of_all).all()
        ours = [row.label_folded for row in living if row.user == (self._user or "")]
        if wanted.label.lower() in ours:
            text = f"there is a key {wanted.label} (in capitals or not); choose another label"
            return Denied("label_taken", text)
        if len(living) >= KEYS_MAX:
            return Denied("keys_too_many", f"there are {KEYS_MAX} keys; revoke one first")
        return read_rights(wanted.scopes, wanted.accounts, wanted.addresses)

    def _all(self) -> Any:
        of_us = select(KEYS).where(KEYS.c.subscription == self._subscription)
        if self._user is not None:
            of_us = of_us.where(KEYS.c.user == self._user)
        return of_us.order_by(KEYS.c.created_ns, KEYS.c.kid)

    def find_in(self, connection: Connection, name: str) -> ApiKey | Denied:
        """Find by public id; by label only what is not revoked: a label may have had several keys."""
        by_label = (KEYS.c.label_folded == name.lower()) & (KEYS.c.state != State.REVOKED)
        is_named = is_kid(name) or (name.isascii() and name.isalnum())  # in whatever case
        by_either = self._all().where(or_(KEYS.c.kid == name, by_label))
        rows = connection.execute(by_either).all() if is_named else []
        if len(rows) > 1:
            kids = ", ".join(row.kid for row in rows)
            text = f"there are several keys {plain(name)}, of several users; give one of {kids}"
            return Denied("key_ambiguous", text)
        row = rows[0] if rows else None
        if row is None:
            text = f"there is no key {plain(name)}; give a public id flk_… or a label (`keys list`)"
            return Denied("key_unknown", text)
        return key_of(row)

    # ── the audit ────────────────────────────────────────────────────────────────────────────────

    def _done(
        self,
        change: Connection,
        actor: Actor,
        action: str,
        before: ApiKey | None,
        after: ApiKey,
        now_ns: int,
    ) -> None:
        old = None if before is None else _row(before)
        entry = Entry(action=action, target=after.kid, before=old, after=_row(after))
        self._audit.append(change, actor, entry, now_ns)

    def _refused(
        self,
        change: Connection,
        actor: Actor,
        action: str,
        target: str,
        denied: Denied,
        now_ns: int,
    ) -> Denied:
        cause: Mapping[str, object] = {"code": denied.code}
        entry = Entry(action=action, target=target, after=cause, outcome=Outcome.REFUSED)
        self._audit.append(change, actor, entry, now_ns)
        return denied


def named(name: str) -> str:
    """Return a name of a key as it is kept in the audit; what is none may be a secret, and is not kept."""
    return name if is_kid(name) or LABEL_FORM(name) else ""


def plain(text: str) -> str:
    """Return the beginning of a text from outside, as it can be shown to who gave it."""
    text = hidden(text)
    return "".join(each if each.isprintable() else "?" for each in text[:40])


def is_proven(secret: str, stored_hash: bytes) -> bool:
    """Whether this secret is the one that was hashed, in time that does not tell."""
    return hmac.compare_digest(hash_of(secret), stored_hash)


def _public_key_of_new(wanted: Wanted) -> bytes | Denied | None:
    """Return the 32 bytes of the public key of a new key, None where its kind has none."""
    if wanted.kind is Kind.ED25519:
        return read_public_key(wanted.public_key or b"")
    if wanted.public_key is None:
        return None
    return Denied("public_key_invalid", f"a key of kind {wanted.kind} takes no public key")


def _place_of_secret(subscription: str, kid: str) -> Place:
    return Place(subscription, "key", kid, "secret", 1)


def edited(key: ApiKey, edit: Edit, now_ns: int) -> ApiKey | Denied:
    """Return a key as an edit would leave it, or why it cannot be."""
    denied = _stale(key, edit.version)
    old = key.rights
    scopes = old.scopes if edit.scopes is msgspec.UNSET else edit.scopes
    accounts = old.accounts if edit.accounts is msgspec.UNSET else edit.accounts
    addresses = old.addresses if edit.addresses is msgspec.UNSET else edit.addresses
    rights = read_rights(scopes, accounts, addresses)
    expires_ns = key.expires_ns
    if edit.days is not msgspec.UNSET:
        denied = denied or _days_wrong(edit.days)
        expires_ns = _end(edit.days, now_ns)
    state = NEXT.get((key.state(now_ns), Act.EDIT))
    if state is None:
        denied = denied or _cannot(key, Act.EDIT, now_ns)
    elif key.state(now_ns) is State.EXPIRED and edit.days is msgspec.UNSET:
        denied = denied or Denied("key_expired", f"key {key.kid} is expired; give it a later end")
    if denied is not None:
        return denied
    if isinstance(rights, Denied):
        return rights
    assert state is not None
    after = _changed(key, stored_state=state, rights=rights, expires_ns=expires_ns)
    if msgspec.structs.replace(after, version=key.version) == key:
        return Denied("nothing_changed", f"key {key.kid} is so already")
    return after


def _ended(key: ApiKey, expires_ns: int, now_ns: int) -> ApiKey | Denied:
    if key.state(now_ns) is not State.ACTIVE:
        return _cannot(key, Act.EDIT, now_ns)
    ends = expires_ns if key.expires_ns is None else min(expires_ns, key.expires_ns)
    return _changed(key, expires_ns=ends)


def moved(key: ApiKey, act: Act, now_ns: int) -> ApiKey | Denied:
    """Return a key as it would be afterwards, or why that cannot be."""
    state = NEXT.get((key.state(now_ns), act))
    if state is None:
        return _cannot(key, act, now_ns)
    after = _changed(key, stored_state=state)
    if after.state(now_ns) is State.EXPIRED:
        return Denied(
            "key_expired", f"key {key.kid} is past its end; give it a later one by an edit"
        )
    return after


def _cannot(key: ApiKey, act: Act, now_ns: int) -> Denied:
    return Denied("state_wrong", f"key {key.kid} is {key.state(now_ns)}: it cannot {act} now")


def _stale(key: ApiKey, version: int | None) -> Denied | None:
    if version in (None, key.version):
        return None
    text = (
        f"key {key.label} was changed meanwhile: it is at version {key.version},"
        f" the edit is of version {version}; look again"
    )
    return Denied("version_stale", text)


def _changed(key: ApiKey, **changes: object) -> ApiKey:
    return msgspec.structs.replace(key, version=key.version + 1, **changes)


def _days_wrong(days: int | None) -> Denied | None:
    if days is None or 0 < days <= DAYS_MAX:
        return None
    return Denied("end_invalid", f"{days} days; give 1 to {DAYS_MAX}, or no end")


def _end(days: int | None, now_ns: int) -> int | None:
    return None if days is None else now_ns + days * DAY_NS


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────


def _row(key: ApiKey) -> dict[str, object]:
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
