"""The calls about oneself: who one is, one's sessions, password and phrase."""

from functools import partial

from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.keys import Denied
from fairlead.control.people.person import User
from fairlead.control.people.sessions import Limited
from fairlead.gateway.answers import Answer
from fairlead.gateway.console import words
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.visit import Level, Routes, Visit, done, refused, shown


class Own:
    """The calls under /v1/me."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.routes: Routes = {
            b"/v1/me": {
                "GET": (Level.WHOLE, self.me),
                "PATCH": (Level.WHOLE, self.change),
            },
            b"/v1/me/password": {"POST": (Level.WHOLE, self.password)},
            b"/v1/me/sessions": {"GET": (Level.WHOLE, self.sessions)},
            b"/v1/me/accounts": {"GET": (Level.WHOLE, self.accounts)},
        }
        self.prefixes: Routes = {
            b"/v1/me/sessions/": {"DELETE": (Level.WHOLE, self.end_session)},
        }

    async def me(self, visit: Visit) -> Answer:
        """GET /v1/me"""
        user, session = visit.person
        return shown(200, words.me(user, session, visit.origin.address))

    async def change(self, visit: Visit) -> Answer:
        """PATCH /v1/me"""
        form = visit.form(words.Phrase)
        if isinstance(form, Answer):
            return form
        _, session = visit.person
        work = partial(_set_phrase, self._desk.control, visit, form.anti_phishing)
        changed = await self._desk.run(work)
        if isinstance(changed, Denied):
            return refused(changed)
        return shown(200, words.me(changed, session, visit.origin.address))

    async def password(self, visit: Visit) -> Answer:
        """POST /v1/me/password: every other session ends."""
        form = visit.form(words.NewPassword)
        if isinstance(form, Answer):
            return form
        change = partial(_change_password, self._desk.control, visit, form)
        denied = await self._desk.run_password(change)
        return done() if denied is None else refused(denied)

    async def sessions(self, visit: Visit) -> Answer:
        """GET /v1/me/sessions"""
        user, session = visit.person
        listed = partial(self._desk.control.sessions.listed, user, visit.now_ns)
        found = await self._desk.run(listed)
        return shown(200, [words.session_shown(each, session.session) for each in found])

    async def accounts(self, visit: Visit) -> Answer:
        """GET /v1/me/accounts: the exchange accounts that a key may be limited to; their names alone."""
        user, _ = visit.person
        kept = await self._desk.run(self._desk.control.accounts_of(user.subscription).kept)
        names = sorted(each.exchange_id for each in kept if not each.is_deleted)
        return shown(200, [words.AccountNamed(each) for each in names])

    async def end_session(self, visit: Visit) -> Answer:
        """DELETE /v1/me/sessions/{session}"""
        user, _ = visit.person
        name = visit.call.tail.decode("ascii", "replace")
        actor = Actor(user.user, visit.origin.address, "session")
        end = partial(self._desk.control.sessions.end, user, name, actor, visit.now_ns)
        denied = await self._desk.run(end)
        return done() if denied is None else refused(denied)


def _change_password(
    control: Control, visit: Visit, form: words.NewPassword
) -> Denied | Limited | None:
    user, session = visit.person
    proof, now_ns = (form.password, form.totp), visit.now_ns
    proofs = control.of(user.subscription).proofs
    return proofs.change_password(
        user, session.session, proof, form.new_password, visit.origin, now_ns
    )


def _set_phrase(control: Control, visit: Visit, phrase: str) -> User | Denied:
    user, _ = visit.person
    actor = Actor(user.user, visit.origin.address, "session")
    users = control.of(user.subscription).users
    return users.set_phrase(actor, user.user, phrase, visit.now_ns)
