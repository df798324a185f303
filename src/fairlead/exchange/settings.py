"""What can be set at the simulated exchange: instruments, fees, starting balances, limits.

Values only. Every limit of the exchange is here with what happens when it is reached. Must never
read a file or the environment; the composition fills it in.
"""

from decimal import Decimal

import msgspec

from fairlead.core.model import Instrument, InstrumentKind


def _spot(
    base: str, quote: str, tick: str, step: str, least: str, most: str, notional: str
) -> Instrument:
    return Instrument(
        symbol=f"SIM_SPOT_{base}_{quote}",
        symbol_exchange=f"{base}/{quote}",
        base=base,
        quote=quote,
        base_exchange=base,
        quote_exchange=quote,
        price_tick=Decimal(tick),
        quantity_step=Decimal(step),
        quantity_min=Decimal(least),
        quantity_max=Decimal(most),
        notional_min=Decimal(notional),
    )


# Of the price: its tick. Of the quantity: its step, the least and the most. The least notional.
INSTRUMENTS = (
    _spot("BTC", "USDT", "0.01",    "0.000001", "0.000010", "9000.000000", "5"),
    _spot("ETH", "USDT", "0.01",    "0.0001",   "0.0001",   "90000.0000",  "5"),
    _spot("ETH", "BTC",  "0.00001", "0.0001",   "0.0001",   "90000.0000",  "0.0001"),
    _spot("XRP", "USDT", "0.0001",  "0.1",      "0.1",      "90000000.0",  "5"),
)  # fmt: skip

PERPETUAL_BTC_USDT = Instrument(
    symbol="SIM_PERP_BTC_USDT",
    symbol_exchange="BTC-PERP",
    base="BTC",
    quote="USDT",
    base_exchange="BTC",
    quote_exchange="USDT",
    price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.000001"),
    quantity_min=Decimal("0.000010"),
    quantity_max=Decimal("9000.000000"),
    notional_min=Decimal(5),
    kind=InstrumentKind.PERPETUAL,
    leverage_max=Decimal(50),
    maintenance_rate=Decimal("0.01"),
)

# What an exchange that is started lists; a matching engine by itself has spot alone.
LISTED = (*INSTRUMENTS, PERPETUAL_BTC_USDT)


class Fees(msgspec.Struct, frozen=True):
    """Rates of the traded value, taken from what the side receives, rounded up to `step`."""

    maker: Decimal = Decimal("0.0008")
    taker: Decimal = Decimal("0.0010")
    step: Decimal = Decimal("0.00000001")


class PerpetualSettings(msgspec.Struct, frozen=True):
    """How perpetuals are kept.

    `leverage`: an account's before an operator changes it, at most the instrument's. Every
    `funding_interval_ms`, counted from 1970, one side pays the other at most `funding_rate_max` of the
    notional. A book whose sides are further apart than `mark_spread_max` of the bid gives no price.
    """

    leverage: Decimal = Decimal(10)
    funding_interval_ms: int = 8 * 3600 * 1000
    funding_rate_max: Decimal = Decimal("0.0075")
    mark_spread_max: Decimal = Decimal("0.05")


class Settings(msgspec.Struct, frozen=True):
    """One exchange's settings.

    `request_window_ms`: a request older than this on arrival is refused (WINDOW).
    `request_future_ms`: so is one that claims to be sent later than this from now.
    `requests_per_second`: per account; one more is refused (RATE) with the time to wait.
    `open_orders_max`: per account; one more is refused (RATE).
    `accounts_max`: a further first login is refused (LOGIN).
    `connections_max`: a further connection is closed at once.
    `output_bytes_max`: a connection that does not read and has more than this waiting is closed.
    """

    instruments: tuple[Instrument, ...] = INSTRUMENTS
    fees: Fees = Fees()
    perpetuals: PerpetualSettings = PerpetualSettings()
    starting_balances: tuple[tuple[str, Decimal], ...] = (
        ("BTC", Decimal(100)),
        ("ETH", Decimal(2000)),
        ("USDT", Decimal(10000000)),
    )
    request_window_ms: int = 5_000
    request_future_ms: int = 1_000
    requests_per_second: int = 20_000
    open_orders_max: int = 10_000
    accounts_max: int = 1_000
    connections_max: int = 256
    output_bytes_max: int = 16 * 1024 * 1024
