import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.model import AccountMode, ExecInst, Side, TimeInForce
from fairlead.core.requests import (
    CancelAll,
    CancelOrder,
    PlaceOrder,
    Resolution,
    ResolveOrder,
    SetMode,
)
from fairlead.gateway import forms
from fairlead.gateway.members import read_members
from fairlead.gateway.numbers import plain
from fairlead.gateway.wrong import FINDINGS_MAX, FormError
from tests.gateway.orders import BAD_ORDERS, GOOD, body, expiring, raw


def place(request: bytes) -> PlaceOrder:
    return forms.place_order(read_members(request), caller="key")


def findings(request: bytes) -> list[tuple[str, str]]:
    with pytest.raises(FormError) as refused:
        place(request)
    return refused.value.findings


def test_a_good_order_becomes_a_message() -> None:
    assert place(body()) == PlaceOrder(
        account="SIM",
        client_order_id="6ab36bc1-344d-432e-ac6d-0bf44ee64c2b",
        symbol="SIM_SPOT_BTC_USDT",
        symbol_exchange=None,
        side=Side.BUY,
        price=Decimal("10.5"),
        quantity=Decimal("0.045"),
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        time_in_force_text="GOOD_TILL_CANCEL",
        caller="key",
    )


def test_there_are_enough_bad_orders() -> None:
    assert len(BAD_ORDERS) >= 60
    assert len({name for name, _, _ in BAD_ORDERS}) == len(BAD_ORDERS)


@pytest.mark.parametrize(
    ("request_body", "field"),
    [(request, field) for _, request, field in BAD_ORDERS],
    ids=[name for name, _, _ in BAD_ORDERS],
)
def test_a_bad_order_is_refused_by_field(request_body: bytes, field: str) -> None:
    found = findings(request_body)
    assert [name for name, _ in found] == [field]
    assert all(text and len(text) < 500 for _, text in found)


def test_every_field_that_is_wrong_is_named_with_its_value() -> None:
    found = dict(findings(body(price="abc", amount_order=-1, side="SHORT", colour="red")))
    assert found.keys() == {"price", "amount_order", "side", "colour"}
    assert '"abc"' in found["price"]
    assert "-1" in found["amount_order"]
    assert "BUY, SELL" in found["side"]
    with pytest.raises(FormError, match=r"^amount_order: .*; price: .*; side: .*; colour: "):
        place(body(price="abc", amount_order=-1, side="SHORT", colour="red"))


def test_an_empty_object_misses_every_required_field() -> None:
    names = [name for name, _ in findings(b"{}")]
    assert names == [
        "exchange_id", "client_order_id", "amount_order", "price", "side", "order_type",
        "time_in_force", "symbol_id_coinapi",
    ]  # fmt: skip


def test_very_many_unknown_fields_are_not_all_repeated() -> None:
    unknown = {f"field_{index}": index for index in range(5_000)}
    assert len(findings(body(**unknown))) == FINDINGS_MAX


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("10.50", "10.50"), ('"10.50"', "10.50"), ("1e-05", "0.00001"), ('"1E2"', "100"),
        ("10", "10"), ("99999999999999999999.00000001", "99999999999999999999.00000001"),
        ("0.1", "0.1"), ("12345678901234567890123456789012345678",) * 2, ('"1\\u0030"', "10"),
        ("9007199254740993", "9007199254740993"), ("18446744073709551617",) * 2,
    ],
)  # fmt: skip
def test_a_price_never_passes_through_a_float(text: str, exact: str) -> None:
    price = place(raw("price", text)).price
    assert plain(price) == exact


@given(st.decimals("0.0000000001", "99999999999", places=10), st.booleans())
def test_numbers_arrive_as_they_were_sent(number: Decimal, is_text: bool) -> None:
    text = format(number, "f")
    placed = place(raw("price", f'"{text}"' if is_text else text))
    assert plain(placed.price) == text


