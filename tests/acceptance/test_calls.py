"""Every call of the trading API against the running system: fields, their order, codes (section 3)."""

import re
from decimal import Decimal
from urllib.parse import quote

import pytest

from tests.acceptance.conftest import Desk, MakeDesk
from tests.system import Answer, ageless, encoded, order, until

REPORT_FIELDS = [
    *("type", "id", "client_order_id_format_exchange", "exchange_order_id", "amount_open"),
    *("amount_filled", "status", "status_history", "error_message", "fills", "exchange_id"),
    *("client_order_id", "symbol_id_exchange", "symbol_id_coinapi", "amount_order", "price"),
    *("avg_px", "side", "order_type", "time_in_force", "expire_time", "exec_inst"),
    *("in_doubt", "sequence", "time_order"),
]
FILL_FIELDS = ["time", "price", "amount", "trade_id", "fee", "fee_asset", "liquidity"]
HISTORY_FIELDS = [
    *("apikey", "exchangeId", "clientOrderId", "symbolIdExchange", "symbolIdCoinapi"),
    *("amountOrder", "price", "side", "orderType", "timeInForce", "expireTime", "execInst"),
    *("clientOrderIdFormatExchange", "exchangeOrderId", "amountOpen", "amountFilled", "avgPx"),
    *("status", "statusHistoryStatus", "statusHistoryTime", "errorMessageResult"),
    *("errorMessageReason", "errorMessageMessage", "fillsTime", "fillsPrice", "fillsAmount"),
    *("createdTime", "fillsTradeId", "fillsFee", "fillsFeeAsset", "fillsLiquidity"),
]
BALANCE_FIELDS = [
    *("id", "asset_id_exchange", "asset_id_coinapi", "balance", "available", "locked", "traded"),
    *("last_updated_by", "rate_usd", "age_ms", "source", "rate_usd_age_ms"),
]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", re.ASCII)


