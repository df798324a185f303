import json
from decimal import Decimal

import msgspec
import pytest

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import (
    AccountMode,
    Balance,
    Instrument,
    Order,
    Position,
    Reason,
    Side,
    Stage,
    Updater,
)
from fairlead.core.rates import Rate
from fairlead.core.reconciliation import Drift, Found, Reconciliation, Sweep, SweepCause
from fairlead.core.replies import AccountState
from fairlead.gateway.rendering import Renderer, encode, invalid
from tests.gateway.orders import ORDER, TIME_NS, TIME_TEXT


@pytest.fixture(autouse=True)
def _exact() -> None:
    use_exact_decimals()


def text_of(value: object) -> str:
    return encode(value).decode()


def test_a_report_is_the_contract_to_the_byte() -> None:
    assert text_of(Renderer().order(ORDER)) == (
        '{"type":"ORDER_EXEC_REPORT_UPDATE","id":"id 1",'
        '"client_order_id_format_exchange":"abcdefghijklmnopqrstuvwxyz",'
        '"exchange_order_id":"12345","amount_open":0.04499999,"amount_filled":0.00000001,'
        '"status":"PARTIALLY_FILLED",'
        f'"status_history":[["RECEIVED","{TIME_TEXT}"],["PARTIALLY_FILLED","{TIME_TEXT}"]],'
        '"error_message":null,'
        f'"fills":[{{"time":"{TIME_TEXT}","price":100,"amount":0.00000001,"trade_id":"t1",'
        '"fee":-0.00000001,"fee_asset":"BTC","liquidity":"MAKER"}],'
        '"exchange_id":"SIM/ALICE","client_order_id":"id 1","symbol_id_exchange":"BTC/USDT",'
        '"symbol_id_coinapi":"SIM_SPOT_BTC_USDT","amount_order":0.0450,"price":100,"avg_px":100,'
        '"side":"SELL","order_type":"LIMIT","time_in_force":"GOOD_TILL_TIME_OEML",'
        '"expire_time":"2021-01-08T00:00:00.1234567Z","exec_inst":["MAKER_OR_CANCEL"],'
        f'"in_doubt":false,"sequence":7,"time_order":"{TIME_TEXT}"}}'
    )


def changed(**fields: object) -> Order:
    return msgspec.structs.replace(ORDER, **fields)


def test_an_unfilled_order_has_nulls_and_zeros() -> None:
    order = changed(
        stage=Stage.ROUTING,
        exchange_order_id=None,
        quantity_filled=Decimal(0),
        notional_filled=Decimal(0),
        fills=(),
        expire_time_ns=None,
        exec_inst=(),
        in_doubt_ns=TIME_NS,
    )
    report = json.loads(encode(Renderer().order(order)))
    assert report["exchange_order_id"] is None
    assert report["error_message"] is None
    assert report["expire_time"] is None
    assert report["exec_inst"] == []
    assert report["fills"] == []
    assert report["avg_px"] == 0
    assert report["in_doubt"] is True
    assert report["status"] == "ROUTING"


def test_strict_clients_get_no_nulls() -> None:
    order = changed(exchange_order_id=None, expire_time_ns=None)
    whole = json.loads(encode(Renderer().order(order)))
    strict = json.loads(encode(Renderer(omit_nulls=True).order(order)))
    assert list(strict) == [name for name, value in whole.items() if value is not None]
    assert None not in json.loads(encode(Renderer(omit_nulls=True).history(order))).values()


def test_a_rejected_order_says_why_in_the_exchange_s_words() -> None:
    order = changed(
        stage=Stage.REJECTED,
        reason=Reason.EXCHANGE,
        error_message='no "such" ünit',
        exchange_order_id=None,
    )
    report = json.loads(encode(Renderer().order(order)))
    assert (report["status"], report["error_message"]) == ("REJECTED", 'no "such" ünit')
    row = json.loads(encode(Renderer().history(order)))
    assert row["errorMessageResult"] == "REJECTED"
    assert row["errorMessageReason"] == "exchange"
    assert row["errorMessageMessage"] == 'no "such" ünit'


