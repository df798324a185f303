"""What the rows of the exchange's store hold, and how they become what the exchange remembers again.

Stored arrays: a field may be added at the end, with a default. Must never read or write the file.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from fairlead.core.model import Instrument
from fairlead.exchange.book import Market
from fairlead.exchange.orders import Account, Holding
from fairlead.exchange.perpetual import PerpetualBooking
from fairlead.exchange.store_file import StoreError
from fairlead.venues.sim_messages import WireFill, WireOrder

# Rows of `states` that are no account's, whose numbers they stand between.
TRADES = 0  # the newest trade id of each market
INSTRUMENTS = -(2**62)
PERPETUALS = INSTRUMENTS + 1  # marks and times of funding


class StoredPosition(msgspec.Struct, frozen=True, array_like=True):
    """One position of an account, flat ones too: they keep the leverage."""

    symbol: str
    quantity: Decimal
    cost: Decimal
    leverage: Decimal


class StoredPerpetual(msgspec.Struct, frozen=True, array_like=True):
    """What a perpetual's mark follows from, and when its funding is due."""

    mark: Decimal | None
    mark_set: Decimal | None
    price_last: Decimal | None
    funding_time_ns: int | None


class StoredAccount(msgspec.Struct, frozen=True, array_like=True):
    """An account without its open orders, and so without what they lock."""

    public_key: str
    private_key_hash: bytes
    is_house: bool
    events: int
    fills: int
    holdings: tuple[tuple[str, Decimal], ...]
    positions: tuple[StoredPosition, ...] = ()


encode = msgspec.msgpack.Encoder(decimal_format="string").encode
decode_order = msgspec.msgpack.Decoder(WireOrder).decode
decode_fill = msgspec.msgpack.Decoder(WireFill).decode
decode_account = msgspec.msgpack.Decoder(StoredAccount).decode
decode_trades = msgspec.msgpack.Decoder(dict[str, int]).decode
decode_perpetuals = msgspec.msgpack.Decoder(dict[str, StoredPerpetual]).decode
decode_instruments = msgspec.msgpack.Decoder(tuple[Instrument, ...]).decode


def account_body(account: Account) -> bytes:
    """Return an account as it is stored."""
    holdings = tuple([(asset, holding.total) for asset, holding in account.holdings.items()])
    return encode(
        StoredAccount(
            account.public_key,
            account.private_key_hash,
            account.is_house,
            account.events,
            account.fills,
            holdings,
            tuple(
                [
                    StoredPosition(symbol, each.quantity, each.cost, each.leverage)
                    for symbol, each in account.positions.items()
                ]
            ),
        )
    )


def perpetuals_body(markets: Iterable[Market]) -> bytes:
    """Return the perpetuals among the markets as they are stored."""
    return encode(
        {
            market.instrument.symbol_exchange: StoredPerpetual(
                market.mark, market.mark_set, market.price_last, market.funding_time_ns
            )
            for market in markets
            if market.is_perpetual
        }
    )


def restored_account(number: int, stored: StoredAccount) -> Account:
    """Return an account as it was, without its positions."""
    account = Account(number, stored.public_key, stored.private_key_hash, stored.is_house)
    account.events = stored.events
    account.fills = stored.fills
    for asset, total in stored.holdings:
        account.holdings[asset] = Holding(asset, total)
    return account


def restore_tick(market: Market, stored: Instrument) -> None:
    """Put back what an operator can change of an instrument; the rest is as it is set now."""
    market.instrument = msgspec.structs.replace(market.instrument, price_tick=stored.price_tick)


def restore_perpetual(market: Market, stored: StoredPerpetual) -> None:
    """Put a perpetual back as it was."""
    market.mark, market.mark_set = stored.mark, stored.mark_set
    market.price_last, market.funding_time_ns = stored.price_last, stored.funding_time_ns


def restore_position(
    markets: Mapping[str, Market], account: Account, stored: StoredPosition
) -> None:
    """Put a position back. Raises StoreError where it is one in no perpetual of `markets`."""
    market = markets.get(stored.symbol)
    if market is not None and isinstance(market.booking, PerpetualBooking):
        market.booking.restore(account, stored.quantity, stored.cost, stored.leverage)
    elif stored.quantity:
        raise StoreError(
            f"account {account.public_key} has a position in {stored.symbol}, which is not among the"
            f" perpetuals of {', '.join(markets)}"
        )
