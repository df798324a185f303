"""The operator's API over a real socket, from the entry that `fairlead exchange` calls."""

import asyncio
import http.client
import json
import time
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import Side, TimeInForce
from fairlead.exchange.build import Setup
from fairlead.exchange.serve import ENDPOINT_FILE, Endpoint, serve
from fairlead.exchange.store_file import FILE_NAME, StoreError
from fairlead.venues.sim_messages import (
    BalancesChanged,
    Execution,
    Login,
    Place,
    exchange_messages,
    frame,
)
from tests.system import exact

GTC = TimeInForce.GOOD_TILL_CANCEL
TRADES = "timestamp,trade_id,price,quantity,buyer_maker\n"


class Served:
    """A served exchange, a client's socket and an operator's."""

    def __init__(self, endpoint: dict[str, Any]) -> None:
        self.endpoint = endpoint
        self.operator = endpoint["operator_url"].removeprefix("http://")
        self._reader = exchange_messages()

    async def call(
        self, method: str, path: str, content: object = None, raw: bytes | None = None
    ) -> tuple[int, Any]:
        return await asyncio.to_thread(self._call, method, path, content, raw)

    async def get(self, path: str) -> Any:
        status, answer = await self.call("GET", path)
        assert status == 200, answer
        return answer

    async def post(self, path: str, content: object) -> Any:
        status, answer = await self.call("POST", path, content)
        assert status in (200, 201), answer
        return answer

    def _call(self, method: str, path: str, content: object, raw: bytes | None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.operator, timeout=20)
        try:
            body = raw if raw is not None else None if content is None else json.dumps(content)
            connection.request(method, path, body)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, exact(text)
        finally:
            connection.close()

    async def log_in(self, name: str) -> None:
        host, port = self.endpoint["url"].removeprefix("tcp://").split(":")
        self.reader, self.writer = await asyncio.open_connection(host, int(port))
        await self.ask(Login(1, self._now_ns(), name, "secret"))

    async def ask(self, *messages: Any) -> list[Any]:
        """Send and return what comes with the last answer."""
        self.writer.write(b"".join(frame(message) for message in messages))
        return await self.hear(lambda heard: heard.request_id == messages[-1].request_id)

    async def hear(self, until: Callable[[Any], bool]) -> list[Any]:
        heard: list[Any] = []
        while not any(until(each) for each in heard if hasattr(each, "request_id")):
            heard += self._reader.feed(await asyncio.wait_for(self.reader.read(65536), 60))
        return heard

    async def place(self, *orders: tuple[str, Side, str, str]) -> list[Any]:
        return await self.ask(
            *(
                Place(
                    100 + index,
                    self._now_ns(),
                    client_id,
                    "BTC/USDT",
                    side,
                    Decimal(price),
                    Decimal(quantity),
                    GTC,
                    False,
                    None,
                )
                for index, (client_id, side, price, quantity) in enumerate(orders)
            )
        )

    def _now_ns(self) -> int:
        return time.time_ns()


