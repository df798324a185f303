"""What was said in a world, line by line, kept cheaply and put into words only when somebody reads it."""

from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from hashlib import blake2b

import msgspec

from fairlead.simulation.loop import NS, VirtualLoop

_encoder = msgspec.msgpack.Encoder()


class Conversation:
    """Lines of (virtual ns, who, what); `what` is a text or a frozen struct."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._lines: list[tuple[int, str, object]] = []

    def __len__(self) -> int:
        return len(self._lines)

    def note(self, who: str, what: object) -> None:
        """Add a line."""
        self._lines.append((self._loop.now_ns, who, what))

    def lines(self, last: int | None = None) -> Iterator[str]:
        """Yield the lines, or the last of them, as text."""
        for now_ns, who, what in self._lines if last is None else self._lines[-last:]:
            yield f"{now_ns // 1_000 / 1e6:11.6f}  {who:<14} {words(what)}"

    def digest(self) -> str:
        """Return a hash over every line: equal worlds have equal digests.

        Not of the words, which take ten times as long to find.
        """
        hashed = blake2b(digest_size=16)
        for now_ns, who, what in self._lines:
            hashed.update(_encoder.encode((now_ns, who, type(what).__name__, what)))
        return hashed.hexdigest()


def words(what: object) -> str:
    """Return a value as a reader wants it: structs with the fields that say something."""
    if isinstance(what, msgspec.Struct):
        fields = (
            f"{name}={words(value)}"
            for name in what.__struct_fields__
            if (value := getattr(what, name)) not in (None, "", (), False)
        )
        return f"{type(what).__name__}({' '.join(fields)})"
    if isinstance(what, Enum):
        return str(what.value)
    if isinstance(what, Decimal):
        return f"{what:f}"
    if isinstance(what, tuple | list):
        return f"[{', '.join(words(each) for each in what)}]"
    return str(what)


def seconds(duration_ns: int) -> str:
    """Return a duration in words."""
    return f"{duration_ns / NS:.3f} s"
