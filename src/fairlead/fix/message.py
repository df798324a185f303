"""A message as it came in: its fields in order, and what is wrong with them, if anything."""

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """Why a message is answered with a Reject: SessionRejectReason (373), RefTagID (371), Text (58)."""

    reason: int
    tag: int | None
    text: str


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message. `fault` is the first thing wrong with its fields, whatever they say.

    `values` has the first value of each tag; `apart` the fields where SOH does not part them, since there is
    data with SOH in it. A session never delivers a message that has a fault.
    """

    begin_string: str
    msg_type: str
    sequence_number: int  # MsgSeqNum (34); 0 where there is none, or none that is a number
    values: dict[int, bytes]
    frame: bytes
    fault: Fault | None = None
    apart: list[bytes] | None = None

    @property
    def parts(self) -> list[bytes]:
        """Every field as `tag=value`, in order, header and trailer included, data fields whole."""
        return self.frame[:-1].split(b"\x01") if self.apart is None else self.apart

    @property
    def fields(self) -> list[tuple[int, bytes]]:
        """The fields in order: needed for repeating groups, of which `values` has the first entry."""
        pairs = (part.partition(b"=") for part in self.parts)
        return [(int(tag), value) for tag, _, value in pairs]

    def get(self, tag: int) -> bytes | None:
        """Return the first value of `tag`, None where there is none. A value is never empty."""
        return self.values.get(tag)

    def text(self, tag: int) -> str:
        """Return the first value of `tag` as text, byte for byte (Latin-1); empty where there is none."""
        return self.values.get(tag, b"").decode("latin-1")

    def number(self, tag: int) -> int | None:
        """Return the first value of `tag` as a whole number of 1 to 18 digits; None for all else."""
        return whole_number(self.values.get(tag, b""))

    def is_yes(self, tag: int) -> bool:
        """Whether `tag` is Y."""
        return self.values.get(tag) == b"Y"


def whole_number(value: bytes) -> int | None:
    """Return `value` as a whole number of 1 to 18 ASCII digits; None for all else."""
    return int(value) if value.isdigit() and len(value) <= _DIGITS_MOST else None


_DIGITS_MOST = 18  # what fits into 64 bits, and is more than anybody sends
