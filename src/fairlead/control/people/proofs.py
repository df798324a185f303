"""What somebody who is signed in proves again: both factors for a new password, one to take a key back.

A cookie alone, which a browser may have lost, changes no password and takes no key back. Taking back needs
one factor and no letter, so that it can be done at once, whatever becomes of the mail; tries are counted by
session, so that nobody else can use an owner's up.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, select

from fairlead.control.audit import Actor, Audit, Entry, nobody
from fairlead.control.keys import Denied
from fairlead.control.people.passwords import Passwords, password_wrong
from fairlead.control.people.person import From, Session, User
from fairlead.control.people.sessions import Limited, Sessions
from fairlead.control.people.throttles import (
    PROOF,
    SECOND_FACTOR_USER,
    SIGN_IN,
    attempt,
    forgive,
)
from fairlead.control.store import Store
from fairlead.control.tables import USERS

_Result = TypeVar("_Result")

PASSWORD_WRONG = Denied("password_wrong", "the present password is not right")
EITHER_WRONG = Denied(
    "password_wrong",
    "the present password, or the code of the second factor, is not right; give both as they are now",
)
FACTOR_WRONG = Denied(
    "factor_wrong", "the password, or the code of the second factor, is not right or was used"
)


class _Kept(msgspec.Struct, frozen=True):
    """What a user is known by now; no password of who has been removed."""

    password: str | None
    has_second_factor: bool


class Proofs:
    """What users of one subscription prove."""

    def __init__(
        self, store: Store, audit: Audit, sessions: Sessions, passwords: Passwords
    ) -> None:
        self._store = store
        self._audit = audit
        self._sessions = sessions
        self._passwords = passwords

    def change_password(
        self,
        user: User,
        session: str,
        proof: tuple[str, str],
        new_password: str,
        origin: From,
        now_ns: int,
    ) -> Denied | Limited | None:
        """Change the password of who knows the present one, and has the second factor where there is one.

        `proof`: the present password, and the code. Both are looked at before the code is used up. Every
        other session ends. Raises ControlError.
        """
        denied = password_wrong(new_password, user.email)
        if denied is not None:
            return denied
        password, code = proof
        subject = f"{user.email.lower()} {origin.subscriber}"
        with self._store.change(is_told=False) as change:
            wait_ns = attempt(change, SIGN_IN, subject, now_ns)
            kept = _kept(change, user)
        if wait_ns is not None:
            return Limited(wait_ns)
        is_right = self._passwords.fits(password, kept.password)  # takes long, and so does the next
        hashed = self._passwords.hash_of(new_password)
        with self._audit.change(is_told=False) as change:
            now = _kept(change, user)
            is_right = is_right and now.password == kept.password
            factor = "password" if is_right else None
            if is_right and now.has_second_factor:
                # With those of signing in. A stolen session alone does not get so far as to use them up.
                wait_ns = attempt(change, SECOND_FACTOR_USER, user.user, now_ns)
                if wait_ns is not None:
                    return Limited(wait_ns)
                used = self._sessions.use_code(change, user, code, now_ns)
                factor = None if used is None else f"password+{used}"
            if factor is None:
                wrong = EITHER_WRONG if now.has_second_factor else PASSWORD_WRONG
                actor = nobody(origin.address)
                return self._audit.refuse(change, actor, "user.password", user.user, wrong, now_ns)
            forgive(change, SIGN_IN, subject)
            change.execute(USERS.update().filter_by(user=user.user).values(password=hashed))
            ended = self._sessions.end_all(change, user, but=session)
            entry = Entry(action="user.password", target=user.user, after={"sessions_ended": ended})
            self._audit.append(change, Actor(user.user, origin.address, factor), entry, now_ns)
        return None

    def with_password(
        self,
        user: User,
        session: Session,
        password: str,
        origin: From,
        now_ns: int,
        perform: Callable[[Connection, Actor], _Result],
    ) -> _Result | Denied | Limited:
        """Do something for who knows the present password. Raises ControlError."""
        with self._store.change(is_told=False) as change:
            wait_ns = attempt(change, PROOF, session.session, now_ns)
            kept = _kept(change, user).password
        if wait_ns is not None:
            return Limited(wait_ns)
        is_right = self._passwords.fits(password, kept)  # takes long

        def prove(change: Connection) -> str | None:
            return "password" if is_right and _kept(change, user).password == kept else None

        return self._performed(user, session, origin, now_ns, prove, perform)

    def with_code(
        self,
        user: User,
        session: Session,
        code: str,
        origin: From,
        now_ns: int,
        perform: Callable[[Connection, Actor], _Result],
    ) -> _Result | Denied | Limited:
        """Do something for who has the second factor, whose code is used up by it. Raises ControlError."""
        with self._store.change(is_told=False) as change:
            wait_ns = attempt(change, PROOF, session.session, now_ns)
        if wait_ns is not None:
            return Limited(wait_ns)

        def prove(change: Connection) -> str | None:
            return self._sessions.use_code(change, user, code, now_ns)

        return self._performed(user, session, origin, now_ns, prove, perform)

    def _performed(
        self,
        user: User,
        session: Session,
        origin: From,
        now_ns: int,
        prove: Callable[[Connection], str | None],
        perform: Callable[[Connection, Actor], _Result],
    ) -> _Result | Denied:
        with self._audit.change() as change:
            factor = prove(change)
            if factor is None:
                actor = nobody(origin.address)
                return self._audit.refuse(
                    change, actor, "user.prove", user.user, FACTOR_WRONG, now_ns
                )
            forgive(change, PROOF, session.session)
            return perform(change, Actor(user.user, origin.address, factor))


def _kept(connection: Connection, user: User) -> _Kept:
    named = select(USERS.c.password, USERS.c.totp).where(
        USERS.c.user == user.user, USERS.c.removed_ns.is_(None)
    )
    row = connection.execute(named).first()
    return _Kept(None, False) if row is None else _Kept(row.password, row.totp is not None)
