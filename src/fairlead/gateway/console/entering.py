"""The calls of those who are not signed in yet: becoming a user, signing in step by step, and out."""

from functools import partial

import structlog

from fairlead.control.control import Control
from fairlead.control.keys import Denied
from fairlead.control.people import letters
from fairlead.control.people.person import User
from fairlead.control.people.post import Unsent
from fairlead.control.people.resets import Forgotten, Resets, subscription_of_email
from fairlead.control.people.sessions import Limited, SignedIn
from fairlead.control.people.users import subscription_of_link
from fairlead.core.requests import LOCAL
from fairlead.gateway.answers import Answer
from fairlead.gateway.console import words
from fairlead.gateway.console.front import Busy, Desk
from fairlead.gateway.console.visit import (
    Level,
    Routes,
    Visit,
    csrf_of,
    done,
    problem,
    refused,
    set_cookie,
    shown,
)

log = structlog.get_logger()


class Entering:
    """The calls under /v1/auth."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.routes: Routes = {
            b"/v1/auth/state": {"GET": (Level.ANYBODY, self.state)},
            b"/v1/auth/first-user": {"POST": (Level.ANYBODY, self.first_user)},
            b"/v1/auth/invitation": {"POST": (Level.ANYBODY, self.invitation)},
            b"/v1/auth/sign-in": {"POST": (Level.ANYBODY, self.sign_in)},
            b"/v1/auth/second-factor": {"POST": (Level.PASSWORD, self.second_factor)},
            b"/v1/auth/password/forgotten": {"POST": (Level.ANYBODY, self.forgotten)},
            b"/v1/auth/password/reset": {"POST": (Level.ANYBODY, self.reset)},
            b"/v1/auth/sign-out": {"POST": (Level.ANYBODY, self.sign_out)},
        }
        self.prefixes: Routes = {}

    async def state(self, visit: Visit) -> Answer:
        """GET /v1/auth/state: where somebody stands who opens the page."""
        users = self._desk.control.users
        is_empty = visit.session is None and not await self._desk.run(users.are_there)
        stage = None if visit.session is None else visit.session.stage
        return shown(
            200,
            words.State(
                signed_in=stage is not None and stage == "whole",
                needs_first_user=is_empty,
                needs_second_factor=stage is not None and stage == "password",
                csrf=csrf_of(visit.token) if visit.token else "",
                mail=self._desk.mail,
            ),
        )

    async def first_user(self, visit: Visit) -> Answer:
        """POST /v1/auth/first-user"""
        form = visit.form(words.FirstUser)
        if isinstance(form, Answer):
            return form
        return await self._become(visit, form.token, form.email, form.password)

    async def invitation(self, visit: Visit) -> Answer:
        """POST /v1/auth/invitation"""
        form = visit.form(words.Invitation)
        if isinstance(form, Answer):
            return form
        return await self._become(visit, form.token, "", form.password)

    async def _become(self, visit: Visit, token: str, email: str, password: str) -> Answer:
        become = partial(_become, self._desk.control, visit, token, email, password)
        begun = await self._desk.run_password(become)
        return refused(begun) if isinstance(begun, Denied) else _entered(visit, begun, 201)

    async def sign_in(self, visit: Visit) -> Answer:
        """POST /v1/auth/sign-in"""
        form = visit.form(words.SignIn)
        if isinstance(form, Answer):
            return form
        sessions = self._desk.control.sessions
        sign_in = partial(sessions.sign_in, form.email, form.password, visit.origin, visit.now_ns)
        begun = await self._desk.run_password(sign_in)
        return _entered(visit, begun, 200) if isinstance(begun, SignedIn) else refused(begun)

    async def second_factor(self, visit: Visit) -> Answer:
        """POST /v1/auth/second-factor"""
        form = visit.form(words.SecondFactor)
        if isinstance(form, Answer):
            return form
        sessions = self._desk.control.sessions
        give = partial(sessions.give_code, visit.token, form.code, visit.origin, visit.now_ns)
        begun = await self._desk.run(give)
        return _entered(visit, begun, 200) if isinstance(begun, SignedIn) else refused(begun)

    async def forgotten(self, visit: Visit) -> Answer:
        """POST /v1/auth/password/forgotten: answered before anything is looked up, whoever it is."""
        form = visit.form(words.Email)
        if isinstance(form, Answer):
            return form
        if self._desk.post is None:
            return problem(503, "mail_unavailable", "no mail server is configured, see [mail]")
        self._desk.do_later(self._mail_code(visit, form.email))
        return shown(202, {})

    async def _mail_code(self, visit: Visit, email: str) -> None:
        control, post = self._desk.control, self._desk.post
        assert post is not None
        try:
            asked = await self._desk.run_password(partial(_forgot, control, visit, email))
        except Busy:
            log.warning("letter not sent", cause="too many people are signing in")
            return
        if asked is None:
            return
        resets, forgotten = asked
        address, now_ns = visit.origin.address, visit.now_ns
        letter = letters.of_reset(forgotten.user, forgotten.code, address, now_ns)
        try:
            await post.send(letter, now_ns)
        except Unsent as error:
            log.warning("letter not sent", cause=str(error))
            await self._desk.run(partial(resets.withdraw, forgotten))

    async def reset(self, visit: Visit) -> Answer:
        """POST /v1/auth/password/reset"""
        form = visit.form(words.Reset)
        if isinstance(form, Answer):
            return form
        reset = partial(_reset, self._desk.control, visit, form)
        denied = await self._desk.run_password(reset)
        return done() if denied is None else refused(denied)

    async def sign_out(self, visit: Visit) -> Answer:
        """POST /v1/auth/sign-out: from whatever step."""
        gone = set_cookie("", is_secure=visit.is_secure)
        if visit.session is None:
            return problem(401, "session_needed", "you are not signed in", gone)
        sessions = self._desk.control.sessions
        await self._desk.run(partial(sessions.sign_out, *visit.person, visit.origin, visit.now_ns))
        return done(gone)


def _forgot(control: Control, visit: Visit, email: str) -> tuple[Resets, Forgotten] | None:
    subscription = subscription_of_email(control.store, email)
    if subscription is None:
        return None
    resets = control.of(subscription).resets
    forgotten = resets.ask(email, visit.origin, visit.now_ns)
    return None if forgotten is None else (resets, forgotten)


def _reset(control: Control, visit: Visit, form: words.Reset) -> Denied | Limited | None:
    subscription = subscription_of_email(control.store, form.email) or LOCAL
    codes = (form.code, form.totp)
    resets = control.of(subscription).resets
    return resets.reset(form.email, codes, form.password, visit.origin, visit.now_ns)


def _become(
    control: Control, visit: Visit, token: str, email: str, password: str
) -> SignedIn | Denied:
    """Become a user of whatever subscription the link is of."""
    subscription = subscription_of_link(control.store, token, visit.now_ns)
    of = control.of(LOCAL if subscription is None else subscription)
    user = of.users.accept(token, email, password, visit.origin, visit.now_ns)
    if not isinstance(user, User):
        return user
    return control.sessions.begin(user, visit.origin, visit.now_ns)


def _entered(visit: Visit, begun: SignedIn, status: int) -> Answer:
    needs = begun.session.stage == "password"
    entered = words.Entered(begun.user.user, needs, csrf_of(begun.token))
    return shown(status, entered, set_cookie(begun.token, is_secure=visit.is_secure))
