"""simulate: many seeded worlds judged side by side, or one replayed with its conversation."""

import concurrent.futures
import json
import logging
import multiprocessing
import os
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import structlog

from fairlead.commands import show
from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.progress import bars
from fairlead.simulation.world import Verdict, run_world

_FRESH_MAX = 2**31


def replay(seed: int, *, as_json: bool) -> None:
    """Run one world and print all that was said in it. Raises Ended when it breaks a law."""
    _be_quiet()
    verdict, conversation = run_world(seed)
    if as_json:
        show.out(json.dumps(_verdict_row(verdict)))
    else:
        for line in conversation.lines():
            show.out(line)
        _print_broken(verdict)
    _check([verdict] if verdict.broken else [])
    if not as_json:
        show.out(f"seed {seed}: all laws hold, digest {verdict.digest}")


def many(count: int, jobs: int | None, fresh_from: int | None, *, as_json: bool) -> None:
    """Run `count` worlds: seeds 1 to half of them, always the same, and as many fresh ones.

    `fresh_from` is the first of the fresh ones (None: drawn). Raises Ended when a law is broken.
    """
    fixed = (count + 1) // 2
    start = fresh_from if fresh_from is not None else 10_000 + secrets.randbelow(_FRESH_MAX)
    seeds = [*range(1, fixed + 1), *range(start, start + count - fixed)]
    if not as_json:
        show.out(f"seeds 1 to {fixed}, and {count - fixed} fresh ones from {start}")
        show.flush()
    broken: list[Verdict] = []
    reach: Counter[str] = Counter()
    began = time.monotonic()
    with bars() as start_bar:
        advance = start_bar("worlds")
        for done, verdict in enumerate(_verdicts(seeds, jobs or os.cpu_count() or 1), start=1):
            reach.update(verdict.reach)
            if verdict.broken:
                broken.append(verdict)
                if not as_json:
                    for line in verdict.last_lines:
                        show.out(line)
                    _print_broken(verdict)
            advance(done, count)
    took_s = time.monotonic() - began
    if as_json:
        rows = [_verdict_row(verdict) for verdict in broken]
        summary = {"seeds": count, "fixed": fixed, "fresh_from": start, "broken": rows}
        show.out(json.dumps({**summary, "reach": dict(sorted(reach.items()))}))
    else:
        columns = (show.Column("what happened"), show.Column("times", is_number=True))
        show.table(columns, [[name, str(times)] for name, times in sorted(reach.items())], "")
        show.out(f"{count} worlds in {took_s:.0f} s, {len(broken)} broke a law")
    _check(broken)


def _verdicts(seeds: Sequence[int], jobs: int) -> Iterator[Verdict]:
    """Yield verdicts as they come, from `jobs` processes."""
    if jobs == 1:
        _be_quiet()
        yield from map(_verdict, seeds)
        return
    context = multiprocessing.get_context("forkserver")
    with concurrent.futures.ProcessPoolExecutor(jobs, context, _be_quiet) as pool:
        try:
            yield from pool.map(_verdict, seeds, chunksize=4)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _be_quiet() -> None:
    """Log nothing: what a world's system would log is in the conversation."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _verdict(seed: int) -> Verdict:
    return run_world(seed)[0]


def _verdict_row(verdict: Verdict) -> dict[str, object]:
    return {
        "seed": verdict.seed,
        "broken": [{"law": each.law.value, "text": each.text} for each in verdict.broken],
        "digest": verdict.digest,
        "virtual_ns": verdict.virtual_ns,
        "reach": verdict.reach,
    }


def _print_broken(verdict: Verdict) -> None:
    for broken in verdict.broken:
        show.out(f"seed {verdict.seed}: BROKEN {broken.law.value}: {broken.text}")


def _check(broken: Sequence[Verdict]) -> None:
    if broken:
        seeds = " ".join(str(verdict.seed) for verdict in broken[:10])
        raise Ended(
            ExitCode.REFUSED,
            f"laws are broken in {len(broken)} worlds; replay with: fairlead simulate --seed N"
            f" for N in {seeds}",
        )
