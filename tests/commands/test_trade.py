"""order, cancel, cancel-all: real processes against a real system."""

import re
from decimal import Decimal

import pytest

from tests.commands.terminal import Terminal, plain
from tests.system import Operator, until

BTC, RESTING = "SIM_SPOT_BTC_USDT", "20000"


def test_an_order_rests_and_its_life_is_shown(terminal: Terminal) -> None:
    run = terminal.done("order", "buy", "0.01", BTC, RESTING, "--id", "rests")
    headline, *life = run.out.splitlines()
    assert headline == f"BUY 0.01 {BTC} at {RESTING} GOOD_TILL_CANCEL  SIM rests"
    assert [line.split()[0] for line in life] == ["RECEIVED", "ROUTING", "ROUTED", "NEW"]
    assert re.fullmatch(r"  ROUTED +\d+\.\d\d ms  the exchange has it as \d+", life[2])
    assert "\n  NEW, 0 filled at 0, 0.01 open\n" in terminal.done("orders", "rests").out


def test_json_is_the_apis_own_with_its_exact_digits(terminal: Terminal) -> None:
    quantity = "0.123456"
    report = terminal.done("order", "buy", quantity, "BTC/USDT", RESTING, "--json").json
    assert re.fullmatch(r"cli-[0-9a-f]{16}", report["client_order_id"])
    assert report["amount_order"] == Decimal(quantity)
    assert report["symbol_id_coinapi"] == BTC
    shown = terminal.done("orders", "--json").json
    assert report["client_order_id"] in [each["client_order_id"] for each in shown]


def test_the_same_id_places_once_and_another_order_under_it_is_refused(terminal: Terminal) -> None:
    first = terminal.done("order", "buy", "0.01", BTC, RESTING, "--id", "once", "--json")
    again = terminal.done("order", "buy", "0.010", BTC, "20000.0", "--id", "once", "--json")
    assert again.json["exchange_order_id"] == first.json["exchange_order_id"]
    other = terminal.run("order", "buy", "0.02", BTC, RESTING, "--id", "once")
    assert (other.code, other.out) == (1, "")
    assert "used by a different order" in other.err


def test_two_accounts_trade_with_one_another(terminal: Terminal) -> None:
    terminal.done("order", "sell", "0.5", BTC, "30000", "--account", "SIM/ALICE", "--id", "maker")
    taken = terminal.done("order", "buy", "0.2", BTC, "31000", "--tif", "ioc", "--id", "taker")
    until(lambda: "FILLED" in terminal.done("orders", "taker").out, "the taker is filled")
    life = terminal.done("orders", "taker").out
    assert "IMMEDIATE_OR_CANCEL" in taken.out
    assert re.search(r"fill 0\.2 at 30000  TAKER, fee 0\.0002 BTC", life)
    made = "fill 0.2 at 30000  MAKER"  # the other account hears of it by itself
    until(lambda: made in terminal.done("orders", "maker").out, "the maker is filled")


def test_every_screen_says_why_the_exchange_ended_an_order(terminal: Terminal) -> None:
    words = "fill-or-kill: the whole quantity was not available"
    run = terminal.done(
        "order", "buy", "0.01", BTC, RESTING, "--tif", "fok", "--wait", "--id", "killed"
    )
    assert "CANCELED" in run.out
    assert run.out.endswith(f"\n  {words}\n")
    assert f"\n  {words}\n" in terminal.done("orders", "killed").out
    (row,) = [line for line in terminal.done("history").out.splitlines() if " killed " in line]
    assert re.search(rf"CANCELED +{words}$", row)
    assert words in terminal.done("status", "killed").out


def test_times_in_force_and_instructions(terminal: Terminal) -> None:
    timed = terminal.done("order", "buy", "0.01", BTC, RESTING, "--expire", "+1h", "--json").json
    assert timed["time_in_force"] == "GOOD_TILL_TIME_EXCHANGE"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", timed["expire_time"])
    arguments = ("--tif", "gtt-oms", "--expire", "2100-01-01", "--post-only", "--json")
    ours = terminal.done("order", "buy", "0.01", BTC, RESTING, *arguments).json
    assert ours["time_in_force"] == "GOOD_TILL_TIME_OMS"
    assert ours["expire_time"] == "2100-01-01T00:00:00.0000000Z"
    assert ours["exec_inst"] == ["MAKER_OR_CANCEL"]


