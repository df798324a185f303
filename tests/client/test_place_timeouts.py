"""An answer that does not come in the middle of `place`: one order at the exchange, and the truth in hand.

Lost between client and system (a relay loses request or answer at each point), lost between system and
exchange (each of the exchange's faults that can hide an outcome), and the system killed with -9 in the
middle and started again. The exchange's own word, by its operator API, is what counts.
"""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from fairlead.client import (
    NewOrder,
    NotFound,
    OrderReport,
    OutcomeUnknown,
    Status,
    Unreachable,
)
from tests.acceptance.conftest import Desk
from tests.client.callers import Caller, MakeCaller
from tests.client.proxy import Loss, Proxy
from tests.client.words import new_order
from tests.ports import keep, port_of
from tests.system import (
    ACCOUNTS,
    QUICK,
    Ems,
    Exchange,
    Json,
    Operator,
    running,
    until,
    write_config,
)

OPEN = {Status.ROUTED, Status.NEW}


def at_exchange(operator: Operator, report: OrderReport) -> list[Json]:
    """What the exchange has of the order."""
    return operator.orders(client_id=report.client_order_id_format_exchange)


# ── between client and system ────────────────────────────────────────────────────────────────────


@pytest.fixture
def proxy(desk: Desk) -> Iterator[Proxy]:
    proxy = Proxy(desk.api.url)
    yield proxy
    proxy.close()


@pytest.mark.parametrize("loss", [Loss.ANSWER, Loss.ANSWER_CUT, Loss.ANSWER_HALF, Loss.LATE])
def test_a_lost_answer_is_asked_for_and_the_order_is_there_once(
    loss: Loss, desk: Desk, proxy: Proxy, make_caller: MakeCaller
) -> None:
    proxy.loss = loss
    caller = make_caller(proxy.url, timeout_s=1.0)
    report = caller.place_and_wait(new_order(), 10.0)
    assert report.status in OPEN
    assert len(at_exchange(desk.operator, report)) == 1
    assert proxy.posts == 1


@pytest.mark.parametrize("loss", [Loss.ANSWER, Loss.ANSWER_CUT, Loss.ANSWER_HALF])
def test_place_alone_says_that_it_does_not_know(
    loss: Loss, desk: Desk, proxy: Proxy, make_caller: MakeCaller
) -> None:
    proxy.loss = loss
    caller, order = make_caller(proxy.url, timeout_s=2.0), new_order()
    with pytest.raises(OutcomeUnknown) as caught:
        caller.place(order)
    assert caught.value.client_order_id == order.client_order_id
    report = caller.status(order.client_order_id)
    assert len(at_exchange(desk.operator, report)) == 1
    assert proxy.posts == 1


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.REQUEST_CUT])
def test_a_lost_request_is_not_sent_again_until_the_caller_does_and_is_there_once(
    loss: Loss, desk: Desk, proxy: Proxy, make_caller: MakeCaller
) -> None:
    proxy.loss = loss
    caller, order = make_caller(proxy.url, timeout_s=2.0), new_order()
    with pytest.raises(OutcomeUnknown, match="is not known there and may still arrive") as caught:
        caller.place_and_wait(order, 5.0)
    assert caught.value.report is None
    assert proxy.posts == 1
    with pytest.raises(NotFound):
        caller.status(order.client_order_id)
    proxy.loss = Loss.NOTHING
    report = caller.place_and_wait(order, 10.0)  # the very same order: it is placed once
    assert caller.place(order).exchange_order_id == report.exchange_order_id
    assert len(at_exchange(desk.operator, report)) == 1


def test_a_lost_cancel_is_unknown_and_may_be_repeated(
    desk: Desk, proxy: Proxy, make_caller: MakeCaller
) -> None:
    caller = make_caller(proxy.url)
    order = caller.place(new_order())
    proxy.loss = Loss.ANSWER_CUT
    with pytest.raises(OutcomeUnknown):
        caller.cancel("SIM", order.client_order_id)
    proxy.loss = Loss.NOTHING
    caller.cancel("SIM", order.client_order_id)
    final = caller.wait_until_final(order.client_order_id, "SIM", 10.0)
    assert final.status is Status.CANCELED


