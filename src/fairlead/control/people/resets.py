"""A new password for who has forgotten theirs: by a mailed code, and the second factor where there is one.

Whoever asks is told nothing, neither that there is such a user nor that there is none. Every refusal of a
code reads the same.
"""

import hmac
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select

from fairlead.control.audit import Actor, Audit, Entry, nobody
from fairlead.control.key_text import new_id
from fairlead.control.keys import Denied
from fairlead.control.people import one_time
from fairlead.control.people.challenges import (
    LASTS_NS,
    PREFIX,
    TRIES,
    count_try,
    limits_of,
    mail_code_hash,
)
from fairlead.control.people.passwords import Passwords, password_wrong
from fairlead.control.people.person import From, User, folded_email
from fairlead.control.people.sessions import Limited, Sessions
from fairlead.control.people.throttles import (
    FORGOTTEN_ADDRESS,
    SIGN_IN_ADDRESS,
    attempt,
    attempts,
    take_back,
)
from fairlead.control.people.users import user_of
from fairlead.control.store import Store
from fairlead.control.tables import CHALLENGES, USERS
from fairlead.control.vault import Vault

_ACTION = "password.reset"
REFUSED = Denied(
    "reset_refused",
    "the codes are not right, too old, used, or were tried too often; have a new one sent",
)


class Forgotten(msgspec.Struct, frozen=True):
    """A user who may have a code, which is for the mail alone."""

    user: User
    code: str
    asked_ns: int

    def __repr__(self) -> str:
        """Name the user, never the code."""
        return f"Forgotten({self.user.user!r})"


class Resets:
    """Resets of one subscription's users."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        audit: Audit,
        sessions: Sessions,
        passwords: Passwords,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._vault = vault
        self._audit = audit
        self._sessions = sessions

    def ask(self, email: str, origin: From, now_ns: int) -> Forgotten | None:
        """Return whom to mail which code; None: nobody, or not so soon again. Raises ControlError."""
        with self._audit.change(is_told=False) as change:
            row = self._row(change, email)
            if row is None:
                return None
            user = user_of(row)
            limits = (*limits_of(_ACTION, user.user), (FORGOTTEN_ADDRESS, origin.subscriber))
            if attempts(change, limits, now_ns) is not None:
                return None
            self._forget(change, user)
            code = one_time.new_mail_code()
            change.execute(
                CHALLENGES.insert().values(
                    challenge=new_id(PREFIX),
                    user=user.user,
                    session="",
                    action=_ACTION,
                    payload=b"",
                    code_hash=mail_code_hash(self._vault, change, user, code),
                    expires_ns=now_ns + LASTS_NS,
                    tries_left=TRIES,
                )
            )
            entry = Entry(action="user.password.forgotten", target=user.user)
            self._audit.append(change, nobody(origin.address), entry, now_ns)
            return Forgotten(user, code, now_ns)

    def withdraw(self, forgotten: Forgotten) -> None:
        """End what could not be mailed, and counts for nothing. Raises ControlError."""
        user = forgotten.user
        with self._store.change(is_told=False) as change:
            self._forget(change, user)
            take_back(change, limits_of(_ACTION, user.user), forgotten.asked_ns)

    def reset(
        self, email: str, codes: tuple[str, str], password: str, origin: From, now_ns: int
    ) -> Denied | Limited | None:
        """Set a new password by the mailed code and that of the second factor; every session ends.

        Raises ControlError.
        """
        denied = password_wrong(password, email)
        if denied is not None:
            return denied
        with self._store.change(is_told=False) as change:
            wait_ns = attempt(change, SIGN_IN_ADDRESS, origin.subscriber, now_ns)
        if wait_ns is not None:
            return Limited(wait_ns)
        kept = self._passwords.hash_of(password)  # takes long, whatever comes of it
        by_mail, by_factor = codes
        stranger, action = nobody(origin.address), "user.password.reset"
        with self._audit.change(is_told=False) as change:
            row = self._row(change, email)
            asked = self._asked(change, "" if row is None else row.user, now_ns)
            if row is None or asked is None:
                target = "-" if row is None else row.user
                return self._audit.refuse(change, stranger, action, target, REFUSED, now_ns)
            user = user_of(row)
            given = mail_code_hash(self._vault, change, user, by_mail)
            factor: str | None = None
            if hmac.compare_digest(given, asked.code_hash):
                factor = "none"
                if user.has_second_factor:
                    factor = self._sessions.use_code(change, user, by_factor, now_ns)
            if factor is None:
                count_try(change, asked)
                return self._audit.refuse(change, stranger, action, user.user, REFUSED, now_ns)
            self._forget(change, user)
            change.execute(USERS.update().filter_by(user=user.user).values(password=kept))
            ended = self._sessions.end_all(change, user)
            actor = Actor(user.user, origin.address, f"mail+{factor}")
            entry = Entry(action=action, target=user.user, after={"sessions_ended": ended})
            self._audit.append(change, actor, entry, now_ns)
            return None

    def _row(self, connection: Connection, email: str) -> Any:
        named = select(USERS).where(
            USERS.c.subscription == self._audit.subscription,
            USERS.c.email_folded == folded_email(email),
            USERS.c.removed_ns.is_(None),
        )
        return connection.execute(named).first()

    def _asked(self, change: Connection, user: str, now_ns: int) -> Any:
        living = select(CHALLENGES).where(
            CHALLENGES.c.user == user,
            CHALLENGES.c.action == _ACTION,
            CHALLENGES.c.expires_ns > now_ns,
        )
        return change.execute(living).first()

    def _forget(self, change: Connection, user: User) -> None:
        of_user = (CHALLENGES.c.user == user.user) & (CHALLENGES.c.action == _ACTION)
        change.execute(delete(CHALLENGES).where(of_user))


def subscription_of_email(store: Store, email: str) -> str | None:
    """Return whose user has an address, None: nobody's. Raises ControlError."""
    named = select(USERS.c.subscription).where(
        USERS.c.email_folded == folded_email(email), USERS.c.removed_ns.is_(None)
    )
    with store.read() as connection:
        return connection.execute(named).scalar_one_or_none()
