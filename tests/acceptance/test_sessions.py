"""CANCEL_ON_DISCONNECT where sessions end badly: kill -9 of the server, the exchange away, doubt, two names.

What an orderly or broken connection does is in test_websocket.py.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.conftest import Desk
from tests.streaming import Stream
from tests.system import ACCOUNTS, QUICK, Api, Ems, Exchange, Operator, running, until, write_config

COD = ["CANCEL_ON_DISCONNECT"]


@contextmanager
def system(folder: Path, exchange: Exchange, config: Path) -> Iterator[tuple[Ems, Api]]:
    """A life of Fairlead on the data of `folder`, beside an exchange that outlives it."""
    ems = Ems(folder / "data", config, "--exchange-url", exchange.url)
    with running(ems), closing(ems.reconciled().api()) as api:
        yield ems, api


def status(api: Api, name: str) -> str:
    answer = api.status(name)
    assert answer.status == 200, answer
    shown: str = answer.json["status"]
    return shown


def open_at(operator: Operator, api: Api, name: str) -> bool:
    """Whether the exchange has the order open."""
    client_id = api.status(name).json["client_order_id_format_exchange"]
    (order,) = operator.orders(client_id=client_id)
    return bool(order["state"] == "OPEN")


def test_after_a_kill_the_next_start_cancels_what_was_to_end_and_nothing_else(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path / "config.toml", QUICK, ACCOUNTS)
    exchange = Exchange(tmp_path / "exchange", config, "--no-participants")
    with running(exchange):
        exchange.ready()
        operator = exchange.operator()
        with system(tmp_path, exchange, config) as (ems, api), Stream(api.url) as stream:
            stream.opening()
            stream.place("goes", exec_inst=COD)
            stream.place("stays", exec_inst=["DO_NOT_CANCEL_ON_DISCONNECT"])
            stream.place("says-nothing")
            for name in ("goes", "stays", "says-nothing"):
                stream.report(name, "NEW")
            api.place("by-rest")
            # One is on its way, and only the exchange knows what became of it.
            operator.fault("answer_lost", requests=["place"], account="desk")
            stream.place("in-doubt", exec_inst=COD)
            until(lambda: len(operator.orders()) == 5, "the exchange has it")
            ems.kill()
        assert all(each["state"] == "OPEN" for each in operator.orders())
        with system(tmp_path, exchange, config) as (_, api):
            until(lambda: status(api, "goes") == "CANCELED", "its session ended with the server")
            until(lambda: status(api, "in-doubt") == "CANCELED", "also the one in doubt")
            for name in ("goes", "in-doubt"):
                assert not open_at(operator, api, name)
            for name in ("stays", "says-nothing", "by-rest"):
                assert status(api, name) == "NEW"
                assert open_at(operator, api, name)
            sent_again = api.place("goes", exec_inst=COD)  # known: answered, not placed again
            assert (sent_again.status, sent_again.json["status"]) == (200, "CANCELED")
        operator.api.close()


def test_a_session_that_ends_while_the_exchange_is_away(apart: Desk) -> None:
    stream = Stream(apart.api.url)
    stream.opening()
    stream.place("away", exec_inst=COD)
    stream.place("away-stays")
    stream.report("away", "NEW")
    stream.report("away-stays", "NEW")
    apart.kill_exchange()
    until(lambda: not apart.api.accounts()["SIM"]["connected"], "SIM is disconnected")
    stream.close()
    apart.report_when("away", "PENDING_CANCEL")  # stored, and sent when it is back
    apart.restart_exchange()
    apart.report_when("away", "CANCELED")
    assert apart.report("away-stays")["status"] == "NEW"


@pytest.mark.parametrize("ends_first", ["placer", "other"])
def test_sent_again_over_another_connection_it_stays_with_the_first(
    desk: Desk, ends_first: str
) -> None:
    name = f"twice-{ends_first}"
    with Stream(desk.api.url) as first, Stream(desk.api.url) as other:
        first.opening()
        other.opening()
        first.place(name, exec_inst=COD)
        first.report(name, "NEW")
        other.place(name, exec_inst=COD)  # its answer is the report, which all have: no refusal
        other.send("ORDER_CANCEL_SINGLE_REQUEST", exchange_id="SIM", client_order_id="nobodys")
        assert other.reject()["reject_reason"] == "ORDER_ID_NOT_FOUND"
        if ends_first == "other":
            other.close()
            other_order = f"{name}-later"
            first.place(other_order)
            first.report(other_order, "NEW")  # by now the end of the other is dealt with
            assert desk.report(name)["status"] == "NEW"
        first.close()
        desk.report_when(name, "CANCELED")
