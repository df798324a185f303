"""doctor finds each problem that is really there, says what to do, and finds none where there is none."""

import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fairlead.app.wakeful import DEVICE
from fairlead.commands.doctor.problems import PROBLEMS
from fairlead.control import tls_files
from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.venues.sim_messages import Ping, Pong, client_messages, frame
from tests.commands.doctoring import doctor
from tests.commands.terminal import fairlead
from tests.ports import keep
from tests.system import ANY_PORT, FAIRLEAD, QUICK, Ems, running, write_config

SETTINGS = {**QUICK, "exchange.participants": False, "listen": ANY_PORT, "fix.listen": ANY_PORT}
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
NOBODY = 65_534
KEPT_KEYS = """
[[accounts]]
exchange_id = "SIM"
[accounts.parameters]
PublicApiKey = "p"
PrivateApiKey = "s"
"""
ROOT = Path(__file__).resolve().parents[2]


def of_this_machine(folder: Path) -> set[str]:
    """What is wrong with the machine that the tests run on, found out in another way."""
    found = set()
    if ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(256)) == TIME_ERROR:
        found.add("clock_unsynchronised")
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True, check=True
    )
    if kind.stdout.strip() in ("tmpfs", "ramfs"):
        found.add("folder_in_memory")
    if shutil.disk_usage(folder).free < 1 << 30:
        found.add("space_low")
    if DEVICE.exists() and not os.access(DEVICE, os.W_OK):
        found.add("cores_sleep")
    if sys.version_info >= (3, 14):
        found.add("python_untested")
    return found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path / "fairlead.toml", SETTINGS, [])