# ── between system and exchange ──────────────────────────────────────────────────────────────────

CARRIED_OUT: dict[str, dict[str, object]] = {
    "answer_lost": {"requests": ["place"]},
    "answer_late": {"requests": ["place"], "delay_ms": 1_000},
    "answer_doubled": {"requests": ["place"]},
    "accepted_then_silence": {},
    "error_after_accepting": {"requests": ["place"]},
    "truncated_frame": {"requests": ["place"]},
    "garbage": {"requests": ["place"]},
    "disconnect-before_answer": {"requests": ["place"], "how": "before_answer"},
    "disconnect-mid_answer": {"requests": ["place"], "how": "mid_answer"},
    "order_hidden": {"hide_ms": 1_000},
}
NOT_CARRIED_OUT: dict[str, dict[str, object]] = {
    "request_lost": {"requests": ["place"]},
    "disconnect-on_request": {"requests": ["place"], "how": "on_request"},
}


@pytest.mark.parametrize("fault", CARRIED_OUT)
def test_what_the_exchange_did_and_did_not_say_is_found_out(
    fault: str, hasty: Desk, make_caller: MakeCaller
) -> None:
    hasty.operator.fault(fault.partition("-")[0], **CARRIED_OUT[fault])
    caller = make_caller(hasty.api.url)
    report = caller.place_and_wait(new_order(), 15.0)
    assert report.status in OPEN
    assert not report.in_doubt
    assert len(at_exchange(hasty.operator, report)) == 1


@pytest.mark.parametrize("fault", NOT_CARRIED_OUT)
def test_what_never_reached_the_exchange_is_said_to_be_rejected(
    fault: str, hasty: Desk, make_caller: MakeCaller
) -> None:
    hasty.operator.fault(fault.partition("-")[0], **NOT_CARRIED_OUT[fault])
    caller = make_caller(hasty.api.url)
    report = caller.place_and_wait(new_order(), 15.0)
    assert (report.status, report.error_message) == (
        Status.REJECTED,
        "never reached the exchange",
    )
    assert at_exchange(hasty.operator, report) == []


def test_what_stays_in_doubt_is_said_to_be_in_doubt(hasty: Desk, make_caller: MakeCaller) -> None:
    hasty.operator.fault("request_lost", count=None, requests=["place", "query"])
    with pytest.raises(OutcomeUnknown, match="in doubt") as caught:
        make_caller(hasty.api.url).place_and_wait(new_order(), 4.0)
    assert caught.value.report is not None
    assert caught.value.report.in_doubt
    hasty.operator.clear()
    hasty.report_when(caught.value.report.client_order_id, "REJECTED")


# ── the system is killed ─────────────────────────────────────────────────────────────────────────


