"""Durable orders by REST against an echo on the same server, in one run.

Baseline and system take turns, so that both see the same machine.
"""

import os
import time
import urllib.request
from pathlib import Path
from statistics import median

import msgspec
import uvloop

from benchmarks import mix
from benchmarks.load import Latencies, drive
from benchmarks.machine import Cores, Scheduled, SyncTime, flush_count, measure_sync, scheduled
from benchmarks.servers import Running, echo, system
from benchmarks.tables import Requirement, Section
from fairlead.app.wakeful import DEVICE

ROUNDS = 3
RECONCILED_TIMEOUT_S = 30.0
OWN = '{subscription="local"}'
FILLED = 'fairlead_orders_status_total{reason="",status="FILLED",subscription="local"}'
RATIO_MIN = 0.25  # of orders/s to echoes/s, with 32 connections
TAIL_MAX = 10  # p99 to p50, with 32 connections
MEDIAN_MAX_US = 1_000  # with one connection …
SYNC_MAX_US = 250  # … where fdatasync takes at most this


class Counted(msgspec.Struct):
    """Sums over the rounds of the server's own counters."""

    commits: float = 0
    commit_s: float = 0
    batches: float = 0
    messages: float = 0
    flushes: int = 0


class Side(msgspec.Struct):
    """One server under one number of connections: a measurement per round, and its processor's time."""

    server: Running
    rounds: list[Latencies] = []
    processor: list[Scheduled] = []

    def drive(self, connections: int, count: int) -> None:
        """Measure one more round."""
        before = scheduled(self.server.process_id)
        self.rounds.append(drive_mix(self.server, connections, count))
        self.processor.append(scheduled(self.server.process_id).since(before))

    @property
    def cpu_us(self) -> float:
        """Return the median of the rounds' processor time per request."""
        pairs = zip(self.processor, self.rounds, strict=True)
        return median(time.ran_ns / 1e3 / each.count for time, each in pairs)

    @property
    def disturbed(self) -> float:
        """Return the share of the time in which the server could have run and others did."""
        waited_ns = sum(each.waited_ns for each in self.processor)
        return waited_ns / sum(each.total_ns for each in self.rounds)

    @property
    def per_second(self) -> float:
        """Return the median of the rounds."""
        return median(each.per_second for each in self.rounds)

    @property
    def load_busy(self) -> float:
        """Return the share of the time that the load computed: at 1 the load was what is measured."""
        return median(each.load_cpu_ns / each.total_ns for each in self.rounds)

    def quantile_us(self, share: float) -> float:
        """Return the median of the rounds' quantiles."""
        return median(each.quantile_us(share) for each in self.rounds)


class Comparison(msgspec.Struct):
    """Echo and orders with the same number of connections."""

    connections: int
    echo: Side
    orders: Side
    counted: Counted
    sync: SyncTime

    @property
    def ratio(self) -> float:
        """Return the median over the rounds of orders/s by echoes/s."""
        pairs = zip(self.orders.rounds, self.echo.rounds, strict=True)
        return median(ours.per_second / bare.per_second for ours, bare in pairs)


def compare(
    folder: Path, cores: Cores, counts: dict[int, int], rounds: int = ROUNDS
) -> list[Comparison]:
    """Measure by turns, in `rounds` rounds, as many echoes and orders as `counts` says.

    `counts`: the number of connections → the number of requests in a round.
    """
    with system(cores.server, folder / "data") as ours:
        await_reconciled(ours)
        warm = drive_mix(ours, 32, 2_000)
        with echo(cores.server, warm.body_mean, folder) as bare:
            drive_mix(bare, 32, 2_000)
            return [
                _compare(folder, ours, bare, connections, count, rounds)
                for connections, count in counts.items()
            ]


def _compare(
    folder: Path, ours: Running, bare: Running, connections: int, count: int, rounds: int
) -> Comparison:
    counted = Counted()
    result = Comparison(connections, Side(bare), Side(ours), counted, measure_sync(folder, 300))
    for _ in range(rounds):
        result.echo.drive(connections, count)
        flushes = flush_count(folder) or 0
        before = counters(ours)
        result.orders.drive(connections, count)
        after = counters(ours)
        counted.flushes += (flush_count(folder) or 0) - flushes
        counted.commits += grown(before, after, f"fairlead_commit_seconds_count{OWN}")
        counted.commit_s += grown(before, after, f"fairlead_commit_seconds_sum{OWN}")
        counted.batches += grown(before, after, f"fairlead_batches_total{OWN}")
        counted.messages += grown(before, after, f"fairlead_messages_total{OWN}")
        filled = grown(before, after, FILLED)
        assert filled * 2 == result.orders.rounds[-1].count, "half of the orders fill"
    return result


def drive_mix(server: Running, connections: int, count: int) -> Latencies:
    """Send `count` orders of the mix over `connections` connections."""
    requests = mix.connections(server.address, connections, count, server.headers)
    return uvloop.run(drive(server.address, requests))


