"""fairlead doctor: every check in order, and how its results are told."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from fairlead.commands import progress, show
from fairlead.commands.doctor import disk, folder, journals, machine, system
from fairlead.commands.doctor.patient import Patient, patient
from fairlead.commands.doctor.problems import Finding, Fine, Result, finding
from fairlead.commands.ending import Ended, ExitCode
from fairlead.core.exact import use_exact_decimals
from fairlead.exchange.tape import open_tape
from fairlead.exchange.tape_line import TapeError

Check = Callable[[Patient], Iterator[Result]]


def settings(patient: Patient) -> Iterator[Result]:
    """Name every wrong setting."""
    for wrong in patient.wrong:
        yield finding("setting_wrong", wrong)
    if not patient.wrong:
        source = patient.config_file or "defaults, environment and flags"
        yield Fine("settings", f"all right, from {source}")


def tape(patient: Patient) -> Iterator[Result]:
    """Say whether the recorded market is there."""
    exchange = patient.config.exchange
    if not exchange.market_tape:
        return
    try:
        open_tape(exchange.market_tape, exchange.settings.instruments)
    except (TapeError, OSError) as error:
        yield finding("market_tape_wrong", str(error))
    else:
        yield Fine("market tape", ", ".join(exchange.market_tape))


def log(patient: Patient) -> Iterator[Result]:
    """Say whether the log can be written."""
    path = patient.config.log.file
    if path is None:
        return
    is_there = os.path.exists(path)
    target = path if is_there else path.parent
    if (is_there and not os.path.isfile(path)) or not os.access(target, os.W_OK):
        text = f"log.file {path} cannot be written by this user"
        yield finding("log_unwritable", text, folder=path.parent)
    else:
        yield Fine("log", str(path))


CHECKS: tuple[Check, ...] = (
    settings,
    tape,
    log,
    machine.versions,
    machine.limits,
    machine.kernel_clock,
    system.exchange_clock,
    disk.file_system,
    disk.space,
    disk.sync,
    folder.permissions,
    folder.owners,
    folder.accounts_file,
    folder.contents,
    system.endpoint,
    system.health,
    system.listen,
    journals.journal,
    journals.store,
)


def doctor(
    config_file: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, object],
    *,
    is_full: bool,
    as_json: bool,
) -> None:
    """Run every check and print what it found. Raises Ended when there is a problem."""
    use_exact_decimals()
    looked_at = patient(config_file, environment, flags, is_full=is_full)
    with progress.bars() as start:
        advance = start("looking")
        results: list[Result] = []
        for done, check in enumerate(CHECKS):
            advance(done, len(CHECKS))
            results += check(looked_at)
    findings = [each for each in results if isinstance(each, Finding)]
    if as_json:
        _print_json(results)
    else:
        _print(results)
    problems = sum(not each.is_notice for each in findings)
    if problems:
        raise Ended(ExitCode.REFUSED, f"{problems} problem{'s' if problems > 1 else ''} found")


def _print_json(results: list[Result]) -> None:
    findings = [msgspec.structs.asdict(each) for each in results if isinstance(each, Finding)]
    fine = [msgspec.structs.asdict(each) for each in results if isinstance(each, Fine)]
    show.out(json.dumps({"findings": findings, "fine": fine}))


def _print(results: list[Result]) -> None:
    """Print what is fine in a table, then what is not, problems before notices."""
    rows = [["ok", each.check, each.found] for each in results if isinstance(each, Fine)]
    show.table((show.Column(""), show.Column("looked at"), show.Column("found")), rows, "")
    findings = sorted(
        (each for each in results if isinstance(each, Finding)), key=lambda each: each.is_notice
    )
    for each in findings:
        show.out()
        show.out(f"{_marked(each)} {each.found}")
        show.out(f"  why it matters: {each.why}")
        show.out(f"  what to do: {each.todo}")
    if not findings:
        show.out("no problem found")


def _marked(each: Finding) -> str:
    word = "notice" if each.is_notice else "problem"
    text = f"{word} {each.code}:"
    if not sys.stdout.isatty():
        return text
    return f"\x1b[{'33' if each.is_notice else '31'}m{text}\x1b[0m"
