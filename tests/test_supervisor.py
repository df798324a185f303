"""What systemd is told, over a real datagram socket: by the supervisor alone, and by a running system."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from fairlead.supervisor import Supervisor, supervisor_of
from tests.system import ANY_PORT, QUICK, Ems, running, write_config

TIMEOUT_S = 60.0  # which a start takes on a busy machine


class Listener:
    """The supervisor's end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1) if address[0] == "@" else address)
        self._socket.settimeout(TIMEOUT_S)

    def told(self) -> str:
        """Return the next thing that is said; fails when nothing is."""
        return self._socket.recv(4_096).decode()

    def told_so_far(self) -> list[str]:
        """Return what was said already."""
        self._socket.setblocking(False)
        said = []
        while True:
            try:
                said.append(self._socket.recv(4_096).decode())
            except BlockingIOError:
                return said

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest) -> Iterator[Listener]:
    with TemporaryDirectory() as folder:  # a socket's path has at most 107 bytes
        address = f"{folder}/notify" if request.param == "path" else f"@fairlead-{os.getpid()}"
        with closing(Listener(address)) as listening:
            yield listening


# ── the protocol ─────────────────────────────────────────────────────────────────────────────────


def test_it_is_told_that_we_serve_and_that_we_stop(listener: Listener) -> None:
    with closing(Supervisor(listener.address, None)) as supervisor:
        supervisor.serving("http://127.0.0.1:3080")
        supervisor.stopping()
    assert listener.told_so_far() == [
        "READY=1\nSTATUS=serving http://127.0.0.1:3080",
        "STOPPING=1",
    ]


def test_it_is_told_that_we_are_alive_only_while_we_are(listener: Listener) -> None:
    answers = iter([True, False, False, True])

    async def keep_told(supervisor: Supervisor) -> None:
        is_over = asyncio.Event()

        def is_alive() -> bool:
            answer = next(answers, None)
            if answer is None:
                is_over.set()
            return bool(answer)

        keeping = asyncio.create_task(supervisor.keep_told(is_alive))
        await is_over.wait()
        keeping.cancel()

    with closing(Supervisor(listener.address, 3_000)) as supervisor:
        asyncio.run(keep_told(supervisor))
    assert listener.told_so_far() == ["WATCHDOG=1"] * 2


def test_one_without_a_watchdog_is_not_told_so(listener: Listener) -> None:
    with closing(Supervisor(listener.address, None)) as supervisor:
        asyncio.run(supervisor.keep_told(lambda: True))
    assert listener.told_so_far() == []


def test_one_that_is_gone_or_reads_nothing_holds_nobody_up(listener: Listener) -> None:
    with closing(Supervisor(listener.address, None)) as supervisor:
        for _ in range(10_000):  # more than a socket takes
            supervisor.stopping()
        assert 0 < len(listener.told_so_far()) < 10_000
        listener.close()
        supervisor.stopping()


@pytest.mark.parametrize(
    ("environment", "is_told", "is_watched"),
    [
        ({}, False, False),
        ({"NOTIFY_SOCKET": ""}, False, False),
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, False, False),
        ({"WATCHDOG_USEC": "1000"}, False, False),
        ({"NOTIFY_SOCKET": "/run/x"}, True, False),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "1000"}, True, True),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}, True, False),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "0"}, True, False),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "soon"}, True, False),
    ],
)
def test_who_started_us_is_in_the_environment(
    environment: dict[str, str], is_told: bool, is_watched: bool
) -> None:
    supervisor = supervisor_of(environment)
    assert (supervisor is not None) is is_told
    if supervisor is not None:
        with closing(supervisor):
            assert (supervisor._watchdog_us is not None) is is_watched


# ── a running system ─────────────────────────────────────────────────────────────────────────────


def test_a_system_says_when_it_serves_lives_and_stops(
    listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", listener.address)
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    config = write_config(tmp_path / "fairlead.toml", {**QUICK, "listen": ANY_PORT}, [])
    ems = Ems(tmp_path / "data", config)
    with running(ems):
        ready = listener.told()
        assert ready == f"READY=1\nSTATUS=serving {ems.ready().endpoint['url']}"
        assert [listener.told() for _ in range(3)] == ["WATCHDOG=1"] * 3
        assert ems.interrupt(signal.SIGTERM) == 0
    rest = listener.told_so_far()
    assert rest[-1] == "STOPPING=1"
    assert set(rest[:-1]) <= {"WATCHDOG=1"}