# ── doubled names ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "extra",
    [
        b'"price": 10.5', b'"price":"10.5"', b'"\\u0070rice": 1', b'"pric\\u0065": 1',
        b'"price": null', b'"exec_inst": [], "exec_inst": []', b'"price": ["a\\"b"]',
        b'"price": {"a": "b"}', b'"symbol_id_coinapi": "a\\\\"',
    ],
)  # fmt: skip
def test_a_name_given_twice_is_named(extra: bytes) -> None:
    found = findings(body()[:-1] + b"," + extra + b"}")
    assert len(found) == 1
    assert "more than once" in found[0][1]


def test_every_doubled_name_is_named_once() -> None:
    members = b'"a":1,"b":2,"a":3,"b":4,"a":5'
    assert [name for name, _ in findings(b"{" + members + b"}")] == ["a", "b"]


@pytest.mark.parametrize(
    "client_order_id", ['"', "\\", '\\"', '""', "a: b", ', "price": 1', "/", "{}[]"]
)
def test_quotes_inside_values_are_no_names(client_order_id: str) -> None:
    assert place(body(client_order_id=client_order_id)).client_order_id == client_order_id
    spelled = "".join(f"\\u{ord(each):04x}" for each in client_order_id)
    placed = place(raw("client_order_id", f'"{spelled}"'))
    assert placed.client_order_id == client_order_id


_names = st.sampled_from(["a", "b", "price", 'q"', "\\", "ü", ""])
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='a"\\,:{ü', max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.tuples(_names, _values), max_size=6), st.booleans())
def test_names_are_unique_or_refused(pairs: list[tuple[str, Any]], is_ascii: bool) -> None:
    texts = [f"{json.dumps(n)}:{json.dumps(v, ensure_ascii=is_ascii)}" for n, v in pairs]
    request = ("{" + " , ".join(texts) + "}").encode()
    names = [name for name, _ in pairs]
    doubled = {name for name in names if names.count(name) > 1}
    if not doubled:
        members = read_members(request)
        assert list(members) == names
        return
    with pytest.raises(FormError) as refused:
        read_members(request)
    assert {name for name, _ in refused.value.findings} == doubled


@given(
    st.binary(max_size=80)
    | st.text(alphabet='{}[]":,\\0123456789.eE-nulltrufas ', max_size=80).map(str.encode)
)
def test_any_bytes_are_read_or_refused(request: bytes) -> None:
    try:
        members = read_members(request)
    except FormError:
        return
    assert members.keys() == json.loads(request).keys()


# ── words ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "exchange_id",
    ["SIM", "KRAKEN/JOHN", "BITSTAMP/2574", "BITSTAMP/7c177641-74bd-4dbe-9b01-2497c12a5f70", "0"]
    + [f"SIM{separator}A{separator}b" for separator in "~/.,:;!@#$%^&*-_+="]
    + ["SIM/" + "a" * 64, "SIM//"],
)
def test_accounts_with_tags(exchange_id: str) -> None:
    assert place(body(exchange_id=exchange_id)).account == exchange_id


@pytest.mark.parametrize("client_order_id", ["x", " ", "~" * 128, "../?a=b%2F", "a b"])
def test_client_ids_of_printable_ascii(client_order_id: str) -> None:
    assert place(body(client_order_id=client_order_id)).client_order_id == client_order_id


@pytest.mark.parametrize(
    ("text", "meaning"),
    [(value.value, value) for value in TimeInForce]
    + [("GOOD_TILL_TIME_OEML", TimeInForce.GOOD_TILL_TIME_OMS)],
)
def test_time_in_force_is_understood_and_kept_as_sent(text: str, meaning: TimeInForce) -> None:
    expire_time = "2030-01-01" if "TIME" in text else None
    placed = place(body(time_in_force=text, expire_time=expire_time))
    assert placed.time_in_force is meaning
    assert placed.time_in_force_text == text


def test_the_old_spelling_needs_an_expire_time_too() -> None:
    assert [name for name, _ in findings(body(time_in_force="GOOD_TILL_TIME_OEML"))] == [
        "expire_time"
    ]


def test_a_wrong_time_in_force_hides_no_other_mistake() -> None:
    names = [name for name, _ in findings(body(time_in_force="DAY", price=0))]
    assert names == ["price", "time_in_force"]