def test_a_reduce_only_order_is_one_at_the_exchange_too(terminal: Terminal) -> None:
    flags = ("--reduce-only", "--post-only", "--json")
    run = terminal.run("order", "sell", "0.01", "SIM_PERP_BTC_USDT", "30000", *flags)
    assert run.code == 1
    assert run.json["exec_inst"] == ["MAKER_OR_CANCEL", "DO_NOT_INCREASE"]
    assert "reduces nothing" in run.json["error_message"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("0.0100001", BTC, RESTING), "amount_order: 0.0100001 is not a multiple of the size step"),
        (("0.01", BTC, "NaN"), "price: "),
        (("0.01", "SIM_SPOT_DOGE_USDT", RESTING), "symbol_id_coinapi: "),
        (("0.01", "DOGE/USDT", RESTING), "symbol_id_exchange: "),
        (("0.01", BTC, RESTING, "--expire", "2021-01-08"), "expire_time: "),
        (("0.01", BTC, RESTING, "--id", ""), "client_order_id: "),
        (("0.01", BTC, RESTING, "--account", ""), "exchange_id: "),
        (("0.01", BTC, RESTING, "--id", "ä"), "client_order_id: "),
    ],
)
def test_a_bad_order_is_refused_naming_the_field(
    terminal: Terminal, arguments: tuple[str, ...], named: str
) -> None:
    run = terminal.run("order", "buy", *arguments)
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith(f"fairlead: {named}")
    assert len(run.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("option", "value", "right"),
    [
        ("--tif", "day", "gtc (GOOD_TILL_CANCEL), gtt (GOOD_TILL_TIME_EXCHANGE), "),
        ("--tif", "", "ioc (IMMEDIATE_OR_CANCEL), fok (FILL_OR_KILL)."),
        ("--expire", "soon", "or from now: +30s, +5m, +2h, +1d."),
        ("--expire", "+5x", "or from now: +30s, +5m, +2h, +1d."),
        ("--expire", "+100000d", "is longer than time is counted; give a time."),
        ("--timeout", "nan", "give one such as 10 or 0.5."),
        ("--timeout", "inf", "give one such as 10 or 0.5."),
    ],
)
def test_a_wrong_option_is_named_with_its_value_and_what_would_be_right(
    terminal: Terminal, option: str, value: str, right: str
) -> None:
    run = terminal.run("order", "buy", "0.01", BTC, RESTING, option, value)
    assert (run.code, run.out) == (2, "")
    told = plain(run.err)
    assert f"Invalid value for '{option}': " in told
    assert value in told
    assert right in told


def test_the_time_in_force_may_be_typed_as_the_api_has_it(terminal: Terminal) -> None:
    for typed in ("ioc", "IOC", "immediate_or_cancel", "IMMEDIATE_OR_CANCEL"):
        run = terminal.run("order", "buy", "0.01", BTC, RESTING, "--tif", typed, "--json")
        assert run.json["time_in_force"] == "IMMEDIATE_OR_CANCEL"


def test_an_account_that_is_empty_is_not_the_usual_one(terminal: Terminal) -> None:
    for arguments in (
        ("cancel-all", ""),
        ("cancel-all", "--account", ""),
        ("cancel", "--all", "--account", ""),
    ):
        run = terminal.run(*arguments)
        assert (run.code, run.out) == (1, "")
        assert run.err.startswith('fairlead: exchange_id: "" is not an exchange id')


def test_a_rejected_order_says_why_and_ends_with_one(terminal: Terminal) -> None:
    run = terminal.run("order", "sell", "5000", BTC, "30000")
    assert run.code == 1
    assert "REJECTED" in run.out
    assert run.err.startswith("fairlead: rejected: insufficient_balance: needs 5000 BTC")
    as_json = terminal.run("order", "sell", "5000", BTC, "30000", "--json")
    assert (as_json.code, as_json.json["status"]) == (1, "REJECTED")


def test_an_unknown_account_is_not_there_for_anybody(terminal: Terminal) -> None:
    for arguments in (
        ("order", "buy", "0.01", BTC, RESTING, "--account", "SIM/BOB"),
        ("orders", "--account", "SIM/BOB"),
        ("balances", "--account", "SIM/BOB"),
        ("cancel", "--all", "--account", "SIM/BOB"),
    ):
        run = terminal.run(*arguments)
        assert run.code == 3, run
        assert "SIM/BOB" in run.err


def test_an_order_without_an_answer_ends_with_four_and_is_found_by_its_id(
    terminal: Terminal, operator: Operator
) -> None:
    operator.fault("request_lost", requests=["place", "query"], count=None)
    placing = ("order", "buy", "0.01", BTC, RESTING, "--id", "silent", "--timeout", "6")
    run = terminal.run(*placing)
    assert (run.code, run.out) == (4, "")
    assert "order silent of SIM is in doubt" in run.err
    assert "ask again with: fairlead status silent --account SIM" in run.err
    operator.clear()
    until(lambda: "REJECTED" in terminal.done("status", "silent").out, "the doubt is resolved")


