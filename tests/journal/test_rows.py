"""Whatever a struct holds comes back from its row exactly, decimals with their exponents."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.model import Balance, Fill, Order
from fairlead.core.reports import (
    AccountReport,
    AlarmReport,
    BalanceReport,
    Cause,
    OrderReport,
    Report,
)
from fairlead.core.unit import AccountRecord
from fairlead.journal.rows import (
    FILLS_IN_STATE,
    Frame,
    decode_account,
    decode_balance,
    decode_fill,
    decode_order,
    decode_reports,
    encode,
    encode_order,
    narrow,
)
from tests.core.words import make_order

DECIMALS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False),
    st.sampled_from(["0", "-0", "0.00", "1E+3", "1.0E-8", "42000.10", "1E-18"]).map(Decimal),
)
TIMES = st.integers(0, 2**63 - 1)
TEXTS = st.text(max_size=12)
st.register_type_strategy(Decimal, DECIMALS)
st.register_type_strategy(int, TIMES)
st.register_type_strategy(str, TEXTS)


def structs(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any value of the struct, by its field types."""
    hints = msgspec.structs.fields(kind)
    return st.builds(kind, **{field.name: st.from_type(field.type) for field in hints})


FILLS = structs(Fill)
st.register_type_strategy(Fill, FILLS)
ORDERS = structs(Order)
st.register_type_strategy(Order, ORDERS)
BALANCES = structs(Balance)
st.register_type_strategy(Balance, BALANCES)
REPORTS = st.one_of(
    st.builds(OrderReport, TEXTS, TIMES, TIMES, TIMES, st.sampled_from(Cause), opened=ORDERS),
    structs(OrderReport),
    structs(BalanceReport),
    structs(AccountReport),
    structs(AlarmReport),
)


def exactly(value: Any) -> str:
    """A text that tells 1.0 from 1.00 and 0 from -0, which compare equal."""
    return repr(value)


@given(st.lists(REPORTS, max_size=3))
def test_reports_round_trip(reports: list[Report]) -> None:
    assert exactly(decode_reports(encode(Frame(reports, [])))) == exactly(reports)


@given(ORDERS)
def test_order_round_trips_with_its_first_fills(order: Order) -> None:
    again = decode_order(encode_order(order))
    assert exactly(again) == exactly(
        msgspec.structs.replace(order, fills=order.fills[:FILLS_IN_STATE])
    )


@pytest.mark.parametrize("added", [1, 2, 3])
def test_an_order_of_before_its_last_fields_has_their_defaults(added: int) -> None:
    order = make_order()
    old = msgspec.msgpack.encode(msgspec.msgpack.decode(encode_order(order))[:-added])
    assert decode_order(old) == order
    assert decode_order(old).session == ""


@given(FILLS)
def test_fill_round_trips(fill: Fill) -> None:
    assert exactly(decode_fill(encode(fill))) == exactly(fill)


@given(BALANCES)
def test_balance_round_trips(balance: Balance) -> None:
    assert exactly(decode_balance(encode(balance))) == exactly(balance)


@given(structs(AccountRecord))
def test_account_round_trips(record: AccountRecord) -> None:
    assert exactly(decode_account(encode(record))) == exactly(record)


@given(
    st.one_of(st.text(), st.from_regex(r"\A0?[0-9]{0,20}\Z")), st.from_regex(r"\A0?[0-9]{1,20}\Z")
)
def test_narrowed_ids_are_as_different_as_the_ids(one: str, other: str) -> None:
    assert str(narrow(one)) == one
    assert (narrow(one) == narrow(other)) == (one == other)


def test_numbers_are_narrowed_where_nothing_is_lost() -> None:
    told = {text: narrow(text) for text in ("0", "7", "007", "", "٣", "-1", "9" * 18, "9" * 19)}
    assert [text for text, value in told.items() if isinstance(value, int)] == ["0", "7", "9" * 18]
