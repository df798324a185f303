"""The operator's API for perpetuals, over a real socket."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fairlead.core.model import Side, TimeInForce
from fairlead.venues.sim_messages import Ping, Place, PositionsChanged
from tests.exchange.pit import BUY, PERP, SELL, SETTINGS
from tests.exchange.test_operator import Served, served

D = Decimal
SYMBOL = "SIM_PERP_BTC_USDT"


async def place(world: Served, client_id: str, side: Side, price: str, quantity: str) -> None:
    ticket = Place(
        50, world._now_ns(), client_id, PERP, side, D(price), D(quantity),
        TimeInForce.GOOD_TILL_CANCEL, False, None,
    )  # fmt: skip
    await world.ask(ticket)


async def opened(alice: Served) -> None:
    """Let alice be long 0.5 at 40,000 against bob, with another order open."""
    bob = Served(alice.endpoint)
    await alice.log_in("alice")
    await bob.log_in("bob")
    await alice.post("/operator/mark", {"symbol": SYMBOL, "price": 40000})
    await place(bob, "b", SELL, "40000", "0.5")
    await place(alice, "a", BUY, "40000", "0.5")
    await place(alice, "a2", BUY, "39000", "0.1")
    bob.writer.close()
    await bob.writer.wait_closed()


async def heard(world: Served) -> PositionsChanged:
    """Return the change of positions that the stream has told, or tells now."""
    told = await world.ask(Ping(51, world._now_ns()))
    return next(each for each in told if isinstance(each, PositionsChanged))


def with_perpetual(folder: Path, body: Any) -> None:
    served(folder, body, settings=SETTINGS)


def test_balances_show_the_margins_and_positions_are_listed(tmp_path: Path) -> None:
    async def body(world: Served) -> None:
        assert await world.get("/operator/positions") == {"positions": [], "next": None}
        await opened(world)
        (account,) = (await world.get("/operator/balances?account=alice"))["accounts"]
        usdt = next(each for each in account["balances"] if each["asset"] == "USDT")
        assert (usdt["locked"], usdt["order_margin"], usdt["position_margin"]) == (2390, 390, 2000)
        (position,) = (await world.get("/operator/positions?account=alice"))["positions"]
        assert position == {
            "account": "alice",
            "is_house": False,
            "symbol": PERP,
            "side": "BUY",
            "quantity": D("0.5"),
            "entry_price": 40000,
            "mark_price": 40000,
            "unrealized": 0,
            "leverage": 10,
            "is_cross": True,
            "liquidation_price": None,
            "order_margin": 390,
            "position_margin": 2000,
        }
        first = await world.get("/operator/positions?limit=1")
        second = await world.get(f"/operator/positions?limit=1&after={first['next']}")
        names = [each["account"] for each in first["positions"] + second["positions"]]
        assert sorted(names) == ["alice", "bob"]

    with_perpetual(tmp_path, body)


def test_a_mark_is_set_and_cleared(tmp_path: Path) -> None:
    async def body(world: Served) -> None:
        row = await world.post("/operator/mark", {"symbol": SYMBOL, "price": 40000})
        assert (row["symbol_exchange"], row["mark"], row["is_mark_set"]) == (PERP, 40000, True)
        await world.log_in("alice")
        await place(world, "a", BUY, "39000", "0.1")
        await place(world, "b", SELL, "39100", "0.1")
        row = await world.post("/operator/mark", {"symbol": PERP, "price": None})
        assert (row["mark"], row["is_mark_set"], row["index"]) == (39050, False, None)
        (listed,) = (await world.get("/operator/funding"))["markets"]
        assert listed == row
        assert listed["rate"] == 0
        assert listed["next_time_ns"] % (8 * 3600 * 10**9) == 0

    with_perpetual(tmp_path, body)


def test_setting_a_mark_liquidates_before_it_is_answered(tmp_path: Path) -> None:
    async def body(world: Served) -> None:
        await opened(world)
        await world.post(
            "/operator/balances", {"account": "alice", "asset": "USDT", "change": -9_997_590}
        )
        await world.post("/operator/mark", {"symbol": SYMBOL, "price": 35000})
        assert (await world.get("/operator/positions"))["positions"] == []
        orders = (await world.get("/operator/orders?account=alice"))["orders"]
        assert [(each["origin"], each["state"]) for each in orders] == [
            ("CLIENT", "FILLED"),
            ("CLIENT", "CANCELED"),
            ("LIQUIDATION", "FILLED"),
        ]
        forced = (await world.get("/operator/orders?account=bob"))["orders"][-1]
        assert (forced["origin"], forced["client_id"][:4]) == ("DELEVERAGING", "adl-")
        fills = (await world.get("/operator/fills?account=bob"))["fills"]
        assert fills[-1]["realized"] > 0

    with_perpetual(tmp_path, body)


def test_funding_is_paid_on_command(tmp_path: Path) -> None:
    async def body(world: Served) -> None:
        await opened(world)
        row = await world.post("/operator/funding", {"symbol": SYMBOL, "rate": 0.001})
        assert row["paid"] == D("0.001")
        event = await heard(world)
        assert event.positions[0].quantity == D("0.5")
        assert event.balances[0].total == 10_000_000 - 20 - 20
        assert (await world.post("/operator/funding", {"symbol": SYMBOL}))["paid"] == 0

    with_perpetual(tmp_path, body)


def test_leverage_is_set_as_far_as_the_balance_reaches(tmp_path: Path) -> None:
    async def body(world: Served) -> None:
        await opened(world)
        command = {"account": "alice", "symbol": SYMBOL, "leverage": 5}
        row = await world.post("/operator/leverage", command)
        assert (row["leverage"], row["position_margin"], row["order_margin"]) == (5, 4000, 780)
        event = await heard(world)
        assert event.positions[0].leverage == 5
        await world.post(
            "/operator/balances", {"account": "alice", "asset": "USDT", "change": -9_990_000}
        )
        status, answer = await world.call("POST", "/operator/leverage", command | {"leverage": 2})
        assert (status, answer["field"]) == (409, "leverage")
        assert "it would lock 7170.00000000 USDT more than is available" in answer["message"]

    with_perpetual(tmp_path, body)


@pytest.mark.parametrize(
    ("path", "content", "status", "field"),
    [
        ("mark", {"symbol": "BTC/USDT", "price": 1}, 400, "symbol"),
        ("mark", {"symbol": "X", "price": 1}, 400, "symbol"),
        ("mark", {"symbol": PERP}, 400, "price"),
        ("mark", {"symbol": PERP, "price": 0}, 400, "price"),
        ("mark", {"symbol": PERP, "price": "much"}, 400, "price"),
        ("mark", {"symbol": PERP, "price": 1, "for": 2}, 400, "for"),
        ("funding", {"symbol": PERP}, 409, "symbol"),
        ("funding", {"symbol": PERP, "rate": 2}, 400, "rate"),
        ("leverage", {"account": "nobody", "symbol": PERP, "leverage": 1}, 404, "account"),
        ("leverage", {"account": "house:fees", "symbol": PERP, "leverage": 51}, 400, "leverage"),
        ("leverage", {"account": "house:fees", "symbol": PERP, "leverage": 0.5}, 400, "leverage"),
    ],
)
def test_a_wrong_command_is_refused_by_its_field(
    tmp_path: Path, path: str, content: object, status: int, field: str
) -> None:
    async def body(world: Served) -> None:
        answered, answer = await world.call("POST", f"/operator/{path}", content)
        assert (answered, answer["field"]) == (status, field)

    with_perpetual(tmp_path, body)
