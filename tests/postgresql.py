"""A PostgreSQL server of the tests' own: from the system's binaries, on a free port, gone afterwards.

Where the binaries are missing a test that needs it is skipped; where everything is installed (CI) it
fails. The server keeps nothing durable: it lives as long as the tests do.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.ports import keep

_PREFIX = "fairlead-postgresql-"
_USER = "fairlead"
_START_S = 60
_shared: list["Server"] = []  # the one that is shared, while somebody uses it
_users = 0
_running = ExitStack()


class Server:
    """A running server; each test has a schema of its own, which is made in no time."""

    def __init__(self, port: int) -> None:
        self._url = f"postgresql://{_USER}@127.0.0.1:{port}/postgres"
        self._made = 0

    def new_database(self) -> str:
        """Make an empty place for tables; return its URL."""
        self._made += 1
        name = f"test_{self._made}"
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return f"{self._url}?options=-csearch_path%3D{name}"


def tables_of(url: str) -> int:
    """Return how many tables a database of this server's has where `url` looks."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()"
        ).fetchone()
    assert found is not None
    count: int = found[0]
    return count


def needs_postgresql() -> Path:
    """Return the folder of the server's programs; skip where there is none, in CI fail."""
    found = _binaries()
    if found is None:
        reason = "PostgreSQL's initdb and postgres are not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def _binaries() -> Path | None:
    """Look on the PATH, then where Debian keeps one folder per version."""
    on_path = shutil.which("initdb")
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    candidates = [Path(each).resolve() for each in (on_path, *versions) if each]
    return next((each.parent for each in candidates if (each.parent / "postgres").exists()), None)


@contextmanager
def shared_server() -> Iterator[Server]:
    """Give the one server of this process: the first who asks starts it, the last who leaves stops it.

    For session fixtures: pytest makes one of each folder that imports it.
    """
    global _users
    if _users == 0:
        _shared.append(_running.enter_context(running_server()))
    _users += 1
    try:
        yield _shared[0]
    finally:
        _users -= 1
        if _users == 0:
            _shared.clear()
            _running.close()


@contextmanager
def running_server() -> Iterator[Server]:
    """Run a server as long as the block lasts."""
    binaries = needs_postgresql()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))  # not pytest's: another user must reach it
    user = _other_user() if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        database = folder / "database"
        _run(user, binaries / "initdb", "-D", database, "-U", _USER, "-A", "trust", "--no-sync")
        control = (binaries / "pg_ctl", "-D", database, "-w", "-t", str(_START_S))
        with keep() as kept:
            port = kept.getsockname()[1]
            options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
            _run(user, *control, "-l", folder / "log", "-o", options, "start")
        try:
            yield Server(port)
        finally:
            _run(user, *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _other_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("neither a user postgres nor a user nobody is here to run PostgreSQL")


def _run(user: pwd.struct_passwd | None, *command: object) -> None:
    """Run one of its programs to its end; a server that it starts lets go of our pipes."""
    as_user = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid}
    with tempfile.TemporaryFile() as said:
        ended = subprocess.run(
            [str(word) for word in command],
            check=False,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            extra_groups=[] if user else None,
            **as_user,
        )
        said.seek(0)
        assert ended.returncode == 0, said.read().decode(errors="replace")
