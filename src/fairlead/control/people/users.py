"""The users of a subscription: made by a link, invited, changed, removed. Each change is audited.

The first comes by a link that the machine's owner reads in the terminal: there are no default credentials.
"""

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, or_, select

from fairlead.control.audit import Actor, Audit, Entry
from fairlead.control.key_text import new_id, plain
from fairlead.control.keyring import Keyring
from fairlead.control.keys import DAY_NS, Act, Denied
from fairlead.control.people import one_time
from fairlead.control.people.passwords import Passwords, password_wrong
from fairlead.control.people.person import From, User, email_wrong
from fairlead.control.store import Store
from fairlead.control.tables import CHALLENGES, LINKS, RECOVERY_CODES, SESSIONS, USERS

USERS_MAX = 1_000  # of a subscription, removed ones left out
LINK_NS = DAY_NS
INVITATION_NS = 7 * DAY_NS
PHRASE_CHARACTERS_MAX = 64
_PREFIX = "usr_"


class Users:
    """The users of one subscription."""

    def __init__(self, store: Store, audit: Audit, keyring: Keyring, passwords: Passwords) -> None:
        self._store = store
        self._passwords = passwords
        self._audit = audit
        self._keyring = keyring
        self._subscription = audit.subscription

    # ── looking ──────────────────────────────────────────────────────────────────────────────────

    def listed(self) -> list[User]:
        """Return the users, the oldest first. Raises ControlError."""
        with self._store.read() as connection:
            return [user_of(row) for row in connection.execute(self._present())]

    def are_there(self) -> bool:
        """Whether there is any: everybody who opens the page has it asked. Raises ControlError."""
        with self._store.read() as connection:
            return connection.execute(self._present().limit(1)).first() is not None

    def find(self, name: str) -> User | Denied:
        """Return the user of that id or e-mail address. Raises ControlError."""
        with self._store.read() as connection:
            row = self._row(connection, name)
        return _unknown(name) if row is None else user_of(row)

    # ── links ────────────────────────────────────────────────────────────────────────────────────

    def first_link(self, actor: Actor, now_ns: int) -> str | None:
        """Return a new token that makes the first user, the earlier ones void; None if there are users.

        Raises ControlError.
        """
        with self._audit.change(is_told=False) as change:
            if change.execute(self._present().limit(1)).first() is not None:
                return None
            change.execute(delete(LINKS).where(LINKS.c.subscription == self._subscription))
            token = self._new_link(change, "", now_ns + LINK_NS)
            self._audit.append(change, actor, Entry(action="user.first_link", target="-"), now_ns)
            return token

    def invite_wrong(self, email: str) -> Denied | None:
        """Return why nobody of this address can be invited. Raises ControlError."""
        with self._store.read() as connection:
            return self._invite_wrong(connection, email)

    def invite(self, actor: Actor, email: str, now_ns: int) -> str | Denied:
        """Return a token that makes a user of this address; a new one voids the old. Raises ControlError."""
        with self._audit.change(is_told=False) as change:
            return self.invite_in(change, actor, email, now_ns)

    def invite_in(self, change: Connection, actor: Actor, email: str, now_ns: int) -> str | Denied:
        """Do as `invite` does, within a change."""
        denied = self._invite_wrong(change, email)
        if denied is not None:
            # What is no address may be a secret in the wrong field: it is not kept.
            target = email if email_wrong(email) is None else "-"
            return self._audit.refuse(change, actor, "user.invite", target, denied, now_ns)
        of_us = (LINKS.c.subscription == self._subscription) & (LINKS.c.email == email)
        change.execute(delete(LINKS).where(of_us))
        token = self._new_link(change, email, now_ns + INVITATION_NS)
        self._audit.append(change, actor, Entry(action="user.invite", target=email), now_ns)
        return token

    def withdraw(self, token: str) -> None:
        """End an invitation that could not be mailed. Raises ControlError."""
        with self._store.change(is_told=False) as change:
            change.execute(delete(LINKS).where(LINKS.c.token_hash == one_time.token_hash(token)))

    def _new_link(self, change: Connection, email: str, expires_ns: int) -> str:
        token = one_time.new_token()
        change.execute(
            LINKS.insert().values(
                token_hash=one_time.token_hash(token),
                subscription=self._subscription,
                email=email,
                expires_ns=expires_ns,
            )
        )
        return token

    def accept(
        self, token: str, email: str, password: str, origin: From, now_ns: int
    ) -> User | Denied:
        """Become a user by a link; of an invitation `email` is what it says. Raises ControlError."""
        hashed = one_time.token_hash(token)
        with self._store.read() as connection:
            link = self._link(connection, hashed, now_ns)
        if link is None:
            return _LINK_INVALID
        address = link.email or email
        denied = email_wrong(address) or password_wrong(password, address)
        if denied is not None:
            return denied
        kept = self._passwords.hash_of(password)  # before the change: it takes long
        with self._audit.change(is_told=False) as change:
            if self._link(change, hashed, now_ns) is None:  # somebody else was quicker
                return _LINK_INVALID
            denied = self._taken(change, address) or self._too_many(change)
            if denied is not None:
                return denied
            first = (LINKS.c.subscription == self._subscription) & (LINKS.c.email == "")
            change.execute(delete(LINKS).where(or_(LINKS.c.token_hash == hashed, first)))
            user = User(
                user=new_id(_PREFIX),
                subscription=self._subscription,
                email=address,
                has_second_factor=False,
                phrase="",
                created_ns=now_ns,
                version=1,
            )
            change.execute(USERS.insert().values(**_values(user), password=kept, totp_step=0))
            entry = Entry(action="user.create", target=user.user, after=audited(user))
            self._audit.append(change, Actor(user.user, origin.address, "link"), entry, now_ns)
            return user

    # ── changing ─────────────────────────────────────────────────────────────────────────────────

    def set_phrase(self, actor: Actor, name: str, phrase: str, now_ns: int) -> User | Denied:
        """Set what is written in each mail to the user; empty: nothing. Raises ControlError."""
        with self._audit.change(is_told=False) as change:
            row = self._row(change, name)
            if row is None:
                return _unknown(name)
            if len(phrase) > PHRASE_CHARACTERS_MAX or not (phrase.isprintable() or not phrase):
                text = (
                    f"the phrase needs up to {PHRASE_CHARACTERS_MAX} characters that can be printed"
                )
                return Denied("phrase_invalid", text)
            before = user_of(row)
            after = msgspec.structs.replace(before, phrase=phrase, version=before.version + 1)
            put(change, after)
            entry = Entry(action="user.phrase", target=before.user)  # it is a secret of a kind
            self._audit.append(change, actor, entry, now_ns)
            return after

    def remove(self, actor: Actor, name: str, now_ns: int) -> User | Denied:
        """Remove a user, whose sessions and keys end. The last one cannot be. Raises ControlError."""
        with self._audit.change() as change:
            return self.remove_in(change, actor, name, now_ns)

    def remove_in(self, change: Connection, actor: Actor, name: str, now_ns: int) -> User | Denied:
        """Do as `remove` does, within a change."""
        user = self._removable(change, name)
        if isinstance(user, Denied):
            row = self._row(change, name)
            target = "-" if row is None else row.user
            return self._audit.refuse(change, actor, "user.remove", target, user, now_ns)
        self._keyring.of(user.user).move_all_in(change, actor, Act.REVOKE, now_ns)
        change.execute(delete(CHALLENGES).where(CHALLENGES.c.user == user.user))
        change.execute(delete(SESSIONS).where(SESSIONS.c.user == user.user))
        change.execute(delete(RECOVERY_CODES).where(RECOVERY_CODES.c.user == user.user))
        of_it = USERS.update().filter_by(user=user.user)
        change.execute(of_it.values(removed_ns=now_ns, password="", totp=None))
        entry = Entry(action="user.remove", target=user.user, before=audited(user))
        self._audit.append(change, actor, entry, now_ns)
        return user

    def remove_wrong(self, name: str) -> Denied | None:
        """Return why a user cannot be removed, None if one can. Raises ControlError."""
        with self._store.read() as connection:
            found = self._removable(connection, name)
        return found if isinstance(found, Denied) else None

    def _removable(self, connection: Connection, name: str) -> User | Denied:
        row = self._row(connection, name)
        if row is None:
            return _unknown(name)
        if len(connection.execute(self._present()).all()) == 1:
            text = f"{row.email} is the only user; invite another one first"
            return Denied("user_last", text)
        return user_of(row)

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────

    def _present(self) -> Any:
        of_us = select(USERS).where(
            USERS.c.subscription == self._subscription, USERS.c.removed_ns.is_(None)
        )
        return of_us.order_by(USERS.c.created_ns, USERS.c.user)

    def _row(self, connection: Connection, name: str) -> Any:
        by_either = (USERS.c.user == name) | (USERS.c.email_folded == name.lower())
        return connection.execute(self._present().where(by_either)).first()

    def _link(self, connection: Connection, hashed: bytes, now_ns: int) -> Any:
        named = select(LINKS).where(
            LINKS.c.token_hash == hashed,
            LINKS.c.subscription == self._subscription,
            LINKS.c.expires_ns > now_ns,
        )
        return connection.execute(named).first()

    def _taken(self, change: Connection, email: str) -> Denied | None:
        """Say that there is a user of this address, in whatever subscription."""
        named = select(USERS.c.user).where(
            USERS.c.email_folded == email.lower(), USERS.c.removed_ns.is_(None)
        )
        return None if change.execute(named).first() is None else _TAKEN

    def _taken_here(self, change: Connection, email: str) -> Denied | None:
        """Say that there is one in this subscription: of the others nobody here learns who is in them."""
        return None if self._row(change, email) is None else _TAKEN

    def _invite_wrong(self, connection: Connection, email: str) -> Denied | None:
        taken = email_wrong(email) or self._taken_here(connection, email)
        return taken or self._too_many(connection)

    def _too_many(self, change: Connection) -> Denied | None:
        if len(change.execute(self._present()).all()) < USERS_MAX:
            return None
        return Denied("users_too_many", f"there are {USERS_MAX} users; remove one first")


