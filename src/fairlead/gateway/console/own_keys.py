"""One's own API keys: listed, looked at, and disabled, which is cheap; all else is granted by challenge."""

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.keyring import Edit, Keyring, Made, Wanted, edited, moved
from fairlead.control.keys import DAY_NS, DAYS_MAX, Act, ApiKey, Denied, Kind, State
from fairlead.control.people.challenges import Action
from fairlead.control.people.letters import Facts
from fairlead.control.people.person import User
from fairlead.gateway.answers import Answer
from fairlead.gateway.console import words
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.granting import Asking, Doing, Grant
from fairlead.gateway.console.visit import Level, Routes, Visit, problem, refused, shown
from fairlead.gateway.times import time_text

OVERLAP_HOURS_MAX = 7 * 24
HOUR_NS = DAY_NS // 24
_ALL_ADDRESSES = "all"
_TRUSTED = "trusted"


class OwnKeys:
    """The calls under /v1/keys."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.routes: Routes = {b"/v1/keys": {"GET": (Level.WHOLE, self.listed)}}
        self.prefixes: Routes = {
            b"/v1/keys/": {
                "GET": (Level.WHOLE, self.one),
                "POST": (Level.WHOLE, self.disable),
            }
        }

    async def listed(self, visit: Visit) -> Answer:
        """GET /v1/keys: those that are not revoked, the newest first."""
        user, _ = visit.person
        keys = await self._desk.run(partial(_listed, self._desk.control, user))
        living = [key for key in reversed(keys) if key.stored_state is not State.REVOKED]
        return shown(200, [key_shown(key, visit.now_ns) for key in living])

    async def one(self, visit: Visit) -> Answer:
        """GET /v1/keys/{kid}, with its ETag."""
        user, _ = visit.person
        kid = visit.call.tail.decode("ascii", "replace")
        key = await self._desk.run(partial(_find, self._desk.control, user, kid))
        if isinstance(key, Denied):
            return refused(key)
        said = key_shown(key, visit.now_ns)
        return shown(200, said, (b"etag", said.etag.encode()))

    async def disable(self, visit: Visit) -> Answer:
        """POST /v1/keys/{kid}/disable: at once, by the session alone, whether or not mail works."""
        kid, slash, rest = visit.call.tail.decode("ascii", "replace").partition("/")
        if (slash, rest) != ("/", "disable"):
            return problem(404, "key_unknown", "see POST /v1/keys/{kid}/disable")
        key = await self._desk.run(partial(_disable, self._desk.control, visit, kid))
        return refused(key) if isinstance(key, Denied) else shown(200, key_shown(key, visit.now_ns))


def key_shown(key: ApiKey, now_ns: int) -> words.KeyShown:
    """Return a key as its user may see it: no secret, no hash."""
    rights = key.rights
    return words.KeyShown(
        kid=key.kid,
        label=key.label,
        kind=str(key.kind),
        scopes=tuple(map(str, rights.scopes)),
        accounts=rights.accounts,
        ip_mode=_ALL_ADDRESSES if rights.addresses is None else _TRUSTED,
        addresses=rights.addresses or (),
        created=time_text(key.created_ns),
        expires=None if key.expires_ns is None else time_text(key.expires_ns),
        state=str(key.state(now_ns)),
        version=key.version,
        etag=f'"{key.kid}.{key.version}"',
    )


def keyring_of(control: Control, user: User) -> Keyring:
    """Return the user's keyring."""
    return control.of(user.subscription).keyring.of(user.user)


def _listed(control: Control, user: User) -> list[ApiKey]:
    return keyring_of(control, user).listed()


def _find(control: Control, user: User, kid: str) -> ApiKey | Denied:
    return keyring_of(control, user).find(kid)


def _disable(control: Control, visit: Visit, kid: str) -> ApiKey | Denied:
    user, _ = visit.person
    actor = Actor(user.user, visit.origin.address, "session")
    return keyring_of(control, user).move(actor, kid, Act.DISABLE, visit.now_ns)


# ── granted ──────────────────────────────────────────────────────────────────────────────────────


def _addresses(form: words.KeyRights) -> Sequence[str] | Denied | None:
    """Return the addresses that a form limits a key to, None: all."""
    if form.ip_mode == _TRUSTED:
        return form.addresses
    if form.ip_mode == _ALL_ADDRESSES and not form.addresses:
        return None
    text = "ip_mode is all, without addresses, or trusted, with 1 to 32 of them"
    return Denied("address_invalid", text)


def _wanted(form: words.KeyAdd) -> Wanted | Denied:
    addresses = _addresses(form)
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


