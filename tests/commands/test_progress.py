"""Long work shows bars on a terminal and nothing in a pipe; its output is the same."""

import os
import pty
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from fairlead.commands import progress
from tests.system import ACCOUNTS, FAIRLEAD, QUICK, Ems, running, write_config


def on_a_terminal(*arguments: str, folder: Path) -> tuple[int, str, str]:
    """Run a command whose stderr is a terminal; return how it ended, its output, the screen."""
    reader, writer = pty.openpty()
    with open(reader, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            [FAIRLEAD, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=writer,
            env={"TERM": "xterm-256color", "COLUMNS": "80", "PATH": os.environ["PATH"]},
        )
        os.close(writer)
        shown = bytearray()
        with suppress(OSError):  # how a pseudo-terminal says that its other end was closed
            while piece := screen.read(65_536):
                shown += piece
        out, _ = process.communicate(timeout=60)
    return process.returncode, out.decode(), shown.decode()


def test_backup_and_restore_show_how_far_they_are(tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.toml", QUICK, ACCOUNTS)
    ems = Ems(tmp_path / "data", config)
    with running(ems):
        with closing(ems.reconciled().api()) as api:
            assert api.place("one").status == 200
        code, out, screen = on_a_terminal("backup", "b.tar", "--data", "data", folder=tmp_path)
    assert (code, "written to" in out) == (0, True)
    assert all(f"{name} " in screen for name in ("journal", "exchange", "packing"))
    assert "100%" in screen
    assert "100%" not in out
    code, out, screen = on_a_terminal("restore", "b.tar", "--data", "new", folder=tmp_path)
    assert (code, "all agree" in out) == (0, True)
    assert all(f"{name} " in screen for name in ("copying", "verifying"))


def test_in_a_pipe_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bars() as start:
        advance: Callable[[int, int], None] = start("work")
        advance(1, 2)
    assert capsys.readouterr() == ("", "")