class Killable:
    """A system apart from its exchange, started again at the same address after each kill."""

    def __init__(self, folder: Path, exchange: Exchange) -> None:
        self._folder = folder
        self._exchange = exchange
        self.operator = exchange.operator()
        self.ems = self._started("127.0.0.1:0").reconciled()
        self.url: str = self.ems.endpoint["url"]
        self._kept: socket.socket | None = None

    def kill(self) -> None:
        self.ems.kill()
        self._let_go()
        self._kept = keep(port_of(self.url))

    def start(self) -> None:
        self.ems = self._started(self.url.removeprefix("http://")).ready()
        self._let_go()

    def close(self) -> None:
        self.ems.close()
        self._let_go()
        self.operator.api.close()

    def _let_go(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _started(self, listen: str) -> Ems:
        flags = ("--exchange-url", self._exchange.url, "--listen", listen)
        return Ems(self._folder / "data", self._folder / "config.toml", *flags)


@pytest.fixture
def killable(tmp_path: Path) -> Iterator[Killable]:
    config = write_config(tmp_path / "config.toml", QUICK, ACCOUNTS)
    exchange = Exchange(tmp_path / "exchange", config, "--no-participants")
    with running(exchange):
        system = Killable(tmp_path, exchange.ready())
        try:
            yield system
        finally:
            system.close()


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Run `work` beside the block, and have it done at the end."""
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(work)
        yield
        future.result(60)


def keep_secret(operator: Operator) -> None:
    """Have the exchange take orders and say nothing about them."""
    operator.fault("answer_lost", requests=["place"], count=None)
    operator.fault("stream_silent")
    operator.fault("request_lost", requests=["query", "open_orders", "fills"], count=None)


def placed_while(
    killable: Killable, caller: Caller, order: NewOrder, is_due: Callable[[], object]
) -> OrderReport:
    """Place `order`; when `is_due`, kill the system and start it again."""

    def kill_and_start() -> None:
        until(is_due, "it is time to kill the system")
        killable.kill()
        killable.operator.clear()
        killable.start()

    with meanwhile(kill_and_start):
        report: OrderReport = caller.place_and_wait(order, 40.0)
    return report


def test_killed_when_the_exchange_has_the_order(
    killable: Killable, make_caller: MakeCaller
) -> None:
    keep_secret(killable.operator)
    report = placed_while(
        killable, make_caller(killable.url), new_order(), killable.operator.orders
    )
    assert report.status in OPEN
    assert len(killable.operator.orders()) == 1
    assert report.exchange_order_id == killable.operator.orders()[0]["exchange_order_id"]


def test_killed_when_the_order_is_durable_and_the_exchange_never_got_it(
    killable: Killable, make_caller: MakeCaller
) -> None:
    killable.operator.fault("request_lost", requests=["place"])
    caller = make_caller(killable.url)
    report = placed_while(
        killable,
        caller,
        new_order(),
        lambda: not killable.operator.faults(),  # it has bitten
    )
    assert (report.status, report.error_message) == (Status.REJECTED, "never reached the exchange")
    assert killable.operator.orders() == []


def test_killed_before_it_got_the_order(killable: Killable, make_caller: MakeCaller) -> None:
    proxy = Proxy(killable.url, Loss.REQUEST)
    caller, order = make_caller(proxy.url, timeout_s=1.0), new_order()

    def kill_and_start() -> None:
        assert proxy.is_holding.wait(60)
        killable.kill()
        killable.start()

    try:
        with meanwhile(kill_and_start), pytest.raises(OutcomeUnknown) as caught:
            caller.place_and_wait(order, 3.0)
        assert caught.value.report is None
        killable.ems.reconciled()
        with pytest.raises(NotFound):
            caller.status(order.client_order_id)
        assert killable.operator.orders() == []
        proxy.loss = Loss.NOTHING
        report = caller.place_and_wait(order, 10.0)
        assert len(at_exchange(killable.operator, report)) == 1
    finally:
        proxy.close()


def test_killed_and_not_started_again_is_unknown_with_what_was_heard(
    killable: Killable, make_caller: MakeCaller
) -> None:
    keep_secret(killable.operator)
    caller, order = make_caller(killable.url), new_order()

    def kill() -> None:
        until(killable.operator.orders, "the exchange has the order")
        killable.kill()
        killable.operator.clear()

    with meanwhile(kill), pytest.raises(OutcomeUnknown, match="no system answers") as caught:
        caller.place_and_wait(order, 8.0)
    assert caught.value.client_order_id == order.client_order_id
    with pytest.raises(Unreachable):
        caller.place(new_order())
    assert len(killable.operator.orders()) == 1
    killable.start()
    killable.ems.reconciled()
    report = caller.place_and_wait(order, 10.0)
    assert report.exchange_order_id == killable.operator.orders()[0]["exchange_order_id"]
    assert len(killable.operator.orders()) == 1
