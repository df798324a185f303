"""Runs `fairlead` commands to their end, each in a process of its own that did not start from nothing.

Two thirds of the processor time of a short command is spent on importing the libraries of others. The
processes here are forked from one that has imported those, and nothing of ours: see `tests/forking.py`.
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
from functools import cache
from pathlib import Path
from typing import IO

_SERVER = Path(__file__).with_name("forking.py")


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    said: str = "",
    first: str = "",
    timeout_s: float,
) -> subprocess.CompletedProcess[str]:
    """Run the installed script with its arguments; `said` is its standard input.

    `first` is Python that the process runs before it imports anything of ours.
    Raises TimeoutExpired after killing it. What the interpreter itself reads at its start, `PYTHON…`, cannot
    differ from ours.
    """
    assert {name for name in environment if name.startswith("PYTHON")} <= os.environ.keys()
    with (
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        stdin.write(said.encode())
        stdin.seek(0)
        request = {
            "command": [str(word) for word in command],
            "folder": str(folder),
            "environment": dict(environment),
            "first": first,
        }
        code = _ended(request, (stdin, stdout, stderr), timeout_s)
        texts = [_text(each) for each in (stdout, stderr)]
    return subprocess.CompletedProcess(command, code, *texts)


def _ended(request: Mapping[str, object], streams: Sequence[IO[bytes]], timeout_s: float) -> int:
    """Have a request carried out; return its exit code."""
    deadline = time.monotonic() + timeout_s
    heard, told = os.pipe()
    try:
        files = [*(each.fileno() for each in streams), told]
        socket.send_fds(_server(), [json.dumps(request).encode()], files)
        os.close(told)
        words = b""
        while words.count(b"\n") < 2:
            if not select.select([heard], [], [], max(0.0, deadline - time.monotonic()))[0]:
                os.kill(int(words), signal.SIGKILL)
                raise subprocess.TimeoutExpired(str(request["command"]), timeout_s)
            piece = os.read(heard, 64)
            assert piece, "the process that forks has ended"
            words += piece
    finally:
        os.close(heard)
    return int(words.split()[1])


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
