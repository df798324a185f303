"""One account at run time: whose exchange it is, its instruments, its names of assets, its record."""

import msgspec
import pytest

from fairlead.core.account import Account, exchange_of
from fairlead.core.model import AccountMode, Balance, Updater
from fairlead.core.unit import AccountRecord
from tests.core.words import BTC_USDT, ETH_BTC, START_NS, D


def make_account(*balances: Balance) -> Account:
    return Account(AccountRecord("SIM"), 10, balances)


@pytest.mark.parametrize(
    ("account", "exchange"),
    [
        ("KRAKEN", "KRAKEN"),
        ("KRAKEN/JOHN", "KRAKEN"),
        ("BITSTAMP/7c177641-74bd", "BITSTAMP"),
        ("SIM:a/b", "SIM"),
        ("SIM~x", "SIM"),
    ],
)
def test_the_exchange_is_what_stands_before_the_first_separator(
    account: str, exchange: str
) -> None:
    assert exchange_of(account) == exchange


def test_an_instrument_is_found_by_every_symbol_that_is_given() -> None:
    account = make_account()
    assert account.take_instruments([BTC_USDT, ETH_BTC]) == []
    assert account.instruments == (BTC_USDT, ETH_BTC)
    assert account.instrument("SIM_SPOT_BTC_USDT", None) is BTC_USDT
    assert account.instrument(None, "BTC-USDT") is BTC_USDT
    assert account.instrument("SIM_SPOT_BTC_USDT", "BTC-USDT") is BTC_USDT
    assert account.instrument("SIM_SPOT_BTC_USDT", "ETH-XBT") is None
    assert account.instrument("SIM_SPOT_XRP_USDT", None) is None
    assert account.instrument("SIM_SPOT_XRP_USDT", "BTC-USDT") is None
    assert account.instrument(None, None) is None


def test_what_is_not_one_to_one_is_left_out_and_named_once() -> None:
    account = make_account()
    same_symbol = msgspec.structs.replace(ETH_BTC, symbol="SIM_SPOT_BTC_USDT")
    assert account.take_instruments([BTC_USDT, same_symbol]) == ["SIM_SPOT_BTC_USDT"]
    assert account.instruments == ()
    assert account.take_instruments([BTC_USDT, same_symbol]) == []
    same_name = msgspec.structs.replace(ETH_BTC, symbol_exchange="BTC-USDT")
    assert account.take_instruments([BTC_USDT, same_name]) == ["SIM_SPOT_ETH_BTC"]
    assert account.take_instruments([BTC_USDT, ETH_BTC]) == []
    assert account.take_instruments([BTC_USDT, same_name]) == [
        "SIM_SPOT_BTC_USDT",
        "SIM_SPOT_ETH_BTC",
    ]


def test_assets_have_our_names() -> None:
    account = make_account()
    assert account.asset("XBT") == "XBT"
    account.take_instruments([BTC_USDT, ETH_BTC])
    assert account.asset("XBT") == "BTC"
    assert account.asset("USDT") == "USDT"
    assert account.asset("DOGE") == "DOGE"


def test_assets_have_our_names_after_a_restart_before_the_instruments_are_listed() -> None:
    account = make_account(Balance("BTC", "XBT", D(1), D(0), D(0), Updater.EXCHANGE, START_NS))
    assert account.asset("XBT") == "BTC"


def test_the_record_is_what_an_account_is_made_from() -> None:
    record = AccountRecord("SIM/A", AccountMode.HALTED, 7, True, "cursor", 5, "t5")
    assert Account(record, 10).record() == record


def test_an_account_as_an_operator_sees_it() -> None:
    state = make_account().state(orders_open=3, orders_in_doubt=1)
    assert (state.account, state.mode, state.sequence) == ("SIM", AccountMode.ACTIVE, 0)
    assert (state.connected, state.reconciled, state.loaded) == (False, False, False)
    assert state.trouble == "not connected yet"
    assert (state.orders_open, state.orders_in_doubt) == (3, 1)
    assert (state.reconciled_time_ns, state.reconciled_trade_id) == (None, None)
