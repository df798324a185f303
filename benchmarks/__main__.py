"""`python -m benchmarks [name …]`: run, and print one table."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import machine
from benchmarks.orders import Comparison, compare

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--count", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cores = machine.choose_cores()
    os.sched_setaffinity(0, {cores.load})
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS, prefix="run-") as name:
        for result in compare(Path(name), cores, (1, 32), options.count, options.rounds):
            _show(result)
    return 0


def _show(result: Comparison) -> None:
    for name, side in (("echo", result.echo), ("orders", result.orders)):
        print(
            f"{name:8}{result.connections:3} connections  {side.per_second:9,.0f}/s"
            + "".join(
                f"  {label} {side.quantile_us(share):8.0f} µs"
                for label, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
            )
            + "   rounds "
            + " ".join(f"{each.per_second:,.0f}" for each in side.rounds)
        )
    counted = result.counted
    count = sum(each.count for each in result.orders.rounds)
    print(
        f"ratio {result.ratio:.3f}; per order: {counted.commits / count:.3f} commits"
        f" {counted.flushes / count:.3f} flushes {counted.commit_s / count * 1e6:.1f} µs committing,"
        f" {counted.cpu_s / count * 1e6:.0f} µs CPU; {counted.messages / counted.batches:.1f} messages"
        f" a batch; fdatasync {result.sync.median_us:.0f} µs p99 {result.sync.p99_us:.0f};"
        f" body {result.orders.rounds[0].body_mean} B, echo {result.echo.rounds[0].body_mean} B"
    )


if __name__ == "__main__":
    sys.exit(main())
