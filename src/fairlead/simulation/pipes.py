"""The conversation's side of a client's connection: when it begins and ends, and nothing of its bytes."""

from fairlead.simulation.conversation import Conversation


class Plain:
    """A `network.Watcher` that lets everything pass."""

    def __init__(self, name: str, conversation: Conversation) -> None:
        self.is_dear = False
        self._name = name
        self._conversation = conversation

    def opened(self) -> None:
        """Begin to see a connection."""
        self._conversation.note(self._name, "connected")

    def writing(self, data: bytes) -> bytes:
        """Return all of it."""
        return data

    def wrote(self) -> None:
        """The bytes have left."""

    def delivering(self, data: bytes) -> None:
        """Let them come."""

    def ended(self, why: str) -> None:
        """See the end of the connection."""
        self._conversation.note(self._name, f"connection ended: {why}")
