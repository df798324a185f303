"""What a command has made or taken away counts in a running system when the command ends.

Commands are those of the command line; where it is many of them, in this process, which is another one than
the process that serves. On SQLite and on PostgreSQL.
"""

import os
import signal
import socket
import sqlite3
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from fairlead.commands import certificates, counting, keys
from fairlead.commands.keeping import granted, opened, owner
from fairlead.control.keyring import Wanted
from fairlead.control.keys import Act
from fairlead.control.store import Store
from tests import certified
from tests.commands.terminal import Run, fairlead
from tests.fix_party import FixParty
from tests.postgresql import shared_server
from tests.system import ACCOUNTS, QUICK, Answer, Api, Ems, until, write_config

TURNS = 20
LONG_S = 3_600.0
# Of SQLite, and of PostgreSQL.
FULL = (
    "CREATE TRIGGER is_full BEFORE UPDATE ON heard BEGIN SELECT RAISE(FAIL, 'full'); END",
    "ALTER TABLE heard ADD CONSTRAINT is_full CHECK (revision < 0) NOT VALID",
)
EMPTIED = ("DROP TRIGGER is_full", "ALTER TABLE heard DROP CONSTRAINT is_full")


class System:
    """A system that asks for keys, and its owner."""

    def __init__(self, folder: Path, url: str | None) -> None:
        named = {} if url is None else {"control.url": url}
        settings = {**QUICK, "exchange.participants": False, "authentication": "keys", **named}
        self.folder, self.url = folder, url
        self.config = write_config(folder / "fairlead.toml", settings, ACCOUNTS)
        self.flags: dict[str, object] = {"data": str(folder / "data")}
        certificates.init(self.config, self.flags, ())
        self.ems = self._start()

    def _start(self) -> Ems:
        flags = ("--tls-clients", "127.0.0.1:0")
        return Ems(self.folder / "data", self.config, *flags).ready()

    def start_again(self) -> None:
        self.ems = self._start()

    # ── the owner ────────────────────────────────────────────────────────────────────────────────

    def make(self, label: str, subscription: str = "local") -> str:
        """Make a key as the command does, and return its secret."""
        wanted = Wanted(label=label, scopes=("read",), days=None)
        with opened(self.config, self.flags, subscription) as control:
            made = granted(control.keyring.create(owner(), wanted, 1))
        assert made.secret is not None
        return made.secret

    def revoke(self, label: str) -> None:
        keys.move(self.config, self.flags, "local", label, Act.REVOKE, as_json=True)

    def issue(self, label: str) -> Path:
        file = self.folder / f"{label}.pem"
        certificates.issue(self.config, self.flags, "local", label, file, None, as_json=True)
        return file

    def revoke_certificate(self, file: Path) -> None:
        certificates.revoke(self.config, self.flags, "local", str(file), as_json=True)

    def command(self, *words: str) -> Run:
        """Run a command in a process of its own."""
        flags = ("--config", str(self.config), "--data", "data")
        return fairlead(*words, *flags, folder=self.folder)

    # ── clients ──────────────────────────────────────────────────────────────────────────────────

    def ask(self, secret: str) -> Answer:
        with closing(Api(self.ems.endpoint["url"])) as api:
            return api.request("GET", "/v1/orders", headers={certified.HEADER: secret})

    def stream(self, secret: str) -> ClientConnection:
        url = self.ems.endpoint["url"].replace("http://", "ws://") + "/v1/ws"
        return connect(url, proxy=None, additional_headers={certified.HEADER: secret})

    def party(self, name: str) -> FixParty:
        return FixParty(self.ems.endpoint["fix"], comp_id=name)

    def show(self, certificate: Path) -> ssl.SSLSocket:
        """Connect with a certificate."""
        context = ssl.create_default_context(cafile=self.folder / "data/tls/ca.pem")
        context.load_cert_chain(certificate)
        host, _, port = self.ems.endpoint["https_clients"].removeprefix("https://").partition(":")
        plain = socket.create_connection((host, int(port)), 20)
        return context.wrap_socket(plain, server_hostname=host)

    # ── what becomes of the process ──────────────────────────────────────────────────────────────

    def freeze(self) -> None:
        """Stop the process, while it writes nothing: SQLite's lock would stop every command."""
        while True:
            os.kill(self.ems.pid, signal.SIGSTOP)
            if self.url is not None or self._can_be_written():
                return
            self.thaw()

    def thaw(self) -> None:
        os.kill(self.ems.pid, signal.SIGCONT)

    def _can_be_written(self) -> bool:
        path = self.folder / "data/control.sqlite"
        with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            return True

    def write(self, statement: str) -> None:
        with Store.open(self.folder / "data", self.url) as store, store.append() as connection:
            connection.execute(text(statement))

    def revision(self) -> int:
        with Store.open(self.folder / "data", self.url) as store:
            return store.revision()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    folder: Path = tmp_path_factory.mktemp("counting")
    if request.param == "sqlite":
        yield from _running(System(folder, None))
        return
    with shared_server() as server:
        yield from _running(System(folder, server.new_database()))


