"""`python -m benchmarks [name …]`: run, print one table, and keep it beside this file.

    orders          durable orders by REST and the echo they are compared with
    authentication  orders by REST, open and with keys by header
    million         a million orders: steadiness, memory, bytes; then a restart on them
    restart         a restart on a million closed orders that were made quickly
    streams         orders with all their reports over WebSocket and FIX, and by REST
    fanout          an order's reports to 1,000 subscribers; subscribers that do not read
    fix             the FIX codec and session alone, and QuickFIX (needs quickfix: make env-fix)
    profile         where the time of an order goes (needs py-spy)

Without names: all of them. `--quick` makes everything small: it shows that it works and measures nothing.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks import (
    authentication,
    fanout,
    fix_alone,
    machine,
    million,
    orders,
    profile,
    restart,
    streams,
)
from benchmarks.tables import Section, as_text

RESULTS = Path(__file__).parent / "results"
DOCUMENT = Path(__file__).parent.parent / "docs" / "explanation" / "performance.md"
TABLE_BEGINS, TABLE_ENDS = "<!-- table -->\n", "<!-- end of table -->\n"
NAMES = ("orders", "authentication", "million", "restart", "streams", "fanout", "fix", "profile")


class Sizes(msgspec.Struct, frozen=True):
    """How much is done. `counts` and `profiled`: connections → requests, in one of the rounds.

    `streamed`: orders in flight → orders, likewise. `told`: subscribers, orders. `alone`: FIX orders.
    """

    rounds: int
    counts: dict[int, int]
    million: int
    still_open: int
    restarts: int
    profiled: dict[int, int]
    syncs: int
    streamed: dict[int, int]
    told: tuple[int, int]
    stuck: int
    alone: int


FULL = Sizes(
    rounds=3,
    counts={1: 5_000, 32: 40_000},
    million=1_000_000,
    still_open=1_000,
    restarts=3,
    profiled={1: 5_000, 32: 40_000},
    syncs=2_000,
    streamed={1: 3_000, 32: 20_000},
    told=(1_000, 50),
    stuck=20_000,
    alone=40_000,
)
QUICK = Sizes(
    rounds=1,
    counts={1: 40, 32: 256},
    million=2_000,
    still_open=20,
    restarts=1,
    profiled={32: 256},
    syncs=20,
    streamed={1: 12, 32: 256},
    told=(10, 3),
    stuck=256,
    alone=256,
)


class Finding(msgspec.Struct, frozen=True):
    """What is written to the results."""

    time: str
    command: str
    machine: str
    sections: list[Section]


def main(arguments: list[str]) -> int:
    """Run what was asked for; return 0, or 1 when a requirement was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="small: shows only that it works")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where files are put")
    parser.add_argument("--rounds", type=int, help="rounds of `orders`")
    parser.add_argument("--million", type=int, help="another number than a million")
    parser.add_argument(
        "--document", action="store_true", help=f"put the table into {DOCUMENT.name} as well"
    )
    options = parser.parse_args(arguments)
    names = options.names or list(NAMES)
    for name in names:
        if name not in NAMES:
            parser.error(f"{name} is not one of {', '.join(NAMES)}")
    sizes = QUICK if options.quick else FULL
    if options.rounds:
        sizes = msgspec.structs.replace(sizes, rounds=options.rounds)
    if options.million:
        sizes = msgspec.structs.replace(sizes, million=options.million)
    options.results.mkdir(parents=True, exist_ok=True)
    own_cores = os.sched_getaffinity(0)
    cores = machine.choose_cores()
    os.sched_setaffinity(0, {cores.load})
    try:
        with tempfile.TemporaryDirectory(dir=options.results, prefix="run-") as folder:
            sections = _run(names, sizes, Path(folder), options.results, cores)
            heading = _heading(Path(folder), cores, sizes, options.quick)
    finally:
        os.sched_setaffinity(0, own_cores)
    text = as_text(heading, sections)
    print(text)
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    command = " ".join(["python -m benchmarks", *arguments])
    if options.document:
        DOCUMENT.write_text(documented(DOCUMENT.read_text(), f"{moment[:10]}, `{command}`", text))
    finding = Finding(moment, command, "\n".join(heading), sections)
    file = options.results / f"{moment.replace(':', '')}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(finding)))
    print(f"\n{file}")
    missed = any(not each.holds for section in sections for each in section.requirements)
    return 1 if missed and not options.quick else 0


