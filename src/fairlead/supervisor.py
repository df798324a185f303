"""What systemd is told of the process: that it serves, that it is alive, that it stops.

The protocol is that of sd_notify(3) and sd_watchdog_enabled(3), read on 2026-11-27: datagrams to the
Unix socket that NOTIFY_SOCKET names. Without that variable nobody is told anything. Must never wait: a
supervisor that does not listen must not hold up an order.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping

import structlog

log = structlog.get_logger()

_PINGS_PER_TIMEOUT = 3  # the manual says two; one more may be late


class Supervisor:
    """The one that started us, and what it expects. Close it when the process ends."""

    def __init__(self, address: str, watchdog_us: int | None) -> None:
        """`address`: a path, or a name in the abstract namespace after `@`."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_us = watchdog_us
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def serving(self, url: str) -> None:
        """Say that the start is over, and where the API is."""
        self._tell(f"READY=1\nSTATUS=serving {url}")

    def stopping(self) -> None:
        """Say that the process is about to end by itself or as it was told to."""
        self._tell("STOPPING=1")

    async def keep_told(self, is_alive: Callable[[], bool]) -> None:
        """Say that we are alive for as long as `is_alive`, often enough; returns at once if not expected.

        Runs in the event loop: where that hangs, nothing is said either, and the process is restarted.
        """
        if self._watchdog_us is None:
            return
        while True:
            if is_alive():
                self._tell("WATCHDOG=1")
            else:
                log.error("not_alive", text="the pump does not move; the supervisor is not told")
            await asyncio.sleep(self._watchdog_us / 1e6 / _PINGS_PER_TIMEOUT)

    def _tell(self, text: str) -> None:
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError as error:
            log.warning("supervisor", text=f"it cannot be told {text!r}: {error}")


def supervisor_of(environment: Mapping[str, str]) -> Supervisor | None:
    """Return who started us, None when that was no supervisor that wants to be told."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return None
    timeout_us = environment.get("WATCHDOG_USEC", "")
    is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    is_watched = is_ours and timeout_us.isdecimal() and int(timeout_us) > 0
    return Supervisor(address, int(timeout_us) if is_watched else None)
