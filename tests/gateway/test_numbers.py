from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.gateway.numbers import DIGITS_MAX, plain, read_number, read_positive
from fairlead.gateway.wrong import NumberText, Wrong


@pytest.mark.parametrize(
    ("written", "exact"),
    [
        ("1", "1"),
        ("1.00", "1.00"),
        ("007", "7"),
        ("1e-05", "0.00001"),
        ("1E+2", "100"),
        ("4.5e1", "45"),
        ("-0.5", "-0.5"),
        ("9" * 38, "9" * 38),
        ("0." + "1" * 37, "0." + "1" * 37),
        ("1e37", "1" + "0" * 37),
        ("1e-37", "0." + "0" * 36 + "1"),
        ("0" * 60 + "1", "1"),
        ("1e000000000000000000000000005", "100000"),
    ],
)
def test_a_number_is_read_exactly(written: str, exact: str) -> None:
    for value in (written, NumberText(written)):
        number = read_number(value)
        assert number == Decimal(exact)
        assert plain(number) == exact


@pytest.mark.parametrize(
    "written",
    [
        "", " ", "1 ", " 1", "1\n", "+1", ".5", "5.", "1_000", "0x1", "1,5", "NaN", "nan", "sNaN",
        "Infinity", "-Infinity", "inf", "١", "１", "1e", "1e+", "1e1.5", "--1", "1-1", "1" * 39,
        "1e38", "1e-38", "1E400", "1e999999999999", "-1e-9999999999999999999", "1.5e38",
        "1." + "0" * 38,
    ],
)  # fmt: skip
def test_what_is_no_decimal_of_38_digits_is_refused(written: str) -> None:
    with pytest.raises(Wrong):
        read_number(written)


@pytest.mark.parametrize("value", [None, True, False, [1], {"a": 1}, 10**38, -(10**38)])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(Wrong):
        read_number(value)


def test_a_refusal_shows_a_long_value_cut() -> None:
    with pytest.raises(Wrong) as refused:
        read_number("x" * 10_000)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize("value", ["0", "-1", "0.0", "-0", 0, -5, "0e5"])
def test_positive_means_more_than_zero(value: object) -> None:
    with pytest.raises(Wrong, match="greater than 0"):
        read_positive(value)


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=10, min_value=-(10**20), max_value=10**20
    )
)
def test_numbers_go_round(number: Decimal) -> None:
    assert read_number(plain(number)) == number


@given(st.integers(0, 10**20), st.integers(-37, 17))
def test_an_exponent_changes_nothing(mantissa: int, exponent: int) -> None:
    written = f"{mantissa}e{exponent}"
    exact = Decimal(mantissa).scaleb(exponent)
    try:
        number = read_number(written)
    except Wrong:
        assert len(format(exact, "f").replace(".", "")) > DIGITS_MAX
        return
    assert number == exact
    text = plain(number)
    assert "e" not in text.lower()
    assert msgspec.json.decode(text, type=Decimal) == exact


@given(st.text(max_size=12))
def test_any_text_is_read_exactly_or_refused(text: str) -> None:
    try:
        number = read_number(text)
    except Wrong:
        return
    assert text.isascii()
    assert number == Decimal(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1E+2", "100"), ("1E-8", "0.00000001"), ("0E-8", "0.00000000"), ("-0", "0"),
        ("-0.00", "0.00"), ("-1E-8", "-0.00000001"), ("100.00", "100.00"), ("0E+3", "0"),
    ],
)  # fmt: skip
def test_output_is_plain(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text
