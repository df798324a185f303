"""up, up --demo, exchange, verify, simulate: how they start, what they say, how they end."""

import json
import os
import pty
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tests.commands.terminal import Run, Terminal, fairlead
from tests.system import (
    ANY_PORT,
    FAIRLEAD,
    STOP_S,
    Api,
    Exchange,
    Json,
    Program,
    running,
    until,
    write_config,
)


class Demo(Program):
    """`fairlead up --demo`, whose page is read from its output."""

    def __init__(self, folder: Path, *flags: str) -> None:
        super().__init__(
            folder,
            [
                FAIRLEAD,
                "up",
                "--demo",
                "--data",
                str(folder),
                "--listen",
                ANY_PORT,
                "--fix",
                ANY_PORT,
                *flags,
            ],
        )

    def page(self) -> str:
        """The page, once it is complete."""
        until(lambda: "Ctrl-C stops it." in self.ready().log, "the page is complete")
        page = self.log
        self.log_path.write_text("")
        return page


def orders_at(exchange: Exchange) -> list[Json]:
    """The orders that the exchange has."""
    with closing(exchange.operator().api) as api:
        listed: list[Json] = api.wanted("/operator/orders")["orders"]
        return listed


def up(folder: Path, *flags: str) -> Run:
    """Run an `up` that must end by itself."""
    arguments = ("up", "--data", "data", "--listen", ANY_PORT, "--fix", ANY_PORT, *flags)
    return fairlead(*arguments, folder=folder)


# ── up ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_prints_where_it_serves_and_stops_cleanly(number: int, tmp_path: Path) -> None:
    program = Program(
        tmp_path / "data",
        [FAIRLEAD, "up", "--data", str(tmp_path / "data"), "--listen", ANY_PORT, "--fix", ANY_PORT],
    )
    with running(program):
        url = program.ready().endpoint["url"]
        until(lambda: f"fairlead serves {url}" in program.log, "it says where")
        assert program.interrupt(number) == 0
        assert "Traceback" not in program.log


def test_it_stops_cleanly_too_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    log, data = tmp_path / "log", tmp_path / "data"
    flags = ("--data", str(data), "--listen", ANY_PORT, "--fix", ANY_PORT, "--log-file", str(log))
    with subprocess.Popen([FAIRLEAD, "up", *flags], stdout=writing) as system:
        os.close(writing)
        try:
            until(lambda: log.exists() and "failed beside the serving" in log.read_text(), "said")
        finally:
            system.terminate()
        assert system.wait(STOP_S) == 0
    assert '"event": "stopped"' in log.read_text()
    assert not (data / "endpoint.json").exists()


def shown_at_a_terminal(folder: Path, words: str) -> str:
    """Start a system as at a terminal, until it has said these words; return all that it said."""
    reading, writing = pty.openpty()
    log = folder / "log"
    flags = ("--data", "data", "--listen", ANY_PORT, "--fix", ANY_PORT, "--log-file", str(log))
    with (
        open(reading, "rb", 0) as screen,
        subprocess.Popen([FAIRLEAD, "up", *flags], cwd=folder, stdout=writing) as system,
    ):
        said = b""
        try:
            while words.encode() not in said:
                said += screen.read(4_096)
            said += screen.read(4_096) if not said.endswith(b"\n") else b""
        finally:
            system.terminate()
            os.close(writing)
        assert system.wait(STOP_S) == 0
    return said.decode()


def test_at_a_terminal_the_first_user_gets_a_link_that_no_log_has(tmp_path: Path) -> None:
    said = shown_at_a_terminal(tmp_path, "/console/first-user#")
    link = re.search(r"http://127\.0\.0\.1:\d+/console/first-user#([\w-]{43})\s", said)
    assert link is not None, said
    assert link[1] not in (tmp_path / "log").read_text()
    made = fairlead("users", "link", "--data", "data", folder=tmp_path)
    assert (made.code, link[1] in made.out) == (0, False)


def test_what_is_no_terminal_gets_no_link(tmp_path: Path) -> None:
    flags = ("--data", str(tmp_path / "data"), "--listen", ANY_PORT, "--fix", ANY_PORT)
    program = Program(tmp_path / "data", [FAIRLEAD, "up", *flags])
    with running(program):
        program.ready()
        until(lambda: "there is no user yet; `fairlead users link`" in program.log, "it says how")
        assert "first-user#" not in program.log


