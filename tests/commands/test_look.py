"""status, orders, history, fills, balances, positions, instruments: real processes, a real system."""

import json
import re
from decimal import Decimal

import pytest

from tests.commands.screen import Screen
from tests.commands.terminal import Terminal, plain
from tests.system import until

BTC, RESTING = "SIM_SPOT_BTC_USDT", "20000"


# ── one order's story ────────────────────────────────────────────────────────────────────────────


def test_a_status_tells_every_report_with_its_hop(terminal: Terminal) -> None:
    terminal.done("order", "sell", "0.01", BTC, "31000", "--account", "SIM/ALICE")
    terminal.done("order", "buy", "0.02", BTC, "31000", "--id", "told")
    until(lambda: "PARTIALLY_FILLED" in terminal.done("status", "told").out, "it is filled partly")
    headline, now, ids, columns, *reports = terminal.done("status", "told").out.splitlines()
    assert headline.startswith(f"BUY 0.02 {BTC} at 31000 GOOD_TILL_CANCEL")
    assert now == "  PARTIALLY_FILLED, 0.01 filled at 31000, 0.01 open"
    assert re.fullmatch(r"  the exchange's id \d+, our id there \S+", ids)
    assert columns.split() == ["sequence", "after", "ms", "hop", "ms", "why", "status", "filled"]
    assert [line.split()[3] for line in reports][:2] == ["ROUTING", "ROUTED"]
    (trade,) = [line for line in reports if " TRADE " in line]
    assert re.search(r"fill 0\.01 at 31000  TAKER, fee 0\.00001 BTC, trade \S+$", trade)
    assert all(re.match(r" *\d+ +\d+\.\d\d +\d+\.\d\d  [A-Z]", line) for line in reports)


def test_a_rejected_order_says_why_in_its_story(terminal: Terminal) -> None:
    terminal.run("order", "sell", "5000", BTC, "30000", "--id", "poor")
    lines = terminal.done("orders", "poor").out.splitlines()
    assert lines[1] == "  REJECTED, 0 filled at 0, 5000 open"
    assert "insufficient_balance" in lines[-1]


def test_an_order_that_is_not_there(terminal: Terminal) -> None:
    run = terminal.run("status", "nothing", "--json")
    assert run.code == 1
    assert run.json["reject_reason"] == "ORDER_ID_NOT_FOUND"


# ── lists ────────────────────────────────────────────────────────────────────────────────────────


def test_history_shows_ended_orders_too(terminal: Terminal) -> None:
    terminal.run("order", "sell", "5000", BTC, "30000", "--id", "ended")
    rows = terminal.done("orders", "--since", "1h").out.splitlines()
    assert rows[0].split()[:3] == ["time", "account", "id"]
    assert [row for row in rows if " ended " in row and "REJECTED" in row]
    lines = terminal.done("history", "--since", "1h", "--account", "SIM", "--json").out.splitlines()
    named = {json.loads(line)["clientOrderId"]: json.loads(line) for line in lines}
    assert named["ended"]["status"] == "REJECTED"
    assert {row["exchangeId"] for row in named.values()} == {"SIM"}
    assert terminal.done("history", "--since", "2200-01-01").out == "no orders\n"
    assert (
        terminal.done("history", "--until", "1970-01-02", "--since", "1970-01-01").out
        == "no orders\n"
    )
    wrong = terminal.run("history", "--since", "yesterday")
    assert wrong.code == 2
    assert "Invalid value for '--since': \"yesterday\" is not an ISO 8601 time" in plain(wrong.err)
    for arguments in (
        ("orders", "--since", "5x"),
        ("history", "--until", "+5m"),
        ("fills", "--since", ""),
    ):
        wrong = terminal.run(*arguments)
        assert (wrong.code, wrong.out) == (2, "")
        assert f"Invalid value for '{arguments[1]}': \"{arguments[2]}\" " in plain(wrong.err)
        assert plain(wrong.err).endswith("or how long ago: 30s, 5m, 2h, 1d.")


def test_balances(terminal: Terminal) -> None:
    rows = [line.split() for line in terminal.done("balances").out.splitlines()]
    assert rows[0] == [
        *("account", "asset", "balance", "available", "locked", "traded", "usd", "age", "source"),
    ]
    assert {(row[0], row[1]) for row in rows[1:]} == {
        (account, asset) for account in ("SIM", "SIM/ALICE") for asset in ("BTC", "ETH", "USDT")
    }
    (snapshot,) = terminal.done("balances", "--account", "SIM", "--json").json
    assert snapshot["exchange_id"] == "SIM"


