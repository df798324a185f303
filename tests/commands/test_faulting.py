"""faults: real processes against the operator API of a real exchange."""

from pathlib import Path

import pytest

from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.faulting import parameters
from tests.client.words import D
from tests.commands.terminal import Terminal, fairlead
from tests.system import Exchange, Operator, running, write_config

BTC = "SIM_SPOT_BTC_USDT"


def test_a_fault_is_set_bites_is_listed_and_cleared(terminal: Terminal, operator: Operator) -> None:
    assert terminal.done("faults").out == "no faults\n"
    commanded = terminal.done(
        *("faults", "set", "answer_late", "requests=place", "count=3", "delay_ms=1", "side=BUY")
    )
    assert commanded.out.endswith(": answer_late, 3 times at most\n")
    number = commanded.out.split()[1].rstrip(":")
    terminal.done("order", "buy", "0.01", BTC, "20000")
    heading, row = terminal.done("faults", "list").out.splitlines()
    assert heading.split() == ["fault", "name", "concerns", "bit", "left"]
    assert row.split() == [number, "answer_late", "requests=place", "side=BUY", "1", "2"]
    assert terminal.done("faults", "clear", number).out == f"fault {number} ended\n"
    assert operator.faults() == []
    again = terminal.run("faults", "clear", number)
    assert (again.code, again.out) == (1, "")
    assert "fault_id" in again.err


def test_a_fault_without_limit_and_the_end_of_all(terminal: Terminal, operator: Operator) -> None:
    commanded = terminal.done("faults", "set", "stream_silent", "only_fills=true")
    assert commanded.out.endswith("until it is cleared\n")
    assert operator.faults()[0]["only_fills"] is True
    listed = terminal.done("faults", "--json").json
    assert [each["name"] for each in listed["faults"]] == ["stream_silent"]
    assert terminal.done("faults", "clear").out == "all faults ended\n"
    assert operator.faults() == []


def test_every_kind_is_told(terminal: Terminal) -> None:
    rows = terminal.done("faults", "kinds").out.splitlines()
    assert rows[0].split() == ["kind", "concerns", "parameters", "count", "what", "happens"]
    (row,) = [row for row in rows if row.startswith("request_late ")]
    assert "delay_ms" in row
    assert {"request_lost", "tick_changed"} <= {row.split()[0] for row in rows}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonsense",), "name"),
        (("answer_late", "delay_ms=soon"), "delay_ms"),
        (("answer_late", "colour=red"), "colour"),
    ],
)
def test_a_wrong_fault_is_refused_naming_what(
    terminal: Terminal, operator: Operator, arguments: tuple[str, ...], said: str
) -> None:
    run = terminal.run("faults", "set", *arguments)
    assert (run.code, run.out) == (1, "")
    assert said in run.err
    assert operator.faults() == []


def test_options_stand_after_the_word(terminal: Terminal) -> None:
    run = terminal.run("faults", "--json", "list")
    assert (run.code, run.err) == (2, "fairlead: give options after faults list\n")


def test_the_exchanges_own_folder_will_do(tmp_path: Path) -> None:
    exchange = Exchange(tmp_path / "exchange", write_config(tmp_path / "c.toml", {}, []))
    with running(exchange):
        url = exchange.ready().endpoint["operator_url"]
        assert fairlead("faults", "--data", "exchange", folder=tmp_path).out == "no faults\n"
        assert fairlead("faults", "--operator-url", url, folder=tmp_path).out == "no faults\n"
    gone = fairlead("faults", "--operator-url", url, folder=tmp_path)
    assert gone.code == 3
    assert "fairlead exchange" in gone.err


def test_parameters_as_they_are_typed() -> None:
    assert parameters([
        *("count=3", "share=0.25", "is_current=true", "account=null", "requests=place,cancel"),
        *("client_id_prefix=a=b", "symbol=BTC/USDT", "one_in=-1"),
    ]) == {
        "count": 3,
        "share": D("0.25"),
        "is_current": True,
        "account": None,
        "requests": ("place", "cancel"),
        "client_id_prefix": "a=b",
        "symbol": "BTC/USDT",
        "one_in": -1,
    }  # fmt: skip


@pytest.mark.parametrize("given", [["count"], ["=3"], ["count=1", "count=2"]])
def test_what_is_no_parameter_is_told(given: list[str]) -> None:
    with pytest.raises(Ended, match="is not KEY=VALUE") as caught:
        parameters(given)
    assert caught.value.code is ExitCode.USAGE
