"""One's own API keys: listed, looked at, and disabled by one factor; all else is granted by challenge."""

from functools import partial

import msgspec
from sqlalchemy import Connection

from fairlead.control.activity import uses_of
from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.key_changes import moved
from fairlead.control.key_text import is_kid, plain
from fairlead.control.keyring import KEYS_MAX
from fairlead.control.keys import Act, Denied, State
from fairlead.control.people.person import User
from fairlead.gateway.answers import Answer
from fairlead.gateway.console import words
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.key_forms import (
    key_shown,
    keyring_of,
    keys_shown,
    own_key,
    use_shown,
)
from fairlead.gateway.console.living import Living
from fairlead.gateway.console.proving import by_one_factor
from fairlead.gateway.console.visit import Level, Routes, Visit, problem, refused, shown
from fairlead.gateway.queries import Query, read_count
from fairlead.gateway.wrong import FormError, Wrong


class OwnKeys:
    """The calls under /v1/keys."""

    def __init__(self, desk: Desk, living: Living | None = None) -> None:
        """`living`: what is open of a key at this moment."""
        self._desk = desk
        self._living = living
        self.routes: Routes = {b"/v1/keys": {"GET": (Level.WHOLE, self.listed)}}
        self.prefixes: Routes = {
            b"/v1/keys/": {"GET": (Level.WHOLE, self.one)},
            b"/v1/keys/*/activity": {"GET": (Level.WHOLE, self.activity)},
            b"/v1/keys/*/disable": {"POST": (Level.WHOLE, self.disable)},
        }

    async def listed(self, visit: Visit) -> Answer:
        """GET /v1/keys: those that are not revoked, the newest first, a page of them if one is asked for."""
        user, _ = visit.person
        try:
            page = _Page.of(visit.call.query)
        except FormError as error:
            return problem(422, "page_invalid", str(error))
        listed = partial(_listed, self._desk.control, user, page, visit.now_ns)
        keys, is_last = await self._desk.run(listed)
        if is_last or not keys:
            return shown(200, keys)
        following = f'</v1/keys?limit={page.limit}&after={keys[-1].kid}>; rel="next"'
        return shown(200, keys, (b"link", following.encode()))

    async def one(self, visit: Visit) -> Answer:
        """GET /v1/keys/{kid}, with its ETag, and what is open under it."""
        user, _ = visit.person
        kid = visit.call.tail.decode("ascii", "replace")
        find = partial(_find, self._desk.control, user, kid, visit.now_ns)
        said = await self._desk.run(find)
        if isinstance(said, Denied):
            return refused(said)
        if self._living is not None:
            said = msgspec.structs.replace(
                said,
                open_sessions=self._living.sessions(kid),
                open_orders=await self._living.orders(user.subscription, kid),
            )
        return shown(200, said, (b"etag", said.etag.encode()))

    async def activity(self, visit: Visit) -> Answer:
        """GET /v1/keys/{kid}/activity: where it was used last, the newest first."""
        user, _ = visit.person
        kid = visit.call.tail.decode("ascii", "replace")
        uses = await self._desk.run(partial(_uses, self._desk.control, user, kid))
        return refused(uses) if isinstance(uses, Denied) else shown(200, uses)

    async def disable(self, visit: Visit) -> Answer:
        """POST /v1/keys/{kid}/disable: at once, by one factor, whether or not mail works."""
        kid = visit.call.tail.decode("ascii", "replace")
        user, _ = visit.person

        def wrong(control: Control) -> Denied | None:
            before = own_key(control, user, kid)
            after = (
                before if isinstance(before, Denied) else moved(before, Act.DISABLE, visit.now_ns)
            )
            return after if isinstance(after, Denied) else None

        def perform(control: Control, change: Connection, actor: Actor) -> words.KeyShown | Denied:
            keyring = control.keyring.of(user.user)
            key = keyring.move_in(change, actor, kid, Act.DISABLE, visit.now_ns)
            return key if isinstance(key, Denied) else key_shown(change, key, visit.now_ns)

        key = await by_one_factor(self._desk, visit, wrong, perform)
        return key if isinstance(key, Answer) else shown(200, key)


class _Page(msgspec.Struct, frozen=True):
    """Which part of the list: so many keys, those that come after one."""

    limit: int
    after: str | None

    @classmethod
    def of(cls, text: bytes) -> "_Page":
        """Return what a query asks for, without one everything. Raises FormError."""
        query = Query(text)
        limit = query.optional("limit", read_count(KEYS_MAX))
        after = query.optional("after", _read_kid)
        query.check()
        return cls(limit or KEYS_MAX, after)


def _read_kid(value: object) -> str:
    text = str(value)
    if is_kid(text):
        return text
    raise Wrong(f"{plain(text)} is no public id flk_…")


def _listed(
    control: Control, user: User, page: _Page, now_ns: int
) -> tuple[list[words.KeyShown], bool]:
    """Return the keys of a page, and whether it is the last one."""
    keyring = keyring_of(control, user)
    with control.store.read() as connection:
        keys = list(reversed(keyring.listed_in(connection)))
        if page.after is not None:  # a revoked one still has its place
            at = next((at for at, key in enumerate(keys) if key.kid == page.after), len(keys))
            keys = keys[at + 1 :]
        living = [key for key in keys if key.stored_state is not State.REVOKED]
        is_last = len(living) <= page.limit
        return keys_shown(connection, living[: page.limit], now_ns), is_last


def _find(control: Control, user: User, kid: str, now_ns: int) -> words.KeyShown | Denied:
    key = own_key(control, user, kid)
    if isinstance(key, Denied):
        return key
    with control.store.read() as connection:
        return key_shown(connection, key, now_ns)


def _uses(control: Control, user: User, kid: str) -> list[words.UseShown] | Denied:
    key = own_key(control, user, kid)
    if isinstance(key, Denied):
        return key
    with control.store.read() as connection:
        return [use_shown(each) for each in uses_of(connection, key.kid)]