@pytest.fixture(scope="module")
def folder_of_a_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with some orders, keys and an exchange, whose system has been stopped."""
    base = tmp_path_factory.mktemp("doctor")
    ems = Ems(base / "data", write_config(base / "fairlead.toml", SETTINGS, []))
    with running(ems):
        with closing(ems.reconciled().api()) as api:
            for number in range(40):
                assert api.place(f"order-{number}").status == 200
                assert api.cancel(f"order-{number}").status == 200
        assert ems.interrupt() == 0
    return ems.folder


@pytest.fixture
def stopped(folder_of_a_day: Path, tmp_path: Path) -> Path:
    """A copy of it, to be broken."""
    shutil.copy(folder_of_a_day.with_name("data.key"), tmp_path / "data.key")
    return Path(shutil.copytree(folder_of_a_day, tmp_path / "data"))


# ── nothing wrong ────────────────────────────────────────────────────────────────────────────────


def test_a_healthy_system_has_no_problem_running_or_not(
    folder_of_a_day: Path, stopped: Path, config: Path
) -> None:
    machine = of_this_machine(stopped)
    told = doctor(stopped, config=config)
    assert told.codes == machine, told.findings
    full = doctor(stopped, "--full", config=config)
    assert full.codes == machine
    assert "all of it agrees" in full.fine["journal"]
    ems = Ems(stopped, config)
    with running(ems):
        ems.reconciled()
        told = doctor(stopped, config=config)
        assert told.codes == machine, told.findings
        assert "is ready" in told.fine["system"]
        assert "the embedded exchange" in told.fine["exchange's clock"]
        assert ems.interrupt() == 0
    assert not (stopped / "endpoint.json").exists()
    assert not list(stopped.glob(".doctor-*"))


def test_a_folder_that_is_not_there_yet_is_no_problem(tmp_path: Path) -> None:
    told = doctor(tmp_path / "new" / "data")
    assert told.codes == of_this_machine(tmp_path)
    assert "a start makes it" in told.fine["data folder"]
    assert not (tmp_path / "new").exists()


def test_people_are_told_why_and_what_to_do(stopped: Path) -> None:
    (stopped / "endpoint.json").write_text("{")
    run = fairlead("doctor", "--data", "data", folder=stopped.parent)
    assert run.code == 1
    assert "problem endpoint_wrong: " in run.out
    assert "  why it matters: commands find the system by this file\n" in run.out
    assert f"  what to do: remove it: rm {stopped}/endpoint.json; a start writes it anew" in run.out
    assert "ok  journal " in run.out
    assert run.err.startswith("fairlead: ")


# ── settings, addresses, limits, versions ────────────────────────────────────────────────────────


def test_settings_addresses_logs_and_tapes_that_cannot_be(stopped: Path, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as busy:
        port = busy.getsockname()[1]
        config = write_config(
            tmp_path / "wrong.toml",
            {
                "listen": f"127.0.0.1:{port}",
                "fix.listen": ANY_PORT,
                "log.file": str(tmp_path / "nowhere" / "fairlead.log"),
                "exchange.market_tape": [str(tmp_path / "no-tape.csv")],
                "engine.ask_delay_ms": 0,
                "engine.order_answer_timout_ms": 100,
            },
            [],
        )
        told = doctor(stopped, config=config, environment={"FAIRLEAD_LISTEM": "x"})
    wrong = [each["found"] for each in told.findings if each["code"] == "setting_wrong"]
    assert [text.split(": ")[:2] for text in wrong] == [
        [f"{config}:10", "engine.order_answer_timout_ms"],
        ["FAIRLEAD_LISTEM", "there is no such setting; did you mean FAIRLEAD_LISTEN?"],
        [f"{config}:9", "engine.ask_delay_ms"],
    ]
    assert f"127.0.0.1:{port}" in told.found("listen_busy")
    assert f"by process {os.getpid()} " in told.found("listen_busy")
    assert "give another address" in told.found("listen_busy")
    assert "nowhere writable" in told.found("log_unwritable")
    assert "no-tape.csv" in told.found("market_tape_wrong")


def test_certificates_that_cannot_be_used_or_end_soon(stopped: Path) -> None:
    asked = {"FAIRLEAD_TLS_CLIENTS_LISTEN": ANY_PORT}
    told = doctor(stopped, environment=asked)
    assert "tls/server.pem is missing: `fairlead tls init`" in told.found("tls_unusable")
    tls = stopped / "tls"
    past_ns = time.time_ns() - 29 * 86_400 * 1_000_000_000
    with Control.open(stopped, None, None, "local", past_ns) as control:
        tls_files.init(control, tls, [], Actor("owner", "local", "machine"), past_ns)
    told = doctor(stopped, environment=asked)
    assert told.codes.isdisjoint({"tls_unusable", "tls_ends_soon", "file_unknown"})
    assert "certificates" in told.fine
    shutil.rmtree(tls / "ca")
    told = doctor(stopped, environment=asked)
    assert "tls/revoked.pem counts until " in told.found("tls_ends_soon")
    assert "certificates" not in doctor(stopped).fine


def test_a_key_that_locks_secrets_must_be_safe_and_there(stopped: Path) -> None:
    key = stopped.with_name("data.key")
    assert doctor(stopped).fine["key of stored secrets"] == str(key)
    key.chmod(0o644)
    assert "644" in doctor(stopped).found("control_key_unusable")
    key.unlink()
    assert f"put the key back at {key}" in doctor(stopped).found("control_key_unusable")
    inside = stopped / "inside.key"
    told = doctor(stopped, environment={"FAIRLEAD_CONTROL_KEY_FILE": str(inside)})
    assert "lies in the data folder" in told.found("control_key_unusable")


def test_a_control_database_that_cannot_be_used(stopped: Path) -> None:
    assert "control database" in doctor(stopped).fine
    with closing(sqlite3.connect(stopped / "control.sqlite")) as database:
        database.execute("UPDATE alembic_version SET version_num = 'r9999'")
        database.commit()
    assert "is at step r9999" in doctor(stopped).found("control_newer")
    (stopped / "control.sqlite").write_bytes(b"no database" * 100)
    assert "control.sqlite" in doctor(stopped).found("control_unusable")
    url = "postgresql://fairlead:secret@127.0.0.1:1/none"
    found = doctor(stopped, environment={"FAIRLEAD_CONTROL_URL": url}).found("control_unusable")
    assert "127.0.0.1" in found
    assert "secret" not in found


def test_a_fix_address_in_use(stopped: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        told = doctor(stopped, environment={"FAIRLEAD_FIX_LISTEN": address})
    assert f"{address}: " in told.found("listen_busy")
    assert "give another address: --fix HOST:PORT" in told.found("listen_busy")


def test_an_address_of_another_machine(stopped: Path) -> None:
    elsewhere = {"FAIRLEAD_LISTEN": "192.0.2.1:3080", "FAIRLEAD_ALLOW_OPEN_NETWORK": "true"}
    assert "192.0.2.1" in doctor(stopped, environment=elsewhere).found("listen_unavailable")


def test_limits_that_are_too_low(stopped: Path) -> None:
    limited = ("sh", "-c", 'ulimit -n 256; ulimit -f 1000; exec "$0" "$@"', FAIRLEAD)
    told = doctor(stopped, command=limited)
    assert "is 256, the settings need 2153" in told.found("open_files_low")
    assert "LimitNOFILE=2153" in told.found("open_files_low")
    assert "LimitFSIZE=infinity" in told.found("file_size_limited")


def test_the_limit_of_the_running_process_counts(stopped: Path, config: Path) -> None:
    ems = Ems(stopped, config, prefix=("sh", "-c", 'ulimit -n 300; exec "$0" "$@"'))
    with running(ems):
        ems.reconciled()
        told = doctor(stopped, config=config)
    assert f"of process {ems.process.pid} is 300" in told.found("open_files_low")


def test_a_package_of_another_version(stopped: Path, tmp_path: Path) -> None:
    other = tmp_path / "site" / "msgspec-0.0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: msgspec\nVersion: 0.0.1\n")
    told = doctor(stopped, environment={"PYTHONPATH": str(other.parent)})
    locked = (ROOT / "requirements/run.txt").read_text().split("msgspec==")[1].split()[0]
    text = told.found("package_other_version")
    assert text.startswith(f"msgspec is 0.0.1, locked is {locked} → install the locked ones")


# ── the disk ─────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def small_memory_folder() -> Iterator[tuple[Path, Sequence[str]]]:
    """Give a folder on a small tmpfs, and what a command that sees it begins with."""
    shared = Path("/dev/shm")
    if subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode:
        # In a container without the right to mount: its own, as small as containers have it.
        folder = shared / f"fairlead-doctor-{os.getpid()}"
        folder.mkdir()
        try:
            yield folder, (FAIRLEAD,)
        finally:
            shutil.rmtree(folder)
        return
    mount = 'mount -t tmpfs -o size=8m,nr_inodes=99 none /mnt && mkdir /mnt/data && exec "$0" "$@"'
    yield Path("/mnt/data"), ("unshare", "-Urm", "sh", "-c", mount, FAIRLEAD)


def test_a_folder_in_memory_that_is_nearly_full() -> None:
    with small_memory_folder() as (folder, command):
        told = doctor(folder, command=command)
    assert "which is memory → put the data folder on a disk" in told.found("folder_in_memory")
    assert "expected at least 1,024 MiB → make space" in told.found("space_low")
    if folder.is_relative_to("/mnt"):
        assert "more files fit" in told.found("inodes_low")


def test_a_slow_disk(stopped: Path) -> None:
    if shutil.which("strace") is None:
        assert not os.environ.get("CI"), "CI has strace"
        pytest.skip("no strace here to slow a sync down")
    slow = ("strace", "-f", "-o", "/dev/null", "-e", "inject=fsync:delay_exit=30000", FAIRLEAD)
    told = doctor(stopped, command=slow)
    assert "expected at most 20.000 ms → use a disk of its own" in told.found("sync_slow")


# ── the data folder ──────────────────────────────────────────────────────────────────────────────

_AS_NOBODY = f"""
import os
import fairlead.cli, fairlead.commands.doctor.examine, encodings.idna
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
fairlead.cli.main()
"""


@contextmanager
def reached_by_nobody(folder: Path) -> Iterator[None]:
    """Let every user get as far as the folder."""
    above = [each for each in folder.parents if each.stat().st_uid == os.geteuid()]
    modes = {each: each.stat().st_mode for each in above if not each.stat().st_mode & 0o001}
    for each, before in modes.items():
        each.chmod(before | 0o011)
    try:
        yield
    finally:
        for each, before in modes.items():
            each.chmod(before)


@pytest.mark.parametrize(
    ("mode", "code"), [(0o700, "folder_unreadable"), (0o755, "folder_unwritable")]
)
def test_a_folder_of_another_user(stopped: Path, mode: int, code: str) -> None:
    if os.geteuid() != 0:
        mode &= 0o055  # our own rights go; as root, those of nobody do
    stopped.chmod(mode)
    try:
        with reached_by_nobody(stopped):
            told = doctor(stopped, command=(sys.executable, "-c", _AS_NOBODY))
    finally:
        stopped.chmod(0o755)
    assert f"mode {mode:03o}" in told.found(code)
    assert "run as the user that owns it" in told.found(code)


def test_a_journal_that_this_user_may_not_read(stopped: Path) -> None:
    (stopped / "journal.sqlite").chmod(0o600 if os.geteuid() == 0 else 0)
    with reached_by_nobody(stopped):
        told = doctor(stopped, command=(sys.executable, "-c", _AS_NOBODY))
    assert "journal.sqlite" in told.found("journal_unreadable")
    assert "permission to read and write it" in told.found("journal_unreadable")


def test_rights_that_others_should_not_have_and_files_that_should_not_be_there(
    stopped: Path,
) -> None:
    (stopped / "accounts.toml").write_text(KEPT_KEYS)
    (stopped / "accounts.toml").chmod(0o644)
    stopped.chmod(0o757)
    (stopped / "notes.txt").write_text("buy low")
    (stopped / ".endpoint.json.999999999").write_text("{")
    (stopped / "exchange" / ".copy-abc").mkdir()
    stopped.with_name("data.restoring").mkdir()
    told = doctor(stopped)
    assert f"chmod 600 {stopped}/accounts.toml" in told.found("accounts_file_open")
    assert f"chmod o-w {stopped}" in told.found("folder_open_to_others")
    assert "notes.txt" in told.found("file_unknown")
    left = [each["todo"] for each in told.findings if each["code"] == "file_left_over"]
    assert left == [
        f"remove it: rm -r {path}"
        for path in (
            stopped.with_name("data.restoring"),
            stopped / ".endpoint.json.999999999",
            stopped / "exchange/.copy-abc",
        )
    ]


def test_keys_that_cannot_be_read_any_more(stopped: Path) -> None:
    (stopped / "accounts.toml").write_text("[[accounts]]\nexchange_id = ")
    assert "put it back from a backup" in doctor(stopped).found("accounts_file_wrong")


def test_files_that_root_left_behind(stopped: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to another user")
    for path in (stopped, *stopped.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.chown(stopped / "journal.sqlite", 0, 0)
    assert f"{stopped}/journal.sqlite" in doctor(stopped).found("file_of_another_user")


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert "is not a folder" in doctor(tmp_path / "data").found("folder_wrong")
    below = doctor(tmp_path / "data" / "x").found("folder_wrong")
    assert f"x cannot be made: {tmp_path}/data is not a folder" in below


# ── the journal and the store ────────────────────────────────────────────────────────────────────


def _run(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _forget(path: Path) -> None:
    path.unlink()
    path.with_name(f"{path.name}-wal").write_bytes(b"something")


def _foreign(path: Path) -> None:
    path.unlink()
    _run(path, "CREATE TABLE recipes (name)", "PRAGMA application_id = 7")


_LAST = "WHERE batch = (SELECT max(batch) FROM frames)"
_SPOIL_TABLE = "UPDATE orders SET opened_batch = opened_batch + 1 WHERE number = 1"


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (_cut, "journal_torn", "restore the last backup elsewhere"),
        (_forget, "journal_torn", "while its WAL journal.sqlite-wal is there"),
        (_foreign, "journal_foreign", "SQLite with application_id 0x00000007"),
        (lambda path: path.write_bytes(b"a diary" * 999), "journal_foreign", "not a database"),
        (lambda path: _run(path, "PRAGMA user_version = 99"), "journal_newer", "schema version 99"),
        (
            lambda path: _run(path, f"UPDATE frames SET data = x'00' {_LAST}"),
            "journal_differs",
            "a row cannot be decoded",
        ),
        (
            lambda path: _run(path, f"DELETE FROM frames {_LAST}"),
            "journal_differs",
            "the tables speak of frame",
        ),
        (
            lambda path: os.truncate(path.with_name(f"{path.name}-wal"), 300 << 20),
            "wal_large",
            "end it",
        ),
    ],
)  # fmt: skip
def test_a_journal_that_is_not_as_it_should_be(
    stopped: Path, spoil: Callable[[Path], object], code: str, said: str
) -> None:
    (stopped / "journal.sqlite-wal").touch()
    spoil(stopped / "journal.sqlite")
    assert said in doctor(stopped).found(code)


def test_only_all_of_the_journal_shows_what_happened_long_ago(stopped: Path) -> None:
    _run(stopped / "journal.sqlite", _SPOIL_TABLE)
    assert "journal_differs" not in doctor(stopped).codes
    assert "order 1: frames" in doctor(stopped, "--full").found("journal_differs")


def test_a_store_that_is_another_programs(stopped: Path) -> None:
    _foreign(stopped / "exchange" / "exchange.sqlite")
    assert "a database of another program" in doctor(stopped).found("store_wrong")


# ── the running system and its exchange ──────────────────────────────────────────────────────────


def test_a_system_that_was_killed_and_one_that_hangs(stopped: Path, config: Path) -> None:
    ems = Ems(stopped, config)
    with running(ems):
        pid = ems.reconciled().pid
        os.kill(pid, signal.SIGSTOP)
        told = doctor(stopped, config=config)
        assert f"if it hangs, end process {pid}" in told.found("system_silent")
        ems.kill()
        told = doctor(stopped, config=config)
        assert f"of process {pid}, and nobody has the folder" in told.found("endpoint_stale")
        assert f"fairlead up --data {stopped}" in told.found("endpoint_stale")


def test_a_folder_that_is_held_by_nobody_knows_whom(stopped: Path) -> None:
    with (stopped / "journal.lock").open("r+") as lock:
        lock.truncate()
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "end process 4711" in doctor(stopped).found("lock_without_system")


def test_an_exchange_that_is_not_there(stopped: Path, config: Path) -> None:
    with keep() as kept:  # and nobody listens there
        address = f"tcp://127.0.0.1:{kept.getsockname()[1]}"
        ems = Ems(stopped, config, "--exchange-url", address)
        with running(ems):
            ems.ready()
            told = doctor(stopped, environment={"FAIRLEAD_EXCHANGE_URL": address})
    assert f"{address} does not answer" in told.found("exchange_unreachable")
    assert "SIM is " in told.found("account_not_reconciled")


@contextmanager
def exchange_with_a_clock(ahead_s: int) -> Iterator[str]:
    """Serve an exchange that tells its time and nothing else."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            reader = client_messages()
            while data := connection.recv(65_536):
                for message in reader.feed(data):
                    assert isinstance(message, Ping)
                    now_ns = time.time_ns() + ahead_s * 10**9
                    connection.sendall(frame(Pong(message.request_id, now_ns)))

    def serve_all() -> None:
        for _ in range(3):
            serve()

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=serve_all, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        thread.join(60)


