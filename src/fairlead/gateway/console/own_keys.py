"""One's own API keys: listed, looked at, and disabled, which is cheap; all else is granted by challenge."""

from functools import partial

from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.keys import Act, ApiKey, Denied, State
from fairlead.control.people.person import User
from fairlead.gateway.answers import Answer
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.key_forms import key_shown, keyring_of
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
        key = await self._desk.run(partial(_find, self._desk.control, user, kid))
        if isinstance(key, Denied):
            return refused(key)
        said = key_shown(key, visit.now_ns)
        return shown(200, said, (b"etag", said.etag.encode()))

    async def disable(self, visit: Visit) -> Answer:
        """POST /v1/keys/{kid}/disable: at once, by the session alone, whether or not mail works."""
        kid, slash, rest = visit.call.tail.decode("ascii", "replace").partition("/")
        if (slash, rest) != ("/", "disable"):
            return problem(404, "key_unknown", "see POST /v1/keys/{kid}/disable")
        key = await self._desk.run(partial(_disable, self._desk.control, visit, kid))
        return refused(key) if isinstance(key, Denied) else shown(200, key_shown(key, visit.now_ns))


def _listed(control: Control, user: User) -> list[ApiKey]:
    return keyring_of(control, user).listed()


def _find(control: Control, user: User, kid: str) -> ApiKey | Denied:
    return keyring_of(control, user).find(kid)


def _disable(control: Control, visit: Visit, kid: str) -> ApiKey | Denied:
    user, _ = visit.person
    actor = Actor(user.user, visit.origin.address, "session")
    return keyring_of(control, user).move(actor, kid, Act.DISABLE, visit.now_ns)
