"""accounts, in-doubt, halt, reduce, resume: real processes against a real system."""

import pytest

from fairlead.client.shapes import Account
from fairlead.commands.operate import account_state
from tests.commands.terminal import Terminal
from tests.system import Operator, until

BTC = "SIM_SPOT_BTC_USDT"


def test_accounts(terminal: Terminal) -> None:
    rows = [line.split() for line in terminal.done("accounts").out.splitlines()[1:]]
    assert [row[:3] for row in rows] == [
        ["SIM", "ACTIVE", "reconciled"],
        ["SIM/ALICE", "ACTIVE", "reconciled"],
    ]
    assert [each["exchange_id"] for each in terminal.done("accounts", "--json").json] == [
        "SIM",
        "SIM/ALICE",
    ]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (None, "reconciled"),
        ("reconciling: instruments: no answer", "reconciling: instruments: no answer"),
        ("disconnected: nobody answers", "disconnected: nobody answers"),
        ("not connected yet", "not connected yet"),
    ],
)
def test_what_keeps_an_account_from_its_exchange_is_said_once(
    trouble: str | None, said: str
) -> None:
    state = Account(
        exchange_id="SIM",
        mode="ACTIVE",
        connected=trouble is None,
        reconciled=trouble is None,
        loaded=True,
        trouble=trouble,
        sequence=1,
        orders_open=0,
        orders_in_doubt=0,
        reconciled_time=None,
        reconciled_trade_id=None,
    )
    assert account_state(state) == said


def test_halt_reduce_resume(terminal: Terminal) -> None:
    assert terminal.done("halt", "SIM/ALICE").out == "SIM/ALICE is HALTED\n"
    refused = terminal.run("order", "buy", "0.01", BTC, "20000", "--account", "SIM/ALICE")
    assert refused.code == 1
    assert "account_halted" in refused.err
    assert terminal.done("reduce", "SIM/ALICE", "--json").json["mode"] == "REDUCING"
    assert terminal.done("resume", "SIM/ALICE").out == "SIM/ALICE is ACTIVE\n"
    terminal.done("order", "buy", "0.01", BTC, "20000", "--account", "SIM/ALICE")
    unknown = terminal.run("halt", "SIM/BOB")
    assert unknown.code == 3
    assert "SIM/BOB" in unknown.err


def test_an_order_in_doubt_is_listed_and_resolved(terminal: Terminal, operator: Operator) -> None:
    assert terminal.done("in-doubt").out == "no order needs attention\n"
    operator.fault("request_lost", count=None, requests=["place", "query"])
    assert terminal.run("order", "buy", "0.01", BTC, "20000", "--id", "lost").code == 4
    (row,) = terminal.done("in-doubt", "list", "--json").json
    assert row["order"]["client_order_id"] == "lost"
    assert " lost " in terminal.done("in-doubt", "list").out
    misplaced = terminal.run("in-doubt", "--json", "resolve", "lost", "working")
    assert (misplaced.code, misplaced.err) == (
        2,
        "fairlead: give options after in-doubt resolve\n",
    )
    wrong = terminal.run("in-doubt", "resolve", "lost", "gone")
    assert wrong.code == 2
    assert "resolution gone is not one of never-reached, canceled, working" in wrong.err
    done = terminal.done("in-doubt", "resolve", "lost", "never-reached")
    assert done.out == "lost of SIM resolved as NEVER_REACHED\n"
    until(lambda: "REJECTED" in terminal.done("orders", "lost").out, "it is rejected")


@pytest.mark.parametrize("resolution", ["never-reached", "canceled", "WORKING"])
def test_an_unknown_order_cannot_be_resolved(terminal: Terminal, resolution: str) -> None:
    run = terminal.run("in-doubt", "resolve", "nothing", resolution, "--json")
    assert run.code == 1
    assert run.json["reject_reason"] == "ORDER_ID_NOT_FOUND"