@pytest.mark.parametrize("ahead_s", [30, -30])
def test_an_exchange_with_another_clock(stopped: Path, ahead_s: int) -> None:
    with exchange_with_a_clock(ahead_s) as address:
        told = doctor(stopped, environment={"FAIRLEAD_EXCHANGE_URL": address})
    said = re.search(r"is (-?[0-9.]+) ms ahead of ours, ± ([0-9.]+) ms", told.found("clock_offset"))
    assert said is not None
    offset_ms, error_ms = map(float, said.groups())
    assert abs(offset_ms - ahead_s * 1_000) <= error_ms + 0.1  # shown to a tenth
    assert "timedatectl set-ntp true" in told.found("clock_offset")


def test_an_exchange_with_our_clock(stopped: Path) -> None:
    with exchange_with_a_clock(0) as address:
        told = doctor(stopped, environment={"FAIRLEAD_EXCHANGE_URL": address})
    assert "clock_offset" not in told.codes
    assert address in told.fine["exchange's clock"]


# ── the table of problems ────────────────────────────────────────────────────────────────────────


def test_every_problem_of_the_source_has_its_row_and_the_other_way_round() -> None:
    source = "".join(
        path.read_text() for path in (ROOT / "src/fairlead/commands/doctor").glob("*.py")
    )
    assert set(re.findall(r'finding\(\s*"(\w+)"', source)) == PROBLEMS.keys()


def test_every_problem_is_planted_by_a_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_doctor*.py"))
    assert [code for code in PROBLEMS if not re.search(rf"[\" ]{code}[\":]", tests)] == []
