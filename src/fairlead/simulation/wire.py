"""Between a link and the network: reads along, for the laws and the conversation, and cuts the power.

Sees the frames of one account's connections as Fairlead writes them and as it is given them.
"""

from collections.abc import Callable
from typing import NoReturn

from fairlead.simulation.conversation import Conversation
from fairlead.simulation.crashes import CrashKind, CrashPlan
from fairlead.simulation.laws import Laws
from fairlead.venues.sim_messages import FrameError, Place, client_messages, exchange_messages


class Wire:
    """A `network.Watcher` of one account in one life of the process."""

    def __init__(
        self,
        account: str,
        laws: Laws,
        plan: CrashPlan,
        conversation: Conversation,
        die: Callable[[CrashKind], NoReturn],
    ) -> None:
        self._account = account
        self._laws = laws
        self._plan = plan
        self._conversation = conversation
        self._die = die
        self.is_dear = False  # an order is among what was written last
        self._dying: CrashKind | None = None
        self._begin()

    def _begin(self) -> None:
        self._outgoing = client_messages()
        self._incoming = exchange_messages()
        self._is_readable = True

    def opened(self) -> None:
        """Begin to read another connection."""
        self._begin()
        self._conversation.note(self._account, "connected")

    def writing(self, data: bytes) -> bytes:
        """Read what is about to leave; keep back what a crash will not let leave."""
        self.is_dear = False
        for message in self._outgoing.feed(data):
            self.is_dear = self.is_dear or isinstance(message, Place)
            self._conversation.note(f"{self._account} →", message)
            self._laws.leaving(self._account, message)
        crash = self._plan.at_write(len(data))
        if crash is None:
            return data
        self._dying, size = crash
        return data[:size]

    def wrote(self) -> None:
        """Let the process die if it was to die while sending."""
        if self._dying is not None:
            self._die(self._dying)

    def delivering(self, data: bytes) -> None:
        """Read what is about to be heard, as far as it can be read."""
        if not self._is_readable:
            return
        try:
            for message in self._incoming.feed(data):
                self._conversation.note(f"{self._account} ←", message)
                self._laws.told(self._account, message)
        except FrameError as error:
            self._is_readable = False
            self._conversation.note(f"{self._account} ←", f"unreadable: {error}")

    def ended(self, why: str) -> None:
        """Note the end of the connection."""
        self._conversation.note(self._account, f"connection ended: {why}")
