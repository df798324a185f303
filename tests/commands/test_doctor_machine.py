"""Problems of the machine, which doctor must find without the machine being ruined for it.

Real ones: a kernel that ignores syncs or refuses an address (by a seccomp filter in doctor's own
process, or as a user without rights), an environment in which a package is not installed, a system that
answers that it is not ready. By the seam through which doctor reads the fact, in its own process: the
table of mounts, the versions of Python and SQLite.
"""

import asyncio
import errno
import fcntl
import json
import os
import platform
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import fairlead
from fairlead.gateway.answers import Call
from fairlead.gateway.callers import Caller
from fairlead.gateway.health import AccountHealth, HealthApi, Readiness
from tests.commands.doctoring import doctor

NOBODY = 65_534
PORTS = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
CALLS = {"x86_64": {"fsync": 74, "bind": 49}, "aarch64": {"fsync": 82, "bind": 200}}

_AFTER_IMPORTS = """
import fairlead.cli, fairlead.commands.doctor.examine, encodings.idna
{}
fairlead.cli.main()
"""

# seccomp(2): what a filter answers in place of a system call; prctl(2) for the numbers.
_FILTERED = """
import ctypes, os, struct
refused, allowed = 0x50000 | {error}, 0x7FFF0000
instructions = [(0x20, 0, 0, 0), (0x15, 0, 1, {call}), (0x06, 0, 0, refused), (0x06, 0, 0, allowed)]
program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in instructions))
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(program)))
kernel = ctypes.CDLL(None, use_errno=True)
assert kernel.prctl(38, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS"
assert kernel.prctl(22, 2, ctypes.byref(filter), 0, 0) == 0, os.strerror(ctypes.get_errno())
"""

_AS_NOBODY = f"""
import os
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
"""


def doctored(statements: str) -> tuple[str, ...]:
    """Return the command line of a doctor that runs these statements before it looks."""
    return sys.executable, "-c", _AFTER_IMPORTS.format(statements)


def kernel_that_answers(call: str, error: int) -> tuple[str, ...]:
    """Return the command line of a doctor whose kernel answers `call` by `error` and does nothing."""
    machine = platform.machine()
    if machine not in CALLS:
        pytest.skip(f"the numbers of {machine}'s system calls are not known here")
    return doctored(_FILTERED.format(call=CALLS[machine][call], error=error))


# ── the kernel and the disk ──────────────────────────────────────────────────────────────────────


def test_syncs_that_are_ignored(tmp_path: Path) -> None:
    told = doctor(tmp_path / "data", command=kernel_that_answers("fsync", 0))
    if "folder_in_memory" in told.codes:
        pytest.skip("the tests' folder is in memory, where a sync is expected to take no time")
    assert "look for eatmydata" in told.found("sync_ignored")


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_folder_on_a_network_file_system(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "a share" / "data"
    folder.mkdir(parents=True)
    mounts = tmp_path / "mountinfo"
    share = str(folder.parent).replace(" ", r"\040")  # proc(5)
    mounts.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"40 22 0:35 / {share} rw,relatime shared:7 master:2 - {kind} server:/desk rw,vers=4\n"
    )
    disk = "fairlead.commands.doctor.disk"
    read_there = f"{disk}._MOUNTS = type({disk}._MOUNTS)({str(mounts)!r})"
    told = doctor(folder, command=doctored(read_there))
    assert f"is on {kind}, a network file system" in told.found("folder_on_network")
    beside = doctor(tmp_path / "data", command=doctored(read_there))
    assert "folder_on_network" not in beside.codes
    assert beside.fine["file system"] == "ext4"


def test_an_address_that_this_user_may_not_serve(tmp_path: Path) -> None:
    """As nobody below the first port that is free for all; where all are, the kernel is told to refuse."""
    is_real = PORTS.exists() and int(PORTS.read_text()) > 1
    command = doctored(_AS_NOBODY) if is_real else kernel_that_answers("bind", errno.EACCES)
    told = doctor(
        tmp_path / "data", command=command, environment={"FAIRLEAD_LISTEN": "127.0.0.1:1"}
    )
    assert "127.0.0.1:1: " in told.found("listen_forbidden")
    assert "give a port from 1024 on" in told.found("listen_forbidden")


def test_a_folder_in_one_that_this_user_may_not_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "data").mkdir(parents=True)
    closed.chmod(0)
    try:
        told = doctor(closed / "data", command=doctored(_AS_NOBODY))
    finally:
        closed.chmod(0o700)
    assert f"{closed}/data is not there, and " in told.found("folder_unwritable")


# ── versions ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 0)])
def test_a_python_that_was_not_tested(tmp_path: Path, version: tuple[int, int, int]) -> None:
    told = doctor(tmp_path, command=doctored(f"import sys; sys.version_info = {version}"))
    assert f"this is Python {'.'.join(map(str, version))}" in told.found("python_untested")


def test_an_old_sqlite(tmp_path: Path) -> None:
    old = (
        "import sqlite3; sqlite3.sqlite_version_info = 3, 36, 0; sqlite3.sqlite_version = '3.36.0'"
    )
    told = doctor(tmp_path, command=doctored(old))
    assert told.found("sqlite_old").startswith("this is SQLite 3.36.0 → ")
    assert "3.37.0 or later" in told.found("sqlite_old")


def test_a_package_that_is_not_installed(tmp_path: Path) -> None:
    """An environment with everything that this one has, but for httptools."""
    site = tmp_path / "site"
    site.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith("httptools"):
            (site / path.name).symlink_to(path)
    source = str(Path(fairlead.__file__).parents[1])
    statements = (
        f"import sys; sys.path += {[str(site), source]!r}\nimport fairlead.cli; fairlead.cli.main()"
    )
    told = doctor(tmp_path / "data", command=(sys.executable, "-S", "-c", statements))
    text = told.found("package_missing")
    assert text.startswith("httptools ")
    assert "is not installed → install the locked versions" in text


# ── a system that answers, and is not ready ──────────────────────────────────────────────────────


@contextmanager
def system_that_says(folder: Path, readiness: Readiness) -> Iterator[str]:
    """Hold the folder as a system does, and answer as one whose readiness this is."""

    async def known(_: Caller | None) -> Readiness:
        return readiness

    health = HealthApi(known, lambda _: ())

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server wants
            assert self.path == "/health/ready"
            answer = asyncio.run(health.ready(Call(b"", b"", b"", {}, b"")))
            self.send_response(answer.status)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            pass

    folder.mkdir()
    with (
        (folder / "journal.lock").open("w") as lock,
        ThreadingHTTPServer(("127.0.0.1", 0), Ready) as server,
    ):
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        url = f"http://127.0.0.1:{server.server_port}"
        endpoint = {"url": url, "operator_url": None, "pid": os.getpid(), "data": str(folder)}
        (folder / "endpoint.json").write_text(json.dumps(endpoint))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield url
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("is_writable", "state", "said"),
    [(False, "reconciled", '"journal": "not writable"'), (True, "", '"state": ""')],
)
def test_a_system_that_is_not_ready(
    tmp_path: Path, is_writable: bool, state: str, said: str
) -> None:
    readiness = Readiness(is_writable, (AccountHealth("SIM", state),))
    with system_that_says(tmp_path / "data", readiness) as url:
        told = doctor(tmp_path / "data")
    text = told.found("system_not_ready")
    assert text.startswith(f"{url} says ")
    assert said in text
    assert "make space and start it again" in text
    assert ("account_not_reconciled" in told.codes) is not bool(state)
