"""Running systems for the acceptance tests, each one for all tests of a module.

`desk`: everything in one process, participants off. `apart`: the exchange in a process of its own.
Both have two accounts and short times; every test ends without faults. `hasty`: as `desk`, but an order
is in doubt soon, for tests of that.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest

from tests.system import (
    ACCOUNTS,
    HASTY,
    QUICK,
    Answer,
    Api,
    Ems,
    Exchange,
    Json,
    Operator,
    running,
    until,
    write_config,
)

Result = TypeVar("Result")


class Desk:
    """A running system and those who use it."""

    def __init__(self, folder: Path, ems: Ems, operator: Operator, exchange: Exchange | None):
        self.folder = folder
        self.ems = ems
        self.api = ems.api()
        self.operator = operator
        self.exchange = exchange
        self._threads = ThreadPoolExecutor(128)

    def close(self) -> None:
        self._threads.shutdown()
        if self.exchange is not None:
            self.exchange.close()
        self.api.close()
        self.operator.api.close()

    def kill_exchange(self) -> None:
        """End the exchange's process; it must have one of its own."""
        assert self.exchange is not None
        self.exchange.kill()
        self.operator.api.close()

    def restart_exchange(self) -> None:
        """Start it again on the same data and ports."""
        assert self.exchange is not None
        config = self.folder / "config.toml"
        folder = self.exchange.folder
        self.exchange = Exchange(folder, config, "--no-participants", after=self.exchange)
        self.exchange.ready()

    def meanwhile(self, call: Callable[[Api], Result]) -> "Future[Result]":
        """Make a call on a connection of its own, beside the test."""

        def work() -> Result:
            with closing(Api(self.api.url)) as api:
                return call(api)

        return self._threads.submit(work)

    def placing(self, client_order_id: str, **changes: object) -> "Future[Answer]":
        """Place an order beside the test, and wait until it can be seen."""
        future = self.meanwhile(lambda api: api.place(client_order_id, **changes))
        until(lambda: self.api.status(client_order_id).status == 200, f"{client_order_id} is known")
        return future

    def report(self, client_order_id: str, account: str = "SIM") -> Json:
        """The order's report now."""
        answer = self.api.status(client_order_id, account)
        assert answer.status == 200, answer
        return answer.json

    def report_when(self, client_order_id: str, *statuses: str, account: str = "SIM") -> Json:
        """The order's report once it has one of these statuses."""

        def seen() -> Json:
            report = self.report(client_order_id, account)
            return report if report["status"] in statuses else None

        return until(seen, f"{client_order_id} is {' or '.join(statuses)}")

    def at_exchange(self, client_order_id: str, account: str = "SIM") -> list[Json]:
        """What the exchange has under the id that we gave it for this client id."""
        name = str(self.report(client_order_id, account)["client_order_id_format_exchange"])
        return self.operator.orders(client_id=name)

    def sell(self, client_order_id: str, price: str, amount: str = "0.01") -> None:
        """Have ALICE's order to sell rest in the book."""
        answer = self.api.place(
            client_order_id,
            exchange_id="SIM/ALICE",
            side="SELL",
            price=Decimal(price),
            amount_order=Decimal(amount),
        )
        assert answer.status == 200, answer
        self.report_when(client_order_id, "NEW", account="SIM/ALICE")

    def tidy(self) -> None:
        """Leave no fault, no open order and no changed mode behind."""
        self.operator.clear()
        until(
            lambda: all(each["reconciled"] for each in self.api.accounts().values()),
            "all accounts are reconciled",
        )
        for account in self.api.accounts():
            self.mode("ACTIVE", account)
            self.api.post("/v1/orders/cancel/all", {"exchange_id": account})
        until(lambda: not self.api.wanted("/v1/orders"), "no order is open")

    def mode(self, mode: str, account: str = "SIM") -> None:
        """Make an account active, reducing or halted."""
        answer = self.api.post("/v1/operator/mode", {"exchange_id": account, "mode": mode})
        assert answer.status == 200, answer


MakeDesk = Callable[..., AbstractContextManager[Desk]]


@pytest.fixture(scope="session")
def make_desk(tmp_path_factory: pytest.TempPathFactory) -> MakeDesk:
    @contextmanager
    def make(*, apart: bool = False, **settings: object) -> Iterator[Desk]:
        folder = tmp_path_factory.mktemp("desk")
        changed = {name.replace("__", "."): value for name, value in settings.items()}
        config = write_config(folder / "config.toml", QUICK | changed, ACCOUNTS)
        exchange = None
        flags = ["--no-participants"]
        if apart:
            exchange = Exchange(folder / "exchange", config, "--no-participants")
        with running(*([exchange] if exchange else [])):
            if exchange is not None:
                flags = ["--exchange-url", exchange.ready().url]
            ems = Ems(folder / "data", config, *flags)
            with running(ems):
                ems.reconciled()
                operator = exchange.operator() if exchange else ems.operator()
                with closing(Desk(folder, ems, operator, exchange)) as desk:
                    yield desk

    return make


@pytest.fixture(scope="module")
def desk_of_module(make_desk: MakeDesk) -> Iterator[Desk]:
    with make_desk() as desk:
        yield desk


@pytest.fixture
def desk(desk_of_module: Desk) -> Iterator[Desk]:
    yield desk_of_module
    desk_of_module.tidy()


@pytest.fixture(scope="module")
def hasty_of_module(make_desk: MakeDesk) -> Iterator[Desk]:
    with make_desk(**{name.replace(".", "__"): value for name, value in HASTY.items()}) as desk:
        yield desk


@pytest.fixture
def hasty(hasty_of_module: Desk) -> Iterator[Desk]:
    yield hasty_of_module
    hasty_of_module.tidy()


@pytest.fixture(scope="module")
def apart_of_module(make_desk: MakeDesk) -> Iterator[Desk]:
    with make_desk(apart=True) as desk:
        yield desk


@pytest.fixture
def apart(apart_of_module: Desk) -> Iterator[Desk]:
    yield apart_of_module
    apart_of_module.tidy()