def _run(
    names: list[str], sizes: Sizes, folder: Path, results: Path, cores: machine.Cores
) -> list[Section]:
    sections: list[Section] = []
    restarts: dict[str, restart.Restart] = {}
    if "orders" in names:
        _say("orders")
        compared = orders.compare(folder / "orders", cores, sizes.counts, sizes.rounds)
        sections.append(orders.section(compared))
    if "authentication" in names:
        _say("authentication")
        asked = authentication.compare(folder / "keys", cores, sizes.counts, sizes.rounds)
        sections.append(authentication.section(asked))
    if "million" in names:
        _say("million")
        data = folder / "million"
        lived = million.measure_million(data, cores, sizes.million)
        sections.append(million.section(lived))
        restart.leave_open(data, cores, sizes.still_open)
        restarts["real"] = restart.measure_restart(data, cores, lived.total, sizes.restarts)
    if "restart" in names:
        _say("restart")
        data = restart.cached_past(results, cores, sizes.million, sizes.still_open)
        restarts["made"] = restart.measure_restart(data, cores, sizes.million, sizes.restarts)
    if restarts:
        sections.append(restart.section(restarts))
    if "streams" in names:
        _say("streams")
        streamed = streams.measure_streams(folder / "streams", cores, sizes.streamed, sizes.rounds)
        sections.append(streams.section(streamed))
    if "fanout" in names:
        _say("fanout")
        sections.append(
            fanout.fan_out_section(fanout.measure_fan_out(folder / "told", cores, *sizes.told))
        )
        stuck = fanout.measure_stuck(folder / "stuck", cores, 32, sizes.stuck, sizes.rounds)
        sections.append(fanout.stuck_section(stuck))
    if "fix" in names:
        _say("fix")
        alone = fix_alone.measure_alone(folder, cores, sizes.alone, sizes.rounds)
        sections.append(fix_alone.section(alone))
    if "profile" in names:
        _say("profile")
        sampler = profile.find_sampler()
        if sampler is None:
            print("profile: skipped, it needs py-spy: pip install py-spy", file=sys.stderr)
        else:
            for connections, count in sizes.profiled.items():
                data = folder / f"profile-{connections}"
                found = profile.measure_profile(data, cores, connections, count, sampler)
                sections.append(profile.section(found))
    return sections


def documented(document: str, caption: str, table: str) -> str:
    """Return the document with its table replaced by this one."""
    before, begins, rest = document.partition(TABLE_BEGINS)
    _, ends, after = rest.partition(TABLE_ENDS)
    assert begins, f"{TABLE_BEGINS!r} is missing"
    assert ends, f"{TABLE_ENDS!r} is missing"
    return f"{before}{begins}{caption}:\n\n```text\n{table}\n```\n{ends}{after}"


def _heading(folder: Path, cores: machine.Cores, sizes: Sizes, is_quick: bool) -> list[str]:
    device, point, kind = machine.mount_of(folder)
    sync = machine.measure_sync(folder, sizes.syncs)
    lines = [
        machine.describe(),
        f"server on core {cores.server}, load on core {cores.load}"
        + (
            "" if cores.are_apart else ": ONE CORE for both, latencies and rates are not comparable"
        ),
        f"{kind} on {device} ({point}): pwrite 4 KiB and fdatasync"
        f" {sync.median_us:.0f} µs median, {sync.p99_us:.0f} µs p99",
    ]
    if machine.is_in_memory(folder):
        lines.append("THE DATA IS IN MEMORY: a sync costs nothing here, choose another --results")
    if is_quick:
        lines.append("QUICK: these numbers say nothing")
    return lines


def _say(name: str) -> None:
    print(f"{name} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
