"""Keys that will expire: whose they are is written to 14, 7 and 1 days before, once each.

What was written is kept by the end that it was about, so that a key with a later end is written about
anew. A letter may be sent twice where the process dies between sending and keeping, never not at all.
"""

from typing import Any

import msgspec
from sqlalchemy import select

from fairlead.control.key_rows import key_of
from fairlead.control.keys import DAY_NS, ApiKey, State
from fairlead.control.people.person import User
from fairlead.control.people.users import user_of
from fairlead.control.store import Store
from fairlead.control.tables import EXPIRY_NOTICES, KEYS, USERS

DAYS_BEFORE = (14, 7, 1)


class Expiry(msgspec.Struct, frozen=True):
    """A key that expires within `days`, which its user has not been written about."""

    user: User
    key: ApiKey
    days: int


class Expiring:
    """The keys of all subscriptions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def due(self, now_ns: int) -> list[Expiry]:
        """Return whom to write about which key now, the last of several letters. Raises ControlError."""
        soon = now_ns + max(DAYS_BEFORE) * DAY_NS
        ending = (
            select(KEYS, USERS.c.user.label("owner"))
            .join(USERS, USERS.c.user == KEYS.c.user)
            .where(
                KEYS.c.state == State.ACTIVE,
                KEYS.c.expires_ns > now_ns,
                KEYS.c.expires_ns <= soon,
                USERS.c.removed_ns.is_(None),
            )
        )
        with self._store.read() as connection:
            told = {
                (row.kid, row.expires_ns): row.days
                for row in connection.execute(select(EXPIRY_NOTICES))
            }
            rows = connection.execute(ending.order_by(KEYS.c.expires_ns)).all()
            users = {each.owner: self._user(connection, each.owner) for each in rows}
        found = []
        for row in rows:
            left = row.expires_ns - now_ns
            days = min(each for each in DAYS_BEFORE if left <= each * DAY_NS)
            if days < told.get((row.kid, row.expires_ns), max(DAYS_BEFORE) + 1):
                found.append(Expiry(users[row.owner], key_of(row), days))
        return found

    def told(self, expiry: Expiry) -> None:
        """Keep that a letter was sent. Raises ControlError."""
        key = {"kid": expiry.key.kid, "expires_ns": expiry.key.expires_ns}
        with self._store.change(is_told=False) as change:
            change.execute(EXPIRY_NOTICES.delete().filter_by(kid=expiry.key.kid))
            change.execute(EXPIRY_NOTICES.insert().values(**key, days=expiry.days))

    def _user(self, connection: Any, user: str) -> User:
        return user_of(connection.execute(select(USERS).where(USERS.c.user == user)).one())
