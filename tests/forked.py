"""Runs `fairlead` commands and systems, each in a process of its own that did not start from nothing.

Two thirds of the processor time of a short command, and of the start of a system, is spent on importing the
libraries of others. The processes here are forked from one that has imported those, and nothing of ours: see
`tests/forking.py`.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

_SERVER = Path(__file__).with_name("forking.py")


class Process:
    """A process that was forked, for those who asked for it: of `subprocess.Popen` what tests use."""

    def __init__(self, request: Mapping[str, object], streams: Sequence[IO[bytes]]) -> None:
        self.args = request["command"]
        self.returncode: int | None = None
        self._heard, told = os.pipe()
        self._words = b""
        files = [*(each.fileno() for each in streams), told]
        socket.send_fds(_server(), [json.dumps(request).encode()], files)
        os.close(told)
        assert self._has_said(1, None)
        self.pid = int(self._words.split()[0])  # it may have said already how it ended

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
        if self.returncode is None and self._has_said(2, 0):
            self.returncode = int(self._words.split()[1])
            os.close(self._heard)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code. Raises TimeoutExpired."""
        if self.returncode is None and not self._has_said(2, timeout):
            assert timeout is not None
            raise subprocess.TimeoutExpired(str(self.args), timeout)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended since
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _has_said(self, lines: int, timeout_s: float | None) -> bool:
        """Whether it said so many lines within the time: its number, and how it ended."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self._words.count(b"\n") < lines:
            left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._heard], [], [], left_s)[0]:
                return False
            piece = os.read(self._heard, 64)
            assert piece, "the process that forks has ended"
            self._words += piece
        return True


def start(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    streams: Sequence[IO[bytes]],
    first: str = "",
) -> Process:
    """Start the installed script, or the interpreter with a script of ours or with `-c`, with its arguments.

    `streams` are its standard input, output and error. `first` is Python that the process runs before it
    imports anything of ours. What the interpreter itself reads at its start, `PYTHON…`, cannot differ from
    what our own has read.
    """
    assert {name for name in environment if name.startswith("PYTHON")} <= os.environ.keys()
    request = {
        "command": [str(word) for word in command],
        "folder": str(folder),
        "environment": dict(environment),
        "first": first,
    }
    return Process(request, streams)


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    said: str = "",
    first: str = "",
    timeout_s: float,
) -> subprocess.CompletedProcess[str]:
    """Run a command, see `start`, to its end; `said` is its standard input.

    Raises TimeoutExpired after killing it.
    """
    with (
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        stdin.write(said.encode())
        stdin.seek(0)
        streams = (stdin, stdout, stderr)
        process = start(
            command, folder=folder, environment=environment, streams=streams, first=first
        )
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        texts = [_text(each) for each in (stdout, stderr)]
    return subprocess.CompletedProcess(command, code, *texts)


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode()


@cache
def _server() -> socket.socket:
    """Start the process that forks, once; it ends with us."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(
            [sys.executable, str(_SERVER), str(its.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
        )
    atexit.register(_end, process, ours)
    return ours


def _end(process: subprocess.Popen[bytes], ours: socket.socket) -> None:
    ours.close()
    process.wait()
