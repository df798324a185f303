"""A day-trader's script against recorded markets: hundreds of orders, twice the same, equal to the exchange.

The tape is stepped between orders; what the script does next depends on the quotes and a seeded
generator alone. The recordings are real (trades and quotes of BTC/USDT, 46 s of 2021-01-08; its book, a
snapshot and an update of 2022-11-01; the book of XRP/USDT, 5 s of 2024-12-01); where they are not there,
and always besides them, synthetic tapes are traded.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.recorded import DEPTH_SNAPSHOT, DEPTH_UPDATES, ORDERBOOK, QUOTES, TRADES, recorded
from tests.system import ACCOUNTS, QUICK, Api, Ems, Json, Operator, running, until, write_config

ORDERS = 500
RICH = {"exchange.starting_balances": {"BTC": 100, "USDT": 10_000_000, "XRP": 1_000_000}}
EVERY_5 = (5,)  # events before each order, over and over
TICK, STEP = Decimal("0.01"), Decimal("0.000001")
FEES = {"MAKER": Decimal("0.0008"), "TAKER": Decimal("0.0010")}
FEE_STEP = Decimal("0.00000001")
KINDS = ("LIMIT",) * 8 + ("POST",) * 4 + ("IOC",) * 4 + ("FOK",) * 4
TIMES_IN_FORCE = {"IOC": "IMMEDIATE_OR_CANCEL", "FOK": "FILL_OR_KILL"}
PUBLIC_KEY = "desk"


class Traded(NamedTuple):
    """What the script trades of a market: `least` to `most` size steps per order."""

    base: str
    tick: Decimal
    step: Decimal
    least: int
    most: int


TRADED = {
    "SIM_SPOT_BTC_USDT": Traded("BTC", TICK, STEP, 1_000, 60_000),
    "SIM_SPOT_XRP_USDT": Traded("XRP", Decimal("0.0001"), Decimal("0.1"), 1_000, 800_000),
}


class Day(NamedTuple):
    """What a run came to. Fills and orders are without times, which differ from run to run."""

    kinds: dict[str, str]
    orders: dict[str, Json]
    fills: list[tuple[object, ...]]
    balances: dict[str, tuple[Decimal, ...]]
    tape: Json


# ── the script ───────────────────────────────────────────────────────────────────────────────────


class Trader:
    """Sends the orders of one day."""

    def __init__(self, api: Api, operator: Operator, random: Random) -> None:
        self._api = api
        self._operator = operator
        self._random = random
        self._prices: dict[str, dict[str, Decimal]] = {symbol: {} for symbol in TRADED}
        self.kinds: dict[str, str] = {}
        self.cancels = 0

    def trade(self, orders: int, steps: Sequence[int]) -> None:
        """Step the tape, look at the quotes, send an order, perhaps cancel one; `orders` times."""
        while not self._quoted():
            self._step(max(steps))
        for number in range(orders):
            self._step(steps[number % len(steps)])
            self._send(number)
            if self._random.random() < 0.3:
                self._cancel(number)

    def _step(self, events: int) -> None:
        """Note the best prices of what comes; a side that was taken whole keeps its last one."""
        self._operator.post("tape/advance", events=events)
        for quote in self._operator.api.wanted("/operator/quotes")["quotes"]:
            if quote["symbol"] in TRADED:
                self._prices[quote["symbol"]].update(
                    {side: Decimal(quote[side]) for side in ("bid", "ask") if quote[side]}
                )

    def _quoted(self) -> list[str]:
        """Return the markets with prices on both sides."""
        return [symbol for symbol, prices in self._prices.items() if len(prices) == 2]

    def _send(self, number: int) -> None:
        random = self._random
        symbol = random.choice(self._quoted())
        traded, prices = TRADED[symbol], self._prices[symbol]
        kind = random.choice(KINDS)
        side = random.choice(("BUY", "SELL"))
        near, far = ("bid", "ask") if side == "BUY" else ("ask", "bid")
        is_crossing = kind in ("IOC", "FOK") or random.random() < 0.3
        base = prices[far if is_crossing else near]
        away = random.choice((0, 1, 5, 100, 500)) * traded.tick
        sign = 1 if (side == "BUY") == is_crossing else -1
        name = f"day-{number}"
        self.kinds[name] = kind
        answer = self._api.place(
            name,
            symbol_id_coinapi=symbol,
            side=side,
            price=base + sign * away,
            amount_order=random.randint(traded.least, traded.most) * traded.step,
            time_in_force=TIMES_IN_FORCE.get(kind, "GOOD_TILL_CANCEL"),
            exec_inst=["MAKER_OR_CANCEL"] if kind == "POST" else None,
        )
        assert answer.status == 200, answer

    def _cancel(self, number: int) -> None:
        """Cancel one of the last orders, whatever has become of it."""
        name = f"day-{self._random.randint(max(0, number - 10), number)}"
        assert self._api.cancel(name).status == 200
        self.cancels += 1


def play(
    folder: Path, tape: Path | tuple[Path, ...], orders: int, steps: Sequence[int] = EVERY_5
) -> Day:
    """Play a whole day on a fresh folder and compare every figure with the exchange's."""
    config = write_config(folder / "config.toml", QUICK | RICH, ACCOUNTS[:1])
    files = (tape,) if isinstance(tape, Path) else tape
    names = ",".join(str(path) for path in files)
    ems = Ems(folder / "data", config, "--market-tape", names, "--market-speed", "stepped")
    with running(ems):
        ems.reconciled()
        operator = ems.operator()
        with closing(ems.api()) as api, closing(operator.api):
            before = {asset: held[0] for asset, held in operator.balances(PUBLIC_KEY).items()}
            trader = Trader(api, operator, Random("a day"))
            trader.trade(orders, steps)
            day = settle(api, operator, trader.kinds)
            check_arithmetic(day, before)
            assert trader.cancels > orders // 5
        assert ems.interrupt() == 0
    return day


