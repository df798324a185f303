"""A command whose output goes into a pipe, read while it runs."""

import os
import signal
import subprocess
import time
from types import TracebackType
from typing import Self

from tests.system import FAIRLEAD, environment_without_settings

_PIECE = 65_536
_WAIT_S = 60.0


class Piped:
    """`fairlead` with stdout in a pipe; what it prints is collected. stderr goes into `errors`."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [FAIRLEAD, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment_without_settings(),
        )
        self._printed = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def lines(self) -> list[str]:
        """The whole lines printed so far."""
        return self._printed.decode().split("\n")[:-1]

    def wait_for(self, text: str, since: int = 0) -> str:
        """Read until a line holds `text`, looking from line `since` on; return it."""
        deadline = time.monotonic() + _WAIT_S
        while not (found := [line for line in self.lines[since:] if text in line]):
            assert time.monotonic() < deadline, self.lines
            assert self._read(), (self.lines, self.ended())
        return found[0]

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def close_pipe(self) -> None:
        """Read no more, as `head` does."""
        assert self._process.stdout is not None
        self._process.stdout.close()

    def ended(self) -> tuple[int, str]:
        """Wait for its end; return its exit code and what it said on stderr."""
        assert self._process.stderr is not None
        code = self._process.wait(_WAIT_S)
        return code, self._process.stderr.read().decode()

    def _read(self) -> bool:
        assert self._process.stdout is not None
        piece = os.read(self._process.stdout.fileno(), _PIECE)
        self._printed += piece
        return bool(piece)
