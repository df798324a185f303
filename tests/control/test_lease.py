"""Who serves by a shared database: one at a time, named to whoever comes second, free when it is gone."""

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from fairlead.control import lease as lease_module
from fairlead.control.errors import StoreUnusable
from fairlead.control.lease import Lease, LeaseKept, LeaseLost, LeaseTaken, is_held
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


def test_a_second_is_refused_and_told_who_is_first(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Lease.take(url, PLACE)
    with pytest.raises(LeaseTaken) as refused:
        Lease.take(url, PLACE)
    text = str(refused.value)
    assert f"the system on {socket.gethostname()[:40]} (127.0.0.1), process {os.getpid()}" in text
    assert "two systems would both log in to its accounts" in text
    assert first.keep()
    first.release()
    monkeypatch.setattr(lease_module, "PATIENCE_S", 30.0)  # the server lets it go a moment later
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


# ── a network that takes everything and brings nothing ───────────────────────────────────────────


class Forwarder:
    """Stands before the server; between `freeze` and `thaw` nothing gets through, and nothing breaks off."""

    def __init__(self, url: str) -> None:
        found = psycopg.conninfo.conninfo_to_dict(url)
        self._server = (str(found["host"]), int(str(found["port"])))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._is_open = threading.Event()
        self._is_open.set()
        self._wake, self._woken = socket.socketpair()
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        port = self._listening.getsockname()[1]
        self.url = psycopg.conninfo.make_conninfo(url, port=port)

    def freeze(self) -> None:
        self._is_open.clear()
        self._wake.send(b".")

    def thaw(self) -> None:
        self._is_open.set()

    def close(self) -> None:
        self._wake.close()
        self._is_open.set()
        self._thread.join()
        for each in (self._listening, self._woken, *self._pairs):
            each.close()

    def _run(self) -> None:
        while True:
            readable, _, _ = select.select([self._listening, self._woken, *self._pairs], [], [])
            if self._woken in readable and not self._woken.recv(1):
                return
            self._is_open.wait()  # what has come lies here
            for each in readable:
                if each is self._listening:
                    near, _ = self._listening.accept()
                    far = socket.create_connection(self._server)
                    self._pairs |= {near: far, far: near}
                elif each in self._pairs:
                    self._forward(each)

    def _forward(self, line: socket.socket) -> None:
        try:
            data = line.recv(65_536)
            if data:
                self._pairs[line].sendall(data)
                return
        except OSError:
            pass  # gone is gone
        other = self._pairs.pop(line)
        self._pairs.pop(other, None)
        line.close()
        other.close()


@pytest.fixture
def forwarder(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forwarder]:
    monkeypatch.setattr(lease_module, "ANSWER_S", 0.3)
    monkeypatch.setattr(lease_module, "KEEP_S", 0.01)
    with closing(Forwarder(url)) as found:
        yield found


def test_who_gets_no_answer_does_not_see_it_and_has_it_when_the_network_is_back(
    url: str, forwarder: Forwarder
) -> None:
    first = Lease.take(forwarder.url, PLACE)
    forwarder.freeze()
    assert not first.keep()  # the connection stands, and would for ever
    assert not first.keep()  # nor is a new one made
    forwarder.thaw()
    cut_off(url)  # as the server does when it has heard nothing for long enough
    assert first.keep()
    first.release()


def test_who_gets_no_answer_while_another_takes_it_hears_so_when_the_network_is_back(
    url: str, forwarder: Forwarder
) -> None:
    first = Lease.take(forwarder.url, PLACE)
    forwarder.freeze()
    cut_off(url)
    second = Lease.take(url, PLACE)
    assert not first.keep()
    forwarder.thaw()
    with pytest.raises(LeaseLost, match=f"process {os.getpid()}"):
        first.keep()
    second.release()


@contextmanager
def frozen(forwarder: Forwarder) -> Iterator[None]:
    forwarder.freeze()
    try:
        yield
    finally:
        forwarder.thaw()


@pytest.mark.asyncio
async def test_who_is_told_to_stops_when_it_has_not_seen_it_for_so_long(
    forwarder: Forwarder,
) -> None:
    lease = await asyncio.to_thread(Lease.take, forwarder.url, PLACE)
    failed = asyncio.get_running_loop().create_future()
    kept = LeaseKept(lease, failed.set_result, stop_unseen_s=0.5)
    kept.start()
    with frozen(forwarder):
        cause = await asyncio.wait_for(failed, 60)
    assert isinstance(cause, LeaseLost)
    assert "control.stop_unseen_s is 0.5" in str(cause)
    await kept.stop()


@pytest.mark.asyncio
async def test_who_is_not_told_to_goes_on_and_sees_it_again(
    url: str, forwarder: Forwarder, capsys: pytest.CaptureFixture[str]
) -> None:
    lease = await asyncio.to_thread(Lease.take, forwarder.url, PLACE)
    failures: list[BaseException] = []
    kept = LeaseKept(lease, failures.append)
    kept.start()
    said = ""
    with frozen(forwarder):
        async with asyncio.timeout(60):
            while "lease cannot be seen" not in said:
                await asyncio.sleep(0.01)
                said += capsys.readouterr().out
    cut_off(url)
    async with asyncio.timeout(60):
        while "lease taken again" not in said:
            await asyncio.sleep(0.01)
            said += capsys.readouterr().out
    assert not failures
    await kept.stop()
