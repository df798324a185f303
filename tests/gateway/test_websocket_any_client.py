"""Whatever a client's connection does: joined over its reconnects, it hears everything once.

Under virtual time, on the event loop of the seeded world: no second passes here.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.core.exact import use_exact_decimals
from fairlead.gateway.feed import FeedSettings
from fairlead.gateway.websocket.client import Client
from fairlead.simulation.loop import VirtualLoop
from tests.gateway.websocket_world import Socket, World

ACCOUNTS = ("SIM", "SIM/ALICE")
RESUME_MOST = 40


class Trader:
    """A client that keeps what it is told, and comes back with it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen: dict[str, int] = {}
        self.orders: dict[str, list[int]] = {name: [] for name in ACCOUNTS}
        self.restarts: dict[str, int] = {}  # the sequence as of which an account began anew
        self.balances: dict[str, int] = {}
        self.connect()

    def connect(self) -> None:
        self.socket = Socket()
        self._read = 0
        self.client = Client(self.world.hub, self.socket, self.seen)
        self.client.start()

    def reconnect(self) -> None:
        self.listen()
        self.client.ended("lost")
        self.connect()

    def listen(self) -> None:
        """Take what has come."""
        messages = self.socket.messages
        for message in messages[self._read :]:
            self._hear(message, message["exchange_id"], message["sequence"])
        self._read = len(messages)

    def _hear(self, message: dict[str, Any], name: str, sequence: int) -> None:
        match message["type"]:
            case "ORDER_EXEC_REPORT_SNAPSHOT":
                assert message["resumed"] is False
                self.orders[name].clear()
                self.restarts[name] = sequence
            case "ORDER_EXEC_REPORT_UPDATE":
                self.orders[name].append(sequence)
            case "BALANCE_SNAPSHOT":
                self.balances[name] = message["data"][0]["balance"] if message["data"] else 0
            case "BALANCE_UPDATE":
                self.balances[name] = message["balance"]
        if message["type"].endswith("_UPDATE") or message["type"] == "POSITION_SNAPSHOT":
            assert sequence >= self.seen.get(name, 0)
            self.seen[name] = sequence


STEPS: dict[str, Callable[[World, Trader, int], None]] = {
    "reports": lambda world, _, n: world.release(ACCOUNTS[n % 2], n),
    "balance": lambda world, _, n: world.release_balance(ACCOUNTS[n % 2], n),
    "drop": lambda _, trader, __: trader.reconnect(),
    "stuck": lambda _, trader, __: setattr(trader.socket, "is_writable", False),
    "narrow": lambda _, trader, __: setattr(trader.socket, "is_narrow", True),
    "free": lambda _, trader, __: _free(trader),
}


def _free(trader: Trader) -> None:
    trader.socket.is_writable = True
    trader.client.writable()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([*STEPS, "wait", "wait", "reports", "drop"]), st.integers(1, 12)),
        min_size=20,
        max_size=80,
    ),
    st.integers(1, 6),
)
def test_every_order_report_comes_once_and_the_last_balance_is_known(
    steps: list[tuple[str, int]], ring: int
) -> None:
    use_exact_decimals()
    errors: list[str] = []
    loop = VirtualLoop(lambda message, error: errors.append(f"{message} {error!r}"))
    loop.run(_live(steps, ring))
    assert errors == []


async def _live(steps: list[tuple[str, int]], ring: int) -> None:
    feed = FeedSettings(ring_reports=ring, wake_most=1)
    world = World(feed, resume_reports_max=RESUME_MOST, server_info_ms=1_000)
    world.accounts = dict.fromkeys(ACCOUNTS, 0)
    trader = Trader(world)
    ordered: dict[str, list[int]] = {name: [] for name in ACCOUNTS}
    totals = dict.fromkeys(ACCOUNTS, 0)
    for step, number in steps:
        before = dict(world.accounts)
        if step == "wait":
            await asyncio.sleep(number / 20)
        else:
            STEPS[step](world, trader, number)
        name = ACCOUNTS[number % 2]
        if step == "reports":
            ordered[name] += range((before[name] or 0) + 1, (world.accounts[name] or 0) + 1)
        elif step == "balance":
            totals[name] = number
        trader.listen()
    trader.socket.is_narrow = False
    _free(trader)
    await asyncio.sleep(3)
    for name in ACCOUNTS * 2:  # and it goes on by itself
        world.release(name)
        ordered[name].append(world.accounts[name] or 0)
        await asyncio.sleep(1)
    trader.listen()
    assert trader.seen == world.accounts
    for name in ACCOUNTS:
        began = trader.restarts[name]
        assert trader.orders[name] == [each for each in ordered[name] if each > began]
        assert trader.balances[name] == totals[name]
    trader.client.ended("left")
    assert world.feed.subscribers == 0
