"""Another exchange in the place of the one an account's orders are at: it hears a login, and no more."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from fairlead.core.model import Side, TimeInForce
from fairlead.venues import sim_messages as wire
from tests.acceptance.test_calls import check_reject
from tests.system import (
    ACCOUNTS,
    QUICK,
    Api,
    Ems,
    Exchange,
    Json,
    Operator,
    running,
    until,
    write_config,
)

NAMES = ("rests", "doubtful")
PATIENT = QUICK | {"engine.cancel_attempts_most": 1_000}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path / "config.toml", PATIENT, ACCOUNTS[:1])


def exchange_in(folder: Path, config: Path, after: Exchange | None = None) -> Exchange:
    return Exchange(folder, config, "--no-participants", after=after)


def ems_at(exchange: Exchange, folder: Path, config: Path) -> Ems:
    return Ems(folder, config, "--no-participants", "--exchange-url", exchange.ready().url)


@contextmanager
def operating(exchange: Exchange) -> Iterator[Operator]:
    operator = exchange.operator()
    with closing(operator.api):
        yield operator


def ids_there(api: Api) -> list[str]:
    """Return what the exchange was given as the client ids of the two orders."""
    return [str(api.status(name).json["client_order_id_format_exchange"]) for name in NAMES]


def statuses(api: Api) -> set[str]:
    return {api.status(name).json["status"] for name in NAMES}


def trouble(api: Api) -> str:
    return api.accounts()["SIM"]["trouble"] or ""


def place_the_same(exchange: Exchange, client_ids: list[str]) -> None:
    """Have orders with these client ids rest at another exchange, by the same login."""
    host, _, port = exchange.url.removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        now_ns = time.time_ns()
        line.sendall(wire.frame(wire.Login(1, now_ns, "desk", "desk-secret")))
        for number, client_id in enumerate(client_ids, 2):
            place = wire.Place(
                number, now_ns, client_id, "BTC/USDT", Side.BUY, Decimal(20000), Decimal("0.01"),
                TimeInForce.GOOD_TILL_CANCEL, False, None,
            )  # fmt: skip
            line.sendall(wire.frame(place))
        reader, placed = wire.exchange_messages(), 0
        while placed < len(client_ids):
            placed += sum(isinstance(each, wire.Placed) for each in reader.feed(line.recv(65_536)))


def open_orders(operator: Operator) -> list[Json]:
    return operator.orders(state="OPEN")


def test_what_is_owed_is_not_asked_of_another_exchange_that_has_the_same_client_ids(
    tmp_path: Path, config: Path
) -> None:
    data = tmp_path / "data"
    right = exchange_in(tmp_path / "right", config)
    with running(right):
        ems = ems_at(right, data, config)
        with (
            running(ems),
            closing(ems.reconciled().api()) as api,
            operating(right) as operator,
        ):
            api.place("rests")
            until(lambda: api.status("rests").json["status"] == "NEW", "it is in the book")
            nothing_of_orders = ["query", "cancel", "open_orders"]
            operator.fault("request_lost", requests=nothing_of_orders, count=None)
            operator.fault("stream_silent", account="desk")
            operator.fault("accepted_then_silence")
            check_reject(api.place("doubtful"), 504, "EXCHANGE_RESPONSE_TIMEOUT")
            for name in NAMES:
                assert api.cancel(name).status == 200
            client_ids = ids_there(api)
            ems.kill()
        right.kill()
    wrong = exchange_in(tmp_path / "wrong", config)
    with running(wrong):
        wrong.ready()
        place_the_same(wrong, client_ids)
        with operating(wrong) as operator:
            # It does no harm, and counts every request but a login and a ping.
            operator.fault("request_late", delay_ms=1, count=None)
            before = open_orders(operator)
            assert {each["client_id"] for each in before} == set(client_ids)
            ems = ems_at(wrong, data, config)
            with running(ems), closing(ems.ready().api()) as api:
                until(lambda: "this is exchange" in trouble(api), "the account says what is wrong")
                assert "bring that one back" in trouble(api)
                assert api.status("doubtful").json["in_doubt"] is True
                assert api.status("rests").json["status"] == "PENDING_CANCEL"
                assert api.place("third").status == 490
                ems.kill()
            assert [each["times"] for each in operator.faults()] == [0]
            assert open_orders(operator) == before
    right = exchange_in(tmp_path / "right", config, after=right)
    with running(right):
        ems = ems_at(right, data, config)
        with running(ems), closing(ems.reconciled().api()) as api:
            until(lambda: statuses(api) == {"CANCELED"}, "both are canceled where they are")
            ems.kill()
