"""What is sent, and what an answer means: values in, values out."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.client import (
    Conflict,
    Invalid,
    NewOrder,
    NotDone,
    NotFound,
    OutcomeUnknown,
    Refused,
    Side,
    Unavailable,
    Unreachable,
    calls,
)
from fairlead.client.answer import Answer, answer_of
from fairlead.client.numbers import time_ns, time_text, wire_time
from fairlead.client.shapes import HistoryOrder, Resolution
from fairlead.core.requests import Resolution as CoreResolution
from tests.client.words import REPORT, D, new_order

PLACE = calls.place(new_order("x"))
ASK = calls.status("x", "SIM")


def body_of(order: NewOrder) -> dict[str, Any]:
    return msgspec.json.decode(order.body())  # type: ignore[no-any-return]


def answer(status: int, content: object = None, **fields: Any) -> Answer:
    return Answer(status, b"" if content is None else msgspec.json.encode(content), **fields)


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12))
def test_every_digit_of_an_amount_is_sent(amount: Decimal) -> None:
    text = new_order(price=amount).body().partition(b'"price":')[2].partition(b",")[0]
    assert Decimal(text.decode()) == amount
    assert b"E" not in text


def test_an_amount_of_text_goes_out_as_it_is() -> None:
    assert body_of(new_order(amount_order=" 1_000"))["amount_order"] == " 1_000"


@pytest.mark.parametrize("amount", [0.1, True, None])
def test_a_float_is_refused_before_anything_is_sent(amount: object) -> None:
    with pytest.raises(TypeError, match=r"price .* give a decimal\.Decimal"):
        new_order(price=amount)


def test_a_decimal_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="amount_order NaN is not a number"):
        new_order(amount_order=D("NaN"))


def test_an_order_has_an_id_of_its_own_before_it_is_sent() -> None:
    first, second = new_order(), new_order()
    assert first.client_order_id != second.client_order_id
    assert calls.place(first).order == ("SIM", first.client_order_id)


def test_only_what_is_given_is_sent() -> None:
    assert list(body_of(new_order("x"))) == [
        *("exchange_id", "client_order_id", "symbol_id_coinapi", "amount_order", "price"),
        *("side", "order_type", "time_in_force"),
    ]


def test_times_are_utc_and_need_a_zone() -> None:
    zone = timezone(timedelta(hours=2))
    assert wire_time("t", datetime(2026, 1, 1, 2, 0, 0, 5, zone)) == "2026-01-01T00:00:00.0000050Z"
    assert wire_time("t", "20260101") == "20260101"
    with pytest.raises(ValueError, match=r"expire_time .* has no zone"):
        new_order(expire_time=datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused
    body = body_of(new_order(expire_time=datetime(2026, 1, 1, tzinfo=UTC)))
    assert body["expire_time"] == "2026-01-01T00:00:00.0000000Z"


@given(st.integers(0, 4_000_000_000 * 10**7))
def test_a_time_is_read_as_it_was_written(hundreds_of_ns: int) -> None:
    assert time_ns(time_text(hundreds_of_ns * 100)) == hundreds_of_ns * 100


@pytest.mark.parametrize(
    ("client_order_id", "path"),
    [
        ("x/?#1", "/v1/orders/status/x%2F%3F%231"),
        ("..", "/v1/orders/status/%2E%2E"),
        ("a b%2F", "/v1/orders/status/a%20b%252F"),
    ],
)
def test_an_id_in_a_path_may_hold_anything(client_order_id: str, path: str) -> None:
    assert calls.status(client_order_id).path == path
    assert calls.status(client_order_id, "SIM/A").path == f"{path}?exchange_id=SIM%2FA"


def test_the_resolutions_are_the_cores() -> None:
    assert set(Resolution.__args__) == set(CoreResolution)


# ── what an answer means ─────────────────────────────────────────────────────────────────────────


def test_a_report_is_read_with_every_digit() -> None:
    digits = "12345678901234567890.123456789012345678"
    text = msgspec.json.encode(REPORT).replace(b'"price":2', f'"price":{digits}'.encode())
    report = calls.result(PLACE, Answer(200, text))
    assert str(report.price) == digits
    assert report.is_answered
    assert not report.is_final


def test_a_newer_system_may_say_more_and_a_strict_one_less() -> None:
    more = REPORT | {"something_new": [1]}
    less = {name: value for name, value in REPORT.items() if value is not None}
    assert calls.result(PLACE, answer(200, more)) == calls.result(PLACE, answer(200, less))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid), (401, Refused), (403, Refused), (404, NotFound), (409, Conflict),
        (408, Unavailable), (413, Refused), (415, Refused), (429, Unavailable), (490, Unavailable),
    ],
)  # fmt: skip
def test_what_the_system_refused_was_not_done(status: int, kind: type[Refused]) -> None:
    for call in (PLACE, ASK):
        with pytest.raises(kind) as caught:
            calls.result(call, answer(status, {"message": "why"}))
        assert type(caught.value) is kind
        assert isinstance(caught.value, NotDone)
        assert (str(caught.value), caught.value.status) == ("why", status)


def test_a_400_names_its_fields() -> None:
    content = {
        "status": 400,
        "errors": "price: is missing; side: is missing",
        "errors_by_field": {"price": "is missing", "side": "is missing"},
    }
    with pytest.raises(Invalid, match="price: is missing; side") as caught:
        calls.result(PLACE, answer(400, content))
    assert caught.value.fields == {"price": "is missing", "side": "is missing"}


def test_a_reject_keeps_its_reason_and_when_to_come_again() -> None:
    content = {"type": "MESSAGE_REJECT", "reject_reason": "OTHER", "message": "full"}
    with pytest.raises(Unavailable) as caught:
        calls.result(PLACE, answer(503, content, retry_after_s=2))
    assert (caught.value.reason, caught.value.retry_after_s) == ("OTHER", 2)


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (504, {"type": "MESSAGE_REJECT", "message": "in doubt"}),
        (500, None),
        (502, None),
        (503, {"message": "a proxy's word"}),
        (503, None),
    ],
)
def test_what_nobody_knows_is_not_called_refused(status: int, content: object) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        calls.result(PLACE, answer(status, content))
    assert (caught.value.exchange_id, caught.value.client_order_id) == ("SIM", "x")
    assert caught.value.answer is not None
    with pytest.raises(NotDone):
        calls.result(ASK, answer(status, content))


@pytest.mark.parametrize("text", [b"", b"oops", b"{}", b"[]", b'{"status": "SIDEWAYS"}'])
def test_a_200_that_cannot_be_read_says_nothing(text: bytes) -> None:
    with pytest.raises(OutcomeUnknown, match="cannot be read"):
        calls.result(PLACE, Answer(200, text))
    with pytest.raises(Unreachable, match="nothing was changed"):
        calls.result(ASK, Answer(200, text))


def test_an_answer_without_words_is_told_by_its_text_or_status() -> None:
    with pytest.raises(Refused, match=r"^oops$"):
        calls.result(ASK, Answer(410, b"oops"))
    with pytest.raises(Refused, match=r"^status 410$"):
        calls.result(ASK, Answer(410, b""))


def test_not_being_ready_is_an_answer() -> None:
    content = {
        "status": "not ready",
        "journal": "writable",
        "accounts": [{"exchange_id": "SIM", "state": ""}],
    }
    health = calls.result(calls.ready(), answer(503, content))
    assert not health.is_ready
    assert [each.exchange_id for each in health.accounts] == ["SIM"]


@pytest.mark.parametrize(("text", "seconds"), [("7", 7), (None, None), ("soon", None), ("²", None)])
def test_retry_after_is_a_number_or_nothing(text: str | None, seconds: int | None) -> None:
    assert answer_of(503, b"", None, text).retry_after_s == seconds


def test_a_history_row_is_read_by_column() -> None:
    row = {
        "apikey": "", "exchangeId": "SIM", "clientOrderId": "x", "symbolIdExchange": "BTC/USDT",
        "symbolIdCoinapi": "SIM_SPOT_BTC_USDT", "amountOrder": 2, "price": 3, "side": 2,
        "orderType": "LIMIT", "timeInForce": "GOOD_TILL_CANCEL", "expireTime": None, "execInst": [],
        "clientOrderIdFormatExchange": "f", "exchangeOrderId": "9", "amountOpen": 1,
        "amountFilled": 1, "avgPx": 3, "status": "PARTIALLY_FILLED",
        "statusHistoryStatus": ["RECEIVED", "PARTIALLY_FILLED"],
        "statusHistoryTime": ["t0", "t1"], "errorMessageResult": None, "errorMessageReason": None,
        "errorMessageMessage": None, "fillsTime": ["t1"], "fillsPrice": [3], "fillsAmount": [1],
        "createdTime": "t0", "fillsTradeId": ["7"], "fillsFee": [0.001], "fillsFeeAsset": ["USDT"],
        "fillsLiquidity": ["MAKER"],
    }  # fmt: skip
    order = msgspec.json.decode(msgspec.json.encode(row), type=HistoryOrder)
    assert order.side is Side.SELL
    assert [(each.status, each.time) for each in order.status_history] == [
        ("RECEIVED", "t0"),
        ("PARTIALLY_FILLED", "t1"),
    ]
    (fill,) = order.fills
    assert (fill.trade_id, fill.price, fill.fee, fill.liquidity) == ("7", 3, D("0.001"), "MAKER")
