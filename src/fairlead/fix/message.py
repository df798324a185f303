"""A message as it came in: its fields in order, and what is wrong with them, if anything."""

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """Why a message is answered with a Reject: SessionRejectReason (373), RefTagID (371), Text (58)."""

    reason: int
    tag: int | None
    text: str


class Message(msgspec.Struct, frozen=True):
    """One message. `fields` are in order, header and trailer included; data fields are whole.

    `values` has the first of each tag. `fault` is the first thing wrong with its fields; the session
    never delivers a message that has one.
    """

    begin_string: str
    msg_type: str
    fields: list[tuple[int, bytes]]
    values: dict[int, bytes]
    fault: Fault | None = None

    def get(self, tag: int) -> bytes | None:
        """Return the first value of `tag`, None where there is none. A value is never empty."""
        return self.values.get(tag)

    def text(self, tag: int) -> str:
        """Return the first value of `tag` as text, byte for byte (Latin-1); empty where there is none."""
        return self.values.get(tag, b"").decode("latin-1")

    def number(self, tag: int) -> int | None:
        """Return the first value of `tag` as a whole number of 1 to 18 digits; None for all else."""
        value = self.values.get(tag, b"")
        return int(value) if value.isdigit() and len(value) <= 18 else None

    @property
    def sequence_number(self) -> int:
        """MsgSeqNum (34); 0 where there is none, or none that is a number."""
        return self.number(34) or 0

    def is_yes(self, tag: int) -> bool:
        """Whether `tag` is Y."""
        return self.values.get(tag) == b"Y"