def test_a_history_row_is_the_contract_to_the_byte() -> None:
    assert text_of(Renderer().history(ORDER)) == (
        '{"apikey":"public-key","exchangeId":"SIM/ALICE","clientOrderId":"id 1",'
        '"symbolIdExchange":"BTC/USDT","symbolIdCoinapi":"SIM_SPOT_BTC_USDT","amountOrder":0.0450,'
        '"price":100,"side":2,"orderType":"LIMIT","timeInForce":"GOOD_TILL_TIME_OEML",'
        '"expireTime":"2021-01-08T00:00:00.1234567Z","execInst":["MAKER_OR_CANCEL"],'
        '"clientOrderIdFormatExchange":"abcdefghijklmnopqrstuvwxyz","exchangeOrderId":"12345",'
        '"amountOpen":0.04499999,"amountFilled":0.00000001,"avgPx":100,"status":"PARTIALLY_FILLED",'
        '"statusHistoryStatus":["RECEIVED","PARTIALLY_FILLED"],'
        f'"statusHistoryTime":["{TIME_TEXT}","{TIME_TEXT}"],"errorMessageResult":null,'
        '"errorMessageReason":null,"errorMessageMessage":null,'
        f'"fillsTime":["{TIME_TEXT}"],"fillsPrice":[100],"fillsAmount":[0.00000001],'
        f'"createdTime":"{TIME_TEXT}","fillsTradeId":["t1"],"fillsFee":[-0.00000001],'
        '"fillsFeeAsset":["BTC"],"fillsLiquidity":["MAKER"]}'
    )


def test_balances_are_the_contract_to_the_byte() -> None:
    balance = Balance(
        asset="BTC",
        asset_exchange="XBT",
        total=Decimal("1.50"),
        locked=Decimal("0.5"),
        traded=Decimal("1E-8"),
        updated_by=Updater.BALANCE_MANAGER,
        time_ns=TIME_NS,
    )

    def rendered(rates: dict[str, Rate], now_ns: int = TIME_NS) -> str:
        return text_of(Renderer().balances("SIM", (balance,), rates, now_ns))

    assert rendered({}) == (
        '{"type":"BALANCE_SNAPSHOT","exchange_id":"SIM","data":[{"id":"XBT",'
        '"asset_id_exchange":"XBT","asset_id_coinapi":"BTC","balance":1.50,"available":1.00,'
        '"locked":0.5,"traded":0.00000001,"last_updated_by":"BALANCE_MANAGER","rate_usd":null,'
        '"age_ms":0,"source":"BALANCE_MANAGER","rate_usd_age_ms":null}]}'
    )
    rate = Rate(Decimal("40000.205"), 250 * 10**6)
    assert rendered({"BTC": rate, "ETH": rate}, TIME_NS + 1_999_999_999).endswith(
        '"rate_usd":40000.205,"age_ms":1999,"source":"BALANCE_MANAGER","rate_usd_age_ms":250}]}'
    )
    assert '"age_ms":0,' in rendered({}, TIME_NS - 1), "a clock that was set back"


def test_how_an_account_stands_with_its_exchange() -> None:
    found = Found(fills_booked=3)
    sweep = Sweep(TIME_NS, SweepCause.CONNECTED, 1_500_000, None, found)
    drift = Drift("BTC", False, Decimal("-1E-8"), 2, False)
    stands = Reconciliation(
        "SIM", True, True, None, TIME_NS, "t9", None, 4, 1, sweep, (drift,)
    )  # fmt: skip
    shown = json.loads(encode(Renderer().reconciliation(stands, TIME_NS + 2 * 10**9)))
    assert shown == {
        "exchange_id": "SIM",
        "connected": True,
        "reconciled": True,
        "trouble": None,
        "reconciled_time": TIME_TEXT,
        "reconciled_age_ms": 2_000,
        "reconciled_trade_id": "t9",
        "step": None,
        "sweeps_succeeded": 4,
        "sweeps_failed": 1,
        "last_sweep": {
            "time": TIME_TEXT,
            "cause": "CONNECTED",
            "duration_ms": 1,
            "succeeded": True,
            "trouble": None,
            "found": {
                "orders_adopted": 0,
                "orders_asked": 0,
                "fills_booked": 3,
                "balances_moved": 0,
                "positions_moved": 0,
            },
        },
        "drifts": [{"id": "BTC", "kind": "BALANCE", "drift": -1e-8, "sweeps": 2, "stays": False}],
    }
    never = Reconciliation("SIM", False, False, "down", None, None, "fills", 0, 0, None, ())
    strict = json.loads(encode(Renderer(omit_nulls=True).reconciliation(never, TIME_NS)))
    assert None not in strict.values()
    assert (strict["trouble"], strict["step"]) == ("down", "fills")


