import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.gateway.times import TIME_MAX_NS, read_bound, read_instant, read_time, time_text
from fairlead.gateway.wrong import Wrong

NS = 1_000_000_000
SECOND = 1_610_098_205  # 2021-01-08T09:30:05Z
MINUTE, HOUR, DAY = SECOND - 5, SECOND - 1805, SECOND - 34_205


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("2021-01-08T09:30:05.1234567Z", SECOND * NS + 123_456_700),
        ("2021-01-08T09:30:05.1234567", SECOND * NS + 123_456_700),
        ("2021-01-08T09:30:05.123Z", SECOND * NS + 123_000_000),
        ("2021-01-08T09:30:05.123", SECOND * NS + 123_000_000),
        ("2021-01-08T09:30:05Z", SECOND * NS),
        ("2021-01-08T09:30:05", SECOND * NS),
        ("2021-01-08T09:30Z", MINUTE * NS),
        ("2021-01-08T09:30", MINUTE * NS),
        ("2021-01-08T09", HOUR * NS),
        ("2021-01-08", DAY * NS),
        ("20210108T093005.1234567Z", SECOND * NS + 123_456_700),
        ("20210108T0930051234567", SECOND * NS + 123_456_700),
        ("20210108T093005123", SECOND * NS + 123_000_000),
        ("20210108T093005.123Z", SECOND * NS + 123_000_000),
        ("20210108T093005", SECOND * NS),
        ("20210108T0930", MINUTE * NS),
        ("20210108T09", HOUR * NS),
        ("20210108", DAY * NS),
        ("2024-02-29", 1_709_164_800 * NS),
        ("1970-01-01T00:00:00.0000000Z", 0),
        ("0001-01-01", -62_135_596_800 * NS),
    ],
)
def test_every_accepted_form(text: str, time_ns: int) -> None:
    assert read_time(text) == time_ns


@pytest.mark.parametrize(
    "value",
    [
        "", "2021", "2021-01", "2021-1-8", "2021-13-01", "2021-02-29", "2021-00-10", "0000-01-01",
        "2021-01-08 09:30", "2021-01-08T24:00", "2021-01-08T09:60", "2021-01-08T09:30:60",
        "2021-01-08T09:30:05.1", "2021-01-08T09:30:05.123456", "2021-01-08T09:30:05.12345678Z",
        "2021-01-08T09:30:05+00:00", "2021-01-08T09:30:05z", "2021-01-08T", "2021-01-08Z",
        "2021-01-08T0930", "20210108T09:30", "２０２１-01-08", "2021-01-08T09:30:05,123",
        "2021-01-08\n", " 2021-01-08", "-2021-01-08", "1610098205", 1_610_098_205, None, True, [],
    ],
)  # fmt: skip
def test_everything_else_is_refused(value: object) -> None:
    with pytest.raises(Wrong):
        read_time(value)


@given(st.integers(0, TIME_MAX_NS))
def test_times_go_round_to_100_ns(time_ns: int) -> None:
    text = time_text(time_ns)
    assert len(text) == len("yyyy-MM-ddTHH:mm:ss.fffffffZ")
    assert read_time(text) == time_ns // 100 * 100


def test_text_has_seven_digits_always() -> None:
    assert time_text(SECOND * NS) == "2021-01-08T09:30:05.0000000Z"
    assert time_text(SECOND * NS + 199) == "2021-01-08T09:30:05.0000001Z"


def test_an_instant_fits_the_journal() -> None:
    assert read_instant("2262-04-11T23:47:16") < TIME_MAX_NS
    for text in ("2262-04-12", "9999-12-31", "1969-12-31", "0001-01-01"):
        with pytest.raises(Wrong, match="between 1970-01-01 and 2262-04-11"):
            read_instant(text)


def test_a_bound_is_moved_into_the_journal() -> None:
    assert read_bound("0001-01-01") == 0
    assert read_bound("9999-12-31T23:59:59.9999999Z") == TIME_MAX_NS
    assert read_bound("2021-01-08") == DAY * NS