_TAKEN = Denied("email_taken", "there is a user of this e-mail address; give another one")
_LINK_INVALID = Denied(
    "link_invalid", "the link is not known, was used, or is too old; have a new one made"
)


def subscription_of_link(store: Store, token: str, now_ns: int) -> str | None:
    """Return whose a link is, None if it is none. Raises ControlError."""
    named = select(LINKS.c.subscription).where(
        LINKS.c.token_hash == one_time.token_hash(token), LINKS.c.expires_ns > now_ns
    )
    with store.read() as connection:
        return connection.execute(named).scalar_one_or_none()


def user_of(row: Row[Any]) -> User:
    """Return the user of a row."""
    return User(
        user=row.user,
        subscription=row.subscription,
        email=row.email,
        has_second_factor=row.totp is not None,
        phrase=row.phrase,
        created_ns=row.created_ns,
        version=row.version,
    )


def put(change: Connection, user: User) -> None:
    """Store what may be read of a user."""
    change.execute(USERS.update().filter_by(user=user.user).values(**_values(user)))


def audited(user: User) -> dict[str, object]:
    """Return what the audit says of a user."""
    return {"email": user.email, "second_factor": user.has_second_factor, "version": user.version}


def _values(user: User) -> dict[str, object]:
    return {
        "user": user.user,
        "subscription": user.subscription,
        "email": user.email,
        "email_folded": user.email.lower(),
        "phrase": user.phrase,
        "created_ns": user.created_ns,
        "version": user.version,
    }


def _unknown(name: str) -> Denied:
    text = f"there is no user {plain(name)}; give an id usr_… or an e-mail address"
    return Denied("user_unknown", text)
