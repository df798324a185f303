"""The stream of a running system: complete and in order, whatever becomes of connections and processes."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, closing, suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from fairlead.client import AsyncClient, Refused, Settings
from fairlead.client.events import (
    AccountInfo,
    BalancesSnapshot,
    Connected,
    Disconnected,
    Event,
    OrdersSnapshot,
    OrderUpdate,
    PositionsSnapshot,
    SymbolsSnapshot,
)
from tests.acceptance.conftest import Desk
from tests.ports import keep, port_of
from tests.system import ACCOUNTS, QUICK, Ems, running, write_config

pytestmark = pytest.mark.asyncio
WAIT_S = 60.0
OPENING = [AccountInfo, SymbolsSnapshot, OrdersSnapshot, BalancesSnapshot, PositionsSnapshot]
Events = AsyncGenerator[Event, None]


@asynccontextmanager
async def streaming(url: str, **settings: float) -> AsyncIterator[Events]:
    """Stream all accounts; a test that waits too long fails."""
    async with (
        asyncio.timeout(WAIT_S),
        AsyncClient(url, Settings(**settings)) as client,
        aclosing(client.stream()) as events,
    ):
        yield events


async def read_until(events: Events, is_it: Callable[[Event], bool]) -> list[Event]:
    """Read on until such an event comes; return all that came, with it."""
    read = []
    async for event in events:
        read.append(event)
        if is_it(event):
            return read
    raise AssertionError("a stream never ends")


def is_report(name: str, *statuses: str) -> Callable[[Event], bool]:
    return lambda event: (
        isinstance(event, OrderUpdate)
        and event.order.client_order_id == name
        and event.order.status in statuses
    )


def is_opened(account: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, PositionsSnapshot) and event.exchange_id == account


def numbers(events: list[Event], account: str = "SIM") -> list[int]:
    """The sequences of an account's order reports, as they came."""
    return [
        each.sequence
        for each in events
        if isinstance(each, OrderUpdate) and each.exchange_id == account
    ]


async def test_it_tells_how_the_accounts_stand_and_then_what_happens(desk: Desk) -> None:
    desk.api.place("s-before")
    desk.report_when("s-before", "NEW")
    async with streaming(desk.api.url) as events:
        first = await read_until(events, is_opened("SIM/ALICE"))
        assert first[0] == Connected(desk.api.url)
        for account in ("SIM", "SIM/ALICE"):
            told = [each for each in first[1:] if each.exchange_id == account]
            assert [type(each) for each in told[: len(OPENING)]] == OPENING
        (orders,) = [
            each for each in first if isinstance(each, OrdersSnapshot) and each.exchange_id == "SIM"
        ]
        assert [each.client_order_id for each in orders.orders] == ["s-before"]
        await asyncio.to_thread(desk.api.place, "s-after")
        told = await read_until(events, is_report("s-after", "NEW"))
        reports = [each.order for each in told if isinstance(each, OrderUpdate)]
        assert [each.status for each in reports] == ["ROUTING", "ROUTED", "NEW"]
        async with AsyncClient(desk.api.url) as client:
            assert reports[-1] == await client.status("s-after")


async def test_one_account_alone_after_what_the_caller_knows(desk: Desk) -> None:
    desk.api.place("s-known")
    known = desk.report_when("s-known", "NEW")["sequence"]
    desk.api.cancel("s-known")
    desk.report_when("s-known", "CANCELED")
    heard: list[bytes] = []
    async with (
        asyncio.timeout(WAIT_S),
        AsyncClient(desk.api.url) as client,
        aclosing(client.stream("SIM", {"SIM": known}, heard.append)) as events,
    ):
        told = await read_until(events, is_opened("SIM"))
    infos = [each for each in told if isinstance(each, AccountInfo)]
    assert infos[0].resumed is True
    assert not any(isinstance(each, OrdersSnapshot) for each in told)
    assert [each.order.status for each in told if isinstance(each, OrderUpdate)] == [
        *("PENDING_CANCEL", "CANCELED")
    ]
    assert {each.exchange_id for each in told[1:]} == {"SIM"}
    assert len(heard) == len(told) - 1  # all but Connected is a message