def settle(api: Api, operator: Operator, kinds: dict[str, str]) -> Day:
    """Wait until the system has heard all, compare it with the exchange, and return the day."""

    def is_settled() -> bool:
        rows = operator.orders(account=PUBLIC_KEY)
        filled = sum(Decimal(row["filled"]) for row in rows)
        is_open = {row["exchange_order_id"] for row in rows if row["state"] == "OPEN"}
        ours = api.history()
        return (
            sum(Decimal(row["amountFilled"]) for row in ours) == filled
            and {each["exchange_order_id"] for each in api.wanted("/v1/orders")} == is_open
        )

    until(is_settled, "the system has heard all")
    reports = {name: api.status(name).json for name in kinds}
    compare_orders(reports, operator.orders(account=PUBLIC_KEY))
    compare_fills(reports, operator.fills(account=PUBLIC_KEY))
    balances = api.balances()
    assert {
        asset: (row["balance"], row["locked"], row["available"]) for asset, row in balances.items()
    } == {
        asset: (total, locked, total - locked)
        for asset, (total, locked) in operator.balances(PUBLIC_KEY).items()
    }
    return Day(
        kinds,
        {name: without_times(report) for name, report in reports.items()},
        [
            (name, fill["trade_id"], fill["price"], fill["amount"], fill["fee"], fill["fee_asset"],
             fill["liquidity"], report["side"], TRADED[report["symbol_id_coinapi"]].base)
            for name, report in reports.items()
            for fill in report["fills"]
        ],
        {
            asset: tuple(Decimal(row[name]) for name in ("balance", "locked", "traded"))
            for asset, row in balances.items()
        },
        operator.api.wanted("/operator/tape"),
    )  # fmt: skip


def without_times(report: Json) -> Json:
    """Return what of a report must be the same in another run."""
    kept = (
        *("exchange_order_id", "amount_open", "amount_filled", "status", "error_message", "price"),
        *("amount_order", "avg_px", "side", "time_in_force", "exec_inst", "symbol_id_coinapi"),
    )
    return {name: report[name] for name in kept}


# ── the exchange's figures ───────────────────────────────────────────────────────────────────────


def compare_orders(reports: Mapping[str, Json], rows: list[Json]) -> None:
    """Every order the exchange has is ours and says the same, and the other way round."""
    truth = {row["client_id"]: row for row in rows}
    assert len(truth) == len(rows)
    for name, report in reports.items():
        row = truth.pop(report["client_order_id_format_exchange"], None)
        if row is None:
            assert report["status"] == "REJECTED", (name, report)
            continue
        assert report["exchange_order_id"] == row["exchange_order_id"]
        assert Decimal(row["quantity"]) == report["amount_order"]
        assert Decimal(row["price"]) == report["price"]
        assert Decimal(row["filled"]) == report["amount_filled"]
        assert report["amount_open"] == report["amount_order"] - report["amount_filled"]
        expected = {
            "OPEN": "PARTIALLY_FILLED" if report["amount_filled"] else "NEW",
            "FILLED": "FILLED",
            "CANCELED": "CANCELED",
        }[row["state"]]
        assert report["status"] == expected, (name, report, row)
    assert not truth


def compare_fills(reports: Mapping[str, Json], rows: list[Json]) -> None:
    """Fills are equal to the last digit, fees and all."""
    ours = [
        (
            report["exchange_order_id"], fill["trade_id"], fill["price"], fill["amount"],
            fill["fee"], fill["fee_asset"], fill["liquidity"],
        )
        for report in reports.values()
        for fill in report["fills"]
    ]  # fmt: skip
    theirs = [
        (
            row["exchange_order_id"], row["trade_id"], Decimal(row["price"]),
            Decimal(row["quantity"]), Decimal(row["fee"]), row["fee_asset"], row["liquidity"],
        )
        for row in rows
    ]  # fmt: skip
    assert sorted(ours) == sorted(theirs)
    for report in reports.values():
        amount = sum(fill["amount"] for fill in report["fills"])
        value = sum(fill["amount"] * fill["price"] for fill in report["fills"])
        assert amount == report["amount_filled"]
        assert abs(report["avg_px"] * amount - value) < Decimal("1e-12")


