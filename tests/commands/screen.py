"""A command on a pseudo-terminal, as a person would see it."""

import os
import pty
import signal
import struct
import subprocess
import termios
import time
from contextlib import suppress
from fcntl import ioctl
from types import TracebackType
from typing import Self

from tests.system import FAIRLEAD, environment_without_settings

_PIECE = 65_536
_WAIT_S = 60.0


class Screen:
    """`fairlead` with stdin, stdout and stderr on a terminal; what it shows is collected."""

    def __init__(self, *arguments: str, columns: int = 100, **environment: str) -> None:
        self._reader, writer = pty.openpty()
        ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        clean = {
            name: value
            for name, value in environment_without_settings().items()
            if name not in ("NO_COLOR", "COLUMNS", "LINES")
        }
        self._process = subprocess.Popen(
            [FAIRLEAD, *arguments],
            stdin=writer,
            stdout=writer,
            stderr=writer,
            env=clean | {"TERM": "xterm-256color"} | environment,
            start_new_session=True,
        )
        os.close(writer)
        self._shown = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait(_WAIT_S)
        os.close(self._reader)

    @property
    def shown(self) -> str:
        """Everything it has shown so far, with its control sequences."""
        return self._shown.decode(errors="replace")

    @property
    def code(self) -> int:
        """How it ended."""
        return self._process.wait(_WAIT_S)

    def wait_for(self, text: str) -> None:
        """Read until it shows `text`; fails when it ends before."""
        deadline = time.monotonic() + _WAIT_S
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            assert self._read(), self.shown

    def rest(self) -> str:
        """Read until it ends, and return all it has shown."""
        while self._read():
            pass
        return self.shown

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def _read(self) -> bool:
        piece = b""
        with suppress(OSError):  # how a pseudo-terminal says that its other end was closed
            piece = os.read(self._reader, _PIECE)
        self._shown += piece
        return bool(piece)