async def test_nobody_there_is_said_and_tried_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with streaming(url) as events:
            first, second = await anext(events), await anext(events)
    assert isinstance(first, Disconnected)
    assert isinstance(second, Disconnected)
    assert first.text.startswith(f"no system answers at {url} (")
    assert first.retry_s < second.retry_s


async def test_a_system_that_does_not_stream_refuses(apart: Desk) -> None:
    url = apart.operator.api.url
    async with streaming(url) as events:
        with pytest.raises(Refused, match="does not stream: 403"):
            await anext(events)


async def test_a_connection_on_which_nothing_comes_is_given_up_and_nothing_is_missed(
    desk: Desk,
) -> None:
    async with streaming(desk.api.url, timeout_s=0.4, connect_timeout_s=0.4) as events:
        told = await read_until(events, is_opened("SIM/ALICE"))
        desk.api.place("s-frozen")
        os.kill(desk.ems.pid, signal.SIGSTOP)
        try:
            told += await read_until(events, lambda each: isinstance(each, Disconnected))
        finally:
            os.kill(desk.ems.pid, signal.SIGCONT)
        told += await read_until(events, is_opened("SIM/ALICE"))
        await asyncio.to_thread(desk.api.cancel, "s-frozen")
        told += await read_until(events, is_report("s-frozen", "CANCELED"))
    assert numbers(told) == story(desk, "s-frozen")


async def test_a_kill_of_the_system_in_a_burst_leaves_no_gap_and_no_double(tmp_path: Path) -> None:
    """Orders are placed while it is read; the system is killed, starts again, and goes on."""
    config = write_config(tmp_path / "config.toml", QUICK, ACCOUNTS)
    first = Ems(tmp_path / "data", config, "--no-participants")
    with running(first):
        url = first.reconciled().endpoint["url"]
        async with streaming(url) as events:
            told = await read_until(events, is_opened("SIM/ALICE"))
            burst = asyncio.create_task(asyncio.to_thread(place_until_gone, first, "one"))
            told += await read_until(events, is_report("one-20", "NEW"))
            first.kill()
            kept = keep(port_of(url))
            count = await burst
            told += await read_until(events, lambda each: isinstance(each, Disconnected))
            listen = url.removeprefix("http://")
            second = Ems(tmp_path / "data", config, "--no-participants", "--listen", listen)
            with running(second):
                await asyncio.to_thread(second.reconciled)
                kept.close()
                api = second.api()
                await asyncio.to_thread(api.place, "last")
                told += await read_until(events, is_report("last", "NEW"))
                names = [*(f"one-{number}" for number in range(1, count + 1)), "last"]
                placed = [name for name in names if api.status(name).status == 200]
                stories = [
                    each["sequence"]
                    for name in placed
                    for each in api.wanted(f"/v1/orders/story/{name}")["reports"]
                ]
                await read_until(events, lambda each: isinstance(each, AccountInfo))
                api.close()
    assert len(placed) > 20
    got = numbers(told)
    assert got == sorted(set(got))
    last = got[-1]
    assert got == [each for each in sorted(stories) if each <= last]
    resumed = [each.resumed for each in told if isinstance(each, AccountInfo)]
    assert True in resumed  # it went on, rather than began anew


def place_until_gone(ems: Ems, prefix: str) -> int:
    """Place orders one after another until nobody answers; return how many were tried."""
    number = 0
    api = ems.api()
    with suppress(OSError, HTTPException), closing(api):
        while True:
            number += 1
            api.place(f"{prefix}-{number}")
    return number


def story(desk: Desk, *names: str) -> list[int]:
    """The sequences of every report about these orders."""
    reports = [
        each["sequence"]
        for name in names
        for each in desk.api.wanted(f"/v1/orders/story/{name}")["reports"]
    ]
    return sorted(reports)
