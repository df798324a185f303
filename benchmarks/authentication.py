"""Orders by REST where nobody is asked who they are, and where every request proves its key by header.

Both systems run all the time and take turns, so that both see the same machine. The key is the dear
kind: limited to accounts and addresses, with a rate. What counts is the server's own processor time per
order, which other programs on the machine disturb least.
"""

from contextlib import ExitStack
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.machine import Cores
from benchmarks.orders import QUANTILES, Side, await_reconciled, drive_mix
from benchmarks.servers import keyed_system, system
from benchmarks.tables import Requirement, Section

RATIO_MIN = 0.9  # of orders in the same processor time, with 32 connections


class Comparison(msgspec.Struct):
    """Open and with keys, under the same number of connections."""

    connections: int
    open: Side
    keyed: Side

    @property
    def ratio(self) -> float:
        """Return the median over the rounds of orders in the same processor time, keyed by open."""
        return median([_cpu_us(self.open, at) / _cpu_us(self.keyed, at) for at in self.turns])

    @property
    def ratio_per_s(self) -> float:
        """Return the median over the rounds of orders per second, keyed by open."""
        pairs = zip(self.keyed.rounds, self.open.rounds, strict=True)
        return median([keyed.per_second / bare.per_second for keyed, bare in pairs])

    @property
    def turns(self) -> range:
        """Return the rounds."""
        return range(len(self.open.rounds))


def compare(folder: Path, cores: Cores, counts: dict[int, int], rounds: int) -> list[Comparison]:
    """Measure by turns, in `rounds` rounds, as many orders as `counts` says of each kind.

    `counts`: the number of connections → the number of requests in a round.
    """
    with ExitStack() as stack:
        bare = stack.enter_context(system(cores.server, folder / "open"))
        keyed = stack.enter_context(keyed_system(cores.server, folder / "keyed"))
        for server in (bare, keyed):
            await_reconciled(server)
            drive_mix(server, 32, 2_000)
        compared = []
        for connections, count in counts.items():
            result = Comparison(connections, Side(bare), Side(keyed))
            for turn in range(rounds):
                sides = (result.open, result.keyed)
                for side in sides if turn % 2 == 0 else sides[::-1]:
                    side.drive(connections, count)
            compared.append(result)
        return compared


def section(results: list[Comparison]) -> Section:
    """Return the part of the table about authentication."""
    columns = ("", "connections", "orders/s", "p50 µs", "p99 µs", "p99.9 µs", "CPU µs", "disturbed")
    rows: list[tuple[str, ...]] = []
    notes: list[str] = []
    required: list[Requirement] = []
    figures: dict[str, float] = {}
    for result in results:
        for name, side in (("open", result.open), ("keyed", result.keyed)):
            rows.append(_row(name, result.connections, side, figures))
        figures[f"authentication_{result.connections}_ratio"] = result.ratio
        figures[f"authentication_{result.connections}_ratio_per_s"] = result.ratio_per_s
        turns = ", ".join(
            f"{_cpu_us(result.keyed, at):.0f} µs of {_cpu_us(result.open, at):.0f}"
            for at in result.turns
        )
        notes.append(
            f"{result.connections} connections: with keys {result.ratio:.3f} of the orders in the same"
            f" processor time ({turns}), {result.ratio_per_s:.3f} by the clock"
        )
        if result.connections > 1:
            text = (
                f"{result.connections} connections: orders with keys ≥ {RATIO_MIN} of open,"
                " by processor time"
            )
            holds = result.ratio >= RATIO_MIN
            required.append(Requirement(text, f"{result.ratio:.3f}", holds))
    title = "orders by REST, open and with keys by header"
    return Section(title, columns, rows, notes, required, figures)


def _row(name: str, connections: int, side: Side, figures: dict[str, float]) -> tuple[str, ...]:
    figures[f"{name}_{connections}_per_s"] = side.per_second
    figures[f"{name}_{connections}_cpu_us"] = side.cpu_us
    cells = [name, str(connections), f"{side.per_second:,.0f}"]
    cells += [f"{side.quantile_us(share):,.0f}" for _, share in QUANTILES]
    return (*cells, f"{side.cpu_us:.0f}", f"{side.disturbed:.0%}")


def _cpu_us(side: Side, turn: int) -> float:
    return side.processor[turn].ran_ns / 1e3 / side.rounds[turn].count
