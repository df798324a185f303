"""Several accounts in one process: each has its own orders, balances, mode, sequence and rate."""

from decimal import Decimal

from tests.acceptance.conftest import Desk
from tests.acceptance.test_calls import check_reject
from tests.acceptance.test_checks import close_budget, keep_reconciling, let_reconcile
from tests.system import PUBLIC_KEYS, until

ALICE = "SIM/ALICE"


def test_one_client_id_names_an_order_at_each(desk: Desk) -> None:
    ours = desk.api.place("same-id", price=Decimal(20000)).json
    hers = desk.api.place("same-id", price=Decimal(21000), exchange_id=ALICE).json
    assert ours["client_order_id_format_exchange"] != hers["client_order_id_format_exchange"]
    assert desk.at_exchange("same-id")[0]["account"] == PUBLIC_KEYS["SIM"]
    assert desk.at_exchange("same-id", ALICE)[0]["account"] == PUBLIC_KEYS[ALICE]


def test_a_tagged_account_keeps_the_bare_exchange_in_its_symbols(desk: Desk) -> None:
    report = desk.api.place("tagged", exchange_id=ALICE).json
    assert report["exchange_id"] == ALICE
    assert report["symbol_id_coinapi"] == "SIM_SPOT_BTC_USDT"


def test_another_accounts_order_cannot_be_canceled(desk: Desk) -> None:
    hers = desk.api.place("not-yours", exchange_id=ALICE).json
    check_reject(desk.api.cancel("not-yours", "SIM"), 404, "ORDER_ID_NOT_FOUND")
    by_exchange_id = {"exchange_id": "SIM", "exchange_order_id": hers["exchange_order_id"]}
    check_reject(desk.api.post("/v1/orders/cancel", by_exchange_id), 404, "ORDER_ID_NOT_FOUND")
    assert desk.report_when("not-yours", "NEW", account=ALICE)


def test_a_trade_between_two_moves_each_ones_own_balances(desk: Desk) -> None:
    before = {account: desk.api.balances(account) for account in PUBLIC_KEYS}
    desk.sell("between-ask", "30000", "0.5")
    desk.api.place("between-buy", price=Decimal(30000), amount_order=Decimal("0.5"))
    desk.report_when("between-buy", "FILLED")
    desk.report_when("between-ask", "FILLED", account=ALICE)
    after = {account: desk.api.balances(account) for account in PUBLIC_KEYS}

    def moved(account: str, asset: str, field: str = "balance") -> Decimal:
        return Decimal(after[account][asset][field] - before[account][asset][field])

    assert moved("SIM", "USDT") == -15000
    assert moved("SIM", "BTC") == Decimal("0.4995")  # taker fee 0.1 %, of what is received
    assert moved(ALICE, "BTC") == Decimal("-0.5")
    assert moved(ALICE, "USDT") == 15000 - 12  # maker fee 0.08 %
    assert moved("SIM", "USDT", "traded") == moved(ALICE, "USDT", "traded") == 15000
    for account, public_key in PUBLIC_KEYS.items():
        held = desk.operator.balances(public_key)
        said = {asset: (row["balance"], row["locked"]) for asset, row in after[account].items()}
        assert said == held


def test_modes_are_each_accounts_own(desk: Desk) -> None:
    desk.mode("HALTED")
    assert desk.api.place("mode-ours").json["status"] == "REJECTED"
    assert desk.api.place("mode-hers", exchange_id=ALICE).json["status"] in ("ROUTED", "NEW")


def test_sequences_are_each_accounts_own_and_dense(desk: Desk) -> None:
    until(lambda: not desk.api.wanted("/v1/orders"), "all is quiet")
    before = {name: state["sequence"] for name, state in desk.api.accounts().items()}
    placed = desk.api.place("sequence").json
    report = desk.report_when("sequence", "NEW")
    after = {name: state["sequence"] for name, state in desk.api.accounts().items()}
    assert before["SIM"] < placed["sequence"] <= report["sequence"] <= after["SIM"]
    assert after[ALICE] == before[ALICE]


def test_one_accounts_rate_does_not_hold_up_another(desk: Desk) -> None:
    close_budget(desk, 3_000)
    placing = desk.placing("rate-ours")
    hers = desk.api.place("rate-hers", exchange_id=ALICE)
    assert hers.json["status"] in ("ROUTED", "NEW")
    assert desk.report("rate-ours")["status"] == "RECEIVED"
    placing.result()


def test_one_accounts_broken_line_leaves_the_other_alone(desk: Desk) -> None:
    keep_reconciling(desk)
    until(lambda: not desk.api.accounts()["SIM"]["reconciled"], "SIM is not reconciled")
    assert desk.api.accounts()[ALICE]["reconciled"]
    assert desk.api.place("line-hers", exchange_id=ALICE).status == 200
    check_reject(desk.api.place("line-ours"), 490, "EXCHANGE_UNREACHABLE")
    let_reconcile(desk)
