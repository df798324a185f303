"""`fairlead watch`: on a screen, line by line, as JSON; over a restart; and how it ends."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from tests.commands.piped import Piped
from tests.commands.screen import Screen
from tests.commands.terminal import Terminal
from tests.ports import keep, port_of
from tests.system import ACCOUNTS, QUICK, Ems, running, write_config

BTC = "SIM_SPOT_BTC_USDT"
RESTING = "20000"


def watch(terminal: Terminal, *arguments: str) -> Piped:
    return Piped("watch", *arguments, "--data", str(terminal.data))


def buy(terminal: Terminal, name: str, *arguments: str) -> None:
    terminal.done("order", "buy", "0.01", BTC, RESTING, "--id", name, *arguments)


def test_in_a_pipe_each_thing_that_happens_is_a_line(terminal: Terminal) -> None:
    buy(terminal, "w-before")
    with watch(terminal) as watched:
        watched.wait_for("connected to http://127.0.0.1:")
        watched.wait_for("  SIM  reconciled")
        watched.wait_for(f"  SIM  w-before  BUY 0.01 {BTC} at 20000  NEW, 0 filled")
        watched.wait_for("  SIM/ALICE  reconciled")
        watched.wait_for("  SIM/ALICE  BTC ")
        sell = ("order", "sell", "0.01", BTC, "30000", "--account", "SIM/ALICE", "--id", "w-sell")
        terminal.done(*sell)
        terminal.done("order", "buy", "0.01", BTC, "30000", "--id", "w-buy")
        watched.wait_for("  SIM  w-buy  fill 0.01 at 30000  TAKER, fee ")
        watched.wait_for(f"  SIM  w-buy  BUY 0.01 {BTC} at 30000  FILLED, 0.01 filled")
        watched.wait_for("  SIM/ALICE  w-sell  fill 0.01 at 30000  MAKER, fee ")
        terminal.done("cancel", "w-before")
        watched.wait_for("w-before  BUY 0.01 SIM_SPOT_BTC_USDT at 20000  CANCELED, 0 filled")
        watched.interrupt()
        assert watched.ended() == (0, "")


def test_as_json_it_prints_the_apis_own_messages(terminal: Terminal) -> None:
    with watch(terminal, "--json", "--account", "SIM/ALICE") as watched:
        watched.wait_for("POSITION_SNAPSHOT")
        buy(terminal, "w-json", "--account", "SIM/ALICE")
        buy(terminal, "w-of-another")
        report = watched.wait_for('"status":"NEW"')
        assert '"price":20000' in report
        messages = [json.loads(line) for line in watched.lines]
        assert {each["exchange_id"] for each in messages} == {"SIM/ALICE"}
        stands = [
            (each["connected"], each["reconciled"], each["trouble"])
            for each in messages
            if each["type"] == "SERVER_INFO"
        ]
        assert all(earlier != later for earlier, later in pairwise(stands))
        watched.interrupt()
        code, said = watched.ended()
        assert code == 0
        assert said.startswith("fairlead: connected to http://127.0.0.1:")


def test_on_a_terminal_it_is_a_screen_until_ctrl_c(terminal: Terminal) -> None:
    with Screen("watch", "--data", str(terminal.data), columns=160) as screen:
        screen.wait_for("Ctrl-C ends")
        screen.wait_for("reconciled")
        for title in ("Open orders", "Fills", "Balances", "Positions"):
            screen.wait_for(title)
        buy(terminal, "w-screen")
        screen.wait_for("w-screen")
        screen.interrupt()
        shown = screen.rest()
        assert screen.code == 0
    assert shown.endswith("\x1b[?25h\x1b[?1049l")  # the terminal is as it was, its cursor too


def test_nobody_there_ends_it(tmp_path: Path, terminal: Terminal) -> None:
    run = terminal.run("watch", "--account", "NONE")
    assert (run.code, run.out) == (3, "")
    assert "NONE is not an account" in run.err
    config = write_config(tmp_path / "config.toml", QUICK, ACCOUNTS)
    ems = Ems(tmp_path / "data", config, "--no-participants")
    with running(ems):
        ems.reconciled()
        ems.kill()
    gone = Terminal(ems.folder).run("watch")
    assert (gone.code, gone.out) == (3, "")
    assert f"no system runs in {ems.folder}: process" in gone.err
    with Screen("watch", "--data", str(ems.folder)) as screen:
        assert "no system runs in" in screen.rest()
        assert screen.code == 3


def test_who_reads_no_more_ends_it_quietly(terminal: Terminal) -> None:
    with watch(terminal) as watched:
        watched.wait_for("reconciled")
        watched.close_pipe()
        buy(terminal, "w-unread")
        assert watched.ended() == (0, "")


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_restart_of_the_system_is_seen_and_what_happened_meanwhile_is_told(
    tmp_path: Path, is_killed: bool
) -> None:
    config = write_config(tmp_path / "config.toml", QUICK, ACCOUNTS)
    first = Ems(tmp_path / "data", config, "--no-participants")
    terminal = Terminal(first.folder)
    with running(first):
        first.reconciled()
        listen = first.endpoint["url"].removeprefix("http://")
        buy(terminal, "w-restart")
        with (
            watch(terminal) as watched,
            Screen("watch", "--data", str(first.folder), columns=160) as screen,
        ):
            watched.wait_for("w-restart")
            screen.wait_for("w-restart")
            if is_killed:
                first.kill()
            else:
                assert first.interrupt() == 0
            kept = keep(port_of(listen))
            watched.wait_for("; trying again")
            screen.wait_for("; trying again")
            count = len(watched.lines)
            second = Ems(tmp_path / "data", config, "--no-participants", "--listen", listen)
            with running(second):
                second.reconciled()
                kept.close()
                watched.wait_for("connected to ", count)
                terminal.done("cancel", "w-restart")
                buy(terminal, "w-after")
                watched.wait_for("w-restart  BUY 0.01 SIM_SPOT_BTC_USDT at 20000  CANCELED", count)
                watched.wait_for("w-after  BUY 0.01 SIM_SPOT_BTC_USDT at 20000  NEW", count)
                screen.wait_for("w-after")
                for each in (watched, screen):
                    each.interrupt()
                assert watched.ended() == (0, "")
                screen.rest()
                assert screen.code == 0
