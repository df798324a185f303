"""Nothing leaves before it is durable, as the kernel saw it (needs strace).

An order is in the synced WAL before its first byte leaves for the exchange, and the exchange's answer
is before the client's answer leaves. Systems broken on purpose show that this would be noticed.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tests.broken import COMMITTED_LATER, WITHOUT_SYNC, broken
from tests.durability.trace import STRACE, Order, Trace, read_trace
from tests.system import ACCOUNTS, FAIRLEAD, QUICK, Ems, Exchange, running, write_config

ORDERS = 12


def needs_strace() -> None:
    """Skip where strace is missing or not allowed; where everything is installed, fail."""
    reason = ""
    if shutil.which("strace") is None:
        reason = "strace is not installed"
    else:
        tried = subprocess.run(
            ["strace", "-o", os.devnull, "true"], check=False, capture_output=True
        )
        if tried.returncode != 0:
            reason = f"strace cannot trace here: {tried.stderr.decode().strip()}"
    if reason:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def traced(folder: Path, command: Sequence[str] = (FAIRLEAD,)) -> tuple[Trace, list[Order]]:
    """Run a system under strace, send orders one by one, and return what was seen."""
    config = write_config(
        folder / "config.toml", QUICK | {"engine.order_answer_timeout_ms": 5_000}, ACCOUNTS[:1]
    )
    exchange = Exchange(folder / "exchange", config, "--no-participants")
    orders = []
    with running(exchange):
        ems = Ems(
            folder / "data",
            config,
            *("--exchange-url", exchange.ready().url),
            prefix=[*STRACE, "-o", str(folder / "trace")],
            command=command,
        )
        with running(ems):
            ems.reconciled(60)
            with closing(ems.api()) as api:
                for number in range(ORDERS):
                    name = f"traced-{number:03}"
                    report = api.place(name, price=Decimal(20_000 + number)).json
                    assert report["status"] in ("ROUTED", "NEW"), report
                    orders.append(Order(name, report["client_order_id_format_exchange"]))
                ports = [int(url.rpartition(":")[2]) for url in (api.url, exchange.url)]
            ems.interrupt()
    return Trace(folder / "trace", *ports), orders


def test_orders_and_answers_leave_only_when_they_are_durable(tmp_path: Path) -> None:
    needs_strace()
    trace, orders = traced(tmp_path)
    assert len(orders) == ORDERS
    assert [trace.violations(order) for order in orders] == [[]] * ORDERS


def test_a_journal_that_does_not_sync_is_noticed(tmp_path: Path) -> None:
    needs_strace()
    trace, orders = traced(tmp_path, broken(tmp_path, WITHOUT_SYNC))
    for order in orders:
        before_sending, before_answering = trace.violations(order)
        assert "left for the exchange before it was synced" in before_sending
        assert "was answered before the exchange's answer was synced" in before_answering


def test_a_commit_after_the_release_is_noticed(tmp_path: Path) -> None:
    needs_strace()
    trace, orders = traced(tmp_path, broken(tmp_path, COMMITTED_LATER))
    found = [trace.violations(order) for order in orders]
    assert all(found), found


def test_a_trace_is_read_in_its_order(tmp_path: Path) -> None:
    """Calls that other threads interrupt are put together again."""
    path = tmp_path / "trace"
    path.write_text(
        '7 1.0 pwrite64(5</d/journal.sqlite-wal>, "a", 1, 0) = 1\n'
        "7 1.1 fdatasync(5</d/journal.sqlite-wal> <unfinished ...>\n"
        '8 1.2 write(9<TCP:[127.0.0.1:1->127.0.0.1:2]>, "x", 1) = 1\n'
        "7 1.3 <... fdatasync resumed>) = 0\n"
        "8 1.4 fsync(5</d/journal.sqlite-wal>) = -1 EIO (Input/output error)\n"
        "7 1.5 +++ exited with 0 +++\n"
    )
    events = read_trace(path)
    assert [(each.call, each.begun, each.ended, each.is_ok) for each in events] == [
        ("pwrite64", 0, 0, True),
        ("fdatasync", 1, 3, True),
        ("write", 2, 2, True),
        ("fsync", 4, 4, False),
    ]
