"""The subscriptions there are: made by the machine's owner, listed. Making one is audited, done or refused.

Who makes subscriptions is the machine's owner, so what happens here stands in the audit of `local`. A
subscription is never taken away: its orders stay in its journal.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import select

from fairlead.control.audit import Actor, Audit, Entry
from fairlead.control.folders import is_name
from fairlead.control.key_text import plain
from fairlead.control.keys import Denied
from fairlead.control.store import Store
from fairlead.control.tables import SUBSCRIPTIONS
from fairlead.control.vault import Vault

SUBSCRIPTIONS_MAX = 100  # each has threads, files and memory of its own in a running system


class Subscription(msgspec.Struct, frozen=True):
    """One subscription; its name is also that of its folder."""

    name: str
    created_ns: int


class Subscriptions:
    """All of them. `audit` is that of the machine's owner."""

    def __init__(self, store: Store, vault: Vault, audit: Audit) -> None:
        self._store = store
        self._vault = vault
        self._audit = audit

    def listed(self) -> list[Subscription]:
        """Return the subscriptions, the oldest first. Raises ControlError."""
        columns = (SUBSCRIPTIONS.c.subscription, SUBSCRIPTIONS.c.created_ns)
        in_order = select(*columns).order_by(*reversed(columns))
        with self._store.read() as connection:
            return [Subscription(*row) for row in connection.execute(in_order)]

    def create(self, actor: Actor, name: str, now_ns: int) -> Subscription | Denied:
        """Make a subscription, with a data key of its own. Raises ControlError."""
        with self._audit.change() as change:
            names = change.execute(select(SUBSCRIPTIONS.c.subscription)).scalars().all()
            denied = _wrong(name, names)
            if denied is not None:
                target = name if is_name(name) else ""  # it may be a secret
                return self._audit.refuse(
                    change, actor, "subscription.create", target, denied, now_ns
                )
            self._vault.add_subscription(change, name, now_ns)
            entry = Entry(action="subscription.create", target=name, after={"subscription": name})
            self._audit.append(change, actor, entry, now_ns)
            return Subscription(name, now_ns)


def _wrong(name: str, taken: Sequence[str]) -> Denied | None:
    if not is_name(name):
        return Denied(
            "subscription_invalid",
            f"{plain(name)!r} is no name of a subscription; give 1 to 32 of a to z, 0 to 9 and -,"
            " the first no -",
        )
    if name in taken:
        return Denied("subscription_taken", f"there is a subscription {name}; choose another name")
    if len(taken) >= SUBSCRIPTIONS_MAX:
        text = f"there are {SUBSCRIPTIONS_MAX} subscriptions, which is the most"
        return Denied("subscriptions_too_many", text)
    return None
