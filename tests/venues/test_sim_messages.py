"""The dialect's words as bytes: what is stored must be read by every later version."""

from decimal import Decimal

import msgspec
import pytest

from fairlead.core.model import ZERO, Instrument, InstrumentKind, Liquidity, Side, TimeInForce
from fairlead.exchange.settings import INSTRUMENTS, PERPETUAL_BTC_USDT
from fairlead.venues import sim_messages as wire

ORDER = wire.WireOrder(
    "7",
    "c-7",
    "BTC/USDT",
    Side.BUY,
    Decimal("30000.10"),
    Decimal("0.5"),
    ZERO,
    TimeInForce.GOOD_TILL_CANCEL,
    False,
    None,
    wire.OrderState.OPEN,
    1,
    2,
    None,
)
FILL = wire.WireFill(
    3,
    "4",
    "7",
    "c-7",
    "BTC/USDT",
    Side.BUY,
    Decimal(30000),
    Decimal("0.1"),
    ZERO,
    "BTC",
    Liquidity.TAKER,
    1,
    2,
)
POSITION = wire.WirePosition(
    "BTC-PERP",
    Side.SELL,
    Decimal("0.5"),
    Decimal(30000),
    Decimal(30100),
    Decimal(-50),
    Decimal(10),
    True,
    None,
)


def encoded(message) -> bytes:
    return msgspec.msgpack.Encoder(decimal_format="string").encode(message)


@pytest.mark.parametrize(
    ("whole", "members"),
    [(ORDER, 14), (FILL, 13), (INSTRUMENTS[0], 11)],
    ids=["order", "fill", "rules"],
)
def test_what_was_written_before_perpetuals_is_read_as_spot(whole, members):
    written = msgspec.msgpack.decode(encoded(whole))[:members]
    assert msgspec.msgpack.decode(encoded(written), type=type(whole)) == whole


@pytest.mark.parametrize(
    "message",
    [
        wire.Place(
            1,
            2,
            "c",
            "BTC-PERP",
            Side.SELL,
            Decimal(1),
            Decimal(1),
            TimeInForce.IMMEDIATE_OR_CANCEL,
            False,
            None,
            True,
        ),
        wire.AskPositions(1, 2),
    ],
    ids=["place", "positions"],
)
def test_a_request_comes_as_it_was_sent(message):
    assert wire.client_messages().feed(wire.frame(message)) == [message]


@pytest.mark.parametrize(
    "message",
    [
        wire.Positions(1, 2, 3, (POSITION,)),
        wire.PositionsChanged(2, 3, (POSITION,), (wire.WireBalance("USDT", Decimal(5), ZERO),)),
        wire.Execution(
            2,
            3,
            msgspec.structs.replace(ORDER, reduce_only=True, origin=wire.WireOrigin.LIQUIDATION),
            msgspec.structs.replace(FILL, realized=Decimal("-1.5")),
            (),
            (POSITION,),
        ),
        wire.Instruments(1, (PERPETUAL_BTC_USDT,)),
    ],
    ids=["positions", "positions_changed", "execution", "instruments"],
)
def test_an_answer_comes_as_it_was_said(message):
    assert wire.exchange_messages().feed(wire.frame(message)) == [message]


def test_the_perpetual_has_a_symbol_of_its_own():
    assert PERPETUAL_BTC_USDT.kind is InstrumentKind.PERPETUAL
    taken = {each.symbol_exchange for each in INSTRUMENTS}
    assert PERPETUAL_BTC_USDT.symbol_exchange not in taken
    assert isinstance(PERPETUAL_BTC_USDT, Instrument)
