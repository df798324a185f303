"""The log: its lines, and its file: renamed by size, opened anew when it is asked to be, never in the way."""

import json
import resource
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from fairlead.commands.logs import LogFile
from tests.commands.terminal import fairlead
from tests.system import ACCOUNTS, ANY_PORT, QUICK, Ems, running, until, write_config


def test_a_full_file_is_renamed_and_so_many_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with closing(LogFile(path, bytes_max=20, count=2)) as log:
        for number in range(8):
            log.write(f"line number {number}\n")
    assert path.read_text() == "line number 6\nline number 7\n"
    assert (tmp_path / "log.1").read_text() == "line number 4\nline number 5\n"
    assert (tmp_path / "log.2").read_text() == "line number 2\nline number 3\n"
    assert not (tmp_path / "log.3").exists()
    with closing(LogFile(path, bytes_max=20, count=2)) as again:  # a restart goes on where it was
        again.write("next\n")
    assert path.read_text() == "next\n"


def test_a_count_of_none_leaves_the_renaming_to_others(tmp_path: Path) -> None:
    with closing(LogFile(tmp_path / "log", bytes_max=1, count=0)) as log:
        for _ in range(3):
            log.write("line\n")
    assert (tmp_path / "log").read_text() == "line\n" * 3


def test_what_cannot_be_written_goes_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(LogFile(Path("/dev/full"), bytes_max=1 << 20, count=0)) as log:
        assert log.write("important\n") == 10
    assert capsys.readouterr().err == ("/dev/full: [Errno 28] No space left on device: important\n")
    folder = tmp_path / "logs"
    folder.mkdir()
    with closing(LogFile(folder / "log", bytes_max=1, count=1)) as log:
        log.write("first\n")
        (folder / "log").unlink()
        folder.rmdir()
        log.write("second\n")
        log.write("third\n")
    assert [line.partition(": ")[2][-7:] for line in capsys.readouterr().err.splitlines()] == [
        " second",
        ": third",
    ]


def test_a_running_system_follows_its_file_after_a_hangup(tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.toml", {**QUICK, "log.level": "debug"}, ACCOUNTS)
    log = tmp_path / "fairlead.log"
    ems = Ems(tmp_path / "data", config, "--log-file", str(log))
    with running(ems):
        with closing(ems.reconciled().api()) as api:
            log.rename(tmp_path / "fairlead.log.1")
            ems.process.send_signal(signal.SIGHUP)
            numbers = iter(range(10**6))
            until(
                lambda: api.place(f"after-{next(numbers)}").status == 200 and log.exists(),
                "it has opened the file anew",
            )
        assert ems.interrupt() == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[-1]["event"] == "stopped"
    older = (tmp_path / "fairlead.log.1").read_text().splitlines()
    assert "serving" in {json.loads(line)["event"] for line in older}
    assert "serving" not in ems.log.replace("fairlead serves", "")


def test_a_log_file_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    run = fairlead("up", "--listen", ANY_PORT, "--log-file", "no/where.log", folder=tmp_path)
    assert (run.code, run.out) == (2, "")
    assert run.err == (
        "fairlead: log.file no/where.log: No such file or directory; give a file in a folder that"
        " can be written\n"
    )


# ── lines ────────────────────────────────────────────────────────────────────────────────────────

_LOGGED = """
import asyncio, logging, sys, structlog
from fairlead.commands import logs
from fairlead.config import LogConfig

def open_it(password):
    raise OSError(28, "No space left on device")

logs.configure(LogConfig(format=sys.argv[1]))
try:
    open_it("hush-hush")
except OSError as error:
    structlog.get_logger().error("fatal", cause="the disk", exc_info=error)
    logging.getLogger("library").error("it %s", "failed", exc_info=error)
logging.getLogger("library").info("not told")
logging.getLogger("library").warning("%d", "no number")
"""


def logged(log_format: str) -> list[str]:
    command = [sys.executable, "-c", _LOGGED, log_format]
    return subprocess.run(command, capture_output=True, check=True, text=True).stderr.splitlines()


def test_an_error_is_one_line_of_text_with_its_place_and_no_local_variables() -> None:
    fatal, library, *_ = logged("text")
    assert "fatal" in fatal
    assert "cause='the disk'" in fatal
    assert "raised_at=<string>:7" in fatal
    assert "it failed" in library
    assert "[library]" in library
    assert "No space left on device" in library


def test_every_line_is_an_object_that_of_a_library_too_and_has_the_traceback() -> None:
    fatal, library = map(json.loads, logged("json")[:2])
    assert (fatal["event"], fatal["level"], fatal["cause"]) == ("fatal", "error", "the disk")
    assert (library["event"], library["level"], library["logger"]) == (
        "it failed",
        "error",
        "library",
    )
    for told in (fatal, library):
        assert told["exception"].startswith("Traceback (most recent call last):")
        assert "hush-hush" not in told["exception"]


def test_what_is_no_http_is_logged_as_an_object(tmp_path: Path) -> None:
    ems = Ems(tmp_path / "data", write_config(tmp_path / "c.toml", QUICK, ACCOUNTS))
    with running(ems):
        ems.ready()
        host, _, port = ems.endpoint["url"].removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port)), 10) as client:
            client.sendall(b"this is no HTTP\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 400 ")
        assert ems.interrupt() == 0
    lines = [
        line
        for line in ems.log.splitlines()
        if not line.startswith(("fairlead serves", "there is"))
    ]
    (told,) = [each for each in map(json.loads, lines) if "Invalid HTTP" in each["event"]]
    assert (told["level"], told["logger"]) == ("warning", "uvicorn.error")


def test_a_fatal_stop_is_two_lines_at_the_terminal(tmp_path: Path) -> None:
    data = tmp_path / "data"
    ems = Ems(data, write_config(tmp_path / "c.toml", QUICK, ACCOUNTS), "--log-format", "text")
    with running(ems):
        with closing(ems.reconciled().api()) as api:
            usual = resource.prlimit(ems.process.pid, resource.RLIMIT_FSIZE)
            largest = max(each.stat().st_size for each in data.iterdir() if each.is_file())
            full = (largest + 20_000, usual[1])
            resource.prlimit(ems.process.pid, resource.RLIMIT_FSIZE, full)
            with suppress(OSError):
                for number in range(1_000):
                    api.place(f"order-{number}")
        assert ems.process.wait(30) == 70
    lines = ems.log.splitlines()
    first = next(number for number, line in enumerate(lines) if "] fatal " in line)
    assert [line.partition(": ")[0] for line in lines[first + 1 :]] == ["fairlead"]
    assert "raised_at=" in lines[first]
    assert "cause=" in lines[first]