def _edit(form: words.KeyEdit) -> Edit | Denied:
    addresses = _addresses(form)
    if isinstance(addresses, Denied):
        return addresses
    days = msgspec.UNSET if form.expires_days is None else form.expires_days
    return Edit(
        scopes=form.scopes,
        accounts=form.accounts,
        addresses=addresses,
        days=days,
        version=form.version,
    )


def _rights_text(key: ApiKey) -> tuple[str, str, str]:
    rights = key.rights
    accounts = "all" if rights.accounts is None else ", ".join(rights.accounts)
    addresses = "all" if rights.addresses is None else ", ".join(rights.addresses)
    return ", ".join(rights.scopes), accounts, addresses


def _ask_add(asking: Asking, form: words.KeyAdd) -> Facts | Denied:
    wanted = _wanted(form)
    if isinstance(wanted, Denied):
        return wanted
    denied = keyring_of(asking.control, asking.user).new_wrong(wanted)
    if denied is not None:
        return denied
    accounts = "all" if form.accounts is None else ", ".join(form.accounts)
    addresses = ", ".join(form.addresses) if form.ip_mode == _TRUSTED else "all"
    return (
        ("Label", form.label),
        ("Permissions", ", ".join(dict.fromkeys(("read", *form.scopes)))),
        ("Accounts", accounts),
        ("Addresses", addresses),
    )


def _add(doing: Doing, form: words.KeyAdd) -> object | Denied:
    wanted = _wanted(form)
    if isinstance(wanted, Denied):
        return wanted
    granted = doing.granted
    made = keyring_of(doing.control, doing.user).create_in(
        granted.change, granted.actor, wanted, doing.now_ns
    )
    if not isinstance(made, Made):
        return made
    return words.NewKey(made.key.kid, made.secret, key_shown(made.key, doing.now_ns))


def _ask_edit(asking: Asking, form: words.KeyEdit) -> Facts | Denied:
    edit = _edit(form)
    before = keyring_of(asking.control, asking.user).find(form.kid)
    if isinstance(edit, Denied):
        return edit
    if isinstance(before, Denied):
        return before
    after = edited(before, edit, asking.now_ns)
    if isinstance(after, Denied):
        return after
    names = ("Permissions", "Accounts", "Addresses")
    pairs = zip(names, _rights_text(before), _rights_text(after), strict=True)
    changes = [(name, f"{old} → {new}") for name, old, new in pairs if old != new]
    if before.expires_ns != after.expires_ns:
        ends = [
            "never" if each is None else time_text(each)
            for each in (before.expires_ns, after.expires_ns)
        ]
        changes.append(("Expires", " → ".join(ends)))
    return (("Label", before.label), *changes)


def _do_edit(doing: Doing, form: words.KeyEdit) -> object | Denied:
    edit = _edit(form)
    if isinstance(edit, Denied):
        return edit
    granted = doing.granted
    key = keyring_of(doing.control, doing.user).edit_in(
        granted.change, granted.actor, form.kid, edit, doing.now_ns
    )
    return key if isinstance(key, Denied) else key_shown(key, doing.now_ns)


class _Move:
    """What moves one key from state to state."""

    def __init__(self, act: Act) -> None:
        self._act = act

    def ask(self, asking: Asking, form: words.KeyNamed) -> Facts | Denied:
        key = keyring_of(asking.control, asking.user).find(form.kid)
        if isinstance(key, Denied):
            return key
        after = moved(key, self._act, asking.now_ns)
        if isinstance(after, Denied):
            return after
        return (("Label", key.label), ("Key", key.kid))

    def perform(self, doing: Doing, form: words.KeyNamed) -> object | Denied:
        granted = doing.granted
        key = keyring_of(doing.control, doing.user).move_in(
            granted.change, granted.actor, form.kid, self._act, doing.now_ns
        )
        return key if isinstance(key, Denied) else key_shown(key, doing.now_ns)


def _rotated(key: ApiKey, form: words.KeyRotate) -> Wanted:
    """Return a key like one that there is, as long as that one was to last when it was made."""
    rights = key.rights
    lasts = None if key.expires_ns is None else (key.expires_ns - key.created_ns) // DAY_NS
    return Wanted(
        label=form.label,
        kind=key.kind,
        public_key=None if form.public_key is None else form.public_key.encode(),
        scopes=rights.scopes,
        accounts=rights.accounts,
        addresses=rights.addresses,
        days=None if lasts is None else max(1, min(DAYS_MAX, lasts)),
    )


