"""API keys as people's calls say them: forms that come in, and what is shown of a key."""

import re
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from fairlead.control.activity import last_uses
from fairlead.control.control import Control
from fairlead.control.key_changes import Edit, Wanted
from fairlead.control.key_text import is_kid, plain
from fairlead.control.keyring import Keyring
from fairlead.control.keys import ApiKey, Denied, Kind
from fairlead.control.people.person import User
from fairlead.control.usage import Use
from fairlead.gateway.console import words
from fairlead.gateway.times import time_text

_ETAG = re.compile(r'"(flk_[0-9A-Za-z]{22})\.([0-9]{1,18})"', re.ASCII).fullmatch
ALL_ADDRESSES = "all"
TRUSTED = "trusted"


def keys_shown(connection: Connection, keys: Sequence[ApiKey], now_ns: int) -> list[words.KeyShown]:
    """Return keys as their user may see them, with their last use as a connection sees it."""
    last = last_uses(connection, [key.kid for key in keys])
    return [_shown(key, last.get(key.kid), now_ns) for key in keys]


def key_shown(connection: Connection, key: ApiKey, now_ns: int) -> words.KeyShown:
    """Return the same of one key."""
    (shown,) = keys_shown(connection, [key], now_ns)
    return shown


def use_shown(use: Use) -> words.UseShown:
    """Return a use."""
    time = time_text(use.time_ns)
    return words.UseShown(time, use.address, use.protocol, use.certificate or None)


def _shown(key: ApiKey, last: Use | None, now_ns: int) -> words.KeyShown:
    rights = key.rights
    return words.KeyShown(
        kid=key.kid,
        label=key.label,
        kind=str(key.kind),
        scopes=tuple(map(str, rights.scopes)),
        accounts=rights.accounts,
        ip_mode=ALL_ADDRESSES if rights.addresses is None else TRUSTED,
        addresses=rights.addresses or (),
        created=time_text(key.created_ns),
        expires=None if key.expires_ns is None else time_text(key.expires_ns),
        state=str(key.state(now_ns)),
        version=key.version,
        etag=etag_of(key.kid, key.version),
        last_used=None if last is None else time_text(last.time_ns),
        last_address=None if last is None else last.address,
    )


def etag_of(kid: str, version: int) -> str:
    """Return what names a version of a key."""
    return f'"{kid}.{version}"'


def keyring_of(control: Control, user: User) -> Keyring:
    """Return the user's keyring."""
    return control.of(user.subscription).keyring.of(user.user)


def own_key(control: Control, user: User, kid: str) -> ApiKey | Denied:
    """Return a key of the user's. By a label it is not found: by the time that something is confirmed
    another key may have it. Raises ControlError.
    """
    if is_kid(kid):
        return keyring_of(control, user).find(kid)
    return Denied("key_unknown", f"there is no key {plain(kid)}; give a public id flk_…")


def addresses_of(form: words.KeyRights) -> Sequence[str] | Denied | None:
    """Return the addresses that a form limits a key to, None: all."""
    if form.ip_mode == TRUSTED:
        return form.addresses
    if form.ip_mode == ALL_ADDRESSES and not form.addresses:
        return None
    text = "ip_mode is all, without addresses, or trusted, with 1 to 32 of them"
    return Denied("address_invalid", text)


def wanted_of(form: words.KeyAdd) -> Wanted | Denied:
    """Return the key that a form describes, or what is wrong with it."""
    addresses = addresses_of(form)
    if isinstance(addresses, Denied):
        return addresses
    if form.kind not in [each.value for each in Kind]:
        return Denied("kind_invalid", f"the kind is none of {', '.join(Kind)}")
    return Wanted(
        label=form.label,
        kind=Kind(form.kind),
        public_key=None if form.public_key is None else form.public_key.encode(),
        scopes=form.scopes,
        accounts=form.accounts,
        addresses=addresses,
        days=form.expires_days,
    )


def edit_of(form: words.KeyEdit) -> Edit | Denied:
    """Return the change that a form describes, or what is wrong with it."""
    addresses = addresses_of(form)
    if isinstance(addresses, Denied):
        return addresses
    return Edit(
        scopes=form.scopes,
        accounts=form.accounts,
        addresses=addresses,
        days=_days_of(form),
        version=form.version,
    )


def _days_of(form: words.KeyEdit) -> int | msgspec.UnsetType | None:
    match form.expires_days:
        case None:
            return msgspec.UNSET
        case "never":
            return None
        case days:
            return days


def edit_seen(form: words.KeyEdit, if_match: str | None) -> words.KeyEdit | Denied:
    """Return an edit with the version of the key that its sender has looked at."""
    version = form.version
    if if_match is not None:
        tags = [each.strip() for each in if_match.split(",")]
        of_key = (_ETAG(each) for each in tags)
        versions = [int(each[2]) for each in of_key if each and each[1] == form.kid]
        if version is None and versions:
            version = max(versions)
        if version not in versions:
            text = f"If-Match names no version of {plain(form.kid)} that the edit is of; look again"
            return Denied("version_stale", text)
    if version is None:
        text = "say which version of the key you have looked at: its version, or If-Match with its ETag"
        return Denied("version_needed", text)
    return msgspec.structs.replace(form, version=version)


def rights_text(key: ApiKey) -> tuple[str, str, str]:
    """Return the scopes, accounts and addresses of a key as a letter names them."""
    rights = key.rights
    accounts = "all" if rights.accounts is None else ", ".join(rights.accounts)
    addresses = "all" if rights.addresses is None else ", ".join(rights.addresses)
    return ", ".join(rights.scopes), accounts, addresses
