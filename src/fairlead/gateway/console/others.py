"""The users of one's subscription, listed, and removed by one factor; and the sink of mail."""

from functools import partial

from sqlalchemy import Connection

from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.keys import Denied
from fairlead.control.people.person import User
from fairlead.control.people.post import Sink
from fairlead.gateway.answers import Answer
from fairlead.gateway.console import words
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.proving import by_one_factor
from fairlead.gateway.console.visit import Level, Routes, Visit, done, problem, shown
from fairlead.gateway.times import time_text


class Others:
    """The calls under /v1/users, and /v1/mail."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.routes: Routes = {
            b"/v1/users": {"GET": (Level.WHOLE, self.users)},
            b"/v1/mail": {"GET": (Level.WHOLE, self.mail)},
        }
        self.prefixes: Routes = {b"/v1/users/*/remove": {"POST": (Level.WHOLE, self.remove)}}

    async def users(self, visit: Visit) -> Answer:
        """GET /v1/users"""
        user, _ = visit.person
        found = await self._desk.run(partial(_users, self._desk.control, user))
        return shown(200, [words.user_shown(each) for each in found])

    async def remove(self, visit: Visit) -> Answer:
        """POST /v1/users/{user}/remove: at once, by one factor, whether or not mail works."""
        name = visit.call.tail.decode("ascii", "replace")

        def wrong(control: Control) -> Denied | None:
            return control.users.remove_wrong(name)

        def perform(control: Control, change: Connection, actor: Actor) -> User | Denied:
            return control.users.remove_in(change, actor, name, visit.now_ns)

        removed = await by_one_factor(self._desk, visit, wrong, perform)
        return removed if isinstance(removed, Answer) else done()

    async def mail(self, _: Visit) -> Answer:
        """GET /v1/mail: what would have been mailed, where there is no mail server."""
        sink = self._desk.post
        if not isinstance(sink, Sink):
            return problem(404, "no_sink", "letters are mailed, they are not kept here")
        found = await self._desk.run(sink.letters)
        return shown(
            200,
            [
                words.LetterShown(time_text(each.time_ns), each.to, each.subject, each.text)
                for each in reversed(found)
            ],
        )


def _users(control: Control, user: User) -> list[User]:
    return control.of(user.subscription).users.listed()