def test_an_outcome_that_comes_late_is_waited_for(terminal: Terminal, operator: Operator) -> None:
    operator.fault("answer_late", requests=["place"], delay_ms=3_000)
    run = terminal.done("order", "buy", "0.01", BTC, RESTING, "--id", "late")
    assert "in doubt" not in run.out
    assert terminal.done("status", "late", "--json").json["order"]["exchange_order_id"]


# ── waiting ──────────────────────────────────────────────────────────────────────────────────────


def test_wait_shows_the_end(terminal: Terminal) -> None:
    terminal.done("order", "sell", "0.01", BTC, "30500", "--account", "SIM/ALICE")
    run = terminal.done("order", "buy", "0.01", BTC, "30500", "--wait")
    assert "\n  FILLED " in run.out
    report = terminal.done("order", "buy", "0.01", BTC, RESTING, "--tif", "ioc", "--wait", "--json")
    assert report.json["status"] == "CANCELED"


def test_what_is_not_final_in_time_ends_with_five(terminal: Terminal) -> None:
    placing = ("order", "buy", "0.01", BTC, RESTING, "--id", "slow", "--wait", "--timeout", "3")
    run = terminal.run(*placing)
    assert (run.code, run.out) == (5, "")
    assert "order slow is not final after 3 s: NEW; ask again with: fairlead status" in run.err


# ── dry runs ─────────────────────────────────────────────────────────────────────────────────────


def test_a_dry_run_shows_every_check_and_sends_nothing(terminal: Terminal) -> None:
    dry = ("order", "buy", "0.01", BTC, RESTING, "--id", "dry", "--dry-run")
    run = terminal.done(*dry)
    heading, *rows, said = run.out.splitlines()
    assert heading.split() == ["check", "result", "answer"]
    assert [row.split()[1] for row in rows] == ["PASSED"] * 9
    assert [row.split()[0] for row in rows][:3] == ["form", "account", "client_order_id"]
    assert said == "it would be sent"
    assert terminal.run("status", "dry").code == 1
    assert terminal.done(*dry, "--json").json["would_be_sent"] is True


def test_a_dry_run_that_would_fail_says_where_and_ends_with_one(terminal: Terminal) -> None:
    run = terminal.run("order", "sell", "5000", BTC, "30000", "--dry-run")
    assert run.code == 1
    (failed,) = [line for line in run.out.splitlines() if "FAILED" in line]
    assert failed.split()[:3] == ["available_balance", "FAILED", "200"]
    assert run.err.startswith("fairlead: it would not be sent: available_balance: insufficient")
    malformed = terminal.run("order", "buy", "lots", BTC, RESTING, "--dry-run", "--json")
    assert malformed.code == 1
    assert malformed.json["checks"][0]["answer_status"] == 400


def test_cancels(terminal: Terminal) -> None:
    for name in ("c1", "c2", "c3"):
        terminal.done("order", "buy", "0.01", BTC, RESTING, "--id", name, "--account", "SIM/ALICE")
    exchange_id = terminal.done("status", "c2", "--json").json["order"]["exchange_order_id"]
    account = ("--account", "SIM/ALICE")
    assert "PENDING_CANCEL" in terminal.done("cancel", "c1", *account).out
    terminal.done("cancel", "--exchange-order-id", exchange_id, *account, "--json")
    done = terminal.done("cancel", "--all", *account)
    assert re.fullmatch(r"SIM/ALICE: Cancel requested for \d+ orders\.\n", done.out)
    assert terminal.done("cancel-all", *account, "--json").json["reject_reason"] == "OTHER"
    assert terminal.done("cancel-all", "SIM/ALICE").out.startswith(
        "SIM/ALICE: Cancel requested for"
    )
    assert terminal.done("cancel-all").out.startswith("SIM: Cancel requested for")
    two = terminal.run("cancel-all", "SIM", *account)
    assert two.code == 2
    assert "two accounts" in two.err
    until(lambda: terminal.done("orders", *account).out == "no open orders\n", "all are cancelled")
    unknown = terminal.run("cancel", "nothing")
    assert (unknown.code, unknown.out) == (1, "")
    assert "nothing" in unknown.err


@pytest.mark.parametrize("arguments", [(), ("x", "--all"), ("x", "--exchange-order-id", "1")])
def test_a_cancel_needs_exactly_one_target(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    run = terminal.run("cancel", *arguments)
    assert run.code == 2
    assert "exactly one of" in run.err
