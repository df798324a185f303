"""Where the data folder is: its file system, its space, and what a sync of it costs."""

import os
import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from fairlead.commands.doctor.patient import Patient
from fairlead.commands.doctor.problems import Fine, Result, finding

PROBE_PREFIX = ".doctor-"
_SPACE_LEAST = 1 << 30
_INODES_LEAST = 1_000
_SYNC_SLOW_NS = 20_000_000
_SYNC_IGNORED_NS = 20_000  # quicker than any disk
_SYNCS = 15
_BLOCK = bytes(4_096)
_MOUNTS = Path("/proc/self/mountinfo")
_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_ON_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "fuse.sshfs"})


def file_system(patient: Patient) -> Iterator[Result]:
    """Say what kind of file system the folder is on."""
    kind = _kind(patient.place.resolve())
    if kind in _IN_MEMORY:
        yield finding("folder_in_memory", f"{patient.folder} is on {kind}, which is memory")
    elif kind in _ON_NETWORK:
        yield finding("folder_on_network", f"{patient.folder} is on {kind}, a network file system")
    else:
        yield Fine("file system", kind)


def space(patient: Patient) -> Iterator[Result]:
    """Compare what is free with what a day may need."""
    status = os.statvfs(patient.place)
    free = status.f_bavail * status.f_frsize
    if free < _SPACE_LEAST:
        text = f"{_mib(free)} are free for {patient.folder}, expected at least {_mib(_SPACE_LEAST)}"
        yield finding("space_low", text, folder=patient.place)
    else:
        yield Fine("free space", f"{_mib(free)}, about {free // 10**9:,} million orders")
    if status.f_files and status.f_favail < _INODES_LEAST:
        text = f"{status.f_favail} more files fit onto the file system of {patient.folder}"
        yield finding("inodes_low", text, folder=patient.place)


def sync(patient: Patient) -> Iterator[Result]:
    """Measure how long it takes until 4 KB are on disk."""
    probe = patient.place / f"{PROBE_PREFIX}{os.getpid()}"
    try:
        durations = _durations(probe)
    except OSError:
        return  # what cannot be written, the other checks say
    median = statistics.median(durations)
    text = f"{_ms(median)} at the median, {_ms(max(durations))} at most of {len(durations)}"
    if median > _SYNC_SLOW_NS:
        yield finding("sync_slow", f"a sync takes {text}, expected at most {_ms(_SYNC_SLOW_NS)}")
    elif median < _SYNC_IGNORED_NS and _kind(patient.place.resolve()) not in _IN_MEMORY:
        yield finding("sync_ignored", f"a sync takes {text}")
    else:
        yield Fine("sync", text)


def _durations(probe: Path) -> list[int]:
    descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        durations = []
        for _ in range(_SYNCS):
            os.write(descriptor, _BLOCK)
            began_ns = time.perf_counter_ns()
            os.fsync(descriptor)
            durations.append(time.perf_counter_ns() - began_ns)
        return durations
    finally:
        os.close(descriptor)
        probe.unlink()


def _kind(place: Path) -> str:
    """Return the type of the file system that `place` is on (proc(5), mountinfo)."""
    best, kind = -1, "unknown"
    try:
        lines = _MOUNTS.read_text().splitlines()
    except OSError:
        return kind
    for line in lines:
        before, _, after = line.partition(" - ")
        point = Path(re.sub(r"\\([0-7]{3})", _unescaped, before.split()[4]))
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split()[0]
    return kind


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))


def _mib(size: int) -> str:
    return f"{size >> 20:,} MiB"


def _ms(duration_ns: float) -> str:
    return f"{duration_ns / 1e6:.3f} ms"
