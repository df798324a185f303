"""A million orders through the real path: what they leave in memory and on disk, and whether the last
ones cost what the first ones did.
"""

import sqlite3
from pathlib import Path

import msgspec

from benchmarks.machine import Cores, folder_bytes, memory_bytes, scheduled
from benchmarks.orders import await_reconciled, drive_mix
from benchmarks.servers import Running, system
from benchmarks.tables import Requirement, Section

CONNECTIONS = 64
GROWTH_MAX_MB = 60  # over a million
SLOWDOWN_MAX = 1.15
WARM = 2_000  # orders before memory is first looked at


class Window(msgspec.Struct, frozen=True):
    """What the orders from `first` to `last` cost the server, per order."""

    first: int
    last: int
    wall_us: float
    cpu_us: float


class Million(msgspec.Struct, frozen=True):
    """Bytes are per order but for memory, which is in all, and `frame_bytes`, part of the journal."""

    total: int
    early: Window
    late: Window
    memory_before: int
    memory_early: int
    memory_after: int
    journal_bytes: float
    frame_bytes: float
    exchange_bytes: float


def measure_million(data: Path, cores: Cores, total: int) -> Million:
    """Send `total` orders to a new system in `data`; its windows are those of the requirement, scaled."""
    with system(cores.server, data) as server:
        await_reconciled(server)
        sent = drive_mix(server, CONNECTIONS, min(WARM, total // 20)).count
        memory_before = memory_bytes(server.process_id)
        sent += drive_mix(server, CONNECTIONS, total // 10 - sent).count
        early, sent = _window(server, sent, total // 20)
        memory_early = memory_bytes(server.process_id)
        sent += drive_mix(server, CONNECTIONS, total - total // 20 - sent).count
        late, sent = _window(server, sent, total // 20)
        memory_after = memory_bytes(server.process_id)
    return Million(
        sent,
        early,
        late,
        memory_before,
        memory_early,
        memory_after,
        folder_bytes(data) / sent,
        _frame_bytes(data) / sent,
        folder_bytes(data / "exchange") / sent,
    )


def _window(server: Running, sent: int, count: int) -> tuple[Window, int]:
    before = scheduled(server.process_id)
    took = drive_mix(server, CONNECTIONS, count)
    ran_ns = scheduled(server.process_id).since(before).ran_ns
    after = sent + took.count
    each_us = 1 / 1e3 / took.count
    return Window(sent, after, took.total_ns * each_us, ran_ns * each_us), after


def _frame_bytes(data: Path) -> int:
    connection = sqlite3.connect(f"file:{data / 'journal.sqlite'}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT sum(length(data)) FROM frames").fetchone()[0])
    finally:
        connection.close()


def section(result: Million) -> Section:
    """Return the part of the table about many orders."""
    columns = ("orders", "wall µs", "CPU µs", "memory MB")
    rows: list[tuple[str, ...]] = [
        ("after the first few", "", "", f"{result.memory_before / 1e6:.1f}"),
        *(
            (
                f"{w.first:,}–{w.last:,}",
                f"{w.wall_us:.1f}",
                f"{w.cpu_us:.1f}",
                f"{memory / 1e6:.1f}",
            )
            for w, memory in (
                (result.early, result.memory_early),
                (result.late, result.memory_after),
            )
        ),
    ]
    growth_mb = (result.memory_after - result.memory_before) / 1e6
    cpu = result.late.cpu_us / result.early.cpu_us
    wall = result.late.wall_us / result.early.wall_us
    notes = [
        f"disk per order: journal {result.journal_bytes:.0f} B (reports {result.frame_bytes:.0f} B),"
        f" exchange's store {result.exchange_bytes:.0f} B",
    ]
    required = [
        Requirement(
            f"the last {result.total // 20:,} of {result.total:,} orders cost"
            f" ≤ {SLOWDOWN_MAX} × those after the first tenth",
            f"wall {wall:.3f}, CPU {cpu:.3f}",
            wall <= SLOWDOWN_MAX,
        ),
        Requirement(
            f"memory grows ≤ {GROWTH_MAX_MB} MB over {result.total:,} closed orders",
            f"{growth_mb:.1f} MB",
            growth_mb <= GROWTH_MAX_MB,
        ),
    ]
    figures = {
        "million_total": float(result.total),
        "million_early_wall_us": result.early.wall_us,
        "million_early_cpu_us": result.early.cpu_us,
        "million_late_wall_us": result.late.wall_us,
        "million_late_cpu_us": result.late.cpu_us,
        "million_memory_growth_mb": growth_mb,
        "million_journal_bytes": result.journal_bytes,
        "million_frame_bytes": result.frame_bytes,
        "million_exchange_bytes": result.exchange_bytes,
    }
    return Section("many orders, 64 connections", columns, rows, notes, required, figures)
