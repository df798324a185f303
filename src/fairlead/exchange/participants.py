"""Seeded participants that keep a two-sided, moving market on every instrument they can price.

A maker quotes some levels on both sides of a fair price; a taker now and then takes some of them.
The fair price of an instrument is the quotient of what its two assets are worth, and the worth of
an asset is a mean-reverting random walk, so ETH/BTC always agrees with ETH/USDT and BTC/USDT. The
makers quote one instrument per beat, in turn, and the walk moves once per turn of all; the spread
is wide enough for the difference in age of the quotes, so there is never a profit in going round.

A perpetual is quoted with the spot market of its assets, at the same fair price times a premium that
walks around nothing; what is drawn for it comes from a generator of its own, so that spot does not
depend on whether there are perpetuals.

Everything drawn is an integer (millionths, steps), from the generator that was given; no floats.
The actions depend on that generator and on the times of asking only.
"""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from random import Random

import msgspec

from fairlead.core.model import Instrument, InstrumentKind, Side
from fairlead.exchange.market import CancelHouse, MarketAction, PlaceHouse

MAKER = "maker"
TAKER = "taker"

_MILLION = 1_000_000


class ParticipantSettings(msgspec.Struct, frozen=True):
    """How lively the market is. `*_ppm` are millionths of a price.

    `worths`: what each asset is worth at the start, and drifts back to; in any one unit.
    `levels` per side, the first `spread_ppm` from the fair price, each further one `level_ppm` on.
    `step_ppm_max`: the most an asset's worth moves by chance in one turn of all instruments.
    `reversion`: the part (1/n) of its distance from `worths` that it moves back in the same time.
    `premium_ppm_max`: the most a perpetual's premium moves by chance in the same time.
    `beat_ms`: time between two acts; one act is one instrument's cancels and orders and perhaps a
    taker's order. The default is 17 actions per second.
    `order_worth_*`: what one order is worth, in the unit of `worths`.
    `taker_chance_percent`: how likely a taker acts on a beat.
    """

    worths: tuple[tuple[str, int], ...] = (("BTC", 40_000), ("ETH", 1_250), ("USDT", 1))
    levels: int = 3
    spread_ppm: int = 500
    level_ppm: int = 500
    step_ppm_max: int = 200
    reversion: int = 50
    premium_ppm_max: int = 30
    beat_ms: int = 750
    order_worth_min: int = 200
    order_worth_max: int = 5_000
    taker_chance_percent: int = 60

    def __post_init__(self) -> None:
        """Raise ValueError for settings that make no market, or one that gives money away."""
        positive = (
            "levels",
            "spread_ppm",
            "step_ppm_max",
            "reversion",
            "beat_ms",
            "order_worth_min",
        )
        for name in positive:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} is not at least 1")
        if self.order_worth_max < self.order_worth_min:
            raise ValueError(
                f"order_worth_max {self.order_worth_max} is below "
                f"order_worth_min {self.order_worth_min}"
            )
        farthest_ppm = self.spread_ppm + self.level_ppm * self.levels
        if self.level_ppm < 0 or farthest_ppm >= _MILLION // 2:
            raise ValueError(
                f"levels reach {farthest_ppm} ppm from the fair price, expected < 500000"
            )
        # Two assets can each move by chance and by as much again in reverting, in one turn; three
        # quotes on the way round are each `spread_ppm` off.
        if 4 * self.step_ppm_max >= 3 * self.spread_ppm:
            raise ValueError(
                f"step_ppm_max {self.step_ppm_max} is too wide for spread_ppm {self.spread_ppm}: "
                f"expected at most {(3 * self.spread_ppm - 1) // 4}"
            )
        if not 0 <= self.taker_chance_percent <= 100:
            raise ValueError(f"taker_chance_percent {self.taker_chance_percent} is not 0 to 100")


