"""Clients that trade without pause, and remember everything they were told.

Each trader sends one order after another of mixed kinds, cancels some, and repeats a request under
the same client id after every failure until it is answered. What an answer said is kept in `Seen`;
no answer may ever be taken back, whatever is killed meanwhile.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import NamedTuple

from tests.system import Answer, Json, encoded, from_now, order

ORDER_DEADLINE_S = 120.0  # an order must have its answer by then, through any number of kills
RETRY_S = 0.02  # between two tries while the account cannot take orders, or the order is in doubt
OPEN_MOST = 4  # resting orders of one trader

SYMBOLS = {
    "SIM_SPOT_BTC_USDT": (Decimal("0.01"), Decimal("0.000001"), Decimal("0.002")),
    "SIM_SPOT_ETH_USDT": (Decimal("0.01"), Decimal("0.0001"), Decimal("0.05")),
}

Key = tuple[str, str]  # account, client id


class Told(NamedTuple):
    """What one report said, as far as it may never be taken back."""

    sequence: int
    status: str
    amount_filled: Decimal
    exchange_order_id: str | None
    history: tuple[tuple[str, str], ...]
    trade_ids: tuple[str, ...]

    @property
    def changed_ns(self) -> int:
        """When the status changed last, UTC ns."""
        seconds, _, fraction = self.history[-1][1].removesuffix("Z").partition(".")
        moment = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
        return int(moment.timestamp()) * 10**9 + int(fraction) * 100


class Sent(NamedTuple):
    """An order without an answer: since when (UTC ns), and its body."""

    since_ns: int
    body: Mapping[str, object]


class Seen:
    """Everything the clients know: reports by order, and the orders they still wait for."""

    def __init__(self) -> None:
        self.reports: dict[Key, dict[int, Told]] = {}
        self.recent: set[Key] = set()  # told something since whoever looks last looked
        self.in_flight: dict[Key, Sent] = {}
        self.answered = 0
        self.doubted = 0
        self.retried = 0

    def note(self, report: Json) -> Told:
        """Keep what a report said; it must agree with what was said before."""
        key = (report["exchange_id"], report["client_order_id"])
        told = Told(
            report["sequence"],
            report["status"],
            Decimal(report["amount_filled"]),
            report["exchange_order_id"],
            tuple((status, at) for status, at in report["status_history"]),
            tuple(fill["trade_id"] for fill in report["fills"]),
        )
        reports = self.reports.setdefault(key, {})
        same = reports.setdefault(told.sequence, told)
        assert same == told, f"{key}: two reports of one sequence: {same} and {told}"
        for other in (max(reports), min(reports)):
            check_goes_on(key, reports[other], told)
        self.recent.add(key)
        return told

    def newest(self, key: Key) -> Told:
        """The last report that anybody saw of an order."""
        reports = self.reports[key]
        return reports[max(reports)]


def check_goes_on(key: Key, one: Told, other: Told) -> None:
    """Of two reports on one order the later one must continue the earlier one."""
    earlier, later = sorted((one, other), key=lambda told: told.sequence)
    assert later.history[: len(earlier.history)] == earlier.history, (key, earlier, later)
    assert later.trade_ids[: len(earlier.trade_ids)] == earlier.trade_ids, (key, earlier, later)
    assert later.amount_filled >= earlier.amount_filled, (key, earlier, later)
    if earlier.exchange_order_id is not None:
        assert later.exchange_order_id == earlier.exchange_order_id, (key, earlier, later)


class Lost(Exception):
    """No answer came; what became of the request is not known."""


class Wire:
    """One HTTP connection of one trader, made anew after every failure."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Send one request once. Raises Lost."""
        address = self._load.address
        if address is None:
            raise Lost("nothing serves")
        self._load.asking += 1
        try:
            if self._connection is None:
                self._connection = await asyncio.open_connection(*address)
            reader, writer = self._connection
            head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
            if body:
                head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"\r\n" + body)
            return await _read_answer(reader)
        except (OSError, asyncio.IncompleteReadError) as error:
            await self.close()
            raise Lost(str(error)) from error
        finally:
            self._load.asking -= 1

    async def close(self) -> None:
        if self._connection is not None:
            _, writer = self._connection
            self._connection = None
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in head[1:-2]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    body = await reader.readexactly(int(headers["content-length"]))
    return Answer(int(head[0].split()[1]), headers, body)


class Load:
    """The traders. `address` says where the system is now, None while nothing serves."""

    def __init__(self, seed: int, traders: int, accounts: list[str]) -> None:
        self.seen = Seen()
        self.address: tuple[str, int] | None = None
        self.asking = (
            0  # requests on their way: after a kill none, once all is read that was answered
        )
        self.prices: dict[str, Decimal] = {}
        self.may_begin = asyncio.Event()  # cleared: traders finish what they have begun
        self._busy = 0
        self._idle = asyncio.Event()
        self._seed = seed
        self._traders = traders
        self._accounts = accounts
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self.may_begin.set()
        self._tasks = [
            asyncio.create_task(self._trade(number), name=f"trader {number}")
            for number in range(self._traders)
        ]

    async def stop(self) -> None:
        """End all traders at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def pause(self) -> None:
        """Let every trader finish what it has begun; nothing is in flight then."""
        self.may_begin.clear()
        while self._busy:
            self.check()
            self._idle.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), 1.0)
        self.check()
        assert not self.seen.in_flight

    def resume(self) -> None:
        self.may_begin.set()

    def check(self) -> None:
        """Raise what ended a trader, if anything did."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    # ── one trader ───────────────────────────────────────────────────────────────────────────────

    async def _trade(self, number: int) -> None:
        trader = Trader(self, Random(f"{self._seed}/{number}"), self._accounts, number)
        try:
            while True:
                await self.may_begin.wait()
                self._busy += 1
                try:
                    await trader.act()
                finally:
                    self._busy -= 1
                    if not self._busy:
                        self._idle.set()
        finally:
            await trader.close()


