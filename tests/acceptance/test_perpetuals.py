"""A perpetual by REST, from the first order to a liquidation: every figure as the exchange states it.

Two accounts with 1,000 USDT each trade with one another at marks that the test sets, so that every
number can be worked out by hand: leverage 10, maintenance 1 %, fees 0.08 % and 0.10 % of the notional.
"""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.acceptance.conftest import Desk, MakeDesk
from tests.system import PUBLIC_KEYS, Json, until

D = Decimal
PERP = "SIM_PERP_BTC_USDT"
ALICE = "SIM/ALICE"
REDUCE_ONLY = ["DO_NOT_INCREASE"]
MARK = D(40_000)
FIELDS = [
    *("id", "symbol_id_exchange", "symbol_id_coinapi", "avg_entry_price", "quantity", "side"),
    *("unrealized_pnl", "leverage", "cross_margin", "liquidation_price", "raw_data"),
]


@pytest.fixture
def desk(make_desk: MakeDesk) -> Iterator[Desk]:
    with make_desk(exchange__starting_balances={"BTC": 10, "USDT": 1_000}) as desk:
        desk.operator.post("mark", symbol=PERP, price=MARK)
        yield desk


def place(
    desk: Desk, name: str, side: str, amount: str, price: object = MARK, **more: object
) -> Json:
    """Place an order in the perpetual and return its report once the exchange has answered."""
    answer = desk.api.place(
        name,
        symbol_id_coinapi=PERP,
        side=side,
        amount_order=D(amount),
        price=D(str(price)),
        **more,
    )
    assert answer.status == 200, answer
    return answer.json


def trade(desk: Desk, name: str, side: str, amount: str, price: object = MARK) -> None:
    """Have SIM take what ALICE offers."""
    other = "SELL" if side == "BUY" else "BUY"
    place(desk, f"{name}-hers", other, amount, price, exchange_id=ALICE)
    place(desk, name, side, amount, price)
    desk.report_when(name, "FILLED")
    desk.report_when(f"{name}-hers", "FILLED", account=ALICE)
    agreed(desk)


def positions(desk: Desk, account: str = "SIM") -> list[Json]:
    (snapshot,) = desk.api.wanted(f"/v1/positions?exchange_id={account}")
    rows: list[Json] = snapshot["data"]
    return rows


def position(desk: Desk, account: str = "SIM") -> Json:
    (row,) = positions(desk, account)
    return row


def ours(desk: Desk) -> dict[str, tuple[object, ...]]:
    """What we say of every position, under the exchange's name of its account."""
    return {
        PUBLIC_KEYS[account]: (
            row["symbol_id_exchange"], row["side"], row["quantity"], row["avg_entry_price"],
            row["raw_data"]["mark_price"], row["unrealized_pnl"], row["leverage"],
            row["cross_margin"], row["liquidation_price"],
        )
        for account in PUBLIC_KEYS
        for row in positions(desk, account)
    }  # fmt: skip


def theirs(desk: Desk) -> dict[str, tuple[object, ...]]:
    """The same, in the exchange's words."""
    return {
        row["account"]: (
            row["symbol"], row["side"], row["quantity"], row["entry_price"],
            row["mark_price"], row["unrealized"], row["leverage"],
            row["is_cross"], row["liquidation_price"],
        )
        for row in desk.operator.api.wanted("/operator/positions")["positions"]
        if not row["is_house"]
    }  # fmt: skip


def agreed(desk: Desk) -> None:
    """Wait until positions and balances of both accounts are the exchange's."""
    until(lambda: ours(desk) == theirs(desk), "the positions are the exchange's")
    for account, public_key in PUBLIC_KEYS.items():

        def is_equal(account: str = account, public_key: str = public_key) -> bool:
            rows = desk.api.balances(account)
            said = {asset: (row["balance"], row["locked"]) for asset, row in rows.items()}
            return said == desk.operator.balances(public_key)

        until(is_equal, f"the balances of {account} are the exchange's")


def usdt(desk: Desk, account: str = "SIM") -> tuple[Decimal, Decimal]:
    row = desk.api.balances(account)["USDT"]
    return row["balance"], row["locked"]


def rejected(report: Json, text: str) -> None:
    assert report["status"] == "REJECTED", report
    assert text in report["error_message"]


# ── positions ────────────────────────────────────────────────────────────────────────────────────