def check_arithmetic(day: Day, before: Mapping[str, Decimal]) -> None:
    """The balances are what the fills and their fees make of those of the start."""
    expected = dict(before)
    traded = dict.fromkeys(before, Decimal(0))
    for _, _, price, amount, fee, fee_asset, liquidity, side, base in day.fills:
        value = Decimal(str(price)) * Decimal(str(amount))
        sign = 1 if side == "BUY" else -1
        expected[str(base)] += sign * Decimal(str(amount))
        expected["USDT"] -= sign * value
        received = Decimal(str(amount)) if side == "BUY" else value
        assert fee_asset == (base if side == "BUY" else "USDT")
        steps = received * FEES[str(liquidity)] / FEE_STEP
        assert Decimal(str(fee)) == steps.to_integral_value("ROUND_CEILING") * FEE_STEP
        expected[str(fee_asset)] -= Decimal(str(fee))
        traded[str(base)] += Decimal(str(amount))
        traded["USDT"] += value
    for asset, (total, _, moved) in day.balances.items():
        assert total == expected[asset], asset
        assert moved == traded[asset], asset


# ── the days ─────────────────────────────────────────────────────────────────────────────────────


def check_twice(first: Day, second: Day) -> None:
    assert second.fills == first.fills
    assert second.orders == first.orders
    assert second.balances == first.balances
    assert second.tape == first.tape


def check_is_a_days_work(day: Day) -> None:
    """The script is worth comparing: every kind of order met every fate it can meet."""
    fates = Counter(
        (day.kinds[name], report["status"], bool(report["amount_filled"]))
        for name, report in day.orders.items()
    )
    for fate in (
        ("LIMIT", "FILLED", True),
        ("LIMIT", "CANCELED", False),
        ("POST", "FILLED", True),
        ("POST", "REJECTED", False),
        ("IOC", "FILLED", True),
        ("IOC", "CANCELED", True),
        ("FOK", "FILLED", True),
        ("FOK", "CANCELED", False),
    ):
        assert fates[fate], (fate, fates)
    assert {fill[6] for fill in day.fills} == {"MAKER", "TAKER"}
    assert not any(
        kind == "FOK" and status == "CANCELED" and filled for kind, status, filled in fates
    )


def test_500_orders_in_the_recorded_market_twice(tmp_path: Path) -> None:
    files = recorded(QUOTES, TRADES)
    first = play(tmp_path / "first", files, ORDERS)
    assert len(first.orders) == ORDERS
    check_is_a_days_work(first)
    check_twice(first, play(tmp_path / "second", files, ORDERS))


def test_orders_in_all_recorded_markets_to_their_end_twice(tmp_path: Path) -> None:
    """All recordings as one tape: 2,452 events of 2021, 2 of 2022 and 50 of 2024."""
    files = recorded(TRADES, QUOTES, DEPTH_SNAPSHOT, DEPTH_UPDATES, ORDERBOOK)
    steps = (60,) * 40 + (26, 26) + (1, 0, 0, 0) * 52
    first = play(tmp_path / "first", files, len(steps), steps)
    assert (first.tape["event"], first.tape["is_at_end"], first.tape["gaps"]) == (2_504, True, 1)
    assert {fill[8] for fill in first.fills} == {"BTC", "XRP"}
    by_order = Counter(fill[0] for fill in first.fills if fill[8] == "XRP")
    assert max(by_order.values()) > 3, "an order walked the levels of the book"
    check_twice(first, play(tmp_path / "second", files, len(steps), steps))


def test_a_synthetic_market_twice(tmp_path: Path) -> None:
    tape = write_tape(tmp_path / "tape", events=1_600)
    first = play(tmp_path / "first", tape, 250)
    check_is_a_days_work(first)
    check_twice(first, play(tmp_path / "second", tape, 250))


def write_tape(folder: Path, events: int) -> Path:
    """Write a tape that walks at random, as the recorded files are written."""
    folder.mkdir()
    quotes = ["timestamp,symbol,ask_size,ask,bid_size,bid"]
    trades = ["timestamp,trade_id,price,quantity,buyer_maker"]
    for number, (is_trade, bid, ask, size, is_seller) in enumerate(_walk(Random(5), events)):
        at = f"2021-01-08T00:{number // 10 // 60:02}:{number // 10 % 60:02}.{number % 10}00Z"
        if is_trade:
            price = bid if is_seller else ask
            trades.append(f"{at},{number},{price},{size},{is_seller}")
        else:
            quotes.append(f"{at},BTC/USDT,{size},{ask},{size * 2},{bid}")
    (folder / "btcusdt-quotes.csv").write_text("\n".join(quotes) + "\n")
    (folder / "btcusdt-trades.csv").write_text("\n".join(trades) + "\n")
    return folder


def _walk(random: Random, events: int) -> Iterator[tuple[bool, Decimal, Decimal, Decimal, bool]]:
    middle = 4_000_000  # in ticks
    for number in range(events):
        middle += random.randint(-60, 60)
        half = random.randint(1, 50)
        bid, ask = (middle - half) * TICK, (middle + half) * TICK
        size = random.randint(10, 40_000) * STEP
        yield number % 4 != 0, bid, ask, size, random.random() < 0.5
