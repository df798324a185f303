"""Challenges: nothing is granted but by a code that was mailed and the second factor, together.

A challenge is bound to its user, session, action and the exact payload, which is kept, and which is what
is done when the codes are right. Both codes are looked at before either is used up, in one change with
what they allow: a wrong one of the two uses up nothing but a try. A newer challenge for the same action
ends the older.
"""

import hmac
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, delete, select

from fairlead.control.audit import Actor, Audit, Entry, Outcome
from fairlead.control.key_text import new_id
from fairlead.control.keys import Denied
from fairlead.control.people import one_time
from fairlead.control.people.person import From, Session, Stage, User
from fairlead.control.people.sessions import CODE_WRONG, Limited, Sessions
from fairlead.control.people.throttles import Limit, attempts, take_back
from fairlead.control.store import Store
from fairlead.control.tables import CHALLENGES, SESSIONS
from fairlead.control.vault import Place, Vault

_MINUTE = 60 * 1_000_000_000
LASTS_NS = 10 * _MINUTE
TRIES = 5
RESEND_NS = _MINUTE
_MAILS_PER_HOUR = 5
PREFIX = "chl_"
_CODES = "mail codes"
_Result = TypeVar("_Result")

OVER = Denied(
    "challenge_over",
    "the code that was sent is void: it is used, too old, of another session, or was tried too often;"
    " have a new one sent",
)
FACTOR_REQUIRED = Denied(
    "two_factor_required", "switch two-factor authentication on first; nothing was sent"
)


class Action(StrEnum):
    """What can be granted."""

    KEY_ADD = "key.add"
    KEY_EDIT = "key.edit"
    KEY_DELETE = "key.delete"
    KEY_DELETE_ALL = "key.delete_all"
    KEY_ENABLE = "key.enable"
    KEY_ROTATE = "key.rotate"
    CERTIFICATE_ISSUE = "certificate.issue"
    FACTOR_ENABLE = "two_factor.enable"
    FACTOR_DISABLE = "two_factor.disable"
    USER_INVITE = "user.invite"


class Asked(msgspec.Struct, frozen=True):
    """A challenge that has begun, with the one copy of its code that there is: for the mail."""

    challenge: str
    action: Action
    expires_ns: int
    code: str

    def __repr__(self) -> str:
        """Name the challenge, never the code."""
        return f"Asked({self.challenge!r}, {self.action!s})"


class Granted(msgspec.Struct, frozen=True):
    """What was asked for, now to be done within `change`. `factor` says by what it was allowed."""

    change: Connection
    action: Action
    payload: bytes
    actor: Actor