def test_a_second_system_on_the_folder_is_refused(tmp_path: Path) -> None:
    first = Program(
        tmp_path / "data",
        [FAIRLEAD, "up", "--data", str(tmp_path / "data"), "--listen", ANY_PORT, "--fix", ANY_PORT],
    )
    with running(first):
        endpoint = first.ready().endpoint
        second = up(tmp_path)
        assert second.code == 70, second
        assert "another" in second.err
        assert first.endpoint == endpoint


def test_an_address_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        port = bound.getsockname()[1]
        run = up(tmp_path, "--listen", f"127.0.0.1:{port}")
        assert run.code == 70
        assert f"cannot listen on 127.0.0.1:{port}" in run.err


def test_a_wrong_configuration_is_told_whole_and_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("[exchange]\nseeed = 1\n[log]\nlevel = 'loud'\n")
    run = up(tmp_path, "--config", "wrong.toml", "--market-speed", "fast")
    assert run.code == 2
    assert [line.split(": ")[2] for line in run.err.splitlines()[:2]] == [
        "exchange.seeed",
        "log.level",
    ]
    assert "--market-speed" in run.err.splitlines()[2]
    assert not (tmp_path / "data").exists()
    named = fairlead("up", folder=tmp_path, environment={"FAIRLEAD_CONFIG": "wrong.toml"})
    assert (named.code, len(named.err.splitlines())) == (2, 2)


def test_an_open_network_needs_to_be_asked_for(tmp_path: Path) -> None:
    run = fairlead("up", "--data", "data", "--listen", "0.0.0.0:0", folder=tmp_path)
    assert run.code == 2
    assert "0.0.0.0:0 is not a loopback address" in run.err


def test_a_foreign_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    journal = tmp_path / "data" / "journal.sqlite"
    journal.write_bytes(b"something else")
    run = up(tmp_path)
    assert run.code == 70
    assert "journal.sqlite" in run.err
    assert journal.read_bytes() == b"something else"


def test_a_tape_that_is_not_there_is_named(tmp_path: Path) -> None:
    run = up(tmp_path, "--market-tape", "none.csv")
    assert run.code == 70
    assert "none.csv" in run.err


# ── up --demo ────────────────────────────────────────────────────────────────────────────────────


def test_the_demo_shows_an_orders_life_and_the_second_start_shows_the_first(
    tmp_path: Path,
) -> None:
    demo = Demo(tmp_path / "data")
    with running(demo):
        first = demo.page()
        assert len(first.splitlines()) <= 40
        assert "no orders yet in this folder" in first
        life = [line.split()[0] for line in first.splitlines() if re.search(r"\d\.\d\d ms", line)]
        order = life[life.index("RECEIVED") :]
        assert [each for each in order if each != "PARTIALLY_FILLED"] == [
            *("RECEIVED", "ROUTING", "ROUTED", "FILLED"),
        ]
        # Others trade while the system starts, so one price may not have it all.
        fills = re.findall(r"fill ([0-9.]+) at \d+(?:\.\d+)?  TAKER, fee ([0-9.]+) BTC", first)
        assert sum(Decimal(quantity) for quantity, _ in fills) == Decimal("0.01")
        gained = Decimal("0.01") - sum(Decimal(fee) for _, fee in fills)
        after = Decimal(100) + gained
        assert re.search(rf"BTC +100 +{re.escape(str(after))} +\+{re.escape(str(gained))}\n", first)
        sent = re.search(r"SIM (demo-\d+)\n", first)
        assert sent is not None
        assert demo.interrupt() == 0
        assert "Stopped." in demo.log
        assert "Traceback" not in demo.log
    second_start = Demo(tmp_path / "data")
    with running(second_start):
        second = second_start.page()
        (earlier,) = [line for line in second.splitlines() if sent[1] in line]
        assert earlier.endswith("FILLED")
        assert "the last orders of earlier runs in this folder" in second
        assert f"{after} " in second
        assert second_start.interrupt() == 0