def test_fills_are_told_oldest_first_with_fee_and_liquidity(terminal: Terminal) -> None:
    for number in range(3):
        terminal.done("order", "sell", "0.01", BTC, "32000", "--account", "SIM/ALICE")
        terminal.done("order", "buy", "0.01", BTC, "32000", "--id", f"f{number}", "--wait")
    heading, *rows = terminal.done("fills", "--account", "SIM", "--since", "1h").out.splitlines()
    assert heading.split()[:6] == ["time", "account", "id", "side", "symbol", "quantity"]
    named = [row.split() for row in rows if row.split()[3][0] == "f"]
    assert [row[3] for row in named] == ["f0", "f1", "f2"]
    assert named[0][4:11] == ["BUY", BTC, "0.01", "32000", "0.00001", "BTC", "TAKER"]
    newest = terminal.done("fills", "--account", "SIM", "--limit", "2", "--json").out.splitlines()
    told = [json.loads(line, parse_float=Decimal) for line in newest]
    assert [each["client_order_id"] for each in told] == ["f1", "f2"]
    assert told[1]["price"] == 32000
    assert told[1]["fee"] == Decimal("0.00001")
    assert terminal.done("fills", "--since", "2200-01-01").out == "no fills\n"
    assert terminal.run("fills", "--since", "yesterday").code == 2


def test_instruments(terminal: Terminal) -> None:
    rows = [
        line.split() for line in terminal.done("instruments", "--account", "SIM").out.splitlines()
    ]
    btc = next(row for row in rows if BTC in row)
    assert btc[:6] == ["SIM", BTC, "BTC/USDT", "0.01", "0.000001", "0.00001"]
    assert terminal.done("instruments", "--json").json[1]["exchange_id"] == "SIM/ALICE"


def test_positions_of_spot_accounts(terminal: Terminal) -> None:
    assert terminal.done("positions").out == "no positions\n"
    assert [each["data"] for each in terminal.done("positions", "--json").json] == [[], []]


@pytest.mark.parametrize(
    "arguments",
    [("x", "--since", "1h"), ("x", "--refresh", "1"), ("--since", "1h", "--refresh", "1")],
)
def test_orders_shows_one_thing(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    run = terminal.run("orders", *arguments)
    assert (run.code, run.err) == (2, "fairlead: give at most one of: ID, --since, --refresh\n")


# ── a terminal ───────────────────────────────────────────────────────────────────────────────────


def test_a_terminal_gets_colour_and_nothing_is_cut_off(terminal: Terminal) -> None:
    terminal.run("order", "sell", "5000", BTC, "30000", "--id", "coloured")
    with Screen("history", "--data", str(terminal.data), columns=40) as screen:
        shown = screen.rest()
    (line,) = [line for line in shown.splitlines() if " coloured " in line]
    assert "\x1b[31mREJECTED" in line
    assert "insufficient_balance: needs 5000 BTC" in line


def test_no_colour_where_none_is_wanted(terminal: Terminal) -> None:
    with Screen("instruments", "--data", str(terminal.data), NO_COLOR="1") as screen:
        assert "\x1b[3" not in screen.rest()


def test_a_screen_is_read_anew_until_ctrl_c(terminal: Terminal) -> None:
    arguments = (
        "orders",
        "--account",
        "SIM/ALICE",
        "--refresh",
        "0.1",
        "--data",
        str(terminal.data),
    )
    with Screen(*arguments, columns=200) as screen:
        screen.wait_for("every 0.1 s, Ctrl-C ends")
        order = ("order", "buy", "0.01", BTC, RESTING, "--account", "SIM/ALICE")
        terminal.done(*order, "--id", "appears")
        screen.wait_for("appears")
        screen.interrupt()
        screen.rest()
        assert screen.code == 0


def test_a_screen_that_fails_from_the_beginning_ends(terminal: Terminal) -> None:
    with Screen(
        "balances", "--refresh", "0.1", "--account", "NONE", "--data", str(terminal.data)
    ) as screen:
        assert "NONE is not an account" in screen.rest()
        assert screen.code == 3


@pytest.mark.parametrize("command", ["orders", "balances", "positions"])
def test_a_screen_needs_a_terminal_and_no_json(terminal: Terminal, command: str) -> None:
    piped = terminal.run(command, "--refresh", "1")
    assert (piped.code, piped.out) == (2, "")
    assert "--refresh needs a terminal" in piped.err
    assert terminal.run(command, "--refresh", "1", "--json").code == 2
    assert terminal.run(command, "--refresh", "0").code == 2


def test_waiting_is_shown_on_a_terminal(terminal: Terminal) -> None:
    arguments = ("order", "buy", "0.01", BTC, RESTING, "--id", "spun", "--wait", "--timeout", "3")
    with Screen(*arguments, "--data", str(terminal.data), columns=200) as screen:
        assert "spun of SIM is " in screen.rest()
        assert screen.code == 5
