"""Who serves by a database that several machines reach: one system at a time, or an account would have two.

The lease is an advisory lock of PostgreSQL: it lasts as long as the connection that took it, so it is free
in the moment in which its holder has died, and within seconds when the holder's machine has. A holder that
the server has lost asks for it again, and must stop when somebody else has it. While the server cannot be
reached nobody can take it, and the holder goes on (docs/decisions/0027). SQLite needs none: its folder is
locked. Calls block.
"""

import asyncio
import os
import select
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Self

import psycopg
import structlog
from psycopg.pq import ExecStatus

from fairlead.control.errors import ControlError, StoreUnusable
from fairlead.control.store import Store

log = structlog.get_logger()
KEEP_S = 1.0  # between two looks at whether it is still ours
PATIENCE_S = 3.0  # for a process that was killed and whose connection the server is just closing
_POLL_S = 0.1
_CONNECT_S = 10  # at the start
ANSWER_S = 2.0  # for what the holder asks: a server that does not answer in that time is not seen
_RECONNECT_S = 2  # the least that PostgreSQL's library knows
_CLASS = (
    0x0FA1  # of the lock; its other half is the number that the server gave our table `control`
)
_TABLE = "mod('control'::regclass::oid::bigint, 2147483647)::int"
_TAKE = f"SELECT pg_try_advisory_lock({_CLASS}, {_TABLE})"
_HOLDER = f"""
SELECT application_name, host(client_addr), to_char(backend_start, 'YYYY-MM-DD HH24:MI:SS TZ')
FROM pg_stat_activity WHERE pid = (
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = {_CLASS} AND objsubid = 2
    AND objid = {_TABLE}
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""  # noqa: S608 - of our own words
_HOST_MOST = 40  # characters of an application's name are few
# The server gives up a machine that is gone when it has heard nothing for so long, and then so often so long.
_GONE_S, _PROBES = 5, 3
FREED_S = _GONE_S * (1 + _PROBES)  # never sooner, while the machine lives


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
            connection = _connected(url, _CONNECT_S)
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
                _asked(self._connection, "SELECT 1")
                return True
            connection = _connected(self._url, _RECONNECT_S)
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

    def __init__(
        self,
        lease: Lease,
        failed: Callable[[BaseException], None],
        stop_unseen_s: float | None = None,
    ) -> None:
        """`failed` hears why we must not serve any more.

        `stop_unseen_s`: so long after the lease was seen last that is said, too. None: never.
        """
        self._lease = lease
        self._failed = failed
        self._stop_unseen_s = stop_unseen_s
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
        loop = asyncio.get_running_loop()
        seen = loop.time()
        is_lost = False
        while True:
            await asyncio.sleep(KEEP_S)
            asked = loop.time()
            kept = await loop.run_in_executor(self._thread, self._lease.keep)
            if kept:
                seen = asked
            elif not is_lost:
                log.error("lease cannot be seen", text="the control database does not answer")
            is_lost = not kept
            unseen_s = loop.time() - seen
            if is_lost and self._stop_unseen_s is not None and unseen_s >= self._stop_unseen_s:
                raise LeaseLost(
                    f"the lease was seen last {unseen_s:.1f} s ago; control.stop_unseen_s is"
                    f" {self._stop_unseen_s:g}: another system may be given it"
                )

    def _ended(self, task: asyncio.Task[None]) -> None:
        cause = None if task.cancelled() else task.exception()
        if cause is not None:
            self._failed(cause)


def is_held(store: Store) -> bool:
    """Whether a system serves by this database, as far as its server knows. Raises ControlError."""
    with store.read() as connection:
        return connection.exec_driver_sql(_HOLDER).first() is not None


def _connected(url: str, connect_s: int) -> psycopg.Connection[Any]:
    """Return a connection by which server and client notice soon that the other is gone."""
    connection = psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=connect_s,
        application_name=f"fairlead {socket.gethostname()[:_HOST_MOST]} {os.getpid()}",
        keepalives_idle=_GONE_S,
        keepalives_interval=_GONE_S,
        keepalives_count=_PROBES,
        tcp_user_timeout=_GONE_S * _PROBES * 1_000,
    )
    try:
        waits = (("idle", _GONE_S), ("interval", _GONE_S), ("count", _PROBES))
        _asked(
            connection, ";".join(f"SET tcp_keepalives_{name} = {value}" for name, value in waits)
        )
    except psycopg.Error:
        connection.close()
        raise
    return connection


def _asked(connection: psycopg.Connection[Any], statement: str) -> list[str]:
    """Return the first row of an answer, as texts, empty where there is none.

    Raises psycopg.Error, also when it does not come within ANSWER_S, whatever keeps it: the network,
    something in between that takes what is sent, or a server that hangs. The connection is of no use then.
    """
    until = time.monotonic() + ANSWER_S
    link, row = connection.pgconn, list[str]()
    link.send_query(statement.encode())
    link.flush()
    coming = select.poll()
    coming.register(link.socket, select.POLLIN)
    while True:
        while link.is_busy():
            if not coming.poll(max(0.0, until - time.monotonic()) * 1_000):
                raise psycopg.OperationalError(f"the server does not answer within {ANSWER_S:g} s")
            link.consume_input()
        result = link.get_result()
        if result is None:
            return row
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
        if result.ntuples:
            values = (result.get_value(0, column) for column in range(result.nfields))
            row = ["" if each is None else each.decode() for each in values]


def _locked(connection: psycopg.Connection[Any]) -> bool:
    return _asked(connection, _TAKE) == ["t"]


def _holder(connection: psycopg.Connection[Any]) -> str:
    """Name who has the lock, for people."""
    row = _asked(connection, _HOLDER)
    if not row:
        return "another system"
    program, address, since = row
    words = program.split()
    if len(words) != 3:  # the server shows it only to the same user
        return "another system"
    where = f"the system on {words[1]}" + (f" ({address})" if address else "")
    return f"{where}, process {words[2]}, since {since}"


def _unusable(place: str, error: psycopg.Error) -> StoreUnusable:
    words = " ".join(str(error).split())
    return StoreUnusable(f"{place}: {words}; it must be a control database that can be written")