class Trader:
    """One client: places, repeats, cancels, asks."""

    def __init__(self, load: Load, random: Random, accounts: list[str], number: int) -> None:
        self._load = load
        self._seen = load.seen
        self._random = random
        self._accounts = accounts
        self._number = number
        self._count = 0
        self._open: list[Key] = []
        self._wires = [Wire(load), Wire(load)]

    async def close(self) -> None:
        for wire in self._wires:
            await wire.close()

    async def act(self) -> None:
        """Do one thing, to its end."""
        if len(self._open) >= OPEN_MOST or (self._open and self._random.random() < 0.25):
            await self._cancel(self._open.pop(self._random.randrange(len(self._open))))
            return
        if self._random.random() < 0.005:
            await self._cancel_all()
            return
        body = self._draw()
        key = (str(body["exchange_id"]), str(body["client_order_id"]))
        told = await self._place(key, body)
        if told is not None and told.status not in ("FILLED", "CANCELED", "REJECTED"):
            self._open.append(key)

    def _draw(self) -> dict[str, object]:
        """Draw an order: most near the market, some far off, of every kind."""
        random = self._random
        self._count += 1
        symbol = random.choice(list(SYMBOLS))
        tick, step, typical = SYMBOLS[symbol]
        side = random.choice(("BUY", "SELL"))
        eagerness = Decimal(random.choice((-500, -50, -10, 0, 5, 10, 20))) / 10_000
        sign = 1 if side == "BUY" else -1
        price = self._load.prices[symbol] * (1 + sign * eagerness) // tick * tick
        amount = typical * random.randint(1, 12) // step * step
        kind = random.choice(("GTC",) * 5 + ("IOC", "FOK", "POST", "OMS", "EXCHANGE"))
        changes: dict[str, object] = {}
        if kind in ("OMS", "EXCHANGE"):
            changes["time_in_force"] = f"GOOD_TILL_TIME_{kind}"
            changes["expire_time"] = from_now(random.uniform(0.5, 5))
        elif kind in ("IOC", "FOK"):
            changes["time_in_force"] = "IMMEDIATE_OR_CANCEL" if kind == "IOC" else "FILL_OR_KILL"
        elif kind == "POST":
            changes["exec_inst"] = ["MAKER_OR_CANCEL"]
        return order(
            f"t{self._number}-{self._count}",
            exchange_id=random.choice(self._accounts),
            symbol_id_coinapi=symbol,
            side=side,
            price=price,
            amount_order=amount,
            **changes,
        )

    async def _place(self, key: Key, body: dict[str, object]) -> Told | None:
        """Have one order placed, however often that must be asked; now and then twice at once.

        None if nobody took it before its own time had passed.
        """
        self._seen.in_flight[key] = Sent(time.time_ns(), body)
        sent = encoded(body)
        if self._random.random() < 0.05:
            first, second = await asyncio.gather(
                *(self._until_answered(wire, "/v1/orders", sent) for wire in self._wires)
            )
            assert first.status == second.status, (key, first, second)
            if first.status == 200:
                self._seen.note(second.json)
            answer = first
        else:
            answer = await self._until_answered(self._wires[0], "/v1/orders", sent)
        del self._seen.in_flight[key]
        if answer.status == 400:
            assert key not in self._seen.reports
            return None
        self._seen.answered += 1
        return self._seen.note(answer.json)

    async def _cancel(self, key: Key) -> None:
        told = self._seen.newest(key)
        body = {"exchange_id": key[0]}
        if told.exchange_order_id is not None and self._random.random() < 0.5:
            body["exchange_order_id"] = told.exchange_order_id
        else:
            body["client_order_id"] = key[1]
        answer = await self._until_answered(self._wires[0], "/v1/orders/cancel", encoded(body))
        self._seen.note(answer.json)
        if self._random.random() < 0.3:
            with suppress(Lost):
                path = f"/v1/orders/status/{key[1]}?exchange_id={key[0]}"
                asked = await self._wires[0].request("GET", path)
                if asked.status == 200:
                    self._seen.note(asked.json)

    async def _cancel_all(self) -> None:
        body = encoded({"exchange_id": self._random.choice(self._accounts)})
        with suppress(Lost):
            answer = await self._wires[0].request("POST", "/v1/orders/cancel/all", body)
            assert answer.status in (200, 503), answer

    async def _until_answered(self, wire: Wire, path: str, body: bytes) -> Answer:
        """Repeat a request until it is done or too late; any other refusal is wrong."""
        deadline = time.monotonic() + ORDER_DEADLINE_S
        while True:
            try:
                answer = await wire.request("POST", path, body)
            except Lost:
                pass
            else:
                if answer.status == 200 or _is_expired(answer):
                    return answer
                assert answer.status in (490, 503, 504), (path, body, answer)
                self._seen.doubted += answer.status == 504
            self._seen.retried += 1
            assert time.monotonic() < deadline, f"no answer within {ORDER_DEADLINE_S} s: {body!r}"
            await asyncio.sleep(RETRY_S)


def _is_expired(answer: Answer) -> bool:
    """Whether an order that is not known yet was refused because its time has passed."""
    return answer.status == 400 and list(answer.json["errors_by_field"]) == ["expire_time"]
