"""Where the time of an order goes: the server under load, sampled from outside by py-spy.

A sample belongs to the innermost of our own functions on its stack (or the HTTP server's), so the time
of SQLite, msgspec and other C code is that of the function that called it. Shares become µs by the
server's time per order in the same load without the sampler.
"""

import re
import shutil
import subprocess
import sysconfig
import time
from collections import Counter
from pathlib import Path

import msgspec

from benchmarks.machine import Cores, scheduled
from benchmarks.orders import await_reconciled, drive_mix
from benchmarks.servers import system
from benchmarks.tables import Section

SAMPLES_PER_S = 500
FUNCTIONS_SHOWN = 30
_FRAME = re.compile(r"(\S+) \((.*):(\d+)\)$").match

# Path part → stage; the first that fits the innermost frame that fits any.
STAGES = (
    ("fairlead/gateway/protocol", "HTTP: parse, write, sockets"),
    ("fairlead/gateway/rendering", "render the report"),
    ("fairlead/gateway/answers", "render the report"),
    ("fairlead/gateway/", "border and form"),
    ("fairlead/journal/", "journal: rows"),
    ("fairlead/edge/", "sequencer"),
    ("fairlead/core/", "engine: decide"),
    ("fairlead/venues/", "SIM codec and link"),
    ("fairlead/exchange/store", "exchange: store"),
    ("fairlead/exchange/client_ids", "exchange: store"),
    ("fairlead/exchange/", "exchange: session and matching"),
    ("/uvicorn/", "HTTP: parse, write, sockets"),
)
LOOP = "event loop, sockets, idle"
COMMIT = "journal: COMMIT (write, fdatasync)"
_COMMITTING = ("execute(_INSERT_FRAME", 'execute("COMMIT")')  # the statements that write and sync


class Profile(msgspec.Struct):
    """µs per order by stage and by function, most first; they add up to `wall_us`."""

    connections: int
    samples: int
    wall_us: float
    cpu_us: float
    stages: list[tuple[str, float]]
    functions: list[tuple[str, float]]


def find_sampler() -> str | None:
    """Return the path of py-spy, None if it is not installed."""
    return shutil.which("py-spy", path=sysconfig.get_path("scripts")) or shutil.which("py-spy")


def measure_profile(
    folder: Path, cores: Cores, connections: int, count: int, sampler: str
) -> Profile:
    """Load the system with `count` orders without the sampler, then about as long with it."""
    with system(cores.server, folder / "data") as server:
        await_reconciled(server)

        def load(orders: int) -> int:
            return drive_mix(server, connections, orders).total_ns

        load(2_000)
        before = scheduled(server.process_id)
        wall_us = load(count) / 1e3 / count
        cpu_us = scheduled(server.process_id).since(before).ran_ns / 1e3 / count
        stacks = folder / "stacks"
        process = subprocess.Popen(
            [
                *(sampler, "record", "--pid", str(server.process_id), "--output", str(stacks)),
                *("--rate", str(SAMPLES_PER_S), "--format", "raw", "--idle", "--full-filenames"),
                *("--duration", str(max(2, round(1.2 * wall_us * count / 1e6)))),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.5)  # it reads the process's symbols
        while process.poll() is None:
            load(min(2_000, count))
        if process.returncode:
            raise RuntimeError(f"{sampler} ended with {process.returncode}")
    return _digest(stacks.read_text(), connections, wall_us, cpu_us)


def _digest(raw: str, connections: int, wall_us: float, cpu_us: float) -> Profile:
    stages: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, samples = line.rpartition(" ")
        stage, function = place(stack.split(";"))
        stages[stage] += int(samples)
        functions[function] += int(samples)
    total = stages.total()

    def in_us(counted: Counter[str]) -> list[tuple[str, float]]:
        return [(name, count / total * wall_us) for name, count in counted.most_common()]

    return Profile(connections, total, wall_us, cpu_us, in_us(stages), in_us(functions))


def place(frames: list[str]) -> tuple[str, str]:
    """Return the stage and the function that a stack's time belongs to."""
    for frame in reversed(frames):
        match = _FRAME(frame)
        if match is None:
            continue
        name, path, line = match.groups()
        for part, stage in STAGES:
            if part in path:
                package = part.strip("/").partition("/")[0]
                where = f"{path[path.rfind(f'/{package}/') + 1 :]} {name}"
                if part == "fairlead/journal/" and _is_commit(path, int(line)):
                    return COMMIT, f"{where}: COMMIT"
                return stage, where
    return LOOP, LOOP


def _is_commit(path: str, line: int) -> bool:
    lines = Path(path).read_text().splitlines()
    return line <= len(lines) and any(each in lines[line - 1] for each in _COMMITTING)


def section(result: Profile) -> Section:
    """Return the part of the table about where the time goes."""
    rows: list[tuple[str, ...]] = [
        (name, f"{micros:.1f}", f"{micros / result.wall_us:.1%}") for name, micros in result.stages
    ]
    rows.append(("together", f"{result.wall_us:.1f}", ""))
    notes = [
        f"{result.samples:,} samples; CPU of the server {result.cpu_us:.1f} µs per order; most of it in:"
    ]
    notes += [f"{micros:6.1f} µs  {name}" for name, micros in result.functions[:FUNCTIONS_SHOWN]]
    figures = {f"profile_{result.connections}_{name}_us": micros for name, micros in result.stages}
    return Section(
        "where an order's time goes", ("", "µs per order", "share"), rows, notes, [], figures
    )
