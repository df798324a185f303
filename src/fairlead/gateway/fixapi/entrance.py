"""Where FIX connections come in: the first message that comes over one says at whose desk it is.

In open mode, and of whoever proves nobody, that is the desk of the machine's owner, where the logon is
decided like any other: reading the message here only shows the way. Must never answer, nor store anything.
"""

from collections.abc import Mapping

from fairlead.core.requests import LOCAL
from fairlead.fix.codec import decode
from fairlead.fix.frames import Frames
from fairlead.gateway.callers import Access
from fairlead.gateway.fixapi.desk import Desk
from fairlead.gateway.fixapi.identifying import identified
from fairlead.gateway.fixapi.settings import FixSettings
from fairlead.gateway.peers import Peer


class Entrance:
    """The desks by subscription, `local` among them; more may come."""

    def __init__(self, desks: Mapping[str, Desk], settings: FixSettings, access: Access) -> None:
        self.desks = desks
        self.settings = settings
        self._access = access

    @property
    def owners(self) -> Desk:
        """Return the desk of the machine's owner."""
        return self.desks[LOCAL]

    def visit(self, address: str, shown: Peer | None) -> "Visit | None":
        """Return how the desk of a connection from there is found, None if it is the owner's anyway.

        `shown`: by which certificate, where one was asked for.
        """
        if self._access.is_open:
            return None
        return Visit(self, self._access, address, shown)


class Visit:
    """The first bytes of one connection, until it is known at whose desk it is."""

    def __init__(
        self, entrance: Entrance, access: Access, address: str, shown: Peer | None
    ) -> None:
        self._entrance = entrance
        self._access = access
        self._address = address
        self._shown = shown
        self._frames = Frames(
            entrance.settings.message_bytes_max
        )  # and so is what is heard bounded
        self.heard = b""

    def take(self, data: bytes) -> Desk | None:
        """Take bytes that came in; return the desk that gets all that was `heard`, None: not known yet."""
        self.heard += data
        self._frames.feed(data)
        first = self._frames.next()
        if isinstance(first, bytes):
            return self._desk_of(first)
        return None if first is None else self._entrance.owners

    def _desk_of(self, first: bytes) -> Desk:
        caller = identified(self._access, decode(first), self._address, self._shown)
        return (
            self._entrance.owners if caller is None else self._entrance.desks[caller.subscription]
        )