def test_a_fill_makes_a_position_that_every_field_of_the_contract_states(desk: Desk) -> None:
    assert [each["data"] for each in desk.api.wanted("/v1/positions")] == [[], []]
    trade(desk, "open", "BUY", "0.2")
    snapshots = desk.api.wanted("/v1/positions")
    assert [(each["type"], each["exchange_id"]) for each in snapshots] == [
        ("POSITION_SNAPSHOT", "SIM"),
        ("POSITION_SNAPSHOT", ALICE),
    ]
    assert [list(each) for each in snapshots] == [["type", "exchange_id", "data"]] * 2
    long, short = position(desk), position(desk, ALICE)
    assert list(long)[: len(FIELDS)] == list(short)[: len(FIELDS)] == FIELDS
    assert [long[name] for name in FIELDS[:-1]] == [
        "BTC-PERPBUY", "BTC-PERP", PERP, 40_000, D("0.2"), "BUY", 0, 10, True, D("35393.94"),
    ]  # fmt: skip
    assert [short[name] for name in FIELDS[:-1]] == [
        "BTC-PERPSELL", "BTC-PERP", PERP, 40_000, D("0.2"), "SELL", 0, 10, True, D("44522.77"),
    ]  # fmt: skip
    assert long["raw_data"]["mark_price"] == MARK
    assert usdt(desk) == (1_000 - 8, 800)
    assert usdt(desk, ALICE) == (1_000 - D("6.4"), 800)
    assert desk.api.balances()["BTC"]["balance"] == 10, "a contract is not the asset"


def test_positions_average_shrink_turn_around_and_end(desk: Desk) -> None:
    trade(desk, "first", "BUY", "0.1", 40_000)
    trade(desk, "more", "BUY", "0.1", 41_000)
    assert position(desk)["avg_entry_price"] == 40_500
    trade(desk, "less", "SELL", "0.05", 41_000)
    row = position(desk)
    assert (row["avg_entry_price"], row["quantity"], row["side"]) == (40_500, D("0.15"), "BUY")
    desk.operator.post("mark", symbol=PERP, price=D(41_000))
    trade(desk, "turn", "SELL", "0.2", 41_000)
    row = position(desk)
    assert (row["id"], row["avg_entry_price"]) == ("BTC-PERPSELL", 41_000)
    assert row["quantity"] == D("0.05")
    trade(desk, "end", "BUY", "0.05", 40_900)
    assert ours(desk) == {}
    fees = (4_000 + 4_100 + 2_050 + 8_200 + 2_045) * D("0.001")
    assert usdt(desk) == (1_000 + 25 + 75 + 5 - fees, 0)


def test_unrealized_profit_moves_with_the_mark(desk: Desk) -> None:
    trade(desk, "open", "BUY", "0.2")
    for mark, profit in ((40_500, 100), (39_750, -50)):
        desk.operator.post("mark", symbol=PERP, price=D(mark))
        agreed(desk)
        assert position(desk)["raw_data"]["mark_price"] == mark
        assert position(desk)["unrealized_pnl"] == profit
        assert position(desk, ALICE)["unrealized_pnl"] == -profit
        assert usdt(desk)[0] == 992, "nothing is realized"


def test_another_leverage_is_shown_and_locks_its_margin(desk: Desk) -> None:
    trade(desk, "open", "BUY", "0.2")
    desk.operator.post("leverage", account=PUBLIC_KEYS["SIM"], symbol=PERP, leverage=D(20))
    until(lambda: position(desk)["leverage"] == 20, "the leverage is 20")
    agreed(desk)
    assert usdt(desk) == (992, 400)


# ── reduce only ──────────────────────────────────────────────────────────────────────────────────


def test_a_reduce_only_order_passes_only_where_it_reduces(desk: Desk) -> None:
    flat = place(desk, "flat", "SELL", "0.1", exec_inst=REDUCE_ONLY)
    rejected(flat, "reduces nothing")
    trade(desk, "open", "BUY", "0.2")
    rejected(place(desk, "grows", "BUY", "0.1", exec_inst=REDUCE_ONLY), "reduces nothing")
    answer = desk.api.place("spot", exec_inst=REDUCE_ONLY)
    assert answer.status == 400
    assert "exec_inst" in answer.json["errors_by_field"]

    rests = place(desk, "rests", "SELL", "0.22", 40_010, exec_inst=REDUCE_ONLY)
    assert rests["exec_inst"] == REDUCE_ONLY
    desk.report_when("rests", "NEW")
    assert usdt(desk) == (992, 800), "it locks nothing"
    place(desk, "takes", "BUY", "0.22", 40_010, exchange_id=ALICE)
    report = desk.report_when("rests", "CANCELED")
    assert report["amount_filled"] == D("0.2"), "what there was to reduce"
    agreed(desk)
    assert ours(desk) == {}


# ── funding ──────────────────────────────────────────────────────────────────────────────────────


def test_longs_pay_funding_to_shorts_and_below_zero_get_it(desk: Desk) -> None:
    trade(desk, "open", "BUY", "0.2")
    long, short = usdt(desk)[0], usdt(desk, ALICE)[0]
    for rate, paid in (("0.001", 8), ("-0.0005", -4)):
        assert desk.operator.post("funding", symbol=PERP, rate=D(rate))["paid"] == D(rate)
        agreed(desk)
        long, short = long - paid, short + paid
        assert (usdt(desk)[0], usdt(desk, ALICE)[0]) == (long, short)
    assert position(desk)["avg_entry_price"] == 40_000, "funding moves no position"


