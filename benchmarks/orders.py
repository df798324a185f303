"""Durable orders by REST against an echo on the same server, in one run.

Baseline and system take turns, so that both see the same machine.
"""

import time
import urllib.request
from pathlib import Path
from statistics import median

import msgspec
import uvloop

from benchmarks import mix
from benchmarks.load import Latencies, drive
from benchmarks.machine import Cores, SyncTime, flush_count, measure_sync
from benchmarks.servers import Running, running

ROUNDS = 3
RECONCILED_TIMEOUT_S = 30.0


class Counted(msgspec.Struct):
    """Sums over the rounds of the server's own counters."""

    commits: float = 0
    commit_s: float = 0
    batches: float = 0
    messages: float = 0
    flushes: int = 0
    cpu_s: float = 0


class Side(msgspec.Struct):
    """One server under one number of connections: a measurement per round."""

    rounds: list[Latencies]

    @property
    def per_second(self) -> float:
        """Return the median of the rounds."""
        return median(each.per_second for each in self.rounds)

    def quantile_us(self, share: float) -> float:
        """Return the median of the rounds' quantiles."""
        return median(each.quantile_us(share) for each in self.rounds)


class Comparison(msgspec.Struct):
    """Echo and orders with the same number of connections. `cpu_s` of the orders' server."""

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
    folder: Path, cores: Cores, connections: tuple[int, ...], count: int, rounds: int = ROUNDS
) -> list[Comparison]:
    """Measure, per number of connections, `rounds` rounds of `count` orders and of as many echoes."""
    with running(cores.server, "fairlead", str(folder / "data")) as ours:
        await_reconciled(ours)
        warm = _drive(ours, 32, 2_000)
        with running(cores.server, "echo", str(warm.body_mean)) as bare:
            _drive(bare, 32, 2_000)
            return [_compare(folder, ours, bare, number, count, rounds) for number in connections]


def _compare(
    folder: Path, ours: Running, bare: Running, connections: int, count: int, rounds: int
) -> Comparison:
    counted = Counted()
    result = Comparison(connections, Side([]), Side([]), counted, measure_sync(folder, 300))
    for _ in range(rounds):
        result.echo.rounds.append(_drive(bare, connections, count))
        flushes = flush_count(folder)
        before = counters(ours)
        result.orders.rounds.append(_drive(ours, connections, count))
        after = counters(ours)
        counted.commits += _grown(before, after, "fairlead_commit_seconds_count")
        counted.commit_s += _grown(before, after, "fairlead_commit_seconds_sum")
        counted.batches += _grown(before, after, "fairlead_batches_total")
        counted.messages += _grown(before, after, "fairlead_messages_total")
        counted.cpu_s += _grown(before, after, "process_cpu_seconds_total")
        if flushes is not None:
            counted.flushes += (flush_count(folder) or flushes) - flushes
        filled = _grown(before, after, 'fairlead_orders_status_total{reason="",status="FILLED"}')
        assert filled * 2 == result.orders.rounds[-1].count, "half of the orders fill"
    return result


def _drive(server: Running, connections: int, count: int) -> Latencies:
    return uvloop.run(drive(server.address, mix.connections(server.address, connections, count)))


def counters(server: Running) -> dict[str, float]:
    """Return the samples of `GET /metrics` by name with labels."""
    url = f"http://{server.address[0]}:{server.address[1]}/metrics"
    with urllib.request.urlopen(url) as answer:
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


def _grown(before: dict[str, float], after: dict[str, float], name: str) -> float:
    return after.get(name, 0.0) - before.get(name, 0.0)
