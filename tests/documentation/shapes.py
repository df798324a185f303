"""Whether what was printed has the shape that a page shows: words are equal, what varies is not compared.

What varies: numbers, times, hexadecimal ids, the width of gaps. In what a page shows, a line `...`
stands for any lines, `…` within a line for any text, and `"…"` at the end of a JSON array for any more.
"""

import json
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

ANY_LINES = "..."
ANY_TEXT = "…"

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?"), "<time>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{16,}\b"), "<id>"),
    (re.compile(r"(?<![\w.])[+-]?\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][+-]?\d+)?|\d+"), "0"),
)


def difference(expected: Sequence[str], printed: Sequence[str]) -> str | None:
    """Return how `printed` differs from the shape `expected`; None when it does not."""
    wanted = [_shape(line) for line in expected]
    got = [_shape(line) for line in printed]
    while got and not got[-1]:
        got.pop()
    while wanted and not wanted[-1]:
        wanted.pop()
    if _agree(wanted, got):
        return None
    return "\n".join(["shown:", *expected, "", "printed:", *printed])


def _agree(wanted: list[str], got: list[str]) -> bool:
    """Compare line by line; after `...`, try every place to go on."""
    if not wanted:
        return not got
    if wanted[0] == ANY_LINES:
        return any(_agree(wanted[1:], got[start:]) for start in range(len(got) + 1))
    return bool(got) and _line_agrees(wanted[0], got[0]) and _agree(wanted[1:], got[1:])


def _line_agrees(wanted: str, got: str) -> bool:
    pattern = ".*".join(map(re.escape, wanted.split(ANY_TEXT)))
    return re.fullmatch(pattern, got) is not None


def _shape(line: str) -> str:
    line = " ".join(_ANSI.sub("", line).split())
    if line == ANY_LINES:
        return line
    for pattern, stands_for in _VARYING:
        line = pattern.sub(stands_for, line)
    return line


def json_difference(expected: str, printed: str) -> str | None:
    """The same for a JSON text: fields and their order, kinds of values, the shape of strings."""
    try:
        got = json.loads(printed, parse_float=Decimal)
    except ValueError as error:
        return f"no JSON ({error}): {printed!r}"
    return _json_difference(json.loads(expected, parse_float=Decimal), got, "")


def _json_difference(wanted: object, got: object, at: str) -> str | None:
    if isinstance(wanted, bool) or wanted is None:
        return None if got is wanted else f"{at}: {got!r} where {wanted!r} is shown"
    if isinstance(wanted, int | Decimal):
        is_number = isinstance(got, int | Decimal) and not isinstance(got, bool)
        return None if is_number else f"{at}: {got!r} where a number is shown"
    if isinstance(wanted, str):
        if isinstance(got, str) and _line_agrees(_shape(wanted), _shape(got)):
            return None
        return f"{at}: {got!r} where {wanted!r} is shown"
    if isinstance(wanted, list):
        return _list_difference(wanted, got, at)
    assert isinstance(wanted, dict)
    if not isinstance(got, dict) or list(got) != list(wanted):
        return f"{at}: {got!r} where an object of {list(wanted)} is shown"
    return _first(_json_difference(wanted[name], got[name], f"{at}.{name}") for name in wanted)


def _list_difference(wanted: list[object], got: object, at: str) -> str | None:
    if not isinstance(got, list):
        return f"{at}: {got!r} where an array is shown"
    shown = wanted
    if wanted and wanted[-1] == ANY_TEXT:
        shown = wanted[:-1]
        got = got[: len(shown)]
    if len(got) != len(shown):
        return f"{at}: {len(got)} elements where {len(shown)} are shown: {got!r}"
    pairs = enumerate(zip(shown, got, strict=True))
    return _first(_json_difference(a, b, f"{at}[{place}]") for place, (a, b) in pairs)


def _first(differences: Iterable[str | None]) -> str | None:
    return next((each for each in differences if each is not None), None)
