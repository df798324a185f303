"""Checksums of parts of a stream, however many of them lie over one another.

A stream may claim a message of the longest body at every 20 bytes, each with a trailer at its end. To
add up each of them would be thousands of times the work of the stream; here a byte is added up once.
"""

from fairlead.fix.codec import checksum

BLOCK = 256  # bytes; a part's first and last block are added up anew


class Sums:
    """The checksums of a buffer that grows at its end, and is cut at its beginning by whole blocks."""

    __slots__ = ("_before",)

    def __init__(self) -> None:
        # By block, the sum of what is before it, but for one number in all of them.
        self._before = [0]

    def checksum(self, data: bytes, start: int, end: int) -> int:
        """Return the sum of `data[start:end]` modulo 256; `data` is the buffer as it is now."""
        return (self._up_to(data, end) - self._up_to(data, start)) & 0xFF

    def cut(self, blocks: int) -> None:
        """Take note that so many blocks are gone from the beginning."""
        del self._before[:blocks]
        if not self._before:
            self._before.append(0)

    def clear(self) -> None:
        """Take note that it is another buffer."""
        self._before = [0]

    def _up_to(self, data: bytes, end: int) -> int:
        before, block = self._before, end // BLOCK
        for at in range((len(before) - 1) * BLOCK, block * BLOCK, BLOCK):
            before.append((before[-1] + checksum(data[at : at + BLOCK], BLOCK)) & 0xFF)
        rest = data[block * BLOCK : end]
        return before[block] + checksum(rest, len(rest))
