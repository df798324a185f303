"""A machine whose wall clock jumps: orders and cancels go on, by the exchange's clock."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.system import ACCOUNTS, QUICK, Api, Exchange, running, until, write_config
from tests.timed import TimedEms


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = QUICK | {"exchange.participants": False}
    return write_config(tmp_path_factory.mktemp("clock") / "fairlead.toml", settings, ACCOUNTS[:1])


@pytest.fixture(scope="module")
def exchange(config: Path) -> Iterator[Exchange]:
    """The exchange, whose clock nobody moves."""
    process = Exchange(config.parent / "exchange", config)
    with running(process):
        yield process.ready()


@pytest.fixture(scope="module")
def ems(config: Path, exchange: Exchange) -> Iterator[TimedEms]:
    process = TimedEms(config.parent / "ems", config, "--exchange-url", exchange.url)
    with running(process):
        yield process.reconciled()


@pytest.mark.parametrize("seconds", [3, 4_000])
def test_a_clock_that_leaps_ahead_keeps_nobody_from_cancelling(ems: TimedEms, seconds: int) -> None:
    name = f"before-{seconds}"
    with closing(ems.api()) as api:
        assert api.place(name).status == 200
        ems.advance(seconds)
        assert api.cancel(name).status == 200
        until(lambda: api.status(name).json["status"] == "CANCELED", "it is cancelled")
        until(lambda: is_taken(api, f"after-{seconds}"), "orders are taken, and rest")
        assert api.wanted("/v1/operator/attention") == []
    assert "this machine's clock is " in ems.log  # and somebody is told


def test_a_machine_whose_clock_is_wrong_can_log_in(ems: TimedEms, exchange: Exchange) -> None:
    ems.advance(3)
    connections = ems.log.count("account connected")
    with closing(ems.api()) as api, closing(exchange.operator().api) as operator:
        fault = {"name": "disconnect", "how": "now"}
        assert operator.post("/operator/faults", fault).status == 201
        until(lambda: ems.log.count("account connected") > connections, "it is connected anew")
        until(lambda: is_taken(api, "after-login"), "orders are taken, and rest")


def is_taken(api: Api, client_order_id: str) -> bool:
    """Whether the order is in the exchange's book, placing it if it is not there yet."""
    return bool(api.place(client_order_id).json.get("status") == "NEW")
