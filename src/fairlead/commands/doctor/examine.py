"""fairlead doctor: every check, in order."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from fairlead.commands import progress
from fairlead.commands.doctor import certificates, control, disk, folder, journals, machine, system
from fairlead.commands.doctor.patient import Patient, patient
from fairlead.commands.doctor.problems import Fine, Result, finding
from fairlead.commands.doctor.telling import tell
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
    certificates.certificates,
    control.key,
    control.database,
    machine.versions,
    machine.limits,
    machine.wakefulness,
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
    tell(results, as_json=as_json)
