"""A system whose wall clock a test moves ahead (`timed_up.py`), so that no test waits for minutes or days.

What `fairlead` commands do in a process of their own they do by the machine's clock: have a link made
before the clock is moved beyond its end.
"""

import socket
import sys
from pathlib import Path

from tests import timed_up
from tests.system import Ems

_COMMAND = (sys.executable, timed_up.__file__)
_NS = 1_000_000_000


class TimedEms(Ems):
    """The system, and its clock."""

    def __init__(
        self, folder: Path, config: Path, *flags: str, log_path: Path | None = None
    ) -> None:
        wanted = ("--no-participants", *(flag for flag in flags if flag != "--no-participants"))
        super().__init__(folder, config, *wanted, command=_COMMAND, log_path=log_path)

    def now_ns(self) -> int:
        """Return its wall clock, UTC."""
        return self._said("now")

    def now_s(self) -> float:
        """Return its wall clock as authenticators count it."""
        return self.now_ns() / _NS

    def advance(self, seconds: float) -> int:
        """Move its wall clock ahead; return what it is now, UTC ns."""
        return self._said(f"advance {seconds}")

    def _said(self, line: str) -> int:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.folder / timed_up.CLOCK_SOCKET))
            connection.sendall(f"{line}\n".encode())
            return int(connection.makefile().readline())