class Challenges:
    """The challenges of one subscription's users."""

    def __init__(self, store: Store, vault: Vault, audit: Audit, sessions: Sessions) -> None:
        self._store = store
        self._vault = vault
        self._audit = audit
        self._sessions = sessions

    def ask(
        self,
        user: User,
        session: Session,
        action: Action,
        payload: bytes,
        origin: From,
        now_ns: int,
    ) -> Asked | Denied | Limited:
        """Begin a challenge; its code is to be mailed, or it is to be withdrawn. Raises ControlError."""
        assert session.stage is Stage.WHOLE, "half a session may ask for nothing"
        if not user.has_second_factor and action is not Action.FACTOR_ENABLE:
            return FACTOR_REQUIRED
        with self._audit.change(is_told=False) as change:
            wait_ns = attempts(change, limits_of(action, user.user), now_ns)
            if wait_ns is not None:
                return Limited(wait_ns)
            change.execute(delete(CHALLENGES).where(CHALLENGES.c.expires_ns <= now_ns))
            of_action = (CHALLENGES.c.user == user.user) & (CHALLENGES.c.action == action)
            change.execute(delete(CHALLENGES).where(of_action))
            challenge, code = new_id(PREFIX), one_time.new_mail_code()
            place = _place(user, challenge)
            change.execute(
                CHALLENGES.insert().values(
                    challenge=challenge,
                    user=user.user,
                    session=session.session,
                    action=action,
                    payload=self._vault.seal(change, place, payload),
                    code_hash=mail_code_hash(self._vault, change, user, code),
                    expires_ns=now_ns + LASTS_NS,
                    tries_left=TRIES,
                )
            )
            actor = Actor(user.user, origin.address, "session")
            entry = Entry(action="challenge.ask", target=challenge, after={"action": action})
            self._audit.append(change, actor, entry, now_ns)
            return Asked(challenge, action, now_ns + LASTS_NS, code)

    def withdraw(self, user: User, asked: Asked) -> None:
        """End a challenge whose code could not be mailed; it counts for nothing. Raises ControlError."""
        with self._store.change(is_told=False) as change:
            change.execute(delete(CHALLENGES).where(CHALLENGES.c.challenge == asked.challenge))
            take_back(change, limits_of(asked.action, user.user), asked.expires_ns - LASTS_NS)

    def confirm(
        self,
        user: User,
        session: Session,
        challenge: str,
        codes: tuple[str, str],
        origin: From,
        now_ns: int,
        perform: Callable[[Granted], _Result | Denied],
        prove: Callable[[Connection, bytes, str], str | None] | None = None,
    ) -> _Result | Denied:
        """Do what was asked for, if both codes are right: (by mail, of the second factor).

        `perform` does it, within the change that uses the codes up; what it denies is not done, and the
        codes are used up all the same. `prove` finds out by what the second code is right, by default the
        user's second factor, and uses it up. Raises ControlError.
        """
        by_mail, by_factor = codes
        with self._audit.change() as change:
            row = self._row(change, user, session, challenge, now_ns)
            if row is None:
                return OVER
            action = Action(row.action)
            payload = self._vault.open(change, _place(user, challenge), row.payload)
            given = mail_code_hash(self._vault, change, user, by_mail)
            factor = None
            if hmac.compare_digest(given, row.code_hash):
                if prove is None:
                    factor = self._sessions.use_code(change, user, by_factor, now_ns)
                else:
                    factor = prove(change, payload, by_factor)
            if factor is None:
                count_try(change, row)
                self._refuse(change, user, challenge, action, CODE_WRONG, origin, now_ns)
                return CODE_WRONG
            change.execute(delete(CHALLENGES).where(CHALLENGES.c.challenge == challenge))
            actor = Actor(user.user, origin.address, f"mail+{factor}")
            result = perform(Granted(change, action, payload, actor))
            if isinstance(result, Denied):
                self._refuse(change, user, challenge, action, result, origin, now_ns)
            return result

    def _row(
        self, change: Connection, user: User, session: Session, challenge: str, now_ns: int
    ) -> Any:
        """Return the row of a challenge that is not over, of a session that has not ended meanwhile."""
        found = (
            select(CHALLENGES)
            .join(SESSIONS, SESSIONS.c.session == CHALLENGES.c.session)
            .where(
                CHALLENGES.c.challenge == challenge,
                CHALLENGES.c.user == user.user,
                CHALLENGES.c.session == session.session,
                CHALLENGES.c.expires_ns > now_ns,
            )
        )
        return change.execute(found).first()

    def _refuse(
        self,
        change: Connection,
        user: User,
        challenge: str,
        action: Action,
        denied: Denied,
        origin: From,
        now_ns: int,
    ) -> None:
        actor = Actor(user.user, origin.address, "session")
        cause = {"action": action, "code": denied.code}
        entry = Entry(
            action="challenge.confirm", target=challenge, after=cause, outcome=Outcome.REFUSED
        )
        self._audit.append(change, actor, entry, now_ns)


def count_try(change: Connection, row: Any) -> None:
    """Count a wrong try of a challenge's row; the last one ends it."""
    of_it = CHALLENGES.c.challenge == row.challenge
    if row.tries_left <= 1:
        change.execute(delete(CHALLENGES).where(of_it))
    else:
        change.execute(CHALLENGES.update().where(of_it).values(tries_left=row.tries_left - 1))


def mail_code_hash(vault: Vault, connection: Connection, user: User, code: str) -> bytes:
    """Return what is kept of a code that is mailed to a user."""
    key = vault.derived(connection, user.subscription, _CODES)
    return one_time.code_hash(key, code)


def limits_of(action: str, user: str) -> tuple[tuple[Limit, str], ...]:
    """Return how often a code may be mailed, counted by user and kind of action."""
    return (
        (Limit(f"mail {action} minute", 1, RESEND_NS), user),
        (Limit(f"mail {action} hour", _MAILS_PER_HOUR, 60 * _MINUTE), user),
    )


def _place(user: User, challenge: str) -> Place:
    return Place(user.subscription, "challenge", challenge, "payload", 1)
