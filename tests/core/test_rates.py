"""What assets are worth in USD: by markets against stablecoins, by both best quotes, and not for ever."""

import msgspec
import pytest

from fairlead.core.model import InstrumentKind
from fairlead.core.rates import Rate, Rates, Ticker
from tests.core.words import BTC_USDT, ETH_BTC, MS, D

NOW_NS = 10**12
AGE_MAX_NS = 60_000 * MS
ETH_USD = msgspec.structs.replace(
    ETH_BTC, symbol="SIM_SPOT_ETH_USD", symbol_exchange="ETH-USD", quote="USD", quote_exchange="USD"
)
BTC_PERP = msgspec.structs.replace(
    BTC_USDT,
    symbol="SIM_PERP_BTC_USDT",
    symbol_exchange="BTC-PERP",
    kind=InstrumentKind.PERPETUAL,
)
INSTRUMENTS = (BTC_PERP, BTC_USDT, ETH_BTC, ETH_USD)


def quoting(bid: str | None, ask: str | None, symbol_exchange: str = "BTC-USDT") -> Rates:
    rates = Rates()
    bid_price, ask_price = (None if price is None else D(price) for price in (bid, ask))
    rates.heard([Ticker(symbol_exchange, bid_price, ask_price)], NOW_NS)
    return rates


def usd(rates: Rates, *assets: str, later_ms: int = 0) -> dict[str, Rate]:
    return rates.usd(assets, INSTRUMENTS, NOW_NS + later_ms * MS, AGE_MAX_NS)


def test_a_stablecoin_is_a_dollar_whatever_is_quoted() -> None:
    assert usd(Rates(), "USDT", "USD", "BTC") == {"USDT": Rate(D(1), 0), "USD": Rate(D(1), 0)}


def test_an_asset_is_worth_the_middle_of_its_best_quotes() -> None:
    rates = quoting("40000.10", "40000.31")
    assert usd(rates, "BTC", later_ms=250) == {"BTC": Rate(D("40000.205"), 250 * MS)}


@pytest.mark.parametrize(("bid", "ask"), [(None, "100"), ("100", None), (None, None)])
def test_one_quote_alone_is_no_worth(bid: str | None, ask: str | None) -> None:
    assert usd(quoting(bid, ask), "BTC") == {}


def test_a_worth_that_is_too_old_is_not_known() -> None:
    rates = quoting("100", "102")
    assert usd(rates, "BTC", later_ms=60_000)["BTC"].usd == 101
    assert usd(rates, "BTC", later_ms=60_001) == {}


@pytest.mark.parametrize("symbol_exchange", ["BTC-PERP", "ETH-XBT", "NIX-USDT"])
def test_only_a_spot_market_against_a_dollar_counts(symbol_exchange: str) -> None:
    assert usd(quoting("100", "102", symbol_exchange), "BTC", "ETH", "NIX") == {}


def test_a_market_that_stopped_quoting_leaves_no_worth_behind() -> None:
    rates = quoting("100", "102")
    rates.heard([Ticker("BTC-USDT", None, None)], NOW_NS + MS)
    assert usd(rates, "BTC", later_ms=2) == {}


def test_of_two_markets_the_one_heard_last_counts() -> None:
    rates = quoting("100", "102")
    btc_usd = msgspec.structs.replace(
        BTC_USDT, symbol="SIM_SPOT_BTC_USD", symbol_exchange="BTC-USD", quote="USD"
    )
    rates.heard([Ticker("BTC-USD", D(200), D(202))], NOW_NS + MS)
    for instruments in ((BTC_USDT, btc_usd), (btc_usd, BTC_USDT)):
        assert rates.usd(["BTC"], instruments, NOW_NS + MS, AGE_MAX_NS)["BTC"].usd == 201
