"""How long a killed system takes until it takes orders again, with a long past behind it."""

import hashlib
import http.client
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import msgspec
import uvloop

import fairlead
from benchmarks import mix
from benchmarks.load import drive
from benchmarks.machine import Cores
from benchmarks.orders import await_reconciled, counters
from benchmarks.past import write_past
from benchmarks.servers import Running, system
from benchmarks.tables import Requirement, Section
from fairlead.core.exact import use_exact_decimals
from fairlead.exchange.store import open_store
from fairlead.journal import Journal

RESTART_MAX_S = 2.0
ROUNDS = 3
TIMEOUT_S = 60.0
_SOURCES = (
    "journal/*.py",
    "core/model.py",
    "core/reports.py",
    "core/unit.py",
    "exchange/store*.py",
)


class Restart(msgspec.Struct, frozen=True):
    """Milliseconds from the process's start: until it serves, until it answered an order with 200.

    `imports_ms`, `journal_ms` (open and restore) and `exchange_ms` (its store) are measured apart.
    """

    closed: int
    open: int
    serving_ms: float
    ready_ms: float
    imports_ms: float
    journal_ms: float
    exchange_ms: float


def cached_past(results: Path, cores: Cores, closed: int, still_open: int) -> Path:
    """Return a data folder with that many orders, made unless this very code has made it before."""
    digest = hashlib.sha256()
    root = Path(fairlead.__file__).parent
    for pattern in _SOURCES:
        for source in sorted(root.glob(pattern)):
            digest.update(source.read_bytes())
    digest.update(Path(__file__).with_name("past.py").read_bytes())
    folder = results / f"past-{closed}-{still_open}-{digest.hexdigest()[:12]}"
    if not folder.exists():
        for older in results.glob(f"past-{closed}-{still_open}-*"):
            shutil.rmtree(older)
        making = results / f"making-{folder.name}"
        shutil.rmtree(making, ignore_errors=True)
        use_exact_decimals()
        write_past(making / "data", closed)
        leave_open(making / "data", cores, still_open)
        making.rename(folder)
    return folder / "data"


def leave_open(data: Path, cores: Cores, count: int) -> None:
    """Place `count` orders that rest in the book, then kill the system."""
    with system(cores.server, data) as server:
        await_reconciled(server)
        uvloop.run(drive(server.address, mix.resting(server.address, count)))
        subprocess.run(["kill", "-KILL", str(server.process_id)], check=True)


def measure_restart(data: Path, cores: Cores, closed: int, rounds: int = ROUNDS) -> Restart:
    """Start the system on `data` and kill it, `rounds` times; return the medians."""
    serving, ready = [], []
    still_open = 0
    for _ in range(rounds):
        with system(cores.server, data) as server:
            serving.append((server.serving_ns - server.started_ns) / 1e6)
            ready.append((_first_answer_ns(server) - server.started_ns) / 1e6)
            samples = counters(server)
            still_open = round(
                sum(samples[name] for name in samples if "orders_unsettled{" in name)
            )
            subprocess.run(["kill", "-KILL", str(server.process_id)], check=True)
    return Restart(
        closed,
        still_open,
        median(serving),
        median(ready),
        median(_imports_ms() for _ in range(rounds)),
        median(_journal_ms(data) for _ in range(rounds)),
        median(_exchange_ms(data) for _ in range(rounds)),
    )


def _first_answer_ns(server: Running) -> int:
    """Send an order again and again until it is answered 200; return when that was."""
    ends = time.monotonic() + TIMEOUT_S
    body = mix.harmless_order()
    connection = http.client.HTTPConnection(*server.address)
    try:
        while True:
            headers = {"content-type": "application/json"}
            connection.request("POST", "/v1/orders", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            now_ns = time.monotonic_ns()
            if answer.status == 200:
                assert json.loads(text)["status"] == "CANCELED", text
                return now_ns
            if answer.status != 490 or time.monotonic() > ends:
                raise RuntimeError(f"{answer.status}: {text.decode()}")
            time.sleep(0.002)
    finally:
        connection.close()


def _imports_ms() -> float:
    before = time.perf_counter_ns()
    subprocess.run(
        [sys.executable, "-c", "import fairlead.cli, fairlead.commands.serving"], check=True
    )
    return (time.perf_counter_ns() - before) / 1e6


def _journal_ms(data: Path) -> float:
    before = time.perf_counter_ns()
    with Journal.open(data) as journal:
        journal.restore()
        took = time.perf_counter_ns() - before
    return took / 1e6


def _exchange_ms(data: Path) -> float:
    folder = data / "exchange"
    if not folder.exists():
        return 0.0
    before = time.perf_counter_ns()
    store = open_store(folder / "exchange.sqlite")
    took = time.perf_counter_ns() - before
    store.close()
    return took / 1e6


def section(results: dict[str, Restart]) -> Section:
    """Return the part of the table about restarts; `results` by what the past was made of."""
    columns = (
        "", "closed", "open", "first order ms", "serving ms", "reconciled after ms",
        "imports ms", "journal ms", "exchange store ms",
    )  # fmt: skip
    rows: list[tuple[str, ...]] = []
    required: list[Requirement] = []
    figures: dict[str, float] = {}
    for name, each in results.items():
        after_ms = each.ready_ms - each.serving_ms
        rows.append((
            name, f"{each.closed:,}", f"{each.open:,}", f"{each.ready_ms:,.0f}",
            f"{each.serving_ms:,.0f}", f"{after_ms:,.0f}", f"{each.imports_ms:,.0f}",
            f"{each.journal_ms:,.1f}", f"{each.exchange_ms:,.1f}",
        ))  # fmt: skip
        figures[f"restart_{name}_ms"] = each.ready_ms
        figures[f"restart_{name}_serving_ms"] = each.serving_ms
        figures[f"restart_{name}_imports_ms"] = each.imports_ms
        figures[f"restart_{name}_journal_ms"] = each.journal_ms
        figures[f"restart_{name}_exchange_ms"] = each.exchange_ms
        required.append(
            Requirement(
                f"restart on {each.closed:,} closed and {each.open:,} open orders"
                f" ({name}) ≤ {RESTART_MAX_S:g} s",
                f"{each.ready_ms / 1e3:.2f} s",
                each.ready_ms <= RESTART_MAX_S * 1e3,
            )
        )
    note = (
        "kill -9, then from the start of the process to its first order answered 200;"
        " imports, journal (open, restore) and exchange store are measured apart"
    )
    return Section("restart", columns, rows, [note], required, figures)
