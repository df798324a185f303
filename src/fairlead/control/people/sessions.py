"""Signing in and out, step by step, and who a cookie is. Of all subscriptions: a person says an e-mail
address, and whose it is shows.

Every refusal before somebody is signed in reads the same and takes as long. The token of a session is
in its cookie alone; a new one, and a new session, comes with each step.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, Row, delete, select

from fairlead.control.audit import Actor, Audit, Entry, nobody
from fairlead.control.errors import ControlError
from fairlead.control.key_text import new_id
from fairlead.control.keys import Denied
from fairlead.control.people import one_time
from fairlead.control.people.passwords import Passwords
from fairlead.control.people.person import From, Session, Stage, User, folded_email
from fairlead.control.people.throttles import (
    SECOND_FACTOR,
    SECOND_FACTOR_USER,
    SIGN_IN,
    SIGN_IN_ADDRESS,
    attempts,
    forgive,
)
from fairlead.control.people.users import put, user_of
from fairlead.control.store import Store
from fairlead.control.tables import CHALLENGES, RECOVERY_CODES, SESSIONS, USERS
from fairlead.control.vault import Place, Vault
from fairlead.core.requests import LOCAL

SESSIONS_MAX = 20  # of a user; one more ends the oldest
AGENT_CHARACTERS_MAX = 200
_PREFIX = "ses_"
_SEEN_EVERY_NS = 60 * 1_000_000_000  # so that not every request is a change
_CODES = "one-time codes"
_UNSTORED_MAX = 1_000  # sessions
log = structlog.get_logger()

REFUSED = Denied("sign_in_refused", "the e-mail address or the password is not right")
CODE_WRONG = Denied("code_wrong", "the code is not right, was used already, or is too old")
_OVER = Denied("session_over", "the session is over; sign in again")


class SignedIn(msgspec.Struct, frozen=True):
    """A session that has just begun, with the one copy of its token that there is."""

    user: User
    session: Session
    token: str

    def __repr__(self) -> str:
        """Name the session, never the token."""
        return f"SignedIn({self.session!r})"


class Limited(msgspec.Struct, frozen=True):
    """Too many attempts: there may be one again in so many ns."""

    wait_ns: int


class Enrolled(msgspec.Struct, frozen=True):
    """A second factor that was switched on: the codes that stand in for it, told this once."""

    recovery_codes: tuple[str, ...]


class Sessions:
    """The sessions of everybody. `audit_of`: the audit of a subscription."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        audit_of: Callable[[str], Audit],
        passwords: Passwords,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._vault = vault
        self._audit_of = audit_of
        self._seen_ns: dict[str, int] = {}  # of sessions whose last moment could not be stored

    # ── in ───────────────────────────────────────────────────────────────────────────────────────

    def sign_in(
        self, email: str, password: str, origin: From, now_ns: int
    ) -> SignedIn | Denied | Limited:
        """Begin a session; where there is a second factor, one that is only good to give it.

        Raises ControlError.
        """
        folded = folded_email(email)
        subject = f"{folded} {origin.subscriber}"
        limits = ((SIGN_IN_ADDRESS, origin.subscriber), (SIGN_IN, subject))
        with self._store.change(is_told=False) as change:
            wait_ns = attempts(change, limits, now_ns)
            row = _by_email(change, folded)
        if wait_ns is not None:
            return Limited(wait_ns)
        is_right = self._passwords.fits(
            password, None if row is None else row.password
        )  # takes long
        audit = self._audit_of(LOCAL if row is None else row.subscription)
        with audit.change(is_told=False) as change:
            now = _by_email(change, folded)
            if not is_right or row is None or now is None or now.password != row.password:
                # What is no user's address may be a password in the wrong field: it is not kept.
                target = "-" if row is None else row.user
                actor = nobody(origin.address)
                return audit.refuse(change, actor, "user.sign_in", target, REFUSED, now_ns)
            forgive(change, SIGN_IN, subject)
            stage = Stage.WHOLE if now.totp is None else Stage.PASSWORD
            begun = self._begin(change, now, stage, origin, now_ns)
            actor = Actor(now.user, origin.address, "password")
            self._done(audit, change, actor, "user.sign_in", begun.session, now_ns)
            return begun

    def give_code(
        self, token: str, code: str, origin: From, now_ns: int
    ) -> SignedIn | Denied | Limited:
        """Give the second factor, or a recovery code in its place: the whole session begins.

        Raises ControlError.
        """
        found = self._found(token, now_ns)
        if found is None or found[1].stage is not Stage.PASSWORD:
            return _OVER
        user, session = found
        subject = f"{user.user} {origin.subscriber}"
        limits = ((SECOND_FACTOR, subject), (SECOND_FACTOR_USER, user.user))
        with self._store.change(is_told=False) as change:
            wait_ns = attempts(change, limits, now_ns)
        if wait_ns is not None:
            return Limited(wait_ns)
        audit = self._audit_of(user.subscription)
        with audit.change(is_told=False) as change:
            row = _session_row(change, token)
            if row is None:  # ended meanwhile
                return _OVER
            factor = self.use_code(change, user, code, now_ns)
            if factor is None:
                actor, action = nobody(origin.address), "user.second_factor"
                return audit.refuse(change, actor, action, user.user, CODE_WRONG, now_ns)
            forgive(change, SECOND_FACTOR, subject)
            change.execute(delete(SESSIONS).where(SESSIONS.c.session == session.session))
            begun = self._begin(change, row, Stage.WHOLE, origin, now_ns)
            actor = Actor(user.user, origin.address, f"password+{factor}")
            self._done(audit, change, actor, "user.second_factor", begun.session, now_ns)
            return begun

    def begin(self, user: User, origin: From, now_ns: int) -> SignedIn:
        """Begin the session of somebody who has just become a user. Raises ControlError."""
        audit = self._audit_of(user.subscription)
        with audit.change(is_told=False) as change:
            row = change.execute(select(USERS).where(USERS.c.user == user.user)).one()
            begun = self._begin(change, row, Stage.WHOLE, origin, now_ns)
            actor = Actor(user.user, origin.address, "link")
            self._done(audit, change, actor, "user.sign_in", begun.session, now_ns)
            return begun

    def _begin(
        self, change: Connection, row: Row[Any], stage: Stage, origin: From, now_ns: int
    ) -> SignedIn:
        """Begin a session; there is room for it, if need be, by the end of the oldest of its stage.

        So who knows a password alone cannot end the sessions of who has the second factor too.
        """
        held = select(SESSIONS).where(SESSIONS.c.user == row.user)
        rows = change.execute(held.order_by(SESSIONS.c.seen_ns.desc())).all()
        of_stage = [each.session for each in rows if each.stage == stage]
        for each in rows:
            if each.session in of_stage[SESSIONS_MAX - 1 :] or _session(each).is_over(now_ns):
                change.execute(delete(SESSIONS).where(SESSIONS.c.session == each.session))
        token = one_time.new_token()
        session = Session(
            session=new_id(_PREFIX),
            user=row.user,
            stage=stage,
            created_ns=now_ns,
            seen_ns=now_ns,
            address=origin.address,
            agent="".join(c for c in origin.agent if c.isprintable())[:AGENT_CHARACTERS_MAX],
        )
        change.execute(
            SESSIONS.insert().values(
                msgspec.to_builtins(session) | {"token_hash": one_time.token_hash(token)}
            )
        )
        return SignedIn(user_of(row), session, token)

    # ── who it is ────────────────────────────────────────────────────────────────────────────────

    def of(self, token: str, now_ns: int) -> tuple[User, Session] | None:
        """Return whose token it is, and that it was seen; None when it is nobody's any more.

        When the session was seen is stored once a minute; while that cannot be, as with a full disk, this
        process remembers it: who may read goes on reading. Raises ControlError.
        """
        found = self._found(token, now_ns)
        if found is None:
            return None
        user, session = found
        if now_ns - session.seen_ns >= _SEEN_EVERY_NS:
            self._store_seen(session.session, now_ns)
            session = msgspec.structs.replace(session, seen_ns=now_ns)
        return user, session

    def _store_seen(self, session: str, now_ns: int) -> None:
        seen = SESSIONS.update().filter_by(session=session)
        try:
            with self._store.change(is_told=False) as change:
                change.execute(seen.values(seen_ns=now_ns))
        except ControlError as error:
            if not self._seen_ns:
                log.error("sessions cannot be stored", cause=str(error))  # noqa: TRY400 - no trace
            if len(self._seen_ns) >= _UNSTORED_MAX:
                self._seen_ns.clear()
            self._seen_ns[session] = now_ns
        else:
            self._seen_ns.pop(session, None)

    def _found(self, token: str, now_ns: int) -> tuple[User, Session] | None:
        with self._store.read() as connection:
            row = _session_row(connection, token)
            held = (
                None
                if row is None
                else connection.execute(
                    select(SESSIONS).where(SESSIONS.c.token_hash == one_time.token_hash(token))
                ).first()
            )
        if row is None or held is None:
            return None
        session = _session(held)
        unstored_ns = self._seen_ns.get(session.session, 0)
        if unstored_ns > session.seen_ns:
            session = msgspec.structs.replace(session, seen_ns=unstored_ns)
        return None if session.is_over(now_ns) else (user_of(row), session)

    def listed(self, user: User, now_ns: int) -> list[Session]:
        """Return the user's sessions, the one seen last first. Raises ControlError."""
        held = select(SESSIONS).where(SESSIONS.c.user == user.user)
        with self._store.read() as connection:
            rows = connection.execute(held.order_by(SESSIONS.c.seen_ns.desc())).all()
        return [each for each in map(_session, rows) if not each.is_over(now_ns)]

    # ── out ──────────────────────────────────────────────────────────────────────────────────────

    def end(self, user: User, session: str, actor: Actor, now_ns: int) -> Denied | None:
        """End one of the user's sessions. Raises ControlError."""
        audit = self._audit_of(user.subscription)
        with audit.change(is_told=False) as change:
            of_user = (SESSIONS.c.user == user.user) & (SESSIONS.c.session == session)
            if change.execute(delete(SESSIONS).where(of_user)).rowcount == 0:
                return Denied("session_unknown", "there is no such session of yours")
            entry = Entry(action="user.sign_out", target=session)
            audit.append(change, actor, entry, now_ns)
            return None

    def sign_out(self, user: User, session: Session, origin: From, now_ns: int) -> None:
        """End the session that asks for it. Raises ControlError."""
        self.end(user, session.session, Actor(user.user, origin.address, "session"), now_ns)

    def end_all(self, change: Connection, user: User, but: str = "") -> int:
        """End the user's sessions but one, within a change; return how many."""
        others = (SESSIONS.c.user == user.user) & (SESSIONS.c.session != but)
        return change.execute(delete(SESSIONS).where(others)).rowcount

    # ── the second factor ────────────────────────────────────────────────────────────────────────

    def use_code(self, change: Connection, user: User, code: str, now_ns: int) -> str | None:
        """Use up a code of the second factor, or a recovery code; return which it was, None: neither.

        Within the change that does what the code is for.
        """
        row = _by_id(change, user.user)
        if row is None or row.totp is None:
            return None
        secret = self._vault.open(change, _place(user), row.totp).decode()
        step = one_time.totp_step(secret, code, now_ns, row.totp_step)
        if step is not None:
            change.execute(USERS.update().filter_by(user=user.user).values(totp_step=step))
            return "totp"
        hashed = one_time.code_hash(self._codes_key(change, user), code)
        of_it = (RECOVERY_CODES.c.user == user.user) & (RECOVERY_CODES.c.code_hash == hashed)
        used = change.execute(delete(RECOVERY_CODES).where(of_it)).rowcount
        return "recovery" if used else None

    def enrol(
        self, change: Connection, user: User, secret: str, code: str, session: str, now_ns: int
    ) -> Enrolled | Denied:
        """Switch the second factor on, by a code of its secret; every other session ends.

        Within a change, which the caller audits.
        """
        step = one_time.totp_step(secret, code, now_ns, 0)
        if step is None:
            return CODE_WRONG
        sealed = self._vault.seal(change, _place(user), secret.encode())
        codes = one_time.new_recovery_codes()
        of_user = USERS.update().filter_by(user=user.user)
        change.execute(of_user.values(totp=sealed, totp_step=step, version=USERS.c.version + 1))
        self._forget_codes(change, user)
        key = self._codes_key(change, user)
        change.execute(
            RECOVERY_CODES.insert(),
            [{"user": user.user, "code_hash": one_time.code_hash(key, each)} for each in codes],
        )
        self.end_all(change, user, but=session)
        return Enrolled(tuple(codes))

    def drop_factor(self, change: Connection, user: User, session: str) -> User:
        """Switch the second factor off, within a change that the caller audits.

        Every other session ends, and so does whatever was asked for and not yet confirmed.
        """
        before = user_of(_by_id(change, user.user))  # as it is by now: a phrase may be new
        after = msgspec.structs.replace(before, has_second_factor=False, version=before.version + 1)
        change.execute(USERS.update().filter_by(user=user.user).values(totp=None))
        put(change, after)
        change.execute(delete(CHALLENGES).where(CHALLENGES.c.user == user.user))
        self._forget_codes(change, user)
        self.end_all(change, user, but=session)
        return after

    def _forget_codes(self, change: Connection, user: User) -> None:
        change.execute(delete(RECOVERY_CODES).where(RECOVERY_CODES.c.user == user.user))

    def _codes_key(self, connection: Connection, user: User) -> bytes:
        return self._vault.derived(connection, user.subscription, _CODES)

    # ── the audit ────────────────────────────────────────────────────────────────────────────────

    def _done(
        self,
        audit: Audit,
        change: Connection,
        actor: Actor,
        action: str,
        session: Session,
        now_ns: int,
    ) -> None:
        after = {"session": session.session, "stage": str(session.stage)}
        audit.append(change, actor, Entry(action=action, target=session.user, after=after), now_ns)


def _by_email(connection: Connection, folded: str) -> Any:
    named = select(USERS).where(USERS.c.email_folded == folded, USERS.c.removed_ns.is_(None))
    return connection.execute(named).first()


def _by_id(connection: Connection, user: str) -> Any:
    named = select(USERS).where(USERS.c.user == user, USERS.c.removed_ns.is_(None))
    return connection.execute(named).first()


def _session_row(connection: Connection, token: str) -> Any:
    """Return the row of the user whose session has this token."""
    hashed = one_time.token_hash(token)
    of_session = select(USERS).join(SESSIONS, SESSIONS.c.user == USERS.c.user)
    present = of_session.where(SESSIONS.c.token_hash == hashed, USERS.c.removed_ns.is_(None))
    return connection.execute(present).first()


def _session(row: Row[Any]) -> Session:
    return Session(
        session=row.session,
        user=row.user,
        stage=Stage(row.stage),
        created_ns=row.created_ns,
        seen_ns=row.seen_ns,
        address=row.address,
        agent=row.agent,
    )


def _place(user: User) -> Place:
    return Place(user.subscription, "user", user.user, "totp", 1)
