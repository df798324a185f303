"""Kill after kill: load, death, judgement, restart, comparison.

The system runs against an exchange in a process of its own whose request window is 300 ms. Some lives
widen a stage so that a kill is likely to hit it: a request rate that makes orders wait here, answers
that the exchange holds back, or a process that is stopped for a moment before it is killed, so that
the answers on their way to it stay unread.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from fairlead.journal.verify import verify
from tests.crash.comparison import Compared, compare, wait_until_quiet
from tests.crash.load import SYMBOLS, Key, Load, Told
from tests.crash.stages import (
    MS,
    AtExchange,
    Caught,
    Crime,
    Held,
    check_laws,
    judge,
    read_remains,
)
from tests.system import (
    ACCOUNTS,
    FAIRLEAD,
    PUBLIC_KEYS,
    QUICK,
    Ems,
    Exchange,
    Operator,
    write_config,
)

IN_FLIGHT_LEAST = 16
TRADERS = 32
COMPARED_EVERY = 20
EXCHANGE_KILLED_EVERY = 15
READY_S = 60.0  # a wild exchange loses answers that are waited for 5 s each
LATE_MS = 150
SLOW_RATE = 150  # requests per second: orders wait here
SETTINGS = QUICK | {
    "exchange.request_window_ms": 300,
    "engine.order_answer_timeout_ms": 1_000,
    "reconcile.interval_ms": 2_000,
    "reconcile.gap_ms": 250,
    "exchange.requests_per_second": 1_000_000,
    "exchange.starting_balances": {"BTC": 1_000, "ETH": 20_000, "USDT": 100_000_000},
    "log.level": "warning",
}


class Life(NamedTuple):
    """How one life of the system is lived and ended."""

    name: str
    is_slow: bool = False  # orders wait here for the exchange's rate
    late_symbols: tuple[str, ...] = ()  # the exchange holds its answers to these back
    is_stopped_first: bool = False  # stopped for a moment, then killed
    is_wild: bool = False  # the exchange misbehaves in every way, so stages cannot be told


TAME_LIVES = (
    Life("plain"),
    Life("slow", is_slow=True),
    Life("late", late_symbols=("BTC/USDT",)),
    Life("stopped", is_stopped_first=True),
    Life("late and stopped", late_symbols=("ETH/USDT",), is_stopped_first=True),
)
LIVES = (*TAME_LIVES, Life("wild", is_wild=True))
# Of these a wild life gets some, each of which hits one in `one_in` of what it concerns.
_WILD: tuple[dict[str, Any], ...] = (
    {"name": "request_lost", "requests": ["place", "query"]},
    {"name": "request_late", "requests": ["place", "cancel"], "delay_ms": 200},
    {"name": "internal_error"},
    {"name": "rate_limited", "retry_after_ms": 50},
    {"name": "answer_lost"},
    {"name": "answer_late", "delay_ms": 100},
    {"name": "answer_doubled"},
    {"name": "accepted_then_silence"},
    {"name": "error_after_accepting"},
    {"name": "fill_before_answer", "share": Decimal("0.5")},
    {"name": "fill_after_cancel", "share": Decimal("0.5"), "delay_ms": 300},
    {"name": "order_hidden", "hide_ms": 250},  # inside the request window
    {"name": "stale_open_orders"},
    {"name": "stream_dropped"},
    {"name": "stream_doubled"},
    {"name": "stream_reordered", "frames": 3, "delay_ms": 100},
    {"name": "cancel_refused"},
    {"name": "garbage", "count": 2},
    {"name": "truncated_frame", "count": 2},
    {"name": "disconnect", "how": "on_request", "count": 2},
    {"name": "disconnect", "how": "before_answer", "count": 2},
    {"name": "disconnect", "how": "mid_answer", "count": 2},
)
_WIDENS = {
    Caught.BEFORE_SEND: TAME_LIVES[1],
    Caught.BEFORE_ANSWER: TAME_LIVES[2],
    Caught.BEFORE_COMMIT: TAME_LIVES[3],
}


class Tally:
    """What the kills were and whom they caught."""

    def __init__(self) -> None:
        self.kills = 0
        self.early_kills = 0
        self.exchange_kills = 0
        self.lives: Counter[str] = Counter()
        self.kills_by_stage: Counter[Caught] = Counter()
        self.orders_by_stage: Counter[Caught] = Counter()
        self.in_flight = 0
        self.in_flight_least = 10**9
        self.compared: list[Compared] = []
        self.restart_ms: list[int] = []

    def count(self, life: Life, caught: Iterable[Caught | None], in_flight: int) -> None:
        """Count one kill of the system."""
        self.kills += 1
        self.lives[life.name] += 1
        self.in_flight += in_flight
        self.in_flight_least = min(self.in_flight_least, in_flight)
        stages = Counter(stage for stage in caught if stage is not None)
        self.orders_by_stage.update(stages)
        self.kills_by_stage.update(stages.keys())

    def table(self, load: Load, seconds: float) -> str:
        """The summary that a run prints."""
        lines = [
            "",
            f"{'stage':<28}{'kills that hit it':>18}{'orders caught':>16}",
            *(
                f"{stage.value:<28}{self.kills_by_stage[stage]:>18}{self.orders_by_stage[stage]:>16}"
                for stage in Caught
            ),
            "",
            f"kills of the system    {self.kills:>8}   {dict(self.lives)}",
            f"  and while it started {self.early_kills:>8}",
            f"kills of the exchange  {self.exchange_kills:>8}",
            f"in flight per kill     {self.in_flight // max(1, self.kills):>8}   at least"
            f" {self.in_flight_least}",
            f"orders answered        {load.seen.answered:>8}   {load.seen.retried} repeated"
            f" requests, {load.seen.doubted} answers 504",
            f"restart until reconciled {sorted(self.restart_ms)[len(self.restart_ms) // 2]:>6} ms"
            f"   at most {max(self.restart_ms)} ms",
        ]
        last = self.compared[-1]
        lines += [
            f"compared {len(self.compared)} times; at the end {last.orders} orders, {last.fills}"
            f" fills, {last.reports} reports that clients had seen: all equal",
            f"{seconds:.0f} s",
        ]
        return "\n".join(lines)


class Campaign:
    """A run of kills.

    `each_stage`: how many kills must have hit each stage before it ends. `lives`: those to choose
    from. `command`: another program in place of `fairlead`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kills: int,
        each_stage: int,
        seed: int,
        lives: Sequence[Life] = LIVES,
        command: Sequence[str] = (FAIRLEAD,),
    ) -> None:
        self.tally = Tally()
        self.load = Load(seed, TRADERS, list(PUBLIC_KEYS))
        self._folder = folder
        self._kills = kills
        self._each_stage = each_stage
        self._lives = lives
        self._command = command
        self._random = Random(seed)
        self._configs = {
            is_slow: write_config(
                folder / f"{'slow' if is_slow else 'usual'}.toml",
                SETTINGS
                | (
                    {"rate.requests_per_s": SLOW_RATE, "rate.cancel_reserve": 10} if is_slow else {}
                ),
                ACCOUNTS,
            )
            for is_slow in (False, True)
        }
        self._exchange = Exchange(folder / "exchange", self._configs[False])
        self._operator: Operator | None = None
        self._ems: Ems | None = None
        self._born_ns = 0
        self._life = lives[0]

    async def run(self) -> None:
        """Kill until there are enough; fails at the first thing that does not hold."""
        try:
            await self._begin()
            while not self._is_enough():
                await self._one_kill()
                if self.tally.kills % EXCHANGE_KILLED_EVERY == 7:
                    await self._kill_exchange()
                if self.tally.kills % COMPARED_EVERY == 0:
                    await self._compare()
            await self._compare()
            await self.load.stop()
            self._end()
        finally:
            await self.load.stop()
            for program in (self._ems, self._exchange):
                if program is not None:
                    program.close()
            if self._operator is not None:
                self._operator.api.close()

    def _is_enough(self) -> bool:
        stages = self.tally.kills_by_stage
        least = min(stages[stage] for stage in Caught)
        assert self.tally.kills < 4 * self._kills + 50, f"a stage is never hit: {stages}"
        return self.tally.kills >= self._kills and least >= self._each_stage

    # ── lives ────────────────────────────────────────────────────────────────────────────────────

    async def _begin(self) -> None:
        self._exchange.ready()
        self._operator = self._exchange.operator()
        self._at_exchange = AtExchange(self._operator)
        await self._live()
        self.load.start()

    async def _live(self) -> None:
        """Begin a life: one that widens the stage most in need, or any."""
        rarest = min(Caught, key=lambda stage: self.tally.kills_by_stage[stage])
        is_needy = self.tally.kills_by_stage[rarest] < self._each_stage
        if is_needy and self._random.random() < 0.5:
            self._life = _WIDENS[rarest]
        else:
            self._life = self._random.choice(self._lives)
        self._misbehave()
        self._note_prices()
        while self._random.random() < 0.1:
            await self._live_briefly()
        self._born_ns = time.time_ns()
        began = time.monotonic()
        self._ems = self._new_ems()
        await self._serving(self._ems)
        await self._reconciled()
        self.tally.restart_ms.append(int((time.monotonic() - began) * 1_000))

    def _new_ems(self) -> Ems:
        return Ems(
            self._folder / "data",
            self._configs[self._life.is_slow],
            *("--exchange-url", self._exchange.url),
            command=self._command,
        )

    async def _serving(self, ems: Ems) -> None:
        """Wait until the system serves, and let the traders at it."""
        await self._poll(ems.is_ready, "the system serves")
        parts = urlsplit(ems.endpoint["url"])
        self.load.address = (str(parts.hostname), int(parts.port or 0))

    async def _live_briefly(self) -> None:
        """Start and kill again at once, mostly before the accounts are reconciled."""
        self._ems = self._new_ems()
        await self._serving(self._ems)
        await asyncio.sleep(self._random.uniform(0, 0.05))
        self._ems.kill()
        self.load.address = None
        self.tally.early_kills += 1

    async def _reconciled(self) -> None:
        """Wait until every account takes orders; the traders are at it meanwhile."""
        assert self._ems is not None
        with closing(self._ems.api()) as api:
            await self._poll(
                lambda: all(each["reconciled"] for each in api.accounts().values()),
                "every account is reconciled",
            )

    async def _poll(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for `condition` while the traders go on."""
        deadline = time.monotonic() + READY_S
        while not condition():
            self.load.check()
            assert time.monotonic() < deadline, f"not within {READY_S} s: {what}"
            await asyncio.sleep(0.005)

    def _misbehave(self) -> None:
        """Have the exchange misbehave as this life wants it."""
        operator = self._operator
        assert operator is not None
        operator.clear()
        for symbol in self._life.late_symbols:
            operator.fault("accepted_then_silence", symbol=symbol, one_in=10, count=None)
            operator.fault(
                "answer_late", requests=["place"], symbol=symbol, delay_ms=LATE_MS, count=None
            )
            operator.fault("stream_dropped", symbol=symbol, count=None)
        if self._life.is_wild:
            for fault in self._random.sample(_WILD, 8):
                operator.fault(**({"one_in": 30, "count": 50} | fault))
            return
        draw = self._random.random()
        if draw < 0.3:
            operator.fault("cancel_refused", one_in=10, count=5)
            operator.fault("fill_after_cancel", one_in=5, count=5, share=Decimal("0.5"))
        elif draw < 0.5:
            operator.fault("request_lost", requests=["cancel"], one_in=10, count=3)
            operator.fault("answer_doubled", requests=["place"], one_in=10, count=5)

    def _note_prices(self) -> None:
        assert self._operator is not None
        for quote in self._operator.api.wanted("/operator/quotes")["quotes"]:
            if quote["symbol"] in SYMBOLS and quote["bid"] is not None:
                self.load.prices[quote["symbol"]] = Decimal(quote["bid"])

    # ── deaths ───────────────────────────────────────────────────────────────────────────────────

    async def _one_kill(self) -> None:
        """Kill the system, look at what it left, start it again, and judge."""
        ems, life, seen, at_exchange = self._ems, self._life, self.load.seen, self._at_exchange
        assert ems is not None
        await self._trade_for(self._random.uniform(0.05, 0.5))
        answered: frozenset[str] = frozenset()
        assert ems.process.poll() is None, f"ended by itself; its journal may say more\n{ems.log}"
        if life.is_stopped_first:
            os.kill(ems.pid, signal.SIGSTOP)
            at_exchange.look()
            answered = frozenset(at_exchange.ids)
        in_flight = dict(seen.in_flight)
        before_ns = time.time_ns()
        ems.kill()
        held = {symbol: Held(LATE_MS * MS) for symbol in life.late_symbols}
        crime = Crime(self._born_ns, before_ns, time.time_ns(), answered, held)
        self.load.address = None
        if self._random.random() < 0.05:
            await self._restart_exchange()
        told = await self._told()
        since_ns = min([self._born_ns, *(report.changed_ns for _, report in told)])
        remains = read_remains(self._folder / "data", self._folder / "remains", since_ns)
        await self._poll(self._is_alone, "the exchange has read all that the dead had sent")
        at_exchange.look()
        check_laws(remains, told, in_flight, at_exchange)
        caught = {} if life.is_wild else judge(remains, in_flight, at_exchange, crime)
        self.tally.count(life, caught.values(), len(in_flight))
        await self._live()

    def _is_alone(self) -> bool:
        assert self._operator is not None
        return bool(self._operator.api.wanted("/operator/health")["connections"] == 0)

    async def _trade_for(self, seconds: float) -> None:
        """Let the traders trade for a while, and on until enough of their orders are in flight."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline or len(self.load.seen.in_flight) < IN_FLIGHT_LEAST:
            self.load.check()
            assert time.monotonic() < deadline + 30, f"in flight: {len(self.load.seen.in_flight)}"
            await asyncio.sleep(0.001)

    async def _told(self) -> list[tuple[Key, Told]]:
        """Return what is new to the clients, once they have read what had reached them."""
        await self._poll(lambda: self.load.asking == 0, "the clients have read all that had come")
        recent, self.load.seen.recent = self.load.seen.recent, set()
        return [(key, self.load.seen.newest(key)) for key in recent]

    async def _kill_exchange(self) -> None:
        """Kill the exchange under load; the system stays, and finds it again."""
        assert self._operator is not None
        await self._trade_for(self._random.uniform(0.05, 0.3))
        await self._restart_exchange()
        self._misbehave()
        await self._reconciled()

    async def _restart_exchange(self) -> None:
        """Kill the exchange and start it again on the same data and ports."""
        assert self._operator is not None
        self._exchange.kill()
        self._operator.api.close()
        self._exchange = Exchange(
            self._folder / "exchange", self._configs[False], after=self._exchange
        )
        await self._poll(self._exchange.is_ready, "the exchange serves")
        self.tally.exchange_kills += 1

    # ── comparing ────────────────────────────────────────────────────────────────────────────────

    async def _compare(self) -> None:
        """Let everything come to rest, and compare it."""
        operator, ems = self._operator, self._ems
        assert operator is not None
        assert ems is not None
        operator.clear()
        await self.load.pause()
        operator.post("participants", on=False)
        with closing(ems.api()) as api:
            wait_until_quiet(api)
            compared = compare(api, operator, self._folder / "data", self.load.seen)
        self.tally.compared.append(compared)
        operator.post("participants", on=True)
        self._note_prices()
        self._misbehave()
        self.load.resume()

    def _end(self) -> None:
        """Stop cleanly; the journal must then say the same everywhere."""
        assert self._ems is not None
        assert self._ems.interrupt() == 0, self._ems.log
        verification = verify(self._folder / "data")
        assert verification.holds, verification.differences
        assert "Traceback" not in self._ems.log, self._ems.log
