"""What becomes of a key that is made, edited, moved to another state or given an end, or why it cannot.

Values in, values out: what is decided here is stored and audited by the keyring.
"""

from collections.abc import Sequence

import msgspec

from fairlead.control.keys import (
    DAY_NS,
    DAYS_MAX,
    NEXT,
    Act,
    ApiKey,
    Denied,
    Kind,
    State,
    read_rights,
)
from fairlead.control.public_key import read_public_key


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


def public_key_of_new(wanted: Wanted) -> bytes | Denied | None:
    """Return the 32 bytes of the public key of a new key, None where its kind has none."""
    if wanted.kind is Kind.ED25519:
        return read_public_key(wanted.public_key or b"")
    if wanted.public_key is None:
        return None
    return Denied("public_key_invalid", f"a key of kind {wanted.kind} takes no public key")


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
        denied = denied or days_wrong(edit.days)
        expires_ns = end_of(edit.days, now_ns)
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


def ended(key: ApiKey, expires_ns: int, now_ns: int) -> ApiKey | Denied:
    """Return a key that ends at a moment, unless it ends earlier anyway, or why it cannot."""
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


def days_wrong(days: int | None) -> Denied | None:
    """Say why a key cannot have an end after so many days."""
    if days is None or 0 < days <= DAYS_MAX:
        return None
    return Denied("end_invalid", f"{days} days; give 1 to {DAYS_MAX}, or no end")


def end_of(days: int | None, now_ns: int) -> int | None:
    """Return when a key ends that has so many days; None: never."""
    return None if days is None else now_ns + days * DAY_NS
