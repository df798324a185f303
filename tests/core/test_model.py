"""What values can say of themselves, and that every one of them survives the journal's encoding."""

import msgspec
import pytest

from fairlead.core.model import Balance, Order, Side, Stage, Updater
from fairlead.core.reports import Cause
from tests.core.words import BTC_USDT, START_NS, D, change, make_fill, make_order


def test_each_side_has_the_other() -> None:
    assert Side.BUY.opposite is Side.SELL
    assert Side.SELL.opposite is Side.BUY


def test_available_is_total_minus_locked() -> None:
    balance = Balance("BTC", "XBT", D(5), D("1.5"), D(0), Updater.EXCHANGE, START_NS)
    assert balance.available == D("3.5")


@pytest.mark.parametrize(
    "value",
    [
        BTC_USDT,
        make_fill("0.10", fee=D("-1E-8")),
        Balance("BTC", "XBT", D("1.10"), D(0), D(0), Updater.INITIALIZATION, START_NS, 7, D(1)),
        change(make_order(Stage.WORKING), Cause.TRADE, fill=make_fill("0.10")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_comes_back_from_its_encoding_digit_for_digit(value: Order) -> None:
    encoded = msgspec.msgpack.encode(value)
    again = msgspec.msgpack.decode(encoded, type=type(value))
    assert again == value
    assert repr(again) == repr(value)