def test_positions_are_the_contract_to_the_byte() -> None:
    position = Position(
        symbol="SIM_PERP_BTC_USDT",
        symbol_exchange="BTC-PERP",
        quote="USDT",
        side=Side.SELL,
        quantity=Decimal("0.50"),
        entry_price=Decimal("30000.10"),
        mark_price=Decimal(30100),
        unrealized=Decimal("-49.950"),
        leverage=Decimal(10),
        is_cross=True,
        liquidation_price=Decimal("32000.5"),
        updated_by=Updater.EXCHANGE,
        time_ns=TIME_NS,
        exchange_ordinal=17,
    )
    assert text_of(Renderer().positions("SIM", (position,), TIME_NS + 2_500_000)) == (
        '{"type":"POSITION_SNAPSHOT","exchange_id":"SIM","data":[{"id":"BTC-PERPSELL",'
        '"symbol_id_exchange":"BTC-PERP","symbol_id_coinapi":"SIM_PERP_BTC_USDT",'
        '"avg_entry_price":30000.10,"quantity":0.50,"side":"SELL","unrealized_pnl":-49.950,'
        '"leverage":10,"cross_margin":true,"liquidation_price":32000.5,'
        '"raw_data":{"mark_price":30100,"exchange_event":17},"age_ms":2,"source":"EXCHANGE"}]}'
    )
    nowhere = msgspec.structs.replace(position, liquidation_price=None)
    assert '"liquidation_price":null' in text_of(Renderer().positions("SIM", (nowhere,), TIME_NS))
    strict = Renderer(omit_nulls=True).positions("SIM", (nowhere,), TIME_NS)
    assert "liquidation_price" not in text_of(strict)


def test_an_account_without_positions_is_named() -> None:
    assert text_of(Renderer().positions("SIM", (), TIME_NS)) == (
        '{"type":"POSITION_SNAPSHOT","exchange_id":"SIM","data":[]}'
    )


def test_a_400_says_everything_twice() -> None:
    findings = [("price", "is odd"), ("side", "is missing"), ("price", "is low")]
    assert text_of(invalid(findings, "00-trace")) == (
        '{"type":"https://tools.ietf.org/html/rfc7231#section-6.5.1",'
        '"title":"One or more validation errors occurred.","status":400,"traceId":"00-trace",'
        '"errors":"price: is odd; side: is missing; price: is low",'
        '"errors_by_field":{"price":"is odd; is low","side":"is missing"}}'
    )


def test_what_operators_see() -> None:
    state = AccountState(
        "SIM", AccountMode.ACTIVE, True, False, True, "reconciling", 9, 2, 1, TIME_NS, None
    )
    assert json.loads(encode(Renderer().account(state))) == {
        "exchange_id": "SIM",
        "mode": "ACTIVE",
        "connected": True,
        "reconciled": False,
        "loaded": True,
        "trouble": "reconciling",
        "sequence": 9,
        "orders_open": 2,
        "orders_in_doubt": 1,
        "reconciled_time": TIME_TEXT,
        "reconciled_trade_id": None,
    }
    attention = json.loads(encode(Renderer().attention(ORDER, "in doubt for 9 s")))
    assert attention["trouble"] == "in doubt for 9 s"
    assert attention["order"]["client_order_id"] == "id 1"
    one = Decimal("0.01")
    instrument = Instrument(
        "SIM_SPOT_BTC_USDT",
        "BTC/USDT",
        "BTC",
        "USDT",
        "XBT",
        "TETHER",
        one,
        one,
        one,
        Decimal("1E+4"),
        one,
    )
    row = Renderer().instruments("SIM", (instrument,))
    assert '"amount_max":10000,' in text_of(row)
    assert row.data[0].asset_id_base_exchange == "XBT"
