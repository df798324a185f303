"""Clock, limits, versions: what the machine and the interpreter are."""

import ctypes
import os
import re
import resource
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from fairlead.app.wakeful import DEVICE
from fairlead.commands.doctor.packages import installed
from fairlead.commands.doctor.patient import Patient
from fairlead.commands.doctor.problems import Fine, Result, finding
from fairlead.commands.limits import open_files_needed
from fairlead.journal.opening import FILE_NAME

_UNSYNCHRONISED = 0x40  # STA_UNSYNC of <sys/timex.h>, adjtimex(2)
_TIMEX_BYTES = 256  # struct timex is 208 on 64-bit Linux; its first fields are used
_STATUS_AT = 8 + 4 * ctypes.sizeof(ctypes.c_long)  # modes, then offset, freq, maxerror, esterror
_PYTHON_TESTED = ((3, 11), (3, 13))
_SQLITE_LEAST = (3, 37, 0)


def kernel_clock(patient: Patient) -> Iterator[Result]:  # noqa: ARG001 - one shape for all checks
    """Ask the kernel whether a time service keeps its clock right; needs no network."""
    state = ctypes.create_string_buffer(_TIMEX_BYTES)
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None or adjtimex(state) < 0:
        return  # not this system's, or not allowed in this container: nothing is known
    status = ctypes.c_int.from_buffer(state, _STATUS_AT).value
    if status & _UNSYNCHRONISED:
        yield finding(
            "clock_unsynchronised", "the kernel's clock is not kept in step by any service"
        )
    else:
        yield Fine("clock", "kept in step by a time service")


def limits(patient: Patient) -> Iterator[Result]:
    """Compare the limits of the process, or of this user, with what the settings need."""
    needed = open_files_needed(patient.config)
    holder = patient.holder
    if holder is not None and holder.pid is not None and (own := _of_process(holder.pid)):
        most, whose = own, f"of process {holder.pid}"
    else:
        most, whose = resource.getrlimit(resource.RLIMIT_NOFILE)[1], "of this user"
    if most != resource.RLIM_INFINITY and most < needed:
        text = f"the open file limit {whose} is {most}, the settings need {needed}"
        yield finding("open_files_low", text, needed=needed)
    else:
        yield Fine("open files", f"the limit {whose} is {most}, {needed} are needed")
    file_bytes = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if file_bytes != resource.RLIM_INFINITY:
        journal = patient.folder / FILE_NAME
        size = os.path.getsize(journal) if os.path.isfile(journal) else 0
        text = f"no file may become larger than {file_bytes} bytes; the journal has {size}"
        yield finding("file_size_limited", text)


def wakefulness(patient: Patient) -> Iterator[Result]:
    """Say whether the cores can be kept awake while orders come one by one."""
    if not patient.config.process.awake_ms or not DEVICE.exists():
        return  # not wanted, or not to be had: another system, or a container
    if os.access(DEVICE, os.W_OK):
        yield Fine("cores", "kept awake while orders come one by one")
    else:
        yield finding("cores_sleep", f"this user may not write {DEVICE}", device=DEVICE)


def versions(patient: Patient) -> Iterator[Result]:  # noqa: ARG001 - likewise
    """Compare Python, SQLite and every package with what is tested."""
    least, most = _PYTHON_TESTED
    python = ".".join(map(str, sys.version_info[:3]))
    if least <= sys.version_info[:2] <= most:
        yield Fine("python", python)
    else:
        yield finding("python_untested", f"this is Python {python}")
    if sqlite3.sqlite_version_info < _SQLITE_LEAST:
        needed = ".".join(map(str, _SQLITE_LEAST))
        yield finding("sqlite_old", f"this is SQLite {sqlite3.sqlite_version}", needed=needed)
    else:
        yield Fine("sqlite", sqlite3.sqlite_version)
    yield from installed()


def _of_process(pid: int) -> int | None:
    """Return the open file limit of another process; None when it does not let us see it."""
    try:
        text = Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return None
    match = re.search(r"^Max open files +(\d+)", text, re.MULTILINE)
    return int(match[1]) if match else None
