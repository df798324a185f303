"""The machine a run happens on: its cores, its disk, and how fast the disk is now.

Must never decide what is measured.
"""

import os
import platform
import time
from pathlib import Path

import msgspec

_BLOCK = bytes(range(256)) * 16  # 4 KiB
_MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs", "devtmpfs")


class Cores(msgspec.Struct, frozen=True):
    """Which core the server has and which the load; the same one where there is only one."""

    server: int
    load: int

    @property
    def are_apart(self) -> bool:
        """Whether server and load do not share a core."""
        return self.server != self.load


class SyncTime(msgspec.Struct, frozen=True):
    """What making 4 KiB durable costs, pwrite and fdatasync, in microseconds."""

    median_us: float
    p99_us: float


def choose_cores() -> Cores:
    """Return the two cores that this process may use that are furthest apart."""
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[-1])


def measure_sync(folder: Path, count: int = 1_000) -> SyncTime:
    """Append 4 KiB and fdatasync, `count` times, on the file system of `folder`."""
    path = folder / "sync"
    file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_TRUNC)
    try:
        took = []
        for number in range(count):
            before = time.perf_counter_ns()
            os.pwrite(file, _BLOCK, number * len(_BLOCK))
            os.fdatasync(file)
            took.append(time.perf_counter_ns() - before)
    finally:
        os.close(file)
        path.unlink()
    took.sort()
    return SyncTime(took[count // 2] / 1e3, took[count * 99 // 100] / 1e3)


def mount_of(folder: Path) -> tuple[str, str, str]:
    """Return (device, mount point, file system) of `folder`."""
    wanted = str(folder.resolve())
    found = ("?", "", "?")
    for line in Path("/proc/mounts").read_text().splitlines():
        device, point, kind = line.split()[:3]
        inside = wanted == point or wanted.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(found[1]):
            found = (device, point, kind)
    return found


def is_in_memory(folder: Path) -> bool:
    """Whether `folder` is on a file system that survives nothing, so that a sync costs nothing."""
    return mount_of(folder)[2] in _MEMORY_FILE_SYSTEMS


def flush_count(folder: Path) -> int | None:
    """Return how many flushes the disk under `folder` has done since boot; None if it is not said.

    Of the whole machine: https://docs.kernel.org/admin-guide/iostats.html, field 16.
    """
    device = os.stat(folder).st_dev
    for line in Path("/proc/diskstats").read_text().splitlines():
        fields = line.split()
        if (int(fields[0]), int(fields[1])) == (os.major(device), os.minor(device)):
            return int(fields[18]) if len(fields) > 18 else None
    return None


class Scheduled(msgspec.Struct, frozen=True):
    """How long a process's main thread has run, and how long it could have but others did, in ns."""

    ran_ns: int
    waited_ns: int

    def since(self, before: "Scheduled") -> "Scheduled":
        """Return what came on top of `before`."""
        return Scheduled(self.ran_ns - before.ran_ns, self.waited_ns - before.waited_ns)


def scheduled(process_id: int) -> Scheduled:
    """Return it for a process. https://docs.kernel.org/scheduler/sched-stats.html, /proc/PID/schedstat"""
    ran_ns, waited_ns, _ = Path(f"/proc/{process_id}/schedstat").read_text().split()
    return Scheduled(int(ran_ns), int(waited_ns))


def memory_bytes(process_id: int) -> int:
    """Return the resident memory of a process."""
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise ProcessLookupError(process_id)


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files directly in `folder`."""
    return sum(each.stat().st_size for each in folder.iterdir() if each.is_file())


def describe() -> str:
    """Return one line on processor, cores, memory, kernel and Python."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (
        f"{model}, {os.cpu_count()} cores, {pages >> 30} GiB,"
        f" Linux {platform.release()}, Python {platform.python_version()}"
    )
