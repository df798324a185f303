"""Times of the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.fix.times import TimeReader, TimeText
from tests.fix.spoken import stamp

LAST_NS = 9_000_000_000 * 10**9


@given(st.lists(st.integers(0, LAST_NS), min_size=1, max_size=5))
def test_what_is_written_is_read_to_the_millisecond(times_ns: list[int]) -> None:
    text, reader = TimeText(), TimeReader()
    for time_ns in times_ns:
        assert reader.read(text.write(time_ns)) == time_ns // 10**6 * 10**6


def test_it_is_written_as_fix_wants_it() -> None:
    assert TimeText().write(1_790_000_000_123_999_999) == stamp(1_790_000_000_123_000_000).encode()
    assert TimeText().write(0) == b"19700101-00:00:00.000"


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        (b"19700101-00:00:01", 10**9),
        (b"19700101-00:00:01.5", None),
        (b"19700101-00:00:01.500", 1_500_000_000),
        (b"19700101-00:00:01.500001", 1_500_001_000),
        (b"19700101-00:00:01.500000001", 1_500_000_001),
        (b"19700101-00:00:01.", None),
        (b"19700101-00:00:01,500", None),
        (b"19700101-00:00:01.50x", None),
        (b"19700101-00:00:01.5000", None),
        (b"19700101-00:00:60", 60 * 10**9),
        (b"19700101-24:00:00", None),
        (b"19700101-00:60:00", None),
        (b"19700101-00:00:61", None),
        (b"19700230-00:00:00", None),
        (b"19691231-23:59:59", None),
        (b"99991231-23:59:59", None),
        (b"1970010100:00:00", None),
        (b"19700101-00:00:0\xb9", None),
        (b"", None),
        (b"now", None),
    ],
)
def test_a_time_is_read_or_refused(text: bytes, time_ns: int | None) -> None:
    reader = TimeReader()
    assert reader.read(text) == time_ns
    assert reader.read(text) == time_ns