def _rotate_wrong(key: ApiKey, form: words.KeyRotate, now_ns: int) -> Denied | None:
    if key.state(now_ns) is not State.ACTIVE:
        state = key.state(now_ns)
        return Denied("state_wrong", f"key {key.kid} is {state}: only an active one is replaced")
    if 0 <= form.overlap_hours <= OVERLAP_HOURS_MAX:
        return None
    text = f"{form.overlap_hours} hours; give 0 to {OVERLAP_HOURS_MAX}"
    return Denied("overlap_invalid", text)


def _ask_rotate(asking: Asking, form: words.KeyRotate) -> Facts | Denied:
    keyring = keyring_of(asking.control, asking.user)
    key = keyring.find(form.kid)
    if isinstance(key, Denied):
        return key
    denied = _rotate_wrong(key, form, asking.now_ns)
    denied = denied or keyring.new_wrong(_rotated(key, form))
    if denied is not None:
        return denied
    ends = f"{key.label} ends {form.overlap_hours} hours later"
    return (("Label", f"{key.label} → {form.label}"), ("The former key", ends))


def _rotate(doing: Doing, form: words.KeyRotate) -> object | Denied:
    granted, now_ns = doing.granted, doing.now_ns
    keyring = keyring_of(doing.control, doing.user)
    key = keyring.find_in(granted.change, form.kid)
    if isinstance(key, Denied):
        return key
    denied = _rotate_wrong(key, form, now_ns)
    if denied is not None:
        return denied
    made = keyring.create_in(granted.change, granted.actor, _rotated(key, form), now_ns)
    if not isinstance(made, Made):
        return made
    ends_ns = now_ns + form.overlap_hours * HOUR_NS
    ended = keyring.end_in(granted.change, granted.actor, key.kid, ends_ns, now_ns)
    assert not isinstance(ended, Denied), "its state has been looked at"
    return words.NewKey(made.key.kid, made.secret, key_shown(made.key, now_ns))


def _ask_certificate(asking: Asking, form: words.CertificateIssue) -> Facts | Denied:
    key = keyring_of(asking.control, asking.user).find(form.kid)
    return key if isinstance(key, Denied) else (("Label", key.label), ("Key", key.kid))


def _certificate(doing: Doing, form: words.CertificateIssue) -> object | Denied:
    granted = doing.granted
    key = keyring_of(doing.control, doing.user).find_in(granted.change, form.kid)
    if isinstance(key, Denied):
        return key
    made = doing.control.certificates.issue_in(
        granted.change, granted.actor, key.kid, doing.now_ns, form.csr
    )
    if isinstance(made, Denied):
        return made
    return words.NewCertificate(made.certificate.fingerprint, made.text)


def _living(keys: Sequence[ApiKey]) -> int:
    return sum(key.stored_state is not State.REVOKED for key in keys)


def _ask_delete_all(asking: Asking, form: words.KeysCounted) -> Facts | Denied:
    count = _living(keyring_of(asking.control, asking.user).listed())
    if count == 0:
        return Denied("keys_none", "you have no keys")
    if count != form.count:
        return _count_wrong(count, form)
    return (("Keys", str(count)),)


def _delete_all(doing: Doing, form: words.KeysCounted) -> object | Denied:
    granted = doing.granted
    keyring = keyring_of(doing.control, doing.user)
    count = _living(keyring.listed_in(granted.change))
    if count != form.count:  # since it was asked for
        return _count_wrong(count, form)
    keyring.move_all_in(granted.change, granted.actor, Act.REVOKE, doing.now_ns)
    return words.KeysDeleted(count)


def _count_wrong(count: int, form: words.KeysCounted) -> Denied:
    return Denied("count_wrong", f"you have {count} keys, the number given is {form.count}")


_DELETE, _ENABLE = _Move(Act.REVOKE), _Move(Act.ENABLE)
KEY_GRANTS: Mapping[str, Grant] = {
    Action.KEY_ADD: Grant(words.KeyAdd, "add an API key", _ask_add, _add, status=201),
    Action.KEY_EDIT: Grant(words.KeyEdit, "change an API key", _ask_edit, _do_edit),
    Action.KEY_DELETE: Grant(words.KeyNamed, "delete an API key", _DELETE.ask, _DELETE.perform),
    Action.KEY_ENABLE: Grant(words.KeyNamed, "enable an API key", _ENABLE.ask, _ENABLE.perform),
    Action.KEY_ROTATE: Grant(
        words.KeyRotate, "replace an API key", _ask_rotate, _rotate, status=201
    ),
    Action.CERTIFICATE_ISSUE: Grant(
        words.CertificateIssue,
        "issue a certificate for an API key",
        _ask_certificate,
        _certificate,
        status=201,
    ),
    Action.KEY_DELETE_ALL: Grant(
        words.KeysCounted, "delete all your API keys", _ask_delete_all, _delete_all
    ),
}