def test_the_next_order_can_be_pasted(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "data")
    with running(demo):
        page = demo.page()
        command = page[page.index("curl ") : page.index("   or:")]
        words = shlex.split(command)
        assert words[:2] == ["curl", "-s"]
        assert words[3:5] == ["-H", "Content-Type: application/json"]
        with closing(Api(demo.endpoint["url"])) as api:
            path = words[2].removeprefix(demo.endpoint["url"])
            answers = [api.request("POST", path, words[6].encode()) for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 200]
        assert len({answer.json["exchange_order_id"] for answer in answers}) == 1
        also = re.search(r"   or: \S+ (order .*?)\n", page)
        assert also is not None
        assert fairlead(*shlex.split(also[1]), folder=tmp_path).code == 0


def test_where_keys_are_asked_for_the_demo_has_one_of_its_own_that_nobody_sees(
    tmp_path: Path,
) -> None:
    (tmp_path / "keys.toml").write_text('authentication = "keys"\n')
    demo = Demo(tmp_path / "data", "--config", str(tmp_path / "keys.toml"))
    with running(demo):
        page = demo.page()
        assert "Invalid API key" not in page
        assert "answered" in page
        assert 'X-CoinAPI-Key: $FAIRLEAD_API_KEY"' in page
        assert "keys create Bot1 --scope trade" in page
        assert not re.search("fl_(live|test)_", page)
        at = ("--data", "data", "--json")
        (key,) = fairlead("keys", "list", *at, folder=tmp_path).json
        assert (key["state"], key["label"][:4]) == ("revoked", "Demo")
        assert demo.interrupt() == 0
        assert "Traceback" not in demo.log


def test_the_demo_rests_where_nobody_sells(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "data", "--no-participants", "--account", "SIM/ALICE")
    with running(demo):
        page = demo.page()
        assert "it rests in the book" in page
        assert "SIM/ALICE demo-" in page
        assert demo.interrupt() == 0


def test_the_demo_says_what_is_the_matter_and_keeps_serving(tmp_path: Path) -> None:
    (tmp_path / "poor.toml").write_text("[exchange]\nstarting_balances = {USDT = 1}\n")
    demo = Demo(tmp_path / "data", "--config", str(tmp_path / "poor.toml"))
    with running(demo):
        page = demo.page()
        assert "insufficient_balance" in page
        assert Terminal(tmp_path / "data").done("orders").out == "no open orders\n"
        assert demo.interrupt() == 0


def test_ctrl_c_during_the_demo_stops_it_cleanly(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "data", "--exchange-url", "tcp://127.0.0.1:1")
    with running(demo):
        until(lambda: "Fairlead" in demo.ready().log, "the page has begun")
        assert demo.interrupt() == 0
        assert "Traceback" not in demo.log
        assert "ended early" not in demo.log
        assert "Serving" not in demo.log


# ── exchange ─────────────────────────────────────────────────────────────────────────────────────


def test_the_exchange_runs_apart_and_keeps_its_state(tmp_path: Path) -> None:
    config = write_config(tmp_path / "fairlead.toml", {"exchange.participants": False}, [])
    exchange = Exchange(tmp_path / "exchange", config)
    with running(exchange):
        flags = ("--exchange-url", exchange.ready().url)
        demo = Demo(tmp_path / "data", *flags)
        with running(demo):
            assert f"SIM is reconciled with {exchange.url}" in demo.page()
            assert demo.endpoint["operator_url"] is None
            assert demo.interrupt() == 0
        (order,) = orders_at(exchange)
        assert order["state"] == "OPEN"
        assert exchange.interrupt() == 0
    exchange.keep_ports()
    again = Exchange(tmp_path / "exchange", config, after=exchange)
    with running(again):
        assert orders_at(again.ready()) == [order]


def test_the_exchanges_operator_api_keeps_foreign_hosts_out(tmp_path: Path) -> None:
    exchange = Exchange(tmp_path / "exchange", write_config(tmp_path / "c.toml", {}, []))
    with running(exchange), closing(Api(exchange.ready().endpoint["operator_url"])) as api:
        foreign = api.request("GET", "/operator/health", headers={"Host": "evil.example"})
        assert foreign.status == 421
        page = api.request("GET", "/operator/health", headers={"Origin": "http://evil.example"})
        assert page.status == 403
        body = api.request("POST", "/operator/faults", b"{}", {"Content-Type": "text/plain"})
        assert body.status == 415


def test_an_exchange_beyond_loopback_is_refused(tmp_path: Path) -> None:
    run = fairlead("exchange", "--data", "x", "--operator-listen", "0.0.0.0:0", folder=tmp_path)
    assert run.code == 2
    assert "exchange.operator_listen: 0.0.0.0:0" in run.err