class Participants:
    """A `Market` made by participants; at most two times `levels` orders of a symbol are open.

    An instrument is left alone if an asset of it has no worth in the settings.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        random: Random,
        start_ns: int,
        settings: ParticipantSettings | None = None,
    ) -> None:
        self._settings = settings or ParticipantSettings()
        self._random = random
        self._perpetual_random = _apart(random)
        self._worths = {asset: Fraction(worth) for asset, worth in self._settings.worths}
        self._instruments = tuple(
            each for each in instruments if each.base in self._worths and each.quote in self._worths
        )
        self._walks_ppm = dict.fromkeys(self._worths, _MILLION)
        self._premiums_ppm = {
            each.symbol_exchange: 0
            for each in self._instruments
            if each.kind is InstrumentKind.PERPETUAL
        }
        self._turn = 0
        self._orders_made = 0
        self._open: dict[str, list[str]] = {}
        self._next_ns = start_ns

    def change_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Keep these rules from the next act on."""
        changed = {instrument.symbol_exchange: instrument for instrument in instruments}
        self._instruments = tuple(changed[known.symbol_exchange] for known in self._instruments)

    def next_time_ns(self) -> int:
        """Return the time of the next beat."""
        return self._next_ns

    def act(self, now_ns: int) -> list[MarketAction]:
        """Return one beat's actions if one is due, else nothing.

        The first beat, and one after missed beats (nobody asked meanwhile), quotes all instruments at
        once; what was missed is left out, not made up.
        """
        if now_ns < self._next_ns:
            return []
        beat_ns = self._settings.beat_ms * 1_000_000
        self._next_ns += beat_ns
        if not self._open or self._next_ns <= now_ns:
            self._next_ns = now_ns + beat_ns
            self._turn = 0
            acting = self._leading()
        else:
            leading = self._leading()
            acting = [leading[self._turn]]
            self._turn = (self._turn + 1) % len(leading)
            if self._turn == 0:
                self._walk()
        actions = self._move(acting, self._random, now_ns)
        pairs = {(each.base, each.quote) for each in acting}
        beside = [
            each
            for each in self._instruments
            if each not in acting and (each.base, each.quote) in pairs
        ]
        if beside:
            actions += self._move(beside, self._perpetual_random, now_ns)
        return actions

    def fair_price(self, instrument: Instrument) -> Fraction:
        """Return what the makers quote around."""
        fair = self._worth(instrument.base) / self._worth(instrument.quote)
        premium_ppm = self._premiums_ppm.get(instrument.symbol_exchange, 0)
        return fair * (_MILLION + premium_ppm) / _MILLION

    def _leading(self) -> list[Instrument]:
        """Return those that have a turn: spot, and a perpetual without a spot market of its assets."""
        spots = [each for each in self._instruments if each.kind is InstrumentKind.SPOT]
        pairs = {(each.base, each.quote) for each in spots}
        alone = [each for each in self._instruments if (each.base, each.quote) not in pairs]
        return spots + alone

    def _move(self, acting: list[Instrument], random: Random, now_ns: int) -> list[MarketAction]:
        """Quote these instruments anew, and perhaps take from one of them."""
        actions: list[MarketAction] = []
        for instrument in acting:
            actions += self._cancels(instrument.symbol_exchange, now_ns)
            actions += self._quotes(instrument, random, now_ns)
        taken = acting[random.randrange(len(acting))]
        if random.randrange(100) < self._settings.taker_chance_percent:
            actions += self._take(taken, random, now_ns)
        return actions

    def _worth(self, asset: str) -> Fraction:
        return self._worths[asset] * self._walks_ppm[asset] / _MILLION

    def _walk(self) -> None:
        """Move every asset but the last, in which the others are measured."""
        for asset in list(self._worths)[:-1]:
            walk_ppm = self._walks_ppm[asset]
            step_ppm = self._random.randint(
                -self._settings.step_ppm_max, self._settings.step_ppm_max
            )
            # Truncated toward zero, so that the pull back is the same from both sides.
            back_ppm = int(Fraction(walk_ppm - _MILLION, self._settings.reversion))
            self._walks_ppm[asset] = walk_ppm + step_ppm - back_ppm
        most_ppm = self._settings.premium_ppm_max
        for symbol, premium_ppm in self._premiums_ppm.items():
            step_ppm = self._perpetual_random.randint(-most_ppm, most_ppm)
            back_ppm = int(Fraction(premium_ppm, self._settings.reversion))
            self._premiums_ppm[symbol] = premium_ppm + step_ppm - back_ppm

    def _cancels(self, symbol: str, now_ns: int) -> list[CancelHouse]:
        return [CancelHouse(now_ns, key) for key in self._open.pop(symbol, ())]

    def _quotes(self, instrument: Instrument, random: Random, now_ns: int) -> list[PlaceHouse]:
        orders = []
        for level in range(self._settings.levels):
            distance_ppm = self._settings.spread_ppm + level * self._settings.level_ppm
            for side in (Side.BUY, Side.SELL):
                orders += self._order(MAKER, instrument, side, -distance_ppm, False, random, now_ns)
        self._open[instrument.symbol_exchange] = [order.key for order in orders]
        return orders

    def _take(self, instrument: Instrument, random: Random, now_ns: int) -> list[PlaceHouse]:
        """Cross the spread, as far as the second level."""
        side = Side.BUY if random.randrange(2) else Side.SELL
        reach_ppm = self._settings.spread_ppm + self._settings.level_ppm
        return self._order(TAKER, instrument, side, reach_ppm, True, random, now_ns)

    def _order(
        self,
        participant: str,
        instrument: Instrument,
        side: Side,
        eagerness_ppm: int,
        immediate: bool,
        random: Random,
        now_ns: int,
    ) -> list[PlaceHouse]:
        """Return an order `eagerness_ppm` beyond the fair price, or none where no tick is left.

        Bids are rounded down and asks up, so that two makers never meet.
        """
        sign = 1 if side is Side.BUY else -1
        price = self.fair_price(instrument) * (_MILLION + sign * eagerness_ppm) / _MILLION
        ticks_exact = price / Fraction(instrument.price_tick)
        ticks = floor(ticks_exact) if side is Side.BUY else ceil(ticks_exact)
        quantity = self._draw_quantity(instrument, random)
        if ticks < 1:
            return []
        self._orders_made += 1
        return [
            PlaceHouse(
                time_ns=now_ns,
                key=f"{participant}/{self._orders_made}",
                participant=participant,
                symbol=instrument.symbol_exchange,
                side=side,
                price=ticks * instrument.price_tick,
                quantity=quantity,
                immediate=immediate,
            )
        ]

    def _draw_quantity(self, instrument: Instrument, random: Random) -> Decimal:
        """Draw a quantity worth between the two settings, moved into the instrument's limits."""
        step = Fraction(instrument.quantity_step)
        step_worth = self._worths[instrument.base] * step
        notional_steps = Fraction(instrument.notional_min) / (self.fair_price(instrument) * step)
        # Twice the least notional: the farthest level is at less than half the fair price away.
        fewest = max(ceil(Fraction(instrument.quantity_min) / step), ceil(2 * notional_steps))
        most = max(fewest, floor(Fraction(instrument.quantity_max) / step))
        low = min(max(ceil(self._settings.order_worth_min / step_worth), fewest), most)
        high = min(max(floor(self._settings.order_worth_max / step_worth), low), most)
        return random.randint(low, high) * instrument.quantity_step


def _apart(random: Random) -> Random:
    """Return a generator that follows from the state of `random` and takes nothing from it."""
    copy = Random()
    copy.setstate(random.getstate())
    return Random(copy.getrandbits(64))
