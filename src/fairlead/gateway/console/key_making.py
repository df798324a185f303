"""What people are granted that has a secret: a new API key, one in place of another, a certificate."""

from collections.abc import Mapping

from fairlead.control.key_changes import Wanted
from fairlead.control.keyring import Made
from fairlead.control.keys import DAY_NS, DAYS_MAX, ApiKey, Denied, State
from fairlead.control.people.challenges import Action
from fairlead.control.people.letters import Facts
from fairlead.gateway.console import words
from fairlead.gateway.console.granting import Asking, Doing, Grant
from fairlead.gateway.console.key_forms import TRUSTED, key_shown, keyring_of, own_key, wanted_of

OVERLAP_HOURS_MAX = 7 * 24
HOUR_NS = DAY_NS // 24


def _ask_add(asking: Asking, form: words.KeyAdd) -> Facts | Denied:
    wanted = wanted_of(form)
    if isinstance(wanted, Denied):
        return wanted
    denied = keyring_of(asking.control, asking.user).new_wrong(wanted)
    if denied is not None:
        return denied
    accounts = "all" if form.accounts is None else ", ".join(form.accounts)
    addresses = ", ".join(form.addresses) if form.ip_mode == TRUSTED else "all"
    return (
        ("Label", form.label),
        ("Permissions", ", ".join(dict.fromkeys(("read", *form.scopes)))),
        ("Accounts", accounts),
        ("Addresses", addresses),
    )


def _add(doing: Doing, form: words.KeyAdd) -> object | Denied:
    wanted = wanted_of(form)
    if isinstance(wanted, Denied):
        return wanted
    granted = doing.granted
    made = keyring_of(doing.control, doing.user).create_in(
        granted.change, granted.actor, wanted, doing.now_ns
    )
    if not isinstance(made, Made):
        return made
    return words.NewKey(
        made.key.kid, made.secret, key_shown(granted.change, made.key, doing.now_ns)
    )


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
    key = own_key(asking.control, asking.user, form.kid)
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
    return words.NewKey(made.key.kid, made.secret, key_shown(granted.change, made.key, now_ns))


def _ask_certificate(asking: Asking, form: words.CertificateIssue) -> Facts | Denied:
    key = own_key(asking.control, asking.user, form.kid)
    if isinstance(key, Denied):
        return key
    denied = asking.control.certificates.check(key, asking.now_ns, form.csr)
    return denied or (("Label", key.label), ("Key", key.kid))


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


MAKING_GRANTS: Mapping[str, Grant] = {
    Action.KEY_ADD: Grant(words.KeyAdd, "add an API key", _ask_add, _add, status=201),
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
}