def test_an_exchange_whose_store_is_foreign_is_refused(tmp_path: Path) -> None:
    (tmp_path / "exchange.sqlite").write_bytes(b"something else")
    arguments = (
        "--data",
        ".",
        "--listen",
        ANY_PORT,
        "--operator-listen",
        ANY_PORT,
    )
    run = fairlead("exchange", *arguments, folder=tmp_path)
    assert run.code == 70
    assert "exchange.sqlite" in run.err


# ── verify, simulate, version ────────────────────────────────────────────────────────────────────


def test_verify_agrees_with_a_journal_and_tells_every_difference(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "data")
    with running(demo):
        demo.page()
        beside = Terminal(tmp_path / "data").done("verify")
        assert beside.out.endswith(": all agree\n")
        assert demo.interrupt() == 0
    terminal = Terminal(tmp_path / "data")
    assert terminal.done("verify", "--json").json["holds"] is True
    with closing(sqlite3.connect(tmp_path / "data" / "journal.sqlite")) as journal:
        journal.execute("DELETE FROM trades")
        journal.commit()
    differs = terminal.run("verify")
    assert differs.code == 1
    assert "does not agree with itself" in differs.err
    told = terminal.run("verify", "--json")
    assert told.code == 1
    assert told.json["difference_count"] == len(told.json["differences"]) > 0
    assert told.json["differences"][0] in differs.out


def test_verify_without_a_journal_ends_with_seventy(tmp_path: Path) -> None:
    run = fairlead("verify", "--data", "none", folder=tmp_path)
    assert run.code == 70
    assert "journal.sqlite" in run.err


def test_simulate_runs_worlds_and_replays_one(tmp_path: Path) -> None:
    many = fairlead(
        "simulate", "--seeds", "4", "--fresh-from", "77", "--jobs", "2", folder=tmp_path
    )
    assert many.code == 0, many
    assert many.out.startswith("seeds 1 to 2, and 2 fresh ones from 77\n")
    assert "4 worlds in " in many.out
    assert many.out.endswith("0 broke a law\n")
    assert many.err == ""
    one = fairlead("simulate", "--seed", "1", folder=tmp_path)
    told = fairlead("simulate", "--seed", "1", "--json", folder=tmp_path)
    assert (one.code, told.code) == (0, 0)
    assert told.json["broken"] == []
    assert one.out.endswith(f"seed 1: all laws hold, digest {told.json['digest']}\n")
    summary = fairlead("simulate", "--seeds", "1", "--jobs", "1", "--json", folder=tmp_path)
    assert summary.json["broken"] == []


def test_version(tmp_path: Path) -> None:
    assert re.fullmatch(r"fairlead \d+\.\d+\.\d+\n", fairlead("version", folder=tmp_path).out)
    assert list(json.loads(fairlead("version", "--json", folder=tmp_path).out)) == ["version"]


# ── folders that cannot be ───────────────────────────────────────────────────────────────────────

_RIGHT = "give a folder that can be made, or is there and can be written\n"


@pytest.mark.parametrize("below", ["", "/x"])
@pytest.mark.parametrize(
    "command",
    [("up", "--listen", ANY_PORT), ("exchange", "--listen", ANY_PORT)],
    ids=["up", "exchange"],
)
def test_a_data_folder_that_cannot_be_is_named_with_the_reason(
    command: tuple[str, ...], below: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    run = fairlead(*command, "--data", f"file{below}", folder=tmp_path)
    assert (run.code, run.out) == (70, "")
    assert run.err == (
        f"fairlead: the folder file{below} cannot be used:"
        f" {tmp_path}/file is a file, not a folder; {_RIGHT}"
    )
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "command",
    [
        ("verify", "--data", "x" * 300),
        ("restore", "no-backup", "--data", "new"),
        ("keys", "list", "--data", "file/x"),
        ("tls", "init", "--data", "/proc/fairlead"),
        ("backup", "kept", "--data", "x" * 300),
        ("restore", "x" * 300, "--data", "new"),
    ],
    ids=lambda command: command[0],
)
def test_no_command_tells_the_systems_number_of_an_error(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    run = fairlead(*command, folder=tmp_path)
    assert run.code != 0
    assert "[Errno" not in run.err
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