def check_reject(
    answer: Answer, status: int, reason: str, exchange_id: str | None = "SIM"
) -> dict[str, object]:
    """The answer is a MESSAGE_REJECT with this reason; return it."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    reject: dict[str, object] = answer.json
    assert reject["type"] == "MESSAGE_REJECT"
    assert reject["reject_reason"] == reason
    assert reject.get("exchange_id") == exchange_id
    assert reject["message"]
    known = ["type", "reject_reason", "exchange_id", "message", "rejected_message"]
    assert list(reject) == [field for field in known if field in reject]
    return reject


# ── POST /v1/orders ──────────────────────────────────────────────────────────────────────────────


def test_a_placed_order_is_answered_with_the_whole_report_in_order(desk: Desk) -> None:
    answer = desk.api.place("call-1", amount_order=Decimal("0.0100"), price=Decimal("20000.10"))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    report = answer.json
    assert list(report) == REPORT_FIELDS
    assert report["type"] == "ORDER_EXEC_REPORT_UPDATE"
    assert report["id"] == report["client_order_id"] == "call-1"
    assert report["status"] in ("ROUTED", "NEW")
    assert [each[0] for each in report["status_history"]][:3] == ["RECEIVED", "ROUTING", "ROUTED"]
    assert all(TIME.fullmatch(each[1]) for each in report["status_history"])
    assert report["exchange_order_id"]
    assert (report["amount_order"], report["amount_open"]) == (Decimal("0.01"), Decimal("0.01"))
    assert (report["amount_filled"], report["avg_px"], report["fills"]) == (0, 0, [])
    assert report["error_message"] is None
    assert (report["symbol_id_exchange"], report["symbol_id_coinapi"]) == (
        "BTC/USDT",
        "SIM_SPOT_BTC_USDT",
    )
    assert (report["price"], report["side"], report["order_type"]) == (
        Decimal("20000.10"),
        "BUY",
        "LIMIT",
    )
    assert (report["time_in_force"], report["expire_time"], report["exec_inst"]) == (
        "GOOD_TILL_CANCEL",
        None,
        [],
    )
    assert report["in_doubt"] is False
    assert report["sequence"] > 0
    assert TIME.fullmatch(report["time_order"])


def test_numbers_come_back_with_their_exact_digits(desk: Desk) -> None:
    body = encoded(order("call-digits", amount_order="@A", price="@P"))
    body = body.replace(b'"@A"', b"0.0123450").replace(b'"@P"', b"2.00001e4")
    answer = desk.api.request("POST", "/v1/orders", body)
    assert answer.status == 200, answer
    assert b'"amount_order":0.0123450,' in answer.body
    assert b'"price":20000.1,' in answer.body


def test_numbers_in_strings_and_either_symbol_are_taken(desk: Desk) -> None:
    answer = desk.api.place(
        "call-strings",
        amount_order="0.01",
        price="20000",
        symbol_id_coinapi=None,
        symbol_id_exchange="BTC/USDT",
        exec_inst="MAKER_OR_CANCEL",
    )
    assert answer.status == 200, answer
    assert answer.json["symbol_id_coinapi"] == "SIM_SPOT_BTC_USDT"
    assert answer.json["exec_inst"] == ["MAKER_OR_CANCEL"]


def test_a_filled_order_reports_its_fills(desk: Desk) -> None:
    desk.sell("call-maker", "31000.5", "0.02")
    desk.api.place("call-taker", price=Decimal("31000.5"), amount_order=Decimal("0.02"))
    report = desk.report_when("call-taker", "FILLED")
    (fill,) = report["fills"]
    assert list(fill) == FILL_FIELDS
    assert TIME.fullmatch(fill["time"])
    assert (fill["price"], fill["amount"]) == (Decimal("31000.5"), Decimal("0.02"))
    assert (fill["liquidity"], fill["fee_asset"]) == ("TAKER", "BTC")
    assert fill["fee"] == Decimal("0.00002")
    assert (report["amount_filled"], report["amount_open"]) == (Decimal("0.02"), 0)
    assert report["avg_px"] == Decimal("31000.5")


def test_a_rejection_by_the_exchange_is_200_in_its_own_words(desk: Desk) -> None:
    desk.sell("call-ask", "30000")
    answer = desk.api.place("call-post", price=Decimal(30000), exec_inst=["MAKER_OR_CANCEL"])
    assert answer.status == 200
    report = answer.json
    assert list(report) == REPORT_FIELDS
    assert report["status"] == "REJECTED"
    assert report["exchange_order_id"] is None
    assert report["error_message"]
    assert report["amount_open"] == Decimal("0.01")
    assert desk.at_exchange("call-post") == []


@pytest.mark.parametrize(
    ("time_in_force", "status", "filled"),
    [("IMMEDIATE_OR_CANCEL", "CANCELED", "0.01"), ("FILL_OR_KILL", "CANCELED", "0")],
)
def test_what_cannot_be_filled_at_once_is_canceled(
    desk: Desk, time_in_force: str, status: str, filled: str
) -> None:
    desk.sell(f"ask-{time_in_force}", "30500")
    client_order_id = f"take-{time_in_force}"
    answer = desk.api.place(
        client_order_id,
        price=Decimal(30500),
        amount_order=Decimal("0.03"),
        time_in_force=time_in_force,
    )
    assert answer.status == 200, answer
    report = desk.report_when(client_order_id, status)
    assert report["amount_filled"] == Decimal(filled)
    assert report["amount_open"] == Decimal("0.03") - Decimal(filled)


def test_an_order_at_an_unknown_account_is_490(desk: Desk) -> None:
    answer = desk.api.place("call-nobody", exchange_id="SIM/NOBODY")
    reject = check_reject(answer, 490, "EXCHANGE_UNREACHABLE", "SIM/NOBODY")
    assert "call-nobody" in str(reject["rejected_message"])
    assert desk.api.status("call-nobody").status == 404


# ── GET /v1/orders and status ────────────────────────────────────────────────────────────────────


def test_open_orders_are_those_that_are_not_final(desk: Desk) -> None:
    desk.api.place("open-1")
    desk.api.place("open-2", exchange_id="SIM/ALICE")
    desk.api.place("open-3")
    desk.api.cancel("open-3")
    desk.report_when("open-3", "CANCELED")
    everywhere = desk.api.wanted("/v1/orders")
    assert {each["id"] for each in everywhere} == {"open-1", "open-2"}
    assert all(list(each) == REPORT_FIELDS for each in everywhere)
    (only,) = desk.api.wanted("/v1/orders?exchange_id=SIM/ALICE")
    assert only["id"] == "open-2"
    assert desk.api.wanted("/v1/orders?exchange_id=SIM%2FALICE") == [only]
    check_reject(desk.api.get("/v1/orders?exchange_id=SIM/X"), 490, "EXCHANGE_UNREACHABLE", "SIM/X")


@pytest.mark.parametrize(
    "client_order_id",
    ["a/b/c", "../..", "what?", "two words", "100%25", "ä".encode().hex(), "#&=+;,:@~!$'()*[]"],
)
def test_any_printable_id_is_found_by_its_path(desk: Desk, client_order_id: str) -> None:
    placed = desk.api.place(client_order_id)
    assert placed.status == 200, placed
    answer = desk.api.status(quote(client_order_id, safe=""))
    assert answer.status == 200, answer
    assert list(answer.json) == REPORT_FIELDS
    assert answer.json["client_order_id"] == client_order_id
    desk.api.cancel(client_order_id)
    final = desk.api.status(quote(client_order_id, safe=""))
    assert final.status == 200


def test_an_unknown_order_is_404(desk: Desk) -> None:
    check_reject(desk.api.status("nobody-knows"), 404, "ORDER_ID_NOT_FOUND", None)


def test_of_one_id_at_two_accounts_the_newest_is_meant(desk: Desk) -> None:
    desk.api.place("twice", price=Decimal(20001))
    desk.api.place("twice", exchange_id="SIM/ALICE", price=Decimal(20002))
    assert desk.api.status("twice").json["exchange_id"] == "SIM/ALICE"
    assert desk.api.status("twice", "SIM").json["price"] == 20001
    assert desk.api.status("twice", "SIM/ALICE").json["price"] == 20002


# ── cancels ──────────────────────────────────────────────────────────────────────────────────────


def test_a_cancel_is_answered_with_the_last_report(desk: Desk) -> None:
    placed = desk.api.place("cancel-1").json
    answer = desk.api.cancel("cancel-1")
    assert answer.status == 200
    assert list(answer.json) == REPORT_FIELDS
    assert answer.json["sequence"] > placed["sequence"]
    report = desk.report_when("cancel-1", "CANCELED")
    assert report["amount_open"] == Decimal("0.01")
    again = desk.api.cancel("cancel-1")
    assert (again.status, again.json["status"]) == (200, "CANCELED")


def test_an_order_is_canceled_by_the_exchanges_id_too(desk: Desk) -> None:
    placed = desk.api.place("cancel-2").json
    answer = desk.api.post(
        "/v1/orders/cancel",
        {"exchange_id": "SIM", "exchange_order_id": placed["exchange_order_id"]},
    )
    assert (answer.status, answer.json["client_order_id"]) == (200, "cancel-2")
    desk.report_when("cancel-2", "CANCELED")


def test_cancels_that_name_nothing(desk: Desk) -> None:
    check_reject(desk.api.cancel("never-placed"), 404, "ORDER_ID_NOT_FOUND")
    check_reject(desk.api.cancel("never-placed", "SIM/X"), 490, "EXCHANGE_UNREACHABLE", "SIM/X")
    both = {"exchange_id": "SIM", "client_order_id": "a", "exchange_order_id": "1"}
    for body in (both, {"exchange_id": "SIM"}):
        answer = desk.api.post("/v1/orders/cancel", body)
        assert answer.status == 400, answer
        assert answer.json["errors_by_field"]


def test_cancel_all_says_how_many(desk: Desk) -> None:
    for number in range(3):
        desk.api.place(f"all-{number}")
    desk.api.place("all-hers", exchange_id="SIM/ALICE")
    answer = desk.api.post("/v1/orders/cancel/all", {"exchange_id": "SIM"})
    assert answer.status == 200
    assert answer.json == {
        "type": "MESSAGE_REJECT",
        "reject_reason": "OTHER",
        "exchange_id": "SIM",
        "message": "Cancel requested for 3 orders.",
    }
    assert list(answer.json) == ["type", "reject_reason", "exchange_id", "message"]
    for number in range(3):
        desk.report_when(f"all-{number}", "CANCELED")
    assert desk.report("all-hers", "SIM/ALICE")["status"] == "NEW"
    unknown = desk.api.post("/v1/orders/cancel/all", {"exchange_id": "SIM/X"})
    check_reject(unknown, 490, "EXCHANGE_UNREACHABLE", "SIM/X")
    assert desk.api.post("/v1/orders/cancel/all", {}).status == 400


# ── history ──────────────────────────────────────────────────────────────────────────────────────


def test_history_has_one_row_per_order_in_the_range(desk: Desk) -> None:
    desk.sell("history-ask", "32000", "0.01")
    desk.api.place("history-1", price=Decimal(32000))
    report = desk.report_when("history-1", "FILLED")
    (row,) = [row for row in desk.api.history() if row["clientOrderId"] == "history-1"]
    assert list(row) == HISTORY_FIELDS
    assert (row["side"], row["status"], row["exchangeId"]) == (1, "FILLED", "SIM")
    assert row["amountFilled"] == report["amount_filled"]
    assert row["statusHistoryStatus"] == [each[0] for each in report["status_history"]]
    assert row["statusHistoryTime"] == [each[1] for each in report["status_history"]]
    assert row["fillsPrice"] == [32000]
    assert row["fillsAmount"] == [Decimal("0.01")]
    assert row["createdTime"] == report["time_order"]
    (fill,) = report["fills"]
    assert row["fillsTradeId"] == [fill["trade_id"]]
    assert row["fillsFee"] == [fill["fee"]]
    assert row["fillsFeeAsset"] == [fill["fee_asset"]] == ["BTC"]
    assert row["fillsLiquidity"] == ["TAKER"]
    in_path = desk.api.wanted("/v1/orders/history/1970-01-01/2262-01-01")
    assert row in in_path
    assert desk.api.wanted("/v1/orders/history?time_start=1970-01-01&time_end=1971-01-01") == []


def test_history_comes_in_pages_too(desk: Desk) -> None:
    for number in range(5):
        desk.api.place(f"page-{number}")
    desk.tidy()
    whole = desk.api.history()
    pages: list[object] = []
    after = ""
    while True:
        answer = desk.api.get(
            f"/v1/orders/history?time_start=1970-01-01&time_end=2262-01-01&limit=2{after}"
        )
        assert answer.status == 200
        pages += answer.json
        cursor = answer.headers.get("x-fairlead-after")
        if cursor is None:
            break
        after = f"&after={cursor}"
    assert pages == whole


@pytest.mark.parametrize(
    "query",
    [
        *("", "time_start=2021-01-08", "time_end=2021-01-08", "time_start=now&time_end=2021-01-08"),
        *(
            "time_start=2022-01-01&time_end=2021-01-01",
            "time_start=1970-01-01&time_end=2262-01-01&limit=0",
        ),
        "time_start=1970-01-01&time_end=2262-01-01&after=x",
    ],
)
def test_a_bad_history_query_is_400_with_a_message(desk: Desk, query: str) -> None:
    answer = desk.api.get(f"/v1/orders/history?{query}")
    assert answer.status == 400, answer
    assert list(answer.json) == ["message"]
    assert re.search("time_start|time_end|limit|after", answer.json["message"])


# ── balances, positions, health ──────────────────────────────────────────────────────────────────


def test_balances_of_each_account(desk: Desk) -> None:
    snapshots = desk.api.wanted("/v1/balances")
    assert [each["exchange_id"] for each in snapshots] == ["SIM", "SIM/ALICE"]
    for snapshot in snapshots:
        assert list(snapshot) == ["type", "exchange_id", "data"]
        assert snapshot["type"] == "BALANCE_SNAPSHOT"
        assert [row["id"] for row in snapshot["data"]] == ["BTC", "ETH", "USDT"]
        for row in snapshot["data"]:
            assert list(row) == BALANCE_FIELDS
            assert row["available"] == row["balance"] - row["locked"]
            assert row["last_updated_by"] in ("INITIALIZATION", "EXCHANGE", "BALANCE_MANAGER")
            assert row["source"] == row["last_updated_by"]
            assert row["age_ms"] >= 0
    alone = desk.api.wanted("/v1/balances?exchange_id=SIM")
    assert ageless(alone) == ageless(snapshots[:1])
    check_reject(
        desk.api.get("/v1/balances?exchange_id=SIM/X"), 490, "EXCHANGE_UNREACHABLE", "SIM/X"
    )


def test_a_resting_order_locks_what_it_may_cost(desk: Desk) -> None:
    before = desk.api.balances()["USDT"]
    desk.api.place("lock-1", price=Decimal(20000), amount_order=Decimal("0.5"))
    after = desk.api.balances()["USDT"]
    assert after["locked"] - before["locked"] == 10000
    assert after["balance"] == before["balance"]
    desk.api.cancel("lock-1")
    desk.report_when("lock-1", "CANCELED")
    assert desk.api.balances()["USDT"]["locked"] == before["locked"]


def test_balances_are_worth_what_the_exchange_quotes(make_desk: MakeDesk) -> None:
    with make_desk(reconcile__interval_ms=200, reconcile__tickers_ms=200) as quick:
        quick.api.place("bid", price=Decimal(29990))
        quick.sell("ask", "30010.50")
        rows = quick.api.balances()
        assert (rows["USDT"]["rate_usd"], rows["USDT"]["rate_usd_age_ms"]) == (1, 0)
        until(
            lambda: quick.api.balances()["BTC"]["rate_usd"] == Decimal("30000.25"),
            "the rate is the middle of the quotes",
        )
        assert quick.api.balances()["BTC"]["rate_usd_age_ms"] < 120_000
        assert quick.api.balances()["ETH"]["rate_usd"] is None, "nobody quotes it"


def test_how_the_accounts_stand_with_their_exchange(desk: Desk) -> None:
    stands, other = desk.api.wanted("/v1/accounts/reconciliation")
    assert (stands["exchange_id"], other["exchange_id"]) == ("SIM", "SIM/ALICE")
    assert (stands["connected"], stands["reconciled"], stands["trouble"]) == (True, True, None)
    assert TIME.fullmatch(stands["reconciled_time"])
    assert stands["reconciled_age_ms"] >= 0
    assert stands["sweeps_succeeded"] >= 1
    assert stands["drifts"] == []
    last = stands["last_sweep"]
    assert TIME.fullmatch(last["time"])
    assert (last["succeeded"], last["trouble"]) == (True, None)
    assert last["cause"] in ("CONNECTED", "PERIODIC", "WANTED")
    assert list(last["found"]) == [
        *("orders_adopted", "orders_asked", "fills_booked", "balances_moved", "positions_moved"),
    ]  # fmt: skip
    assert len(desk.api.wanted("/v1/accounts/reconciliation?exchange_id=SIM/ALICE")) == 1
    check_reject(
        desk.api.get("/v1/accounts/reconciliation?exchange_id=SIM/X"),
        490,
        "EXCHANGE_UNREACHABLE",
        "SIM/X",
    )
    metrics = desk.api.get("/metrics").body.decode()
    labels = 'account="SIM",outcome="succeeded",subscription="local"'
    assert re.search(rf"fairlead_sweeps_total\{{{labels}\}} [1-9]", metrics)


def test_spot_accounts_have_no_positions(desk: Desk) -> None:
    assert desk.api.wanted("/v1/positions?exchange_id=SIM") == [
        {"type": "POSITION_SNAPSHOT", "exchange_id": "SIM", "data": []}
    ]
    assert len(desk.api.wanted("/v1/positions")) == 2
    check_reject(
        desk.api.get("/v1/positions?exchange_id=SIM/X"), 490, "EXCHANGE_UNREACHABLE", "SIM/X"
    )


def test_health_metrics_and_the_document(desk: Desk) -> None:
    assert desk.api.get("/health/live").status == 200
    assert desk.api.get("/health/ready").status == 200
    metrics = desk.api.get("/metrics")
    assert metrics.status == 200
    for name in ("orders", "commit", "in_doubt", "lag"):
        assert re.search(f"fairlead_[a-z_]*{name}", metrics.body.decode()), name
    document = desk.api.wanted("/openapi.json")
    assert "/v1/orders" in document["paths"]


def test_what_is_not_served_is_404_or_405(desk: Desk) -> None:
    assert desk.api.get("/v1/nothing").status == 404
    assert desk.api.request("DELETE", "/v1/orders").status == 405


def test_what_strict_clients_need_can_be_configured(make_desk: MakeDesk) -> None:
    """Nulls left out of reports, and the media type as the contract's documents spell it."""
    with make_desk(http__omit_nulls=True, http__misspelt_media_type=True) as strict:
        report = strict.api.place("strict").json
        left_out = {"error_message", "expire_time"}
        assert list(report) == [name for name in REPORT_FIELDS if name not in left_out]
        refused = strict.api.place("strict-nobody", exchange_id="SIM/X")
        assert (refused.status, refused.headers["content-type"]) == (490, "appliction/json")
