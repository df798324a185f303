"""An in-memory connection between two asyncio protocols of one event loop.

Each end looks like a TCP transport: bytes arrive in order, by `loop.call_soon`, and what is written
within one loop iteration arrives as one piece. Knows nothing of what the bytes mean. Must use no
more of the loop than `call_soon`, so that it runs under virtual time.
"""

import asyncio
from collections.abc import Callable
from typing import Any

WRITE_BYTES_HIGH = 64 * 1024  # undelivered bytes at which the writer is told to pause


class Pipe:
    """Opens connections to what `accept` returns; serves `link.Link` as its way to connect."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, accept: Callable[[], asyncio.Protocol]
    ) -> None:
        """`accept` makes the far side's protocol; it raises OSError to refuse the connection."""
        self._loop = loop
        self._accept = accept

    @property
    def peer_name(self) -> str:
        """What the far side is called in messages."""
        return "the exchange in this process"

    def __call__(
        self, protocol: asyncio.Protocol, failed: Callable[[OSError], None]
    ) -> Callable[[], None]:
        """Connect `protocol`; either its `connection_made` or `failed` is called soon.

        The returned callable gives the attempt up; once either was called it does nothing.
        """
        attempt = self._loop.call_soon(self._connect, protocol, failed)
        return attempt.cancel

    def _connect(self, protocol: asyncio.Protocol, failed: Callable[[OSError], None]) -> None:
        try:
            far = self._accept()
        except OSError as error:
            failed(error)
        else:
            connect(self._loop, protocol, far)


def connect(
    loop: asyncio.AbstractEventLoop, near: asyncio.Protocol, far: asyncio.Protocol
) -> tuple["PipeEnd", "PipeEnd"]:
    """Connect two protocols: first `far` then `near` hears `connection_made`, before this returns."""
    near_end, far_end = PipeEnd(loop, near), PipeEnd(loop, far)
    near_end.peer, far_end.peer = far_end, near_end
    far.connection_made(far_end)
    near.connection_made(near_end)
    return near_end, far_end


class PipeEnd(asyncio.Transport):
    """One end: holds what its side wrote and the other side has not been given yet."""

    peer: "PipeEnd"

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        """`peer` is set by `connect`, before anything is written."""
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._undelivered: list[bytes] = []
        self._undelivered_size = 0
        self._is_delivery_due = False
        self._is_paused = False
        self._is_write_paused = False
        self._is_closing = False  # reads no more, and writes no more
        self._is_ending = False  # the loss is on its way: nothing more is delivered
        self._is_lost = False

    # ── writing ──────────────────────────────────────────────────────────────────────────────────

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data` to the peer; dropped without a word once the end is closing."""
        if self._is_closing or not data:
            return
        self._undelivered.append(bytes(data))
        self._undelivered_size += len(data)
        self._deliver_soon()
        if self._undelivered_size > WRITE_BYTES_HIGH and not self._is_write_paused:
            self._is_write_paused = True
            self._protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the peer was not given yet."""
        return self._undelivered_size

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    def pause_reading(self) -> None:
        """Leave what the peer writes with the peer, until `resume_reading`."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Take what has waited, soon."""
        self._is_paused = False
        if self.peer._undelivered or self.peer._is_closing:
            self.peer._deliver_soon()

    def is_reading(self) -> bool:
        """Whether the peer's bytes are taken as they come."""
        return not self._is_paused and not self._is_closing

    # ── ending ───────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """Read no more, deliver what was written, then end both sides."""
        if not self._is_closing:
            self._is_closing = True
            self._deliver_soon()

    def abort(self) -> None:
        """End both sides soon; bytes not delivered, of either direction, are lost."""
        self._end(None)
        self.peer._end(ConnectionResetError("connection reset by peer"))

    def is_closing(self) -> bool:
        """Whether the end was closed, from either side."""
        return self._is_closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ARG002 - asyncio's
        """Return `default`: there is no socket behind it."""
        return default

    # ── moving ───────────────────────────────────────────────────────────────────────────────────

    def _deliver_soon(self) -> None:
        if not self._is_delivery_due:
            self._is_delivery_due = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._is_delivery_due = False
        peer = self.peer
        if self._is_ending or (peer._is_paused and not peer._is_closing):
            return
        if self._undelivered:
            data = b"".join(self._undelivered)
            self._undelivered.clear()
            self._undelivered_size = 0
            if not peer._is_closing:
                peer._protocol.data_received(data)
            if self._is_write_paused:
                self._is_write_paused = False
                self._protocol.resume_writing()
        if self._is_closing and not self._is_ending:
            self._end(None)
            if not peer._is_closing:
                peer._is_closing = True
                peer._protocol.eof_received()
            peer._end(None)

    def _end(self, error: Exception | None) -> None:
        """Lose the connection soon, and what was not delivered now."""
        self._is_closing = True
        self._undelivered.clear()
        self._undelivered_size = 0
        if not self._is_ending:
            self._is_ending = True
            self._loop.call_soon(self._lose, error)

    def _lose(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._protocol.connection_lost(error)
