"""`fairlead up` with a wall clock that tests move: the same composition root, in a process of its own.

The product's command line cannot do this. A Unix socket named `clock` in the data folder takes one command
a line and answers each with the wall clock in UTC nanoseconds: `now`, and `advance SECONDS`. Whatever waits
for a later moment of the wall clock wakes when it has come. Limits are the product's own; passwords are
checked at a cost that tests can pay often.

Have participants off: a market that moves by itself would make up for all the time that was skipped.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import time
from functools import partial
from pathlib import Path

import uvloop

from fairlead.app.process import run
from fairlead.commands import logs
from fairlead.commands.limits import open_files_needed, raise_open_files
from fairlead.config import Config, load
from fairlead.control.people.passwords import Cost
from fairlead.edge.clock import Wall

CLOCK_SOCKET = "clock"
CHEAP = Cost(1, 64, 1)  # Argon2id as ever
_NS = 1_000_000_000
_FLAGS = {
    "data": "data",
    "listen": "listen",
    "fix": "fix.listen",
    "tls": "tls.listen",
    "tls-clients": "tls.clients_listen",
    "fix-tls": "fix.tls_listen",
    "exchange-url": "exchange_url",
}


class MovedClock:
    """The machine's wall clock, and how far it was moved ahead. For one event loop."""

    def __init__(self) -> None:
        self._ahead_ns = 0
        self._moved = asyncio.Event()

    def now_ns(self) -> int:
        """Return the moment."""
        return time.time_ns() + self._ahead_ns

    def advance(self, seconds: float) -> None:
        """Move ahead, and wake who waits: each looks whether its moment has come."""
        self._ahead_ns += int(seconds * _NS)
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Return when the clock is so many seconds later."""
        due_ns = self.now_ns() + int(seconds * _NS)
        while (left_ns := due_ns - self.now_ns()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), left_ns / _NS)


async def obey(
    clock: MovedClock, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Do what one connection says."""
    with contextlib.closing(writer):
        while line := await reader.readline():
            match line.decode().split():
                case ["now"]:
                    answer = str(clock.now_ns())
                case ["advance", seconds] if float(seconds) >= 0:
                    clock.advance(float(seconds))
                    answer = str(clock.now_ns())
                case _:
                    answer = "unknown: say now, or advance SECONDS"
            writer.write(f"{answer}\n".encode())
            await writer.drain()


async def serve(config: Config) -> int:
    """Serve until told to stop; return the exit code."""
    clock = MovedClock()
    config.data.mkdir(parents=True, exist_ok=True)
    path = config.data / CLOCK_SOCKET
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(partial(obey, clock), path)
    try:
        return await run(config, wall=Wall(clock.now_ns, clock.sleep), password_cost=CHEAP)
    finally:
        server.close()
        path.unlink()


def main() -> int:
    """Serve what the command line says, as `fairlead up` would."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["up"])
    parser.add_argument("--config", type=Path)
    parser.add_argument("--no-participants", action="store_true")
    for flag in _FLAGS:
        parser.add_argument(f"--{flag}")
    given = vars(parser.parse_args())
    named = {name: given[flag.replace("-", "_")] for flag, name in _FLAGS.items()}
    flags: dict[str, object] = {name: text for name, text in named.items() if text is not None}
    if given["no_participants"]:
        flags["exchange.participants"] = False
    config = load(given["config"], os.environ, flags)
    logs.configure(config.log)
    raise_open_files(open_files_needed(config))
    return uvloop.run(serve(config))


if __name__ == "__main__":
    sys.exit(main())
