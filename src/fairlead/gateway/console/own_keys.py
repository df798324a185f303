"""One's own API keys: listed, looked at, and disabled by one factor; all else is granted by challenge."""

from functools import partial

from sqlalchemy import Connection

from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.keyring import moved
from fairlead.control.keys import Act, ApiKey, Denied, State
from fairlead.control.people.person import User
from fairlead.control.people.sessions import Limited
from fairlead.gateway.answers import Answer
from fairlead.gateway.console import words
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.key_forms import key_shown, keyring_of, own_key
from fairlead.gateway.console.visit import Level, Routes, Visit, problem, refused, shown


class OwnKeys:
    """The calls under /v1/keys."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.routes: Routes = {b"/v1/keys": {"GET": (Level.WHOLE, self.listed)}}
        self.prefixes: Routes = {
            b"/v1/keys/": {
                "GET": (Level.WHOLE, self.one),
                "POST": (Level.WHOLE, self.disable),
            }
        }

    async def listed(self, visit: Visit) -> Answer:
        """GET /v1/keys: those that are not revoked, the newest first."""
        user, _ = visit.person
        keys = await self._desk.run(partial(_listed, self._desk.control, user))
        living = [key for key in reversed(keys) if key.stored_state is not State.REVOKED]
        return shown(200, [key_shown(key, visit.now_ns) for key in living])

    async def one(self, visit: Visit) -> Answer:
        """GET /v1/keys/{kid}, with its ETag."""
        user, _ = visit.person
        kid = visit.call.tail.decode("ascii", "replace")
        key = await self._desk.run(partial(own_key, self._desk.control, user, kid))
        if isinstance(key, Denied):
            return refused(key)
        said = key_shown(key, visit.now_ns)
        return shown(200, said, (b"etag", said.etag.encode()))

    async def disable(self, visit: Visit) -> Answer:
        """POST /v1/keys/{kid}/disable: at once, by one factor, whether or not mail works."""
        kid, slash, rest = visit.call.tail.decode("ascii", "replace").partition("/")
        if (slash, rest) != ("/", "disable"):
            return problem(404, "key_unknown", "see POST /v1/keys/{kid}/disable")
        form = visit.form(words.OneFactor)
        if isinstance(form, Answer):
            return form
        if bool(form.password) == bool(form.totp):
            text = "give one of password and totp: taking a key back needs one factor"
            return problem(422, "factor_needed", text)
        disable = partial(_disable, self._desk.control, visit, kid, form)
        # Who has an authenticator need not wait for passwords, of which there may be a flood.
        run = self._desk.run_password if form.password else self._desk.run
        key = await run(disable)
        if isinstance(key, ApiKey):
            return shown(200, key_shown(key, visit.now_ns))
        return refused(key)


def _listed(control: Control, user: User) -> list[ApiKey]:
    return keyring_of(control, user).listed()


def _disable(
    control: Control, visit: Visit, kid: str, form: words.OneFactor
) -> ApiKey | Denied | Limited:
    user, session = visit.person
    now_ns, of_user = visit.now_ns, control.of(user.subscription)
    keyring = of_user.keyring.of(user.user)
    before = own_key(control, user, kid)
    after = before if isinstance(before, Denied) else moved(before, Act.DISABLE, now_ns)
    if isinstance(after, Denied):  # and no code is used up
        return after

    def perform(change: Connection, actor: Actor) -> ApiKey | Denied:
        return keyring.move_in(change, actor, kid, Act.DISABLE, now_ns)

    prove = of_user.proofs.with_code if form.totp else of_user.proofs.with_password
    return prove(user, session, form.totp or form.password, visit.origin, now_ns, perform)
