"""Who serves by a database that several machines reach: one system at a time, or an account would have two.

The lease is an advisory lock of PostgreSQL: it lasts as long as the connection that took it, so it is free
in the moment in which its holder has died, and within seconds when the holder's machine has. A holder that
the server has lost asks for it again, and must stop when somebody else has it. While the server cannot be
reached nobody can take it, and the holder goes on (docs/decisions/0027). SQLite needs none: its folder is
locked. Calls block.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Self

import psycopg
import structlog

from fairlead.control.errors import ControlError, StoreUnusable
from fairlead.control.store import Store

log = structlog.get_logger()
KEEP_S = 1.0  # between two looks at whether it is still ours
PATIENCE_S = 3.0  # for a process that was killed and whose connection the server is just closing
_POLL_S = 0.1
_CONNECT_S = 10
_CLASS = (
    0x0FA1  # of the lock; its other half is the number that the server gave our table `control`
)
_TAKE = "SELECT pg_try_advisory_lock(%s, ('control'::regclass::oid::bigint %% 2147483647)::int)"
_HOLDER = """
SELECT application_name, host(client_addr), backend_start FROM pg_stat_activity WHERE pid = (
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s AND objsubid = 2
    AND objid = ('control'::regclass::oid::bigint %% 2147483647)::int
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
_HOST_MOST = 40  # characters of an application's name are few
# The server gives up a machine that is gone, and we a server that is, after about so long.
_GONE_S, _PROBES = 5, 3


class LeaseTaken(ControlError):
    """Another system serves by this database; the text says which."""


class LeaseLost(ControlError):
    """The server lost us, and another system was quicker to take what was ours."""


class Lease:
    """The right to serve, held from `take` to `release`. For one thread at a time."""

    def __init__(self, url: str, place: str, connection: psycopg.Connection[Any]) -> None:
        self._url = url
        self._place = place
        self._connection: psycopg.Connection[Any] | None = connection

    @classmethod
    def take(cls, url: str, place: str) -> Self:
        """Take it. `place` names the database without a password. Raises LeaseTaken and StoreUnusable."""
        try:
            connection = _connected(url)
        except psycopg.Error as error:
            raise _unusable(place, error) from None
        try:
            until = time.monotonic() + PATIENCE_S
            while not _locked(connection):
                if time.monotonic() > until:
                    raise LeaseTaken(
                        f"{place}: {_holder(connection)} serves by this database, and two systems would"
                        " both log in to its accounts; stop that one, or give this one a database of"
                        " its own"
                    )
                time.sleep(_POLL_S)
        except psycopg.Error as error:
            connection.close()
            raise _unusable(place, error) from None
        except BaseException:
            connection.close()
            raise
        return cls(url, place, connection)

    def keep(self) -> bool:
        """See that it is ours, or take it again; False while the server cannot be asked. Raises LeaseLost."""
        try:
            if self._connection is not None:
                self._connection.execute("SELECT 1")
                return True
            connection = _connected(self._url)
        except psycopg.Error:
            self.release()
            return False
        try:
            is_ours = _locked(connection)
            other = "" if is_ours else _holder(connection)
        except psycopg.Error:
            connection.close()
            return False
        if not is_ours:
            connection.close()
            raise LeaseLost(
                f"{self._place}: {other} serves by this database since the server lost us"
            )
        self._connection = connection
        log.warning("lease taken again", text="the connection that held it had been lost")
        return True

    def release(self) -> None:
        """Let others have it."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


class LeaseKept:
    """Looks after a lease, from `start` to `stop`; nothing of ours is connected any more after that."""

    def __init__(self, lease: Lease, failed: Callable[[BaseException], None]) -> None:
        """`failed` hears why we must not serve any more."""
        self._lease = lease
        self._failed = failed
        self._thread = ThreadPoolExecutor(1, "lease")
        self._keeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look after it from now on."""
        self._keeping = asyncio.create_task(self._keep())
        self._keeping.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Let others have it."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        await asyncio.get_running_loop().run_in_executor(self._thread, self._lease.release)
        self._thread.shutdown()

    async def _keep(self) -> None:
        is_lost = False
        while True:
            await asyncio.sleep(KEEP_S)
            kept = await asyncio.get_running_loop().run_in_executor(self._thread, self._lease.keep)
            if not kept and not is_lost:
                log.error("lease cannot be seen", text="the control database does not answer")
            is_lost = not kept

    def _ended(self, task: asyncio.Task[None]) -> None:
        cause = None if task.cancelled() else task.exception()
        if cause is not None:
            self._failed(cause)


def is_held(store: Store) -> bool:
    """Whether a system serves by this database, as far as its server knows. Raises ControlError."""
    with store.read() as connection:
        return connection.exec_driver_sql(_HOLDER, (_CLASS,)).first() is not None


def _connected(url: str) -> psycopg.Connection[Any]:
    """Return a connection by which server and client notice soon that the other is gone."""
    connection = psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=_CONNECT_S,
        application_name=f"fairlead {socket.gethostname()[:_HOST_MOST]} {os.getpid()}",
        keepalives_idle=_GONE_S,
        keepalives_interval=_GONE_S,
        keepalives_count=_PROBES,
        tcp_user_timeout=_GONE_S * _PROBES * 1_000,
    )
    try:
        for name, value in (("idle", _GONE_S), ("interval", _GONE_S), ("count", _PROBES)):
            connection.execute(f"SET tcp_keepalives_{name} = {value}")
    except psycopg.Error:
        connection.close()
        raise
    return connection


def _locked(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute(_TAKE, [_CLASS]).fetchone()
    return row is not None and bool(row[0])


def _holder(connection: psycopg.Connection[Any]) -> str:
    """Name who has the lock, for people."""
    row = connection.execute(_HOLDER, [_CLASS]).fetchone()
    if row is None:
        return "another system"
    program, address, since = row
    words = str(program).split()
    if len(words) != 3:  # the server shows it only to the same user
        return "another system"
    where = f"the system on {words[1]}" + (f" ({address})" if address else "")
    return f"{where}, process {words[2]}, since {since:%Y-%m-%d %H:%M:%S %Z}"


def _unusable(place: str, error: psycopg.Error) -> StoreUnusable:
    words = " ".join(str(error).split())
    return StoreUnusable(f"{place}: {words}; it must be a control database that can be written")
