"""The service unit, the container file and the logrotate file: well formed, and they fit the program."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from fairlead.cli import program
from fairlead.config.table import BY_NAME, SETTINGS
from tests.system import FAIRLEAD

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "packaging/systemd/fairlead.service"
CONTAINER = ROOT / "packaging/container/Containerfile"
LOGROTATE = ROOT / "packaging/logrotate/fairlead"
VARIABLES = {setting.variable for setting in SETTINGS}
COMMANDS = set(typer.main.get_command(program).commands)  # type: ignore[attr-defined]
HARDENED = [
    *("NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices"),
    *("ProtectKernelModules", "RestrictNamespaces", "RestrictAddressFamilies"),
    *("SystemCallFilter", "CapabilityBoundingSet"),
]


def _unit() -> list[tuple[str, str]]:
    lines = [line for line in UNIT.read_text().splitlines() if line and line[0] not in "#["]
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]


# ── systemd ──────────────────────────────────────────────────────────────────────────────────────


def test_the_unit_starts_what_there_is_and_is_hardened() -> None:
    unit = dict(_unit())
    start = unit["ExecStart"].split()
    assert start[0].endswith("/bin/fairlead")
    assert start[1] in COMMANDS
    assert unit["RestartPreventExitStatus"] == "2"
    assert unit["Type"] == "notify"
    assert 10 <= int(unit["WatchdogSec"]) <= 60
    assert unit["Environment"].partition("=")[0] in VARIABLES
    assert [name for name in HARDENED if name not in unit] == []
    assert int(unit["LimitNOFILE"]) >= 2_153  # what the default settings need


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    unit = tmp_path / "fairlead.service"
    text = UNIT.read_text().replace("/opt/fairlead/bin/fairlead", FAIRLEAD)
    unit.write_text(text.replace("User=fairlead", "User=daemon").replace("Group=fairlead\n", ""))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    about_it = [line for line in done.stderr.splitlines() if "fairlead" in line]
    assert (done.returncode, about_it) == (0, []), done.stderr
    unit.write_text(text + "\n[Service]\nRestrat=always\n")
    broken = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert "Restrat" in broken.stderr


# ── container ────────────────────────────────────────────────────────────────────────────────────


KNOWN = "FROM WORKDIR RUN COPY ENV USER VOLUME EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT"


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a container file, lines that go on joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (word, rest)
        for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)
    ]


def container_faults(text: str) -> list[str]:
    """Say what is wrong with a container file by the rules we keep."""
    found = instructions(text)
    faults = []
    stages = [rest.split() for word, rest in found if word == "FROM"]
    if len(stages) < 2 or len(stages[-1]) != 1:
        faults.append("builds and runs in one stage")
    for stage in stages:
        image, _, tag = stage[0].partition(":")
        if not re.fullmatch(r"[a-z0-9-]+", image) or tag in ("", "latest"):
            faults.append(f"{stage[0]} is not a plain image name with a tag")
    known = set(KNOWN.split())
    faults += [f"{word} is not among what is used here" for word, _ in found if word not in known]
    last = found[max(at for at, (word, _) in enumerate(found) if word == "FROM") :]
    words = dict(last)
    if not re.match(r"[1-9]\d*:[1-9]", words.get("USER", "")):
        faults.append("runs as root")
    for word in ("HEALTHCHECK", "ENTRYPOINT"):
        if "[" not in words.get(word, ""):
            faults.append(f"{word} is missing or not in its exec form")
    names = [stage[2] for stage in stages if len(stage) == 3]
    for word, rest in found:
        if word == "COPY" and rest.startswith("--from="):
            if rest.split()[0].removeprefix("--from=") not in names:
                faults.append(f"COPY {rest}: there is no such stage")
        elif word == "COPY":
            missing = [name for name in rest.split()[:-1] if not (ROOT / name).exists()]
            faults += [f"COPY {name}: there is no such file" for name in missing]
    return faults


def test_the_container_file_is_as_it_should_be() -> None:
    assert container_faults(CONTAINER.read_text()) == []
    words = dict(instructions(CONTAINER.read_text()))
    assert re.findall(r'"([\w-]+)"', words["ENTRYPOINT"])[1] in COMMANDS
    assert re.findall(r'"([\w-]+)"', words["HEALTHCHECK"])[1] in COMMANDS
    variables = set(re.findall(r"FAIRLEAD_\w+", words["ENV"]))
    assert variables <= VARIABLES


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("USER 10001:10001\n", ""), "runs as root"),
        (("FROM python:3.13-slim AS build", "FROM example.org/python:3 AS build"), "plain image"),
        (("--from=build", "--from=built"), "no such stage"),
        (("COPY src src", "COPY source src"), "no such file"),
        (('ENTRYPOINT ["fairlead", "up"]', "ENTRYPOINT fairlead up"), "ENTRYPOINT"),
        (("VOLUME", "VOLUMES"), "VOLUMES"),
    ],
)
def test_a_fault_in_a_container_file_is_found(change: tuple[str, str], fault: str) -> None:
    (found,) = container_faults(CONTAINER.read_text().replace(*change))
    assert fault in found


# ── logrotate ────────────────────────────────────────────────────────────────────────────────────


def test_logrotate_signals_the_service_and_names_settings_that_exist() -> None:
    text = LOGROTATE.read_text()
    assert "systemctl kill --signal=HUP" in text
    assert UNIT.name in text
    assert set(re.findall(r"log\.\w+", text.split("/var/log")[0])) - {"log.file"} <= BY_NAME.keys()
    assert text.count("{") == text.count("}") == 1
    assert (
        "delaycompress" in text
    )  # lines may still go to the renamed file until the signal is seen
    logrotate = shutil.which("logrotate")
    if logrotate is not None:
        done = subprocess.run(
            [logrotate, "--debug", str(LOGROTATE)], capture_output=True, text=True, check=False
        )
        assert "error:" not in done.stderr.replace("error: unknown user", "")
