"""Follows a page as its reader would: every block in order, in a folder of its own.

What differs from a reader's machine, and nothing else:

- the folder is a scratch one, in which `.venv` is the environment of the tests. `make` runs in the
  repository, with the data in the scratch folder (FAIRLEAD_DATA);
- 127.0.0.1 is another address of the loopback network, the session's own, so that the ports on the
  page are free however many read at once; in what is printed it is put back;
- a command that serves (`make run`, `fairlead up`, `fairlead exchange`) goes on in the background once
  it has printed what the page shows and takes orders, until `^C` or the end of the page.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.documentation.fences import INTERRUPT, RUNNABLE, SHOWN, Fence, Step, steps_of
from tests.documentation.shapes import ANY_LINES, difference, json_difference

ROOT = Path(__file__).resolve().parents[2]
COMMAND_S = 120.0
SERVING_S = 60.0
POLL_S = 0.02
LOOPBACK = "127.0.0.1"

_SERVES = re.compile(r"(make run|\S*fairlead (up|exchange))\b")
_MAKE = re.compile(r"\bmake\b")
_FOREIGN = ("FAIRLEAD_", "MAKE", "MFLAGS", "PYTEST_", "COV_")
_sessions = count(1)


class Serving(msgspec.Struct):
    """A command that goes on: its process, the file it prints to, how much of that was shown."""

    command: str
    process: subprocess.Popen[bytes]
    printed: Path
    shown: list[str]


class Reader:
    """One reading. Close it: it ends what it started."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self._folder = folder
        (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
        self.address = address_of(os.getpid(), next(_sessions))
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)
        } | {
            "FAIRLEAD_LISTEN": f"{self.address}:3080",
            "FAIRLEAD_FIX_LISTEN": f"{self.address}:3401",
            "FAIRLEAD_EXCHANGE_LISTEN": f"{self.address}:3090",
            "FAIRLEAD_EXCHANGE_OPERATOR_LISTEN": f"{self.address}:3091",
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }  # fmt: skip
        self._code = 0
        self._serving: list[Serving] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for serving in self._serving:
            os.killpg(serving.process.pid, signal.SIGKILL)
            serving.process.wait()

    # ── blocks ───────────────────────────────────────────────────────────────────────────────────

    def read(self, fences: Iterable[Fence]) -> int:
        """Follow every block; return how many were run. Fails at the first that is not as shown."""
        ran = 0
        printed: str | None = None
        for fence in fences:
            if fence.reason is not None:
                printed = None
            elif fence.title is not None:
                self._write(fence)
            elif fence.language in RUNNABLE:
                printed = self._run(fence)
                ran += 1
            else:
                assert fence.language in SHOWN, (
                    f"{fence.place}: unknown language {fence.language!r}"
                )
                if printed is not None:
                    self._compare(fence, printed)
                    printed = None
        return ran

    def run(self, command: str, place: str) -> str:
        """Run one command that must succeed; return what it printed."""
        return self._command(["-c", command], command, place)

    def _write(self, fence: Fence) -> None:
        path = self._folder / str(fence.title)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._as_here(fence.text), encoding="utf-8")

    def _run(self, fence: Fence) -> str | None:
        """Run one block; return what it printed, None when that has been compared."""
        if fence.language == "console":
            steps = steps_of(fence)
            for place, step in enumerate(steps):
                asks = place + 1 < len(steps) and steps[place + 1].command == "echo $?"
                self._step(step, fence.place, asks)
            return None
        if fence.language == "python":
            return self._program(fence)
        if _SERVES.match(fence.text):
            self._serve(Step(fence.text.strip(), ("...", "Serving …", "...")), fence.place)
            return None
        return self._command(["-e", "-c", self._as_here(fence.text)], fence.text, fence.place)

    def _compare(self, fence: Fence, printed: str) -> None:
        if fence.language == "json":
            found = json_difference(self._as_here(fence.text), self._as_here(printed))
        else:
            found = difference(fence.text.splitlines(), printed.splitlines())
        assert found is None, f"{fence.place}: not as shown\n{found}"

    # ── commands ─────────────────────────────────────────────────────────────────────────────────

    def _step(self, step: Step, place: str, may_fail: bool) -> None:
        if step.command == INTERRUPT:
            self._interrupt(step, place)
        elif _SERVES.match(step.command):
            self._serve(step, place)
        else:
            after = f"(exit {self._code}); {self._as_here(step.command)}"  # what `$?` is
            printed = self._command(["-c", after], step.command, place, may_fail)
            found = difference(step.output, printed.splitlines())
            assert found is None, f"{place}: $ {step.command}\n{found}"

    def _command(
        self, arguments: list[str], command: str, place: str, may_fail: bool = False
    ) -> str:
        """Run the shell; return what came, in the page's words. Fails when it fails, unless it may."""
        return self._ended(["bash", *arguments], "", command, place, may_fail)

    def _program(self, fence: Fence) -> str:
        text = self._as_here(fence.text)
        return self._ended([sys.executable, "-"], text, "python", fence.place, False)

    def _ended(
        self, program: list[str], said: str, command: str, place: str, may_fail: bool
    ) -> str:
        ended = subprocess.run(
            program,
            input=said,
            **self._where(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        self._code = ended.returncode
        printed = self._as_shown(ended.stdout)
        assert may_fail or ended.returncode == 0, (
            f"{place}: $ {command}\nended with {ended.returncode}:\n{printed}"
        )
        return printed

    def _where(self, command: str) -> dict[str, Any]:
        """Return the folder and the environment that a command is run in."""
        if not _MAKE.search(command):
            return {"cwd": self._folder, "env": self._environment}
        data = {"FAIRLEAD_DATA": str(self._folder / "data")}
        return {"cwd": ROOT, "env": self._environment | data}

    # ── what serves ──────────────────────────────────────────────────────────────────────────────

    def _serve(self, step: Step, place: str) -> None:
        assert step.output, f"{place}: show what {step.command} prints when it serves"
        printed = self._folder / f".printed-{len(self._serving)}"
        with printed.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {self._as_here(step.command)}"],
                **self._where(step.command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        serving = Serving(step.command, process, printed, [])
        self._serving.append(serving)
        # What it logs while it goes on comes when it comes.
        self._until_shown(serving, (*step.output, ANY_LINES), place)
        self._until_reconciled(printed.read_text(errors="replace"))

    def _until_reconciled(self, printed: str) -> None:
        """Wait until the system takes orders: no reader types as quickly as this one."""
        url = re.search(rf"http://{self.address}:\d+(?=, data|, Ctrl)", printed)
        deadline = time.monotonic() + SERVING_S
        while url is not None:
            accounts = _health(url[0])["accounts"]  # none, where one must say who asks
            if all(account["state"] == "reconciled" for account in accounts):
                return
            assert time.monotonic() < deadline, "the accounts are not reconciled"
            time.sleep(POLL_S)

    def _interrupt(self, step: Step, place: str) -> None:
        serving = self._serving.pop()
        os.killpg(serving.process.pid, signal.SIGINT)
        try:
            serving.process.wait(SERVING_S)
            self._until_shown(serving, step.output or ("...",), place)
        finally:
            if serving.process.poll() is None:
                os.killpg(serving.process.pid, signal.SIGKILL)
                serving.process.wait()

    def _until_shown(self, serving: Serving, output: tuple[str, ...], place: str) -> None:
        """Wait until what it printed since the last look has the shape."""
        deadline = time.monotonic() + SERVING_S
        while True:
            has_ended = serving.process.poll() is not None
            lines = self._as_shown(serving.printed.read_text(errors="replace")).splitlines()
            found = difference(output, lines[len(serving.shown) :])
            if found is None:
                serving.shown = lines
                return
            is_over = has_ended or time.monotonic() > deadline
            assert not is_over, f"{place}: $ {serving.command}\n{found}"
            time.sleep(POLL_S)

    # ── here and on the page ─────────────────────────────────────────────────────────────────────

    def _as_here(self, text: str) -> str:
        return text.replace(LOOPBACK, self.address)

    def _as_shown(self, text: str) -> str:
        shown = text.replace(self.address, LOOPBACK).replace(f" --data {self._folder}/data", "")
        return shown.replace(f"{self._folder}/", "")


def address_of(process: int, session: int) -> str:
    """Return the loopback address of a process's session, which is no other's: ports are bound there."""
    own = process % 65_536
    return f"127.{100 + session % 100}.{own >> 8}.{own & 255}"


def _health(url: str) -> dict[str, Any]:
    """Return what the system says of itself, whom it does not know too."""
    try:
        with urllib.request.urlopen(f"{url}/health/ready") as answer:
            health: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as not_ready:
        with not_ready:
            health = json.load(not_ready)
    return health


def needs(*programs: str) -> str | None:
    """Return which of the programs is missing on this machine."""
    return next((program for program in programs if shutil.which(program) is None), None)
