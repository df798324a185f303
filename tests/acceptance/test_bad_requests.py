"""Bad requests to the running system: each gets 400 naming the field, and changes nothing."""

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.acceptance.conftest import Desk
from tests.gateway.orders import ABSENT, BAD_ORDERS, body, expiring, raw
from tests.system import Answer, ageless, encoded, order

# What the form cannot know: the instrument's rules, the exchange's abilities, the clock.
BAD_BY_RULE: list[tuple[str, dict[str, object], str]] = [
    ("price off the tick", {"price": Decimal("20000.001")}, "price"),
    ("price a little off the tick", {"price": Decimal("20000.000000000000001")}, "price"),
    ("amount off the step", {"amount_order": Decimal("0.0000105")}, "amount_order"),
    ("amount below the least", {"amount_order": Decimal("0.000009")}, "amount_order"),
    ("amount above the most", {"amount_order": Decimal("9000.000001")}, "amount_order"),
    ("worth too little", {"price": Decimal(10), "amount_order": Decimal("0.1")}, "amount_order"),
    ("unknown symbol", {"symbol_id_coinapi": "SIM_SPOT_BTC_EUR"}, "symbol_id_coinapi"),
    ("symbol of another exchange", {"symbol_id_coinapi": "KRAKEN_SPOT_BTC_USDT"}, "symbol_id_coinapi"),
    ("symbol in small letters", {"symbol_id_coinapi": "sim_spot_btc_usdt"}, "symbol_id_coinapi"),
    ("unknown symbol of the exchange", {"symbol_id_exchange": "BTC/EUR"}, "symbol_id_exchange"),
    ("contradictory symbols", {"symbol_id_exchange": "ETH/USDT"}, "symbol_id_exchange"),
    ("AUCTION_ONLY", {"exec_inst": ["AUCTION_ONLY"]}, "exec_inst"),
    ("INDICATION_OF_INTEREST", {"exec_inst": ["INDICATION_OF_INTEREST"]}, "exec_inst"),
    ("CANCEL_ON_DISCONNECT", {"exec_inst": "CANCEL_ON_DISCONNECT"}, "exec_inst"),
    ("DO_NOT_INCREASE", {"exec_inst": ["DO_NOT_INCREASE"]}, "exec_inst"),
    (
        "one instruction of two unsupported",
        {"exec_inst": ["MAKER_OR_CANCEL", "AUCTION_ONLY"]},
        "exec_inst",
    ),
    (
        "post only and immediate",
        {"exec_inst": ["MAKER_OR_CANCEL"], "time_in_force": "IMMEDIATE_OR_CANCEL"},
        "exec_inst",
    ),
    (
        "expire_time in the past",
        {"time_in_force": "GOOD_TILL_TIME_OMS", "expire_time": "2021-01-08T00:00:00Z"},
        "expire_time",
    ),
    (
        "expire_time in the past at the exchange",
        {"time_in_force": "GOOD_TILL_TIME_EXCHANGE", "expire_time": "1970-01-01"},
        "expire_time",
    ),
]  # fmt: skip

CANCEL, CANCEL_ALL = "/v1/orders/cancel", "/v1/orders/cancel/all"
MODE, RESOLVE = "/v1/operator/mode", "/v1/operator/resolve"
HUGE = b'{"price": "' + b"9" * 70_000 + b'"}'
REST = '"exchange_id": "SIM", "client_order_id": "bad-rest"'

# What is wrong, the path, the body, and the field that must be named.
BAD_CALLS: list[tuple[str, str, bytes | str, str]] = [
    ("cancel of nothing", CANCEL, '{"exchange_id": "SIM"}', "client_order_id"),
    ("cancel without account", CANCEL, '{"client_order_id": "bad-rest"}', "exchange_id"),
    ("cancel by both ids", CANCEL, f'{{{REST}, "exchange_order_id": "1"}}', "exchange_order_id"),
    ("cancel with an unknown field", CANCEL, f'{{{REST}, "all": true}}', "all"),
    (
        "cancel with a number as id",
        CANCEL,
        '{"exchange_id": "SIM", "client_order_id": 7}',
        "client_order_id",
    ),
    ("cancel with an id twice", CANCEL, f'{{"client_order_id": "x", {REST}}}', "client_order_id"),
    ("cancel not JSON", CANCEL, "bad-rest", "body"),
    ("cancel all of nobody", CANCEL_ALL, "{}", "exchange_id"),
    ("cancel all in small letters", CANCEL_ALL, '{"exchange_id": "sim"}', "exchange_id"),
    ("cancel all with more", CANCEL_ALL, '{"exchange_id": "SIM", "side": "BUY"}', "side"),
    ("mode unknown", MODE, '{"exchange_id": "SIM", "mode": "PAUSED"}', "mode"),
    ("mode missing", MODE, '{"exchange_id": "SIM"}', "mode"),
    ("resolution unknown", RESOLVE, f'{{{REST}, "resolution": "GONE"}}', "resolution"),
    ("resolution of no doubt", RESOLVE, f'{{{REST}, "resolution": "CANCELED"}}', "client_order_id"),
    ("a huge order", "/v1/orders", HUGE, "body"),
    ("a huge cancel", CANCEL, HUGE, "body"),
]
BAD_QUERIES = [
    *("/v1/orders?exchange_id=sim", "/v1/orders?exchange_id=", "/v1/orders?exchange_id=SIM%2F"),
    *("/v1/balances?exchange_id=SIM|A", "/v1/balances?exchange_id=SIM&exchange_id=SIM"),
    *("/v1/positions?exchange_id=5%20", "/v1/operator/accounts?exchange_id=sim"),
    "/v1/orders/status/bad-rest?exchange_id=nobody",
]