def test_expire_time_is_read() -> None:
    assert place(expiring("2030-01-01T00:00")).expire_time_ns == 1_893_456_000_000_000_000


@pytest.mark.parametrize(
    ("value", "instructions"),
    [
        ("MAKER_OR_CANCEL", (ExecInst.MAKER_OR_CANCEL,)),
        (["MAKER_OR_CANCEL"], (ExecInst.MAKER_OR_CANCEL,)),
        (["DO_NOT_INCREASE", "AUCTION_ONLY"], (ExecInst.DO_NOT_INCREASE, ExecInst.AUCTION_ONLY)),
        ([], ()),
        (None, ()),
    ],
)
def test_exec_inst_may_be_bare(value: object, instructions: tuple[ExecInst, ...]) -> None:
    assert place(body(exec_inst=value)).exec_inst == instructions


def test_optional_fields_may_be_null() -> None:
    nulls = {"symbol_id_exchange": None, "expire_time": None, "exec_inst": None}
    assert place(body(**nulls)) == place(body())


def test_both_symbols_may_be_given() -> None:
    placed = place(body(symbol_id_exchange="BTC/USDT"))
    assert (placed.symbol, placed.symbol_exchange) == ("SIM_SPOT_BTC_USDT", "BTC/USDT")


# ── the other forms ──────────────────────────────────────────────────────────────────────────────


def test_a_cancel_by_either_id() -> None:
    by_client = forms.cancel_order({"exchange_id": "SIM", "client_order_id": "a"})
    assert by_client == CancelOrder(account="SIM", client_order_id="a")
    by_exchange = {"exchange_id": "SIM", "client_order_id": None, "exchange_order_id": "17"}
    assert forms.cancel_order(by_exchange) == CancelOrder(account="SIM", exchange_order_id="17")


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"exchange_id": "SIM"}, "client_order_id"),
        ({"exchange_id": "SIM", "client_order_id": None}, "client_order_id"),
        ({"exchange_id": "SIM", "client_order_id": ""}, "client_order_id"),
        (
            {"exchange_id": "SIM", "client_order_id": "a", "exchange_order_id": "b"},
            "exchange_order_id",
        ),
        ({"exchange_id": "SIM", "exchange_order_id": 17}, "exchange_order_id"),
        ({"client_order_id": "a"}, "exchange_id"),
        ({"exchange_id": "SIM", "client_order_id": "a", "price": 1}, "price"),
    ],
)
def test_a_bad_cancel_is_refused_by_field(members: dict[str, object], field: str) -> None:
    with pytest.raises(FormError) as refused:
        forms.cancel_order(members)
    assert [name for name, _ in refused.value.findings] == [field]


def test_requests_of_operators() -> None:
    assert forms.cancel_all({"exchange_id": "SIM"}) == CancelAll(account="SIM")
    assert forms.set_mode({"exchange_id": "SIM", "mode": "HALTED"}) == SetMode(
        account="SIM", mode=AccountMode.HALTED
    )
    resolve = {"exchange_id": "SIM", "client_order_id": "a", "resolution": "NEVER_REACHED"}
    assert forms.resolve_order(resolve) == ResolveOrder(
        account="SIM", client_order_id="a", resolution=Resolution.NEVER_REACHED
    )
    for read, members in (
        (forms.cancel_all, {}),
        (forms.set_mode, {"exchange_id": "SIM", "mode": "OFF"}),
        (forms.resolve_order, resolve | {"resolution": "FILLED"}),
    ):
        with pytest.raises(FormError):
            read(members)


def test_every_field_of_a_form_can_be_wrong() -> None:
    """A field that takes anything would be a check that cannot fail."""
    for form in forms.FORMS:
        for field in form.fields:
            with pytest.raises(ValueError, match=r"[a-z]"):
                field.read(float("nan"))


def test_a_finding_reads_as_a_sentence() -> None:
    texts = [text for _, request, _ in BAD_ORDERS for _, text in findings(request)]
    assert not [text for text in texts if not re.search(r"[a-z] ", text) or ";" in text]
    assert GOOD["price"] == "10.5"  # no test changed the good order
