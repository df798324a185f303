"""A storm of reports reaches many clients complete and in order, whatever they do meanwhile (section 4)."""

import asyncio
import json
import re
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.streaming import address
from tests.system import ACCOUNTS, QUICK, Api, Ems, encoded, order, running, write_config

NAMES = ("SIM", "SIM/ALICE")
_TYPE = re.compile(rb'^\{"type":"([A-Z_]+)",')
_SEQUENCE = re.compile(rb'"sequence":(\d+)')
_ACCOUNT = re.compile(rb'"exchange_id":"([^"]+)"')
ORDERS_AT_ONCE = 100
Told = dict[str, dict[int, bytes]]  # by account and sequence: the order reports
Ends = asyncio.Future[dict[str, int]]  # by account: the last sequence, once nothing more comes


@pytest.mark.parametrize(
    ("orders", "clients"),
    [(100, 10), pytest.param(1_000, 50, marks=[pytest.mark.soak, pytest.mark.timeout(900)])],
)
def test_a_storm_reaches_every_client_complete_and_in_order(
    tmp_path: Path, orders: int, clients: int
) -> None:
    settings = QUICK | {"feed.ring_reports": 200}
    settings |= {"engine.order_answer_timeout_ms": 20_000, "websocket.slow_client_ms": 600_000}
    config = write_config(tmp_path / "config.toml", settings, ACCOUNTS)
    ems = Ems(tmp_path / "data", config, "--no-participants")
    with running(ems):
        url = ems.reconciled().endpoint["url"]
        told = asyncio.run(storm(url, orders, clients))
    first = told[0]
    assert sum(len(each) for each in first.values()) >= 10 * orders
    for name in NAMES:
        for each in told:
            assert list(each[name]) == sorted(each[name])
            assert each[name] == first[name]


async def storm(url: str, orders: int, clients: int) -> list[Told]:
    """Trade, and return what each client was told."""
    async with connect(address(url), proxy=None, max_size=None) as driver:
        start = await opening(driver)
        ends: Ends = asyncio.get_running_loop().create_future()
        followers = [
            asyncio.create_task(
                follow(url, start, ends, restless=number % 3 == 1, idle=number % 3 == 2)
            )
            for number in range(clients)
        ]
        await trade(driver, orders)
        ends.set_result(await asyncio.to_thread(ends_of, url))
        return list(await asyncio.gather(*followers))


def ends_of(url: str) -> dict[str, int]:
    """Return the accounts' last sequences."""
    with closing(Api(url)) as api:
        assert api.wanted("/v1/orders") == []
        return {name: state["sequence"] for name, state in api.accounts().items()}


async def opening(client: ClientConnection) -> dict[str, int]:
    """Return, by account, the sequence as of which the client has its snapshots."""
    seen: dict[str, int] = {}
    while len(seen) < len(NAMES):
        message = json.loads(await client.recv())
        if message["type"] == "POSITION_SNAPSHOT":
            seen[message["exchange_id"]] = message["sequence"]
    return seen


async def trade(driver: ClientConnection, orders: int) -> None:
    """Have `orders` orders of SIM filled by two orders of ALICE each."""
    for wave in range(0, orders, ORDERS_AT_ONCE):
        names = [f"storm-{number}" for number in range(wave, min(orders, wave + ORDERS_AT_ONCE))]
        await send(driver, [order(name, price=Decimal(30000)) for name in names])
        await until(driver, names, "NEW")
        sells = [
            order(
                f"{name}-{half}",
                exchange_id="SIM/ALICE",
                side="SELL",
                price=Decimal(30000),
                amount_order=Decimal("0.005"),
            )
            for name in names
            for half in "ab"
        ]
        await send(driver, sells)
        await until(driver, [*names, *(str(each["client_order_id"]) for each in sells)], "FILLED")


async def send(driver: ClientConnection, placed: Sequence[dict[str, object]]) -> None:
    for each in placed:
        await driver.send(encoded({"type": "ORDER_NEW_SINGLE_REQUEST"} | each).decode())


async def until(driver: ClientConnection, names: Sequence[str], status: str) -> None:
    waiting = set(names)
    while waiting:
        message = json.loads(await asyncio.wait_for(driver.recv(), 60))
        assert message["type"] != "MESSAGE_REJECT", message
        if message.get("status") == status:
            waiting.discard(message["client_order_id"])


async def follow(
    url: str, start: dict[str, int], ends: Ends, *, restless: bool, idle: bool
) -> Told:
    """Hear everything since `start`: `restless` reconnects all the time, `idle` reads in the end only."""
    told: Told = {name: {} for name in NAMES}
    seen = dict(start)
    while True:
        resumed = address(url, resume=seen)
        async with connect(
            resumed, proxy=None, max_size=None, ping_interval=None, close_timeout=0.1
        ) as client:
            if idle:
                await ends
            most = 150 if restless and not ends.done() else 1_000_000
            if await hear(client, told, seen, most, ends):
                return told


async def hear(
    client: ClientConnection, told: Told, seen: dict[str, int], most: int, ends: Ends
) -> bool:
    """Read up to `most` messages; whether that was all there is."""
    for _ in range(most):
        if ends.done() and all(seen[name] >= end for name, end in ends.result().items()):
            return True
        data = bytes(await asyncio.wait_for(client.recv(decode=False), 60))
        kind, name = one(_TYPE, data), one(_ACCOUNT, data).decode()
        sequence = int(_SEQUENCE.findall(data)[-1])
        if kind == b"ORDER_EXEC_REPORT_UPDATE":
            assert sequence not in told[name]
            told[name][sequence] = data
        if kind.endswith(b"_UPDATE") or kind == b"POSITION_SNAPSHOT":
            assert sequence >= seen[name]
            seen[name] = sequence
    return False


def one(pattern: re.Pattern[bytes], data: bytes) -> bytes:
    found = pattern.search(data)
    assert found is not None, data
    return found[1]
