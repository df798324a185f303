"""What a client lacks of what was sent is sent again: request after request, and nothing new before."""

from collections import deque
from collections.abc import Awaitable, Callable

from fairlead.fix.happened import ResendAsked
from fairlead.gateway.fixapi.desk import Desk, Line
from fairlead.gateway.fixapi.following import Following

_RESENT_AT_ONCE = 500


class Resends:
    """The resend requests of one session. `turn`: see `statuses.MassStatuses`."""

    def __init__(
        self, desk: Desk, line: Line, following: Following, turn: Callable[[], Awaitable[None]]
    ) -> None:
        self._desk = desk
        self._line = line
        self._following = following
        self._turn = turn
        self._waiting: deque[ResendAsked] = deque()

    def take(self, asked: ResendAsked) -> None:
        """Answer a request after those that wait."""
        self._waiting.append(asked)
        if len(self._waiting) == 1:
            self._following.hold("resend")
            self._desk.start(self._resend())

    async def _resend(self) -> None:
        desk, session = self._desk, self._line.session
        while self._waiting:
            asked = self._waiting[0]
            desk.flush()  # what is asked for may have been said in this very turn
            sent = desk.store.sent(session.key, asked.first, asked.last)
            desk.metrics.resent += len(sent)
            first = asked.first
            for at in range(0, len(sent), _RESENT_AT_ONCE):
                await self._turn()
                part = sent[at : at + _RESENT_AT_ONCE]
                session.resend(first, part[-1].number, part, desk.now_ns())
                first = part[-1].number + 1
                desk.changed(self._line)
            if first <= asked.last:
                session.resend(first, asked.last, (), desk.now_ns())
                desk.changed(self._line)
            self._waiting.popleft()
        self._following.let_go("resend")
