"""Who serves by a shared database: one at a time, named to whoever comes second, free when it is gone."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from fairlead.control import lease as lease_module
from fairlead.control.errors import StoreUnusable
from fairlead.control.lease import Lease, LeaseLost, LeaseTaken, is_held
from fairlead.control.store import Store
from tests.postgresql import Server
from tests.system import until

PLACE = "the database"
HOLDS = """
import sys, threading
from fairlead.control.lease import Lease
Lease.take(sys.argv[1], "the database")
print("held", flush=True)
threading.Event().wait()
"""


@pytest.fixture
def url(postgresql: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    url = postgresql.new_database()
    Store.open(tmp_path_factory.mktemp("data"), url).close()
    return url


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "PATIENCE_S", 0.0)


def cut_off(url: str) -> None:
    """End every connection but this one, as a server that starts anew does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE application_name LIKE 'fairlead %' AND pid <> pg_backend_pid()"
        )


def test_a_second_is_refused_and_told_who_is_first(url: str) -> None:
    first = Lease.take(url, PLACE)
    with pytest.raises(LeaseTaken) as refused:
        Lease.take(url, PLACE)
    text = str(refused.value)
    assert f"the system on {socket.gethostname()[:40]} (127.0.0.1), process {os.getpid()}" in text
    assert "two systems would both log in to its accounts" in text
    assert first.keep()
    first.release()
    Lease.take(url, PLACE).release()


def test_whoever_can_read_the_database_sees_whether_somebody_serves(
    url: str, tmp_path: Path
) -> None:
    with Store.open(tmp_path, url) as store:
        assert not is_held(store)
        lease = Lease.take(url, PLACE)
        assert is_held(store)
        lease.release()
        until(lambda: not is_held(store), "the server has let it go")


def test_two_databases_of_one_server_are_two(url: str, postgresql: Server, tmp_path: Path) -> None:
    first = Lease.take(url, PLACE)
    other = postgresql.new_database()
    with Store.open(tmp_path, other):
        Lease.take(other, PLACE).release()
    first.release()


def test_it_is_free_when_its_holder_was_killed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "PATIENCE_S", 30.0)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, url], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGKILL)
        Lease.take(url, PLACE).release()


def test_who_is_cut_off_takes_it_again(url: str) -> None:
    first = Lease.take(url, PLACE)
    cut_off(url)
    assert not first.keep()
    assert first.keep()
    with pytest.raises(LeaseTaken):
        Lease.take(url, PLACE)
    first.release()


def test_who_is_cut_off_while_another_takes_it_has_lost_it(url: str) -> None:
    first = Lease.take(url, PLACE)
    cut_off(url)
    second = Lease.take(url, PLACE)
    assert not first.keep()
    with pytest.raises(LeaseLost, match=f"process {os.getpid()}"):
        first.keep()
    assert second.keep()
    second.release()


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(StoreUnusable) as refused:
        Lease.take("postgresql://fairlead:hush@127.0.0.1:1/none", PLACE)
    assert "the database: connection" in str(refused.value)
    assert "hush" not in str(refused.value)