def counters(server: Running) -> dict[str, float]:
    """Return the samples of `GET /metrics` by name with labels."""
    url = f"http://{server.address[0]}:{server.address[1]}/metrics"
    headers = dict(line.split(": ") for line in server.headers.decode().splitlines())
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        lines = answer.read().decode().splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def await_reconciled(server: Running) -> None:
    """Return when every account takes orders."""
    ends = time.monotonic() + RECONCILED_TIMEOUT_S
    while True:
        samples = counters(server)
        states = [samples[name] for name in samples if "account_reconciled{" in name]
        if states and all(states):
            return
        if time.monotonic() > ends:
            raise TimeoutError("the accounts were not reconciled in time")
        time.sleep(0.02)


def grown(before: dict[str, float], after: dict[str, float], name: str) -> float:
    """Return by how much a counter grew."""
    return after.get(name, 0.0) - before.get(name, 0.0)


# ── what is shown ────────────────────────────────────────────────────────────────────────────────

QUANTILES = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))


def section(results: list[Comparison]) -> Section:
    """Return the part of the table about echoes and orders."""
    columns = (
        *("", "connections", "requests/s", "p50 µs", "p99 µs", "p99.9 µs", "CPU µs", "body B"),
        *("load busy", "disturbed"),
    )
    rows: list[tuple[str, ...]] = []
    notes: list[str] = []
    required: list[Requirement] = []
    figures: dict[str, float] = {}
    for result in results:
        for name, side in (("echo", result.echo), ("orders", result.orders)):
            rows.append(_row(name, result.connections, side, figures))
        notes.append(_note(result, figures))
        if result.connections == 1:
            notes.append(_note_of_cores())
        required += _required(result)
    return Section(
        "durable orders by REST, and a bare echo", columns, rows, notes, required, figures
    )


def _row(name: str, connections: int, side: Side, figures: dict[str, float]) -> tuple[str, ...]:
    key = f"{name}_{connections}"
    figures[f"{key}_per_s"] = side.per_second
    cells = [name, str(connections), f"{side.per_second:,.0f}"]
    for label, share in QUANTILES:
        micros = figures[f"{key}_{label}_us"] = side.quantile_us(share)
        cells.append(f"{micros:,.0f}")
    cpu_us = figures[f"{key}_cpu_us"] = side.cpu_us
    busy = figures[f"{key}_load_busy"] = side.load_busy
    disturbed = figures[f"{key}_disturbed"] = side.disturbed
    body = str(side.rounds[0].body_mean)
    return (*cells, f"{cpu_us:.0f}", body, f"{busy:.0%}", f"{disturbed:.0%}")


def _note(result: Comparison, figures: dict[str, float]) -> str:
    count = sum(each.count for each in result.orders.rounds)
    counted = result.counted
    key = f"orders_{result.connections}"
    figures[f"{key}_ratio"] = result.ratio
    figures[f"{key}_commits_per_order"] = counted.commits / count
    figures[f"{key}_flushes_per_order"] = counted.flushes / count
    figures[f"{key}_commit_us_per_order"] = counted.commit_s / count * 1e6
    rounds = ", ".join(
        f"{ours.per_second:,.0f} of {bare.per_second:,.0f}"
        for ours, bare in zip(result.orders.rounds, result.echo.rounds, strict=True)
    )
    return (
        f"{result.connections} connections: ratio {result.ratio:.3f} ({rounds}); per order"
        f" {counted.commits / count:.3f} commits, {counted.flushes / count:.3f} disk flushes,"
        f" {counted.commit_s / count * 1e6:.0f} µs committing;"
        f" {counted.messages / counted.batches:.1f} messages a batch;"
        f" fdatasync before {result.sync.median_us:.0f} µs (p99 {result.sync.p99_us:.0f})"
    )


def _note_of_cores() -> str:
    may_hold = "may" if os.access(DEVICE, os.W_OK) else "may not"
    return (
        f"while orders come one by one the server keeps the cores awake: it {may_hold} ({DEVICE})"
    )


def _required(result: Comparison) -> list[Requirement]:
    median_us = result.orders.quantile_us(0.5)
    tail = result.orders.quantile_us(0.99) / median_us
    if result.connections == 1:
        text = f"1 connection: median ≤ {MEDIAN_MAX_US} µs where fdatasync ≤ {SYNC_MAX_US} µs"
        sync_us = result.sync.median_us
        holds = median_us <= MEDIAN_MAX_US or sync_us > SYNC_MAX_US
        return [Requirement(text, f"{median_us:.0f} µs, fdatasync {sync_us:.0f} µs", holds)]
    return [
        Requirement(
            f"{result.connections} connections: orders/s ≥ {RATIO_MIN} of echo",
            f"{result.ratio:.3f}",
            result.ratio >= RATIO_MIN,
        ),
        Requirement(
            f"{result.connections} connections: p99 ≤ {TAIL_MAX} × p50",
            f"{tail:.1f}",
            tail <= TAIL_MAX,
        ),
    ]
