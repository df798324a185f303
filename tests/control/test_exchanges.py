"""What exchanges declare holds together."""

import pytest

from fairlead.control.exchanges import EXCHANGES, LOCATIONS, is_value


def test_every_exchange_is_somewhere_and_its_parameters_are_sorted() -> None:
    for name, declared in EXCHANGES.items():
        assert declared.exchange_id == name
        assert declared.location_id in LOCATIONS
        assert list(declared.names) == sorted(set(declared.names))
        assert all(declared.parameter(each) is not None for each in declared.names)
        assert declared.parameter("Nothing") is None


def test_a_login_has_something_secret() -> None:
    for declared in EXCHANGES.values():
        assert any(parameter.is_secret for parameter in declared.parameters)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", True),
        ("!~" * 64, True),
        ("", False),
        ("a b", False),
        ("a\n", False),
        ("é", False),
        ("a" * 129, False),
        (7, False),
        (None, False),
    ],
    ids=["short", "long", "empty", "space", "newline", "not-ascii", "longer", "number", "null"],
)
def test_a_value_is_printable_and_bounded(value: object, expected: bool) -> None:
    assert is_value(value) is expected
