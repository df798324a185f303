"""Starting, stopping and starting again: what is kept, what is refused, and how the process ends."""

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tests import forked
from tests.system import (
    ACCOUNTS,
    FAIRLEAD,
    QUICK,
    Answer,
    Api,
    Ems,
    Exchange,
    from_now,
    order,
    running,
    until,
    write_config,
)

EXIT_FATAL = 70
JOURNAL = "journal.sqlite"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path / "config.toml", QUICK, ACCOUNTS[:1])


def start(folder: Path, config: Path, *flags: str) -> Ems:
    return Ems(folder, config, "--no-participants", *flags)


def fairlead(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that must end by itself, without a stack trace for people."""
    ended = forked.run(
        [FAIRLEAD, *arguments], folder=Path.cwd(), environment=os.environ, timeout_s=60
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended


def up(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Start a system that must not come up."""
    return fairlead("up", "--data", str(folder), "--listen", "127.0.0.1:0", "--fix", "off", *flags)


def seen(api: Api, names: list[str]) -> dict[str, object]:
    return {name: api.status(name).json for name in names}


def test_a_second_start_shows_the_first_runs_orders(tmp_path: Path, config: Path) -> None:
    names = ["first-rest", "first-gone", "first-poor"]
    first = start(tmp_path / "data", config)
    with running(first):
        first.reconciled()
        with closing(first.api()) as api:
            api.place("first-rest")
            api.place("first-gone", price=Decimal(20001))
            api.cancel("first-gone")
            api.place("first-poor", amount_order=Decimal(8000))
            until(lambda: api.status("first-gone").json["status"] == "CANCELED", "it is canceled")
            until(lambda: api.status("first-rest").json["status"] == "NEW", "it is in the book")
            before, balances, history = seen(api, names), api.balances(), api.history()
        assert first.interrupt() == 0
    second = start(tmp_path / "data", config)
    with running(second):
        second.reconciled()
        with closing(second.api()) as api:
            assert seen(api, names) == before
            assert [each["id"] for each in api.wanted("/v1/orders")] == ["first-rest"]
            assert api.history() == history
            after = api.balances()
            for asset, row in balances.items():
                for field in ("balance", "available", "locked", "traded"):
                    assert after[asset][field] == row[field], (asset, field)
            assert api.place("first-rest").json["exchange_order_id"]
            assert api.place("first-rest", price=Decimal(1000)).status == 409
            assert api.cancel("first-rest").status == 200
            until(lambda: api.status("first-rest").json["status"] == "CANCELED", "it is canceled")
        assert second.interrupt() == 0
    checked = fairlead("verify", "--data", str(tmp_path / "data"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_an_exchange_that_was_emptied_is_not_taken_for_the_one_before(
    tmp_path: Path, config: Path
) -> None:
    """It gives its numbers to other orders and trades: fills would be booked to the wrong ones."""
    first = start(tmp_path / "data", config)
    with running(first):
        first.reconciled()
        with closing(first.api()) as api:
            api.place("first-rest")
        assert first.interrupt() == 0
    (tmp_path / "data" / "exchange").rename(tmp_path / "kept")
    second = start(tmp_path / "data", config)
    with running(second):
        second.ready()
        with closing(second.api()) as api:
            refused = until(
                lambda: (
                    (answer := api.place("second")).status == 490
                    and "this is exchange" in answer.json["message"]
                    and answer
                ),
                "the account says why it takes no orders",
            )
            assert "start with another data folder" in refused.json["message"]
            assert api.status("first-rest").json["status"] == "NEW"
        assert second.interrupt() == 0
    shutil.rmtree(tmp_path / "data" / "exchange")
    (tmp_path / "kept").rename(tmp_path / "data" / "exchange")
    third = start(tmp_path / "data", config)
    with running(third):
        third.reconciled()
        with closing(third.api()) as api:
            assert api.cancel("first-rest").status == 200
            until(lambda: api.status("first-rest").json["status"] == "CANCELED", "it is canceled")
        assert third.interrupt() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly_also_under_load(
    tmp_path: Path, config: Path, number: int
) -> None:
    ems = start(tmp_path / "data", config)
    with running(ems):
        ems.reconciled()
        with closing(ems.api()) as idle, closing(ems.api()) as api, closing(ems.operator().api):
            idle.get("/health/live")
            assert api.place("open-at-the-end").status == 200
            assert ems.interrupt(number) == 0
    assert "Traceback" not in ems.log
    assert not (tmp_path / "data" / f"{JOURNAL}-wal").exists()  # copied into the file


def test_a_request_that_waits_when_it_stops_is_told_what_is_not_known(
    tmp_path: Path, config: Path
) -> None:
    ems = start(tmp_path / "data", config)
    with running(ems), ThreadPoolExecutor(1) as threads:
        ems.reconciled()
        with closing(ems.api()) as api, closing(ems.operator().api) as operator:
            for fault in (
                {"name": "request_late", "requests": ["place"], "delay_ms": 60_000},
                {"name": "request_lost", "requests": ["query"], "count": None},
            ):
                assert operator.post("/operator/faults", fault).status == 201
            waiting = threads.submit(place_elsewhere, api.url, "waits-at-the-end")
            until(lambda: api.status("waits-at-the-end").status == 200, "it is known")
            assert ems.interrupt() == 0
            answer = waiting.result()
            assert answer.status == 504
            assert "in doubt" in answer.json["message"] or "unknown" in answer.json["message"]
    assert "Traceback" not in ems.log


def place_elsewhere(url: str, client_order_id: str) -> Answer:
    with closing(Api(url)) as api:
        return api.place(client_order_id)


def test_a_good_till_time_oms_order_that_fell_due_meanwhile_is_canceled(
    tmp_path: Path, config: Path
) -> None:
    ems = start(tmp_path / "data", config)
    with running(ems):
        ems.reconciled()
        with closing(ems.api()) as api:
            due = from_now(3)
            placed = api.place(
                "falls-due",
                time_in_force="GOOD_TILL_TIME_OMS",
                expire_time=due,
            )
            assert placed.status == 200, placed
        ems.kill()
    until(lambda: from_now(0) > due, "its time has come")
    again = start(tmp_path / "data", config)
    with running(again):
        again.reconciled()
        with closing(again.api()) as api:
            until(lambda: api.status("falls-due").json["status"] == "CANCELED", "it is canceled")


def test_an_account_that_was_never_loaded_is_490(tmp_path: Path, config: Path) -> None:
    exchange = Exchange(tmp_path / "exchange", config, "--no-participants")
    with running(exchange):
        url = exchange.ready().url
        exchange.kill()
    ems = Ems(tmp_path / "data", config, "--exchange-url", url)
    with running(ems):
        ems.ready()
        with closing(ems.api()) as api:
            assert api.get("/health/live").status == 200
            for path in ("balances", "positions", "orders"):
                answer = api.get(f"/v1/{path}?exchange_id=SIM")
                assert (answer.status, answer.json["reject_reason"]) == (
                    490,
                    "EXCHANGE_UNREACHABLE",
                ), path
            assert api.place("never").status == 490
            assert not api.accounts()["SIM"]["loaded"]
        assert ems.interrupt() == 0


# ── a folder that cannot be used ─────────────────────────────────────────────────────────────────


def test_a_second_process_on_the_same_folder_is_told_who_has_it(
    tmp_path: Path, config: Path
) -> None:
    ems = start(tmp_path / "data", config)
    with running(ems):
        ems.reconciled()
        for exchange in ((), ("--exchange-url", "tcp://127.0.0.1:1")):
            second = up(tmp_path / "data", *exchange)
            assert second.returncode == EXIT_FATAL
            assert f"held by another process (pid {ems.pid})" in second.stderr
        with closing(ems.api()) as api:
            assert api.place("still-here").status == 200


def _torn(journal: Path) -> None:
    with journal.open("r+b") as file:
        file.truncate(journal.stat().st_size // 2)


def _foreign(journal: Path) -> None:
    journal.unlink()
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("CREATE TABLE notes (text)")


def _no_database(journal: Path) -> None:
    journal.write_bytes(b"not a database at all " * 500)


def _empty(journal: Path) -> None:
    journal.write_bytes(b"")


def _newer(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("PRAGMA journal_mode = DELETE")


@pytest.fixture(scope="module")
def used_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that a system has used and left cleanly."""
    base = tmp_path_factory.mktemp("used")
    config = write_config(base / "config.toml", QUICK, ACCOUNTS[:1])
    ems = start(base / "data", config)
    with running(ems):
        ems.reconciled()
        with closing(ems.api()) as api:
            for number in range(20):
                assert api.place(f"used-{number}").status == 200
        assert ems.interrupt() == 0
    return base / "data"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_torn, "restore the data folder whole from a backup"),
        (_empty, "empty"),
        (_foreign, "application_id"),
        (_no_database, "not SQLite"),
        (_newer, "schema version"),
    ],
)
def test_a_journal_that_is_not_ours_or_not_whole_is_refused_and_left_alone(
    tmp_path: Path, used_folder: Path, damage: Callable[[Path], None], words: str
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(used_folder, folder)
    journal = folder / JOURNAL
    damage(journal)

    def files() -> dict[str, bytes]:
        """What holds data; SQLite may leave its index and an empty WAL beside what it looked at."""
        found = {path.name: path.read_bytes() for path in folder.glob("journal*")}
        for name in ("journal.lock", f"{JOURNAL}-shm"):
            found.pop(name, None)
        return {name: content for name, content in found.items() if content or name == JOURNAL}

    before = files()
    refused = up(folder, "--exchange-url", "tcp://127.0.0.1:1")
    assert refused.returncode == EXIT_FATAL
    assert f"fairlead: {journal}: " in refused.stderr
    assert words in refused.stderr
    assert files() == before
    unread = fairlead("verify", "--data", str(folder))
    assert unread.returncode != 0
    assert str(journal) in unread.stderr
    assert files() == before


def test_a_journal_that_somebody_took_away_is_not_begun_anew(
    tmp_path: Path, used_folder: Path
) -> None:
    """A new one would know no order, and place those that are sent again a second time."""
    folder = tmp_path / "data"
    shutil.copytree(used_folder, folder)
    (folder / JOURNAL).rename(tmp_path / JOURNAL)
    refused = up(folder, "--exchange-url", "tcp://127.0.0.1:1")
    assert refused.returncode == EXIT_FATAL
    assert f"fairlead: {folder / JOURNAL}: missing, while fix.sqlite beside it is there" in (
        refused.stderr
    )
    assert not (folder / JOURNAL).exists()


def test_a_torn_exchange_store_is_refused_and_left_alone(
    tmp_path: Path, used_folder: Path, config: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(used_folder, folder)
    store = folder / "exchange" / "exchange.sqlite"
    _torn(store)
    before = store.read_bytes()
    refused = up(folder)
    assert refused.returncode == EXIT_FATAL
    assert str(store) in refused.stderr
    assert store.read_bytes() == before


# ── the disk fills up ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_stops_the_process_with_the_cause(
    tmp_path: Path, config: Path, small_disk: Path
) -> None:
    """What was answered is there after more space was given; what was not is found out."""
    exchange = Exchange(tmp_path / "exchange", config, "--no-participants")
    with running(exchange):
        url = exchange.ready().url
        log_path = tmp_path / "ems.log"
        ems = Ems(small_disk / "data", config, "--exchange-url", url, log_path=log_path)
        answered: dict[str, Decimal] = {}
        with running(ems):
            ems.reconciled()
            with closing(ems.api()) as api:
                for number in range(5_000):
                    name = f"disk-{number}"
                    try:
                        answer = api.post("/v1/orders", order(name))
                    except OSError:
                        break
                    if answer.status != 200:
                        assert answer.status in (503, 504), answer
                        break
                    answered[name] = answer.json["sequence"]
            assert ems.ended() == EXIT_FATAL
        assert "fairlead: stopped: " in ems.log
        assert "full" in ems.log.partition("fairlead: stopped: ")[2]
        assert len(answered) > 10

        subprocess.run(
            ["mount", "-o", "remount,size=64m", str(small_disk)], check=True, capture_output=True
        )
        again = Ems(small_disk / "data", config, "--exchange-url", url)
        with running(again):
            again.reconciled()
            with closing(again.api()) as api, closing(exchange.operator().api) as operator:
                for name, sequence in answered.items():
                    report = api.status(name).json
                    assert report["sequence"] >= sequence
                    assert report["exchange_order_id"]
                last_name = f"disk-{len(answered)}"
                until(lambda: not api.accounts()["SIM"]["orders_in_doubt"], "nothing is in doubt")
                unanswered = api.status(last_name)
                rows = operator.wanted("/operator/orders")["orders"]
                known = {each["exchangeOrderId"] for each in api.history()}
                assert {row["exchange_order_id"] for row in rows} <= known
                assert unanswered.status in (200, 404)
                assert api.place("disk-later").status == 200
            assert again.interrupt() == 0
