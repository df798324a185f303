"""What people are granted about the API keys that they have: edited, enabled, deleted, one or all."""

from collections.abc import Mapping, Sequence

from fairlead.control.key_changes import edited, moved
from fairlead.control.keys import Act, ApiKey, Denied, State
from fairlead.control.people.challenges import Action
from fairlead.control.people.letters import Facts
from fairlead.gateway.console import words
from fairlead.gateway.console.granting import Asking, Doing, Grant
from fairlead.gateway.console.key_forms import (
    edit_of,
    edit_seen,
    key_shown,
    keyring_of,
    own_key,
    rights_text,
)
from fairlead.gateway.times import time_text


def _ask_edit(asking: Asking, form: words.KeyEdit) -> Facts | Denied:
    edit = edit_of(form)
    before = own_key(asking.control, asking.user, form.kid)
    if isinstance(edit, Denied):
        return edit
    if isinstance(before, Denied):
        return before
    after = edited(before, edit, asking.now_ns)
    if isinstance(after, Denied):
        return after
    names = ("Permissions", "Accounts", "Addresses")
    pairs = zip(names, rights_text(before), rights_text(after), strict=True)
    changes = [(name, f"{old} → {new}") for name, old, new in pairs if old != new]
    if before.expires_ns != after.expires_ns:
        ends = [
            "never" if each is None else time_text(each)
            for each in (before.expires_ns, after.expires_ns)
        ]
        changes.append(("Expires", " → ".join(ends)))
    return (("Label", before.label), *changes)


def _do_edit(doing: Doing, form: words.KeyEdit) -> object | Denied:
    edit = edit_of(form)
    if isinstance(edit, Denied):
        return edit
    granted = doing.granted
    key = keyring_of(doing.control, doing.user).edit_in(
        granted.change, granted.actor, form.kid, edit, doing.now_ns
    )
    return key if isinstance(key, Denied) else key_shown(granted.change, key, doing.now_ns)


class _Move:
    """What moves one key from state to state."""

    def __init__(self, act: Act) -> None:
        self._act = act

    def ask(self, asking: Asking, form: words.KeyNamed) -> Facts | Denied:
        key = own_key(asking.control, asking.user, form.kid)
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
        return key if isinstance(key, Denied) else key_shown(granted.change, key, doing.now_ns)


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
CHANGING_GRANTS: Mapping[str, Grant] = {
    Action.KEY_EDIT: Grant(words.KeyEdit, "change an API key", _ask_edit, _do_edit, seen=edit_seen),
    Action.KEY_DELETE: Grant(
        words.KeyNamed, "delete an API key", _DELETE.ask, _DELETE.perform, status=204
    ),
    Action.KEY_ENABLE: Grant(words.KeyNamed, "enable an API key", _ENABLE.ask, _ENABLE.perform),
    Action.KEY_DELETE_ALL: Grant(
        words.KeysCounted, "delete all your API keys", _ask_delete_all, _delete_all
    ),
}