def served(folder: Path, body: Callable[[Served], Coroutine[Any, Any, None]], **setup: Any) -> None:
    async def whole() -> None:
        use_exact_decimals()
        stop = asyncio.Event()
        endpoint: asyncio.Future[Endpoint] = asyncio.get_running_loop().create_future()
        here = ("127.0.0.1", 0)
        task = asyncio.create_task(
            serve(
                Setup(folder=folder, **({"participants": False} | setup)),
                here,
                here,
                stop=stop,
                started=endpoint.set_result,
            )
        )
        try:
            await asyncio.wait((task, endpoint), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            world = Served(json.loads((folder / ENDPOINT_FILE).read_text()))
            assert world.endpoint == msgspec.structs.asdict(endpoint.result())
            await body(world)
            if hasattr(world, "writer"):
                world.writer.close()
                await world.writer.wait_closed()
        finally:
            stop.set()
            await task

    asyncio.run(whole())


def test_it_states_orders_fills_and_balances_as_they_are(tmp_path: Path) -> None:
    async def body(world: Served) -> None:
        await world.log_in("alice")
        await world.place(*((f"a{n}", Side.SELL, "100", "1.5") for n in range(3)))
        bob = Served(world.endpoint)
        await bob.log_in("bob")
        await bob.place(("b", Side.BUY, "100", "2"), ("rest", Side.BUY, "90.5", "1"))
        orders = (await world.get("/operator/orders"))["orders"]
        assert [(o["account"], o["client_id"], o["state"], o["filled"]) for o in orders] == [
            ("alice", "a0", "FILLED", Decimal("1.5")),
            ("alice", "a1", "OPEN", Decimal("0.5")),
            ("alice", "a2", "OPEN", 0),
            ("bob", "b", "FILLED", 2),
            ("bob", "rest", "OPEN", 0),
        ]
        fills = (await world.get("/operator/fills"))["fills"]
        assert [(f["account"], f["ordinal"], f["quantity"], f["fee"]) for f in fills] == [
            ("alice", 1, Decimal("1.5"), Decimal("0.12")),
            ("alice", 2, Decimal("0.5"), Decimal("0.04")),
            ("bob", 1, Decimal("1.5"), Decimal("0.0015")),
            ("bob", 2, Decimal("0.5"), Decimal("0.0005")),
        ]
        answer = await world.get("/operator/balances?account=bob")
        (account,) = answer["accounts"]
        assert (account["event"], account["fills"]) == (3, 2)
        held = {each["asset"]: each for each in account["balances"]}
        assert held["USDT"]["total"] == 10_000_000 - 200
        assert held["USDT"]["locked"] == Decimal("90.5")
        assert held["BTC"]["total"] == Decimal("101.998")
        everyone = (await world.get("/operator/balances"))["accounts"]
        assert sum(b["total"] for a in everyone for b in a["balances"] if b["asset"] == "BTC") == 0
        health = await world.get("/operator/health")
        assert (health["status"], health["orders"], health["orders_open"]) == ("up", 5, 3)
        bob.writer.close()
        await bob.writer.wait_closed()

    served(tmp_path, body)


def test_no_number_is_in_exponent_form(tmp_path: Path) -> None:
    async def body(world: Served) -> None:
        await world.log_in("alice")
        await world.place(("a", Side.SELL, "100", "0.00000001"))
        lever = {"account": "alice", "asset": "BTC", "change": "0.00000001"}
        await world.post("/operator/balances", lever)
        await world.post("/operator/balances", lever | {"change": "-0.00000001"})
        await world.get("/operator/balances")  # every answer is looked at as it is read
        await world.get("/operator/instruments")
        status, answer = await world.call("POST", "/operator/balances", lever | {"change": "-1E+9"})
        assert (status, answer["value"]) == (409, -1_000_000_000)
        assert "E" not in answer["message"].replace("BTC", "")

    served(tmp_path, body)


def test_lists_are_paged_filtered_and_streamed_whole(tmp_path: Path) -> None:
    async def body(world: Served) -> None:
        await world.log_in("alice")
        for start in range(0, 1200, 300):
            orders = ((f"a{n}", Side.SELL, "100", "0.05") for n in range(start, start + 300))
            await world.place(*orders)
        whole = await world.get("/operator/orders")
        assert len(whole["orders"]) == 1200
        assert whole["next"] is None
        paged: list[Any] = []
        after = "0"
        while after is not None:
            page = await world.get(f"/operator/orders?limit=500&after={after}")
            paged += page["orders"]
            after = page["next"]
        assert paged == whole["orders"]
        tail = await world.get("/operator/orders?after=1195")
        assert [o["client_id"] for o in tail["orders"]] == [f"a{n}" for n in range(1195, 1200)]
        one = await world.get("/operator/orders?client_id=a7&account=alice")
        assert [o["exchange_order_id"] for o in one["orders"]] == ["8"]
        assert (await world.get("/operator/orders?state=FILLED"))["orders"] == []
        assert (await world.get("/operator/orders?client_id=none"))["orders"] == []
        first = await world.get("/operator/balances?limit=1")
        second = await world.get(f"/operator/balances?limit=1&after={first['next']}")
        assert first["accounts"] != second["accounts"]

    served(tmp_path, body)


def test_levers_move_what_they_say(tmp_path: Path) -> None:
    async def body(world: Served) -> None:
        await world.log_in("alice")
        adjusted = await world.post(
            "/operator/balances", {"account": "alice", "asset": "BTC", "change": -50}
        )
        assert {b["asset"]: b["total"] for b in adjusted["balances"]}["BTC"] == 50
        told = world._reader.feed(await world.reader.read(65536))
        assert isinstance(told[0], BalancesChanged)
        changed = await world.call(
            "POST", "/operator/instruments", raw=b'{"symbol":"SIM_SPOT_BTC_USDT","price_tick":0.5}'
        )
        assert changed[1]["instruments"][0]["price_tick"] == Decimal("0.5")
        listed = await world.get("/operator/instruments")
        assert listed == changed[1]

    served(tmp_path, body)


def test_faults_are_commanded_listed_and_ended(tmp_path: Path) -> None:
    async def body(world: Served) -> None:
        await world.log_in("alice")
        status, fault = await world.call(
            "POST",
            "/operator/faults",
            {"name": "stream_dropped", "account": "alice", "count": None},
        )
        assert status == 201
        assert (fault["fault_id"], fault["left"]) == (1, None)
        heard = await world.place(("a", Side.SELL, "100", "1"))
        assert not any(isinstance(each, Execution) for each in heard)
        listed = await world.get("/operator/faults")
        assert [(each["name"], each["times"]) for each in listed["faults"]] == [
            ("stream_dropped", 1)
        ]
        assert len(listed["kinds"]) == 23
        assert await world.call("DELETE", "/operator/faults/1") == (200, {"fault_id": 1})
        assert (await world.call("DELETE", "/operator/faults/1"))[0] == 404
        await world.post("/operator/faults", {"name": "answer_lost"})
        assert await world.call("DELETE", "/operator/faults") == (200, {"faults": []})
        assert (await world.get("/operator/faults"))["faults"] == []

    served(tmp_path, body)


def test_a_tape_is_stepped_and_its_consequences_are_released_first(tmp_path: Path) -> None:
    tape = tmp_path / "btcusdt-trades.csv"
    lines = [f"2021-01-08T00:00:0{n}.000Z,{n + 1},100.00,0.5,True\n" for n in range(6)]
    tape.write_text(TRADES + "".join(lines))

    async def body(world: Served) -> None:
        await world.log_in("alice")
        await world.place(("a", Side.BUY, "101", "1.25"))
        assert (await world.get("/operator/tape"))["event"] == 0
        position = await world.post("/operator/tape/advance", {"events": 2})
        assert (position["event"], position["is_at_end"]) == (2, False)
        fills = (await world.get("/operator/fills"))["fills"]
        assert [f["quantity"] for f in fills] == [Decimal("0.5")] * 2
        position = await world.post("/operator/tape/advance", {"to_event": 3})
        assert position["event"] == 3
        position = await world.post("/operator/tape/advance", {"to_time_ns": 2**62})
        assert (position["event"], position["is_at_end"]) == (6, True)
        (order,) = (await world.get("/operator/orders"))["orders"]
        assert order["state"] == "FILLED"
        for wrong in ({}, {"events": 1, "to_event": 2}, {"events": -1}, {"events": "x"}):
            assert (await world.call("POST", "/operator/tape/advance", wrong))[0] == 400

    served(tmp_path, body, market_tape=(str(tape),))


def write_book(path: Path) -> Path:
    """Write three messages of XRP/USDT a second apart; the third comes after a gap."""
    said = [
        ("snapshot", 1, [["1.95", "10"]], [["1.96", "7"], ["1.97", "9"]]),
        ("delta", 2, [["1.96", "5"]], []),
        ("delta", 4, [], [["1.98", "1"]]),
    ]
    path.write_text(
        "".join(
            json.dumps(
                {
                    "topic": "orderbook.500.XRPUSDT",
                    "type": kind,
                    "ts": 1_000 * number,
                    "data": {"s": "XRPUSDT", "b": bids, "a": asks, "u": number, "seq": number},
                }
            )
            + "\n"
            for kind, number, bids, asks in said
        )
    )
    return path


def test_a_recorded_book_is_stepped_and_its_gaps_are_told(tmp_path: Path) -> None:
    tape = write_book(tmp_path / "book.jsonl")

    async def body(world: Served) -> None:
        await world.post("/operator/tape/advance", {"events": 2})
        told = await world.get("/operator/tape")
        assert told == {
            "event": 2, "time_ns": 2_000_000_000, "is_at_end": False, "gaps": 0, "newest_gap": None,
            "stale_levels": 1,
        }  # fmt: skip
        quote = next(
            each
            for each in (await world.get("/operator/quotes"))["quotes"]
            if each["symbol"] == "SIM_SPOT_XRP_USDT"
        )
        assert [Decimal(quote[name]) for name in ("bid", "bid_size", "ask", "ask_size")] == [
            Decimal("1.96"), 5, Decimal("1.97"), 9,
        ]  # fmt: skip
        told = await world.post("/operator/tape/advance", {"events": 1})
        assert (told["event"], told["is_at_end"], told["gaps"]) == (3, True, 1)
        assert told["newest_gap"] == (
            f"{tape} line 3: update 4 of XRP/USDT does not follow 2, the newest before it"
        )

    served(tmp_path, body, market_tape=(str(tape),))


def test_a_recorded_book_is_played_faster_than_it_was(tmp_path: Path) -> None:
    tape = write_book(tmp_path / "book.jsonl")

    async def body(world: Served) -> None:
        began_ns = time.monotonic_ns()
        while not (told := await world.get("/operator/tape"))["is_at_end"]:
            assert time.monotonic_ns() - began_ns < 60 * 10**9
        assert (told["event"], told["time_ns"]) == (3, 4_000_000_000)
        assert (await world.call("POST", "/operator/tape/advance", {"events": 1}))[0] == 409

    served(tmp_path, body, market_tape=(str(tape),), tape_speed=Decimal(30))


def test_what_a_tape_misses_is_said_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tape = tmp_path / "depth.csv"
    tape.write_text(
        "symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu\n"
        "BTCUSDT,1,5,5,b,set,100,1,4\n"
    )

    async def body(world: Served) -> None:
        assert (await world.get("/operator/tape"))["event"] == 0

    served(tmp_path, body, market_tape=(str(tape),))
    assert capsys.readouterr().err == (
        f"exchange: the tape has gaps in its books, 1 in all; the first: {tape} line 2: update 5 of"
        " BTC/USDT has no snapshot before it\n"
    )


def test_participants_are_switched(tmp_path: Path) -> None:
    async def body(world: Served) -> None:
        await world.log_in("alice")
        assert (await world.get("/operator/health"))["participants"] is True
        assert await world.post("/operator/participants", {"on": False}) == {"on": False}
        assert (await world.get("/operator/health"))["participants"] is False
        heard = await world.place(("a", Side.BUY, "900000", "0.01"))
        assert all(each.fill is None for each in heard if isinstance(each, Execution))
        assert await world.post("/operator/participants", {"on": True}) == {"on": True}

    served(tmp_path, body, participants=True, seed=3)


BAD_REQUESTS: list[tuple[str, str, object, int, str]] = [
    ("GET", "/operator/orders?limit=0", None, 400, "limit"),
    ("GET", "/operator/orders?limit=1001", None, 400, "limit"),
    ("GET", "/operator/orders?limit=²", None, 400, "limit"),
    ("GET", "/operator/orders?after=x", None, 400, "after"),
    ("GET", "/operator/orders?state=open", None, 400, "state"),
    ("GET", "/operator/orders?nope=1", None, 400, "nope"),
    ("GET", "/operator/orders?account=nobody", None, 404, "account"),
    ("GET", "/operator/fills?after=1-x", None, 400, "after"),
    ("GET", "/operator/balances?after=x", None, 400, "after"),
    ("POST", "/operator/balances", {}, 400, "account"),
    ("POST", "/operator/balances", {"account": 1}, 400, "account"),
    ("POST", "/operator/balances", {"account": "nobody"}, 404, "account"),
    ("POST", "/operator/balances", {"account": "house:fees"}, 400, "asset"),
    (
        "POST",
        "/operator/balances",
        {"account": "house:fees", "asset": "DOGE", "change": 1},
        400,
        "asset",
    ),
    (
        "POST",
        "/operator/balances",
        {"account": "house:fees", "asset": "BTC", "change": "NaN"},
        400,
        "change",
    ),
    (
        "POST",
        "/operator/balances",
        {"account": "house:fees", "asset": "BTC", "change": "1E-400"},
        400,
        "change",
    ),
    (
        "POST",
        "/operator/balances",
        {"account": "house:fees", "asset": "BTC", "change": 1, "x": 1},
        400,
        "x",
    ),
    ("POST", "/operator/instruments", {"symbol": "X", "price_tick": 1}, 400, "symbol"),
    ("POST", "/operator/instruments", {"symbol": "BTC/USDT"}, 400, "price_tick"),
    (
        "POST",
        "/operator/instruments",
        {"symbol": "BTC/USDT", "price_tick": 0},
        400,
        "price_tick",
    ),
    ("POST", "/operator/participants", {"on": 1}, 400, "on"),
    ("POST", "/operator/participants", {"on": True}, 409, "on"),
    ("POST", "/operator/tape/advance", {"events": 1}, 409, "tape"),
    ("GET", "/operator/tape", None, 409, "tape"),
    ("POST", "/operator/faults", {}, 400, "name"),
    ("POST", "/operator/faults", {"name": "bad_hair"}, 400, "name"),
    ("POST", "/operator/faults", {"name": "answer_lost", "count": 0.5}, 400, "count"),
    ("POST", "/operator/faults", {"name": "answer_lost", "count": 0}, 400, "count"),
    ("POST", "/operator/faults", {"name": "answer_lost", "cuont": 1}, 400, "cuont"),
    ("POST", "/operator/faults", {"name": "maintenance", "how": "x"}, 400, "how"),
    ("DELETE", "/operator/faults/x", None, 400, "fault_id"),
    ("GET", "/operator/nowhere", None, 404, ""),
    ("DELETE", "/operator/orders", None, 405, ""),
]


def test_every_bad_request_is_refused_by_field_and_changes_nothing(tmp_path: Path) -> None:
    async def body(world: Served) -> None:
        before = await world.get("/operator/balances")
        for method, path, content, status, field in BAD_REQUESTS:
            got = await world.call(method, path.replace("²", "%C2%B2"), content)
            assert got[0] == status, (path, content, got)
            assert got[1]["field"] == field, (path, content, got)
            assert got[1]["message"]
        for raw in (b"", b"[]", b"{", b"\xff", b'{"name":1' + b" " * 70_000):
            got = await world.call("POST", "/operator/faults", raw=raw)
            assert got[0] in (400, 413), raw
        assert (await world.get("/operator/faults"))["faults"] == []
        assert await world.get("/operator/balances") == before

    served(tmp_path, body)


def test_a_store_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"not a database at all, but long enough" * 100)

    async def never(world: Served) -> None:
        raise AssertionError("it started")

    with pytest.raises(StoreError, match="cannot be used"):
        served(tmp_path, never)
    assert not (tmp_path / "endpoint.json").exists()
