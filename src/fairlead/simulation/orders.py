"""What a client might order: all kinds of orders, near the market, one after the other."""

from collections.abc import Callable
from decimal import Decimal
from random import Random

import msgspec

from fairlead.core.model import (
    ExecInst,
    Instrument,
    InstrumentKind,
    Order,
    Side,
    TimeInForce,
)
from fairlead.core.requests import PlaceOrder, Resolution
from fairlead.exchange.book import Top
from fairlead.exchange.settings import INSTRUMENTS
from fairlead.simulation.network import MS

_WORTH = {"BTC": 40_000, "ETH": 1_250, "USDT": 1}
TRADED = tuple(each for each in INSTRUMENTS if each.base in _WORTH and each.quote in _WORTH)
_MILLION = 1_000_000


class Taste(msgspec.Struct, frozen=True, kw_only=True):
    """What a client orders."""

    worth_max: int = 3_000
    expiry_ms_max: int = 3_000
    instruments: tuple[Instrument, ...] = TRADED
    sides: tuple[Side, ...] = (Side.BUY, Side.SELL)


class Surroundings(msgspec.Struct, frozen=True):
    """What a client knows of the world besides Fairlead."""

    utc_ns: Callable[[], int]
    top: Callable[[str], Top | None]
    truth: Callable[[Order], Resolution | None]


class Orders:
    """New orders of one client on one account, each with an id of its own."""

    def __init__(
        self, name: str, account: str, random: Random, taste: Taste, surroundings: Surroundings
    ) -> None:
        self._name = name
        self._account = account
        self._random = random
        self._taste = taste
        self._surroundings = surroundings
        self._count = 0

    def new(self, instructions: Callable[[], tuple[ExecInst, ...]] | None = None) -> PlaceOrder:
        """Return the next one; `instructions` draws what it says of the end of its session."""
        random = self._random
        instrument = random.choice(self._taste.instruments)
        side = random.choice(self._taste.sides)
        price = self._price(instrument, side)
        worth = random.randrange(8, self._taste.worth_max)
        step = instrument.quantity_step
        quantity = step * max(1, worth * 10**8 // int(_WORTH[instrument.base] * step * 10**8))
        time_in_force, expire_time_ns = TimeInForce.GOOD_TILL_CANCEL, None
        exec_inst: tuple[ExecInst, ...] = ()
        match random.randrange(20):
            case 0 | 1 | 2:
                time_in_force = TimeInForce.IMMEDIATE_OR_CANCEL
            case 3 | 4:
                time_in_force = TimeInForce.FILL_OR_KILL
            case 5 | 6:
                time_in_force = TimeInForce.GOOD_TILL_TIME_EXCHANGE
            case 7 | 8 | 9:
                time_in_force = TimeInForce.GOOD_TILL_TIME_OMS
            case 10 | 11 | 12:
                exec_inst = (ExecInst.MAKER_OR_CANCEL,)
            case _:
                pass
        if instrument.kind is InstrumentKind.PERPETUAL and not random.randrange(4):
            exec_inst = (*exec_inst, ExecInst.DO_NOT_INCREASE)
        if instructions is not None:
            exec_inst = (*exec_inst, *instructions())
        if time_in_force in (
            TimeInForce.GOOD_TILL_TIME_EXCHANGE,
            TimeInForce.GOOD_TILL_TIME_OMS,
        ):
            wait_ns = random.randrange(1, self._taste.expiry_ms_max) * MS
            expire_time_ns = self._surroundings.utc_ns() + wait_ns
        self._count += 1
        return PlaceOrder(
            account=self._account,
            client_order_id=f"{self._name}-{self._count}",
            symbol=instrument.symbol,
            symbol_exchange=None if random.randrange(2) else instrument.symbol_exchange,
            side=side,
            price=price,
            quantity=quantity,
            time_in_force=time_in_force,
            time_in_force_text=time_in_force.value,
            expire_time_ns=expire_time_ns,
            exec_inst=exec_inst,
        )

    def _price(self, instrument: Instrument, side: Side) -> Decimal:
        """Return a price near the market: taking half of the time, or resting near it."""
        random = self._random
        top = self._surroundings.top(instrument.symbol_exchange)
        best = None if top is None else (top.ask if side is Side.BUY else top.bid)
        if best is None:
            worths = _WORTH[instrument.base] * 10**5 // _WORTH[instrument.quote]
            best = Decimal(worths) / 10**5
        eager_ppm = random.randrange(-6_000, 4_000)
        if side is Side.SELL:
            eager_ppm = -eager_ppm
        ticks = int(best // instrument.price_tick)
        return instrument.price_tick * max(1, ticks * (_MILLION + eager_ppm) // _MILLION)
