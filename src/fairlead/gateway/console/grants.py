"""What people are granted by challenge: asked for, mailed a code for, confirmed by both codes, done.

Each action is one row of GRANTS. What is done is what the challenge has kept, never what comes with the
codes.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection

from fairlead.control.audit import Entry
from fairlead.control.control import Control
from fairlead.control.keys import Act, Denied
from fairlead.control.people import letters, one_time
from fairlead.control.people.challenges import (
    FACTOR_REQUIRED,
    RESEND_NS,
    Action,
    Asked,
    Granted,
)
from fairlead.control.people.letters import Facts
from fairlead.control.people.person import User
from fairlead.control.people.post import Unsent
from fairlead.control.people.sessions import CODE_WRONG, Enrolled
from fairlead.gateway.answers import Answer
from fairlead.gateway.console import words
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.granting import Asking, Doing, Grant, Posted
from fairlead.gateway.console.inviting import INVITING_GRANTS
from fairlead.gateway.console.key_changing import CHANGING_GRANTS
from fairlead.gateway.console.key_forms import keyring_of
from fairlead.gateway.console.key_making import MAKING_GRANTS
from fairlead.gateway.console.visit import (
    Level,
    Routes,
    Visit,
    done,
    problem,
    refused,
    shown,
)
from fairlead.gateway.times import time_text

_S = 1_000_000_000
_NOTHING_TO_SAY = 204
_NO_MAIL = problem(503, "mail_unavailable", "no mail server is configured, see [mail]")
Prove = Callable[[Connection, bytes, str], str | None]


class Grants:
    """The calls under /v1/challenges, and what begins the second factor."""

    def __init__(self, desk: Desk, page: str) -> None:
        """`page`: where people find the console, for the link of an invitation."""
        self._desk = desk
        self._page = page
        self.routes: Routes = {
            b"/v1/me/two-factor": {"POST": (Level.WHOLE, self.new_secret)},
            b"/v1/challenges": {"POST": (Level.WHOLE, self.ask)},
        }
        self.prefixes: Routes = {b"/v1/challenges/*/confirm": {"POST": (Level.WHOLE, self.confirm)}}

    async def new_secret(self, visit: Visit) -> Answer:
        """POST /v1/me/two-factor: a secret for an authenticator; it counts once it is confirmed."""
        user, _ = visit.person
        if user.has_second_factor:
            text = "two-factor authentication is on; switch it off before you set it up anew"
            return problem(409, "two_factor_on", text)
        secret = one_time.new_totp_secret()
        uri = one_time.totp_uri(secret, user.email)
        return shown(201, words.NewSecret(secret, uri, one_time.picture(uri)))

    async def ask(self, visit: Visit) -> Answer:
        """POST /v1/challenges: keep what is asked for, and mail its code."""
        form = visit.form(words.Challenge)
        if isinstance(form, Answer):
            return form
        grant = GRANTS.get(form.action)
        if grant is None:
            known = ", ".join(GRANTS)
            return problem(422, "action_unknown", f"the action is none of {known}", field="action")
        user, _ = visit.person
        if not user.has_second_factor and form.action != Action.FACTOR_ENABLE:
            return refused(FACTOR_REQUIRED)  # whatever is wrong with the payload
        try:
            payload = msgspec.convert(form.payload, grant.form)
        except msgspec.ValidationError as error:
            return problem(422, "form_invalid", f"the payload is not as it should be: {error}")
        if grant.seen is not None:
            payload = grant.seen(payload, visit.header(b"if-match"))
            if isinstance(payload, Denied):
                return refused(payload)
        asking = Asking(self._desk.control, user, visit.now_ns)
        facts = await self._desk.run(partial(grant.ask, asking, payload))
        if isinstance(facts, Denied):
            return refused(facts)
        if self._desk.post is None:
            return _NO_MAIL
        work = partial(_ask, self._desk.control, visit, Action(form.action), payload)
        asked = await self._desk.run(work)
        if not isinstance(asked, Asked):
            return refused(asked)
        letter = letters.of_code(
            user,
            grant.sentence,
            facts,
            asked.code,
            visit.origin.address,
            visit.now_ns,
        )
        undo = partial(_withdraw, self._desk.control, user, asked)
        unsent = await self._send(Posted(letter, undo), visit.now_ns)
        return unsent or shown(
            201,
            words.ChallengeShown(
                challenge=asked.challenge,
                action=str(asked.action),
                sent_to=masked(user.email),
                expires=time_text(asked.expires_ns),
                expires_after_s=(asked.expires_ns - visit.now_ns) // _S,
                resend_after_s=RESEND_NS // _S,
            ),
        )

    async def confirm(self, visit: Visit) -> Answer:
        """POST /v1/challenges/{challenge}/confirm: do what was kept, if both codes are right."""
        name = visit.call.tail.decode("ascii", "replace")
        form = visit.form(words.Codes)
        if isinstance(form, Answer):
            return form
        work = partial(_confirm, self._desk.control, visit, name, form, self._page)
        result = await self._desk.run(work)
        if isinstance(result, Denied):
            return refused(result)
        status, said = result
        if isinstance(said, Posted):
            unsent = await self._send(said, visit.now_ns)
            if unsent is not None:
                return unsent
        return done() if status == _NOTHING_TO_SAY else shown(status, said)

    async def _send(self, posted: Posted, now_ns: int) -> Answer | None:
        """Send a letter; where that cannot be, undo what it is about, and return what is answered."""
        post = self._desk.post
        try:
            if post is not None:
                await post.send(posted.letter, now_ns)
                return None
            unsent = _NO_MAIL
        except Unsent as error:
            unsent = problem(503, "mail_unavailable", f"{error}; nothing was granted")
        await self._desk.run(posted.undo)
        return unsent


def masked(email: str) -> str:
    """Return an e-mail address as those know it whose it is."""
    name, _, domain = email.partition("@")
    return f"{name[0]}***@{domain}"


def _ask(control: Control, visit: Visit, action: Action, payload: msgspec.Struct) -> Any:
    user, session = visit.person
    challenges = control.of(user.subscription).challenges
    kept = msgspec.json.encode(payload)
    return challenges.ask(user, session, action, kept, visit.origin, visit.now_ns)


def _withdraw(control: Control, user: User, asked: Asked) -> None:
    control.of(user.subscription).challenges.withdraw(user, asked)


def _confirm(
    control: Control, visit: Visit, challenge: str, codes: words.Codes, page: str
) -> tuple[int, object] | Denied:
    user, session = visit.person
    of_user = control.of(user.subscription)

    def perform(granted: Granted) -> tuple[int, object] | Denied:
        grant = GRANTS[granted.action]
        payload = msgspec.json.decode(granted.payload, type=grant.form)
        doing = Doing(of_user, user, session, granted, visit.now_ns, page)
        result = grant.perform(doing, payload)
        return result if isinstance(result, Denied) else (grant.status, result)

    prove = None
    if not user.has_second_factor:
        prove = _prove_pending(visit.now_ns)
    return of_user.challenges.confirm(
        user,
        session,
        challenge,
        (codes.code, codes.totp),
        visit.origin,
        visit.now_ns,
        perform,
        prove,
    )


# ── the second factor ────────────────────────────────────────────────────────────────────────────


def _prove_pending(now_ns: int) -> Prove:
    """Return what finds out whether a code is of the secret that is to be switched on."""

    def prove(_: Connection, payload: bytes, code: str) -> str | None:
        secret = msgspec.json.decode(payload, type=words.TwoFactorOn).secret
        return None if one_time.totp_step(secret, code, now_ns, 0) is None else "totp"

    return prove


_IS_ON = Denied("two_factor_on", "two-factor authentication is on already")


def _ask_on(asking: Asking, payload: words.TwoFactorOn) -> Facts | Denied:
    if asking.user.has_second_factor:
        return _IS_ON
    if one_time.is_totp_secret(payload.secret):
        return ()
    return Denied("secret_invalid", "the secret is not one of POST /v1/me/two-factor")


def _switch_on(doing: Doing, payload: words.TwoFactorOn) -> object | Denied:
    """Switch it on. The code was looked at already: the step it is of counts as used."""
    granted, user = doing.granted, doing.user
    if user.has_second_factor:  # since it was asked for
        return _IS_ON
    code = one_time.totp_code(payload.secret, one_time.step_at(doing.now_ns))
    sessions = doing.control.sessions
    enrolled = sessions.enrol(
        granted.change, user, payload.secret, code, doing.session.session, doing.now_ns
    )
    if not isinstance(enrolled, Enrolled):
        return CODE_WRONG
    entry = Entry(action="user.two_factor.enable", target=user.user)
    doing.control.audit.append(granted.change, granted.actor, entry, doing.now_ns)
    return words.RecoveryCodes(enrolled.recovery_codes)


def _ask_off(_: Asking, __: words.Nothing) -> Facts | Denied:
    return (("Your API keys", "are suspended until you enable each of them"),)


def _switch_off(doing: Doing, _: words.Nothing) -> object | Denied:
    granted, user = doing.granted, doing.user
    keyring = keyring_of(doing.control, user)
    keyring.move_all_in(granted.change, granted.actor, Act.SUSPEND, doing.now_ns)
    doing.control.sessions.drop_factor(granted.change, user, doing.session.session)
    entry = Entry(action="user.two_factor.disable", target=user.user)
    doing.control.audit.append(granted.change, granted.actor, entry, doing.now_ns)
    return words.Nothing()


GRANTS: Mapping[str, Grant] = {
    **MAKING_GRANTS,
    **CHANGING_GRANTS,
    **INVITING_GRANTS,
    Action.FACTOR_ENABLE: Grant(
        words.TwoFactorOn, "switch two-factor authentication on", _ask_on, _switch_on
    ),
    Action.FACTOR_DISABLE: Grant(
        words.Nothing, "switch two-factor authentication off", _ask_off, _switch_off
    ),
}