@pytest.fixture(scope="module")
def busy(desk_of_module: Desk) -> Desk:
    """A desk that has open, filled and canceled orders already."""
    desk = desk_of_module
    desk.sell("bad-ask", "30000")
    desk.api.place("bad-buy", price=Decimal(30000))
    desk.api.place("bad-rest")
    desk.api.place("bad-gone")
    desk.api.cancel("bad-gone")
    for name, status in (("bad-buy", "FILLED"), ("bad-rest", "NEW"), ("bad-gone", "CANCELED")):
        desk.report_when(name, status)
    desk.report_when("bad-ask", "FILLED", account="SIM/ALICE")
    return desk


class State:
    """All that a request might change, as the system and as the exchange say it."""

    def __init__(self, desk: Desk) -> None:
        self.orders = desk.api.get("/v1/orders").body
        history = desk.api.get("/v1/orders/history?time_start=1970-01-01&time_end=2262-01-01")
        self.history = history.body
        self.balances = ageless(desk.api.wanted("/v1/balances"))
        self.sequences = {
            name: (state["sequence"], state["mode"]) for name, state in desk.api.accounts().items()
        }
        self.at_exchange = desk.operator.orders()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture
def unchanged(busy: Desk) -> Iterator[Desk]:
    """The desk, which must be the same after the test as before."""
    before = State(busy)
    yield busy
    assert vars(State(busy)) == vars(before)


def check_invalid(answer: Answer, field: str) -> None:
    """The answer is a 400 of the contract's shape that names `field`."""
    assert answer.status == 400, answer
    error = answer.json
    assert list(error) == ["type", "title", "status", "traceId", "errors", "errors_by_field"]
    assert error["type"] == "https://tools.ietf.org/html/rfc7231#section-6.5.1"
    assert error["title"] == "One or more validation errors occurred."
    assert error["status"] == 400
    assert error["traceId"]
    assert field in error["errors_by_field"], error
    assert f"{field}: " in error["errors"]
    assert error["errors"].isprintable()


def test_there_are_many_bad_requests() -> None:
    assert len(BAD_ORDERS) + len(BAD_BY_RULE) + len(BAD_CALLS) + len(BAD_QUERIES) >= 120


@pytest.mark.parametrize(
    ("sent", "field"), [each[1:] for each in BAD_ORDERS], ids=[each[0] for each in BAD_ORDERS]
)
def test_a_bad_order_is_named_and_changes_nothing(unchanged: Desk, sent: bytes, field: str) -> None:
    check_invalid(unchanged.api.request("POST", "/v1/orders", sent), field)


@pytest.mark.parametrize(
    ("changes", "field"), [each[1:] for each in BAD_BY_RULE], ids=[each[0] for each in BAD_BY_RULE]
)
def test_an_order_against_the_rules_is_named_and_changes_nothing(
    unchanged: Desk, changes: dict[str, object], field: str
) -> None:
    sent = encoded(order("bad-rule", **changes))
    answer = unchanged.api.request("POST", "/v1/orders", sent)
    check_invalid(answer, field)
    assert list(answer.json["errors_by_field"]) == [field]
    assert unchanged.api.status("bad-rule").status == 404


@pytest.mark.parametrize(
    ("path", "sent", "field"), [each[1:] for each in BAD_CALLS], ids=[each[0] for each in BAD_CALLS]
)
def test_a_bad_call_is_named_and_changes_nothing(
    unchanged: Desk, path: str, sent: bytes | str, field: str
) -> None:
    body = sent.encode() if isinstance(sent, str) else sent
    check_invalid(unchanged.api.request("POST", path, body), field)


@pytest.mark.parametrize("path", BAD_QUERIES)
def test_a_bad_query_is_named_and_changes_nothing(unchanged: Desk, path: str) -> None:
    check_invalid(unchanged.api.get(path), "exchange_id")


def test_everything_that_is_wrong_is_named_at_once(unchanged: Desk) -> None:
    sent = json.loads(body(price="x", side="LONG", amount_order=ABSENT, extra=1))
    answer = unchanged.api.post("/v1/orders", sent)
    check_invalid(answer, "price")
    assert set(answer.json["errors_by_field"]) == {"price", "side", "amount_order", "extra"}
    by_rule = unchanged.api.place(
        "bad-rule", price=Decimal("20000.001"), amount_order=Decimal("0.0000105")
    )
    assert set(by_rule.json["errors_by_field"]) == {"price", "amount_order"}


def test_a_refusal_names_the_nearest_valid_value(unchanged: Desk) -> None:
    answer = unchanged.api.place(
        "bad-rule", price=Decimal("20000.127"), amount_order=Decimal("0.0123456")
    )
    errors = answer.json["errors_by_field"]
    assert "20000.13" in errors["price"]
    assert "0.012346" in errors["amount_order"]


def test_good_requests_that_look_like_the_bad_ones_pass(busy: Desk) -> None:
    """The checks above can fail: the same bodies without what is wrong are taken."""
    for number, sent in enumerate(
        (
            body(price="20000", amount_order="0.01", client_order_id="good-1"),
            expiring("2100-01-01").replace(b'"10.5"', b'"20000"'),
            raw("price", "2E4"),
        )
    ):
        answer = busy.api.request("POST", "/v1/orders", sent)
        assert answer.status in (200, 409), (number, answer)
