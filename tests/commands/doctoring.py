"""Running doctor on a folder, in a process of its own, and reading what it found."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests import forked
from tests.system import ANY_PORT, FAIRLEAD, Json, environment_without_settings


class Told:
    """What one run of doctor found, by code."""

    def __init__(self, code: int, out: str) -> None:
        self.code = code
        self.findings: list[Json] = json.loads(out)["findings"]
        self.fine = {each["check"]: each["found"] for each in json.loads(out)["fine"]}
        for each in self.findings:
            assert all(each[name] for name in ("found", "why", "todo")), each
        problems = [each for each in self.findings if not each["is_notice"]]
        assert code == (1 if problems else 0), self.findings

    @property
    def codes(self) -> set[str]:
        return {each["code"] for each in self.findings}

    def found(self, code: str) -> str:
        """What was found and what to do, of the one problem with this code."""
        (one,) = [each for each in self.findings if each["code"] == code]
        return f"{one['found']} → {one['todo']}"


def doctor(
    data: Path,
    *flags: str,
    command: Sequence[str] = (FAIRLEAD,),
    environment: dict[str, str] | None = None,
    config: Path | None = None,
) -> Told:
    """Run doctor on a folder, in a process of its own; with another `command`, of its own interpreter.

    Without a configuration it is of a system that listens at free ports, unless `environment` says where.
    """
    config_flags = [] if config is None else ["--config", str(config)]
    words = [*command, "doctor", "--data", str(data), "--json", *config_flags, *flags]
    variables = environment_without_settings()
    if config is None:
        variables |= {"FAIRLEAD_LISTEN": ANY_PORT, "FAIRLEAD_FIX_LISTEN": ANY_PORT}
    variables |= environment or {}
    if words[0] == FAIRLEAD and "PYTHONPATH" not in (environment or {}):
        ended = forked.run(words, folder=Path.cwd(), environment=variables, timeout_s=60)
    else:
        ended = subprocess.run(
            words, env=variables, capture_output=True, text=True, timeout=60, check=False
        )
    assert "Traceback" not in ended.stderr, ended.stderr
    return Told(ended.returncode, ended.stdout)
