"""The keys of a subscription: made, changed, taken back, listed. Each change, done or refused, is audited.

A secret is returned once, by `create`. Afterwards its hash is kept, or, for a key that signs by HMAC, the
secret itself, sealed. Of a key that signs by Ed25519 nobody here ever has a secret.
"""

from typing import Any

import msgspec
from sqlalchemy import Connection, or_, select

from fairlead.control.audit import Actor, Audit, Entry
from fairlead.control.certificate_rows import revoke_all_of
from fairlead.control.key_changes import (
    Edit,
    Wanted,
    days_wrong,
    edited,
    end_of,
    ended,
    moved,
    public_key_of_new,
)
from fairlead.control.key_rows import key_of, place_of_secret, row_of, usable
from fairlead.control.key_text import hash_of, is_kid, new_kid, new_secret, plain
from fairlead.control.keys import (
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
from fairlead.control.store import Store
from fairlead.control.tables import KEYS
from fairlead.control.vault import Vault

KEYS_MAX = 1_000  # of a subscription and all its users together, revoked ones left out
LISTED_MAX = 10_000  # more than KEYS_MAX, so that all that can be used are


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
        """Return the keys that are active, of every subscription, with what proves them.

        Raises ControlError.
        """
        with self._store.read() as connection:
            return usable(connection, self._vault)

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
        public_key = public_key_of_new(wanted)
        denied = next((each for each in (rights, public_key) if isinstance(each, Denied)), None)
        if denied is not None:
            return self._audit.refuse(
                change, actor, "key.create", named(wanted.label), denied, now_ns
            )
        assert isinstance(rights, Rights)
        key = ApiKey(
            kid=new_kid(),
            subscription=self._subscription,
            label=wanted.label,
            stored_state=State.ACTIVE,
            rights=rights,
            created_ns=now_ns,
            expires_ns=end_of(wanted.days, now_ns),
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
            place = place_of_secret(key.subscription, key.kid)
            kept["sealed_secret"] = self._vault.seal(change, place, secret.encode())
        elif secret is not None:
            kept["secret_hash"] = hash_of(secret)
        change.execute(KEYS.insert().values(row_of(key) | kept))
        self._done(change, actor, "key.create", None, key, now_ns)
        return Made(key, secret)

    def new_wrong(self, wanted: Wanted) -> Denied | None:
        """Say why a key could not be made now. Raises ControlError."""
        with self._store.read() as connection:
            rights = self._rights_of_new(connection, wanted)
        public_key = public_key_of_new(wanted)
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
        after = before if isinstance(before, Denied) else ended(before, expires_ns, now_ns)
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
            return self._audit.refuse(change, actor, f"key.{act}", target, denied, now_ns)
        change.execute(KEYS.update().filter_by(kid=after.kid).values(row_of(after)))
        if act is Act.REVOKE:
            revoke_all_of(change, after.kid, now_ns)
        self._done(change, actor, f"key.{act}", before, after, now_ns)
        return after

    def _rights_of_new(self, change: Connection, wanted: Wanted) -> Rights | Denied:
        denied = label_wrong(wanted.label) or days_wrong(wanted.days)
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
        old = None if before is None else row_of(before)
        entry = Entry(action=action, target=after.kid, before=old, after=row_of(after))
        self._audit.append(change, actor, entry, now_ns)


def named(name: str) -> str:
    """Return a name of a key as it is kept in the audit; what is none may be a secret, and is not kept."""
    return name if is_kid(name) or LABEL_FORM(name) else ""
