"""What counts as the shape that a page shows: what may vary, and what must not."""

import pytest

from tests.documentation.shapes import difference, json_difference


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["FILLED  1.08 ms"], ["FILLED 17.3 ms"]),
        (["BTC   100  +0.00999"], ["BTC 99.5 -0.25"]),
        (["at 2026-11-27 11:54:42"], ["at 2027-01-02 00:00:00"]),
        (['"2026-11-27T11:54:42.2201950Z"'], ['"2027-01-02T00:00:00.0000000Z"']),
        (["cli-e04c72bbdb001d12"], ["cli-0000000000000001"]),
        (["0.00000473 BTC"], ["0.1 BTC"]),
        (["a", "...", "z"], ["a", "z"]),
        (["a", "...", "z"], ["a", "b", "c", "z"]),
        (["..."], []),
        (["no system at …, start it"], ["no system at http://127.0.0.1:1, start it"]),
        (["a", ""], ["a"]),
        (["\x1b[1mbold\x1b[0m"], ["bold"]),
    ],
)
def test_what_may_vary(shown: list[str], printed: list[str]) -> None:
    assert difference(shown, printed) is None


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["FILLED  1.08 ms"], ["CANCELED  1.08 ms"]),
        (["FILLED  1.08 ms"], ["FILLED  soon ms"]),
        (["a"], ["a", "b"]),
        (["a", "b"], ["a"]),
        (["a", "...", "z"], ["a", "b"]),
        (["my-first-order"], ["my-second-order"]),
        ([], ["a"]),
    ],
)
def test_what_must_not_differ(shown: list[str], printed: list[str]) -> None:
    found = difference(shown, printed)
    assert found is not None
    assert "printed:" in found


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ('{"a": 1, "b": "x"}', '{"a": 2.50, "b": "x"}'),
        ('{"time": "2026-11-27T11:54:42Z"}', '{"time": "2027-01-02T00:00:00Z"}'),
        ('[["NEW", 1], "…"]', '[["NEW", 2], 3, null]'),
        ('{"a": null, "b": true}', '{"a": null, "b": true}'),
    ],
)
def test_a_json_text_of_the_same_shape(shown: str, printed: str) -> None:
    assert json_difference(shown, printed) is None


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ('{"a": 1}', '{"a": "1"}'),
        ('{"a": 1}', '{"a": true}'),
        ('{"a": 1}', '{"a": 1, "b": 2}'),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}'),
        ('{"a": null}', '{"a": 1}'),
        ('{"a": "NEW"}', '{"a": "FILLED"}'),
        ("[1, 2]", "[1]"),
        ("[1]", "[1, 2]"),
        ("{}", "no json"),
    ],
)
def test_a_json_text_of_another_shape(shown: str, printed: str) -> None:
    assert json_difference(shown, printed) is not None
