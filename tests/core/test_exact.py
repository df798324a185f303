"""Exact arithmetic: what cannot be exact raises, and only an average rounds."""

import asyncio
import decimal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.exact import EXACT, average, is_exact, use_exact_decimals

# Whatever has at most 38 digits when it is written without an exponent, as the wire contract wants.
DIGITS_38 = st.builds(
    lambda number, exponent: Decimal(number).scaleb(-exponent),
    st.integers(1, 10**38 - 1),
    st.integers(0, 37),
)


@given(price=DIGITS_38, quantity=DIGITS_38, other=DIGITS_38)
def test_products_sums_and_differences_of_38_digits_are_exact(
    price: Decimal, quantity: Decimal, other: Decimal
) -> None:
    notional = price * quantity
    assert (notional + other) - notional == other
    assert notional // price == int(quantity)


def test_a_result_that_would_be_rounded_raises() -> None:
    with pytest.raises(decimal.Inexact):
        Decimal(1) / Decimal(3)


@pytest.mark.parametrize("text", ["sNaN", "Infinity"])
def test_what_is_no_number_raises_when_it_is_used(text: str) -> None:
    with pytest.raises(decimal.InvalidOperation):
        Decimal(text) - Decimal(text)


def test_an_average_rounds_half_even_to_28_digits() -> None:
    assert average(Decimal(10), Decimal(3)) == Decimal("3.333333333333333333333333333")
    assert average(Decimal(20), Decimal(3)) == Decimal("6.666666666666666666666666667")


def test_an_average_has_no_trailing_zeros() -> None:
    assert str(average(Decimal("30.00"), Decimal("0.30"))) == "1E+2"
    assert str(average(Decimal("3.000"), Decimal(2))) == "1.5"


def test_tasks_compute_as_their_starter_does() -> None:
    async def compute() -> bool:
        return await asyncio.create_task(asyncio.sleep(0, is_exact()))

    with decimal.localcontext(decimal.DefaultContext):
        assert not is_exact()
        use_exact_decimals()
        assert is_exact()
        assert asyncio.run(compute())


def test_precision_alone_is_not_enough() -> None:
    with decimal.localcontext(EXACT) as context:
        context.traps[decimal.Inexact] = False
        assert not is_exact()