def _running(system: System) -> Iterator[System]:
    try:
        yield system
    finally:
        system.ems.close()


def test_a_key_counts_in_the_request_after_its_command_and_not_after_that_which_revokes_it(
    system: System,
) -> None:
    for turn in range(TURNS):
        secret = system.make(f"Turn{turn}a")
        assert system.ask(secret).status == 200
        system.revoke(f"Turn{turn}a")
        assert system.ask(secret).status == 401


def test_a_certificate_does_too_on_connections_that_are_open_and_new(system: System) -> None:
    system.make("Holder1")
    for _ in range(TURNS // 4):
        file = system.issue("Holder1")
        with system.show(file) as kept:
            assert b"200" in certified.asked(kept)
            system.revoke_certificate(file)
            assert certified.asked(kept)[:12] in (b"", b"HTTP/1.1 401")
        with pytest.raises(ssl.SSLError, match="revoked"), system.show(file) as refused:
            refused.read()
        file.unlink()


def test_it_is_so_by_every_protocol_and_for_commands_in_a_process_of_their_own(
    system: System,
) -> None:
    made = system.command("keys", "create", "Own1", "--scope", "read", "--json")
    assert (made.code, made.err) == (0, "")
    secret = made.json["secret"]
    with system.stream(secret) as stream, system.party("OWN") as party:
        party.log_on((554, secret))
        assert system.command("keys", "revoke", "Own1").code == 0
        with pytest.raises(InvalidStatus, match="401"):
            system.stream(secret)
        assert system.ask(secret).status == 401
        with system.party("LATE") as late, pytest.raises(AssertionError, match="ended"):
            late.log_on((554, secret))
        assert party.next_of("5")[58]
        with pytest.raises(ConnectionClosed, match="4401"):
            read_on(stream)


def read_on(stream: ClientConnection) -> None:
    while True:
        stream.recv(timeout=30)


def test_a_new_subscription_is_served_when_its_command_ends(system: System) -> None:
    assert system.command("subscriptions", "create", "desk").code == 0
    assert system.ask(system.make("Desk1", "desk")).status == 200


def test_who_only_looks_waits_for_nobody(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "PATIENCE_S", LONG_S)
    system.freeze()
    try:
        keys.listed(system.config, system.flags, "local", as_json=True)
        certificates.listed(system.config, system.flags, "local", None, as_json=True)
    finally:
        system.thaw()


def test_a_system_that_takes_no_note_is_not_waited_for_without_end(
    system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(counting, "PATIENCE_S", 0.5)
    system.freeze()
    try:
        secret = system.make("Frozen1")
    finally:
        system.thaw()
    assert capsys.readouterr().err == (
        "fairlead: it is done, but the system that runs did not take note of it within 0.5 s;"
        " until it does it goes by what was before\n"
    )
    until(lambda: system.ask(secret).status == 200, "it counts once the system goes on")


def test_a_database_that_cannot_say_what_is_heard_stops_neither_side(
    system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(counting, "PATIENCE_S", 0.5)
    system.write(FULL[system.url is not None])
    secret = system.make("Full1")
    assert "did not take note of it" in capsys.readouterr().err
    until(lambda: system.ask(secret).status == 200, "the key is known all the same")
    system.write(EMPTIED[system.url is not None])
    monkeypatch.setattr(counting, "PATIENCE_S", LONG_S)
    system.revoke("Full1")
    assert system.ask(secret).status == 401
    assert capsys.readouterr().err == ""


def test_a_command_that_waits_ends_with_the_system_that_it_waits_for(
    system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(counting, "PATIENCE_S", LONG_S)
    before = system.revision()
    system.freeze()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(system.make, "Waits1")
        until(lambda: system.revision() > before, "the change is made")
        assert not waiting.done()
        system.ems.kill()
        secret = waiting.result(30)
    assert capsys.readouterr().err == ""
    system.make("Nobody1")  # and at once, where nobody serves
    system.start_again()
    assert system.ask(secret).status == 200