def test_funding_comes_by_itself_in_the_interval_that_is_set(make_desk: MakeDesk) -> None:
    """The perpetual's mid is 0.5 % above the index, which is what a long pays."""
    with make_desk(exchange__funding_interval_ms=1_000) as desk:
        for name, side, price in (("bid", "BUY", 39_990), ("ask", "SELL", 40_010)):
            answer = desk.api.place(name, exchange_id=ALICE, side=side, price=D(price))
            assert answer.status == 200
        trade(desk, "open", "BUY", "0.2", 40_200)
        before = usdt(desk)[0]
        for name, side, price in (("low", "BUY", 40_190), ("high", "SELL", 40_210)):
            place(desk, name, side, "0.01", price, exchange_id=ALICE)
        until(lambda: usdt(desk)[0] <= before - 2 * 40, "funding was paid twice")
        assert (before - usdt(desk)[0]) % 40 == 0, "0.2 × 40,000 × 0.005 each time"


# ── liquidation ──────────────────────────────────────────────────────────────────────────────────


def test_a_liquidation_arrives_as_an_order_of_the_exchange_with_its_reason(desk: Desk) -> None:
    """Half of it meets a bid, the other half the deleveraged position of who profits."""
    trade(desk, "open", "BUY", "0.2")
    place(desk, "waits", "SELL", "0.05", 50_000)
    place(desk, "bid", "BUY", "0.1", 35_700, exchange_id=ALICE)
    desk.operator.post("mark", symbol=PERP, price=D(35_393))
    until(lambda: not positions(desk), "the position is closed")
    agreed(desk)
    assert desk.report_when("waits", "CANCELED")["amount_filled"] == 0

    (forced,) = external(desk, "SIM")
    assert forced["client_order_id"].startswith("liq-")
    assert forced["error_message"].startswith("liquidation: ")
    assert (forced["status"], forced["side"], forced["amount_filled"]) == (
        "FILLED",
        "SELL",
        D("0.2"),
    )
    assert [status for status, _ in forced["status_history"]] == [
        "NEW",
        "PARTIALLY_FILLED",
        "FILLED",
    ]
    assert forced["exec_inst"] == REDUCE_ONLY
    assert {fill["fee"] for fill in forced["fills"]} == {0}
    assert usdt(desk) == (0, 0)

    (deleveraged,) = external(desk, ALICE)
    assert deleveraged["client_order_id"].startswith("adl-")
    assert deleveraged["error_message"].startswith("auto_deleveraging: ")
    assert (deleveraged["side"], deleveraged["amount_filled"]) == ("BUY", D("0.1"))
    metrics = desk.api.get("/metrics").body.decode()
    for account, code in (("SIM", "liquidation"), (ALICE, "auto_deleveraging")):
        labels = f'account="{account}",code="{code}",subscription="local"'
        assert f"fairlead_alarms_total{{{labels}}} 1" in metrics


def external(desk: Desk, account: str) -> list[Json]:
    """The reports of orders that we did not send."""
    names = [row["clientOrderId"] for row in desk.api.history() if row["exchangeId"] == account]
    forced = [name for name in names if name.startswith(("liq-", "adl-"))]
    return [desk.report_when(name, "FILLED", account=account) for name in forced]


# ── reducing ─────────────────────────────────────────────────────────────────────────────────────


def test_a_reducing_account_lets_through_only_what_reduces(desk: Desk) -> None:
    trade(desk, "open", "BUY", "0.1")
    desk.mode("REDUCING")
    rejected(place(desk, "more", "BUY", "0.01"), "only SELL orders of at most 0.1 pass")
    rejected(place(desk, "turns", "SELL", "0.11", 41_000), "only SELL orders of at most 0.1 pass")
    place(desk, "part", "SELL", "0.06", 41_000)
    desk.report_when("part", "NEW")
    rejected(
        place(desk, "too-much", "SELL", "0.05", 41_000), "only SELL orders of at most 0.04 pass"
    )
    place(desk, "rest", "SELL", "0.04", 41_000, exec_inst=REDUCE_ONLY)
    desk.report_when("rest", "NEW")
    rejected(place(desk, "nothing-left", "SELL", "0.01", 41_000), "may close the whole position")
    assert desk.api.place("spot-buy").json["status"] == "REJECTED"

    place(desk, "takes", "BUY", "0.1", 41_000, exchange_id=ALICE)
    desk.report_when("part", "FILLED")
    desk.report_when("rest", "FILLED")
    agreed(desk)
    assert ours(desk) == {}
    rejected(place(desk, "none", "SELL", "0.01", 41_000), "there is no position")
    for name in ("more", "turns", "too-much", "nothing-left", "none"):
        assert desk.report(name)["error_message"].startswith("account_reducing: SIM is reducing; ")
