"""Running `fairlead` commands as a person would: a process, its output, its exit code."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from tests import forked
from tests.system import FAIRLEAD, Json, environment_without_settings

TIMEOUT_S = 60


class Run(NamedTuple):
    """What one command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        """What it printed as JSON, fractions as exact decimals."""
        return json.loads(self.out, parse_float=Decimal)


def fairlead(
    *arguments: str, folder: Path, environment: dict[str, str] | None = None, said: str = ""
) -> Run:
    """Run one command in `folder`, with `said` on its standard input, and wait for its end."""
    ended = forked.run(
        [FAIRLEAD, *arguments],
        folder=folder,
        environment=environment_without_settings() | (environment or {}),
        said=said,
        timeout_s=TIMEOUT_S,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return Run(ended.returncode, ended.stdout, ended.stderr)


class Terminal:
    """Commands against the system whose data folder is `data`."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def run(self, *arguments: str) -> Run:
        return fairlead(*arguments, "--data", str(self.data), folder=self.data.parent)

    def done(self, *arguments: str) -> Run:
        """Run a command that must succeed and say nothing on stderr."""
        run = self.run(*arguments)
        assert (run.code, run.err) == (0, ""), run
        return run


def plain(text: str) -> str:
    """Return what a box around an error says, as one line."""
    return " ".join(re.sub("[│╭╮╰╯─]+", " ", text).split())
