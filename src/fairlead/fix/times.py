"""FIX's UTCTimestamp ⇄ UTC nanoseconds. Written with milliseconds, read with 0, 3, 6 or 9 digits."""

import re
from datetime import UTC, datetime

_SECOND_NS = 1_000_000_000
_MS_NS = 1_000_000
_SECOND_FORM = re.compile(rb"(\d{8})-([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)")
_SECOND_BYTES = 17  # YYYYMMDD-HH:MM:SS
_FRACTION_BYTES = (4, 7, 10)  # the point and 3, 6 or 9 digits
_FIRST_YEAR, _LAST_YEAR = 1970, 2261  # what nanoseconds in 64 bits can say


class TimeText:
    """Writes times; remembers what it wrote last, because the next one is mostly the same."""

    __slots__ = ("_ms", "_second", "_second_text", "_text")

    def __init__(self) -> None:
        self._ms = self._second = -1
        self._second_text = self._text = b""

    def write(self, time_ns: int) -> bytes:
        """Return `time_ns` as `YYYYMMDD-HH:MM:SS.sss`."""
        ms = time_ns // _MS_NS
        if ms != self._ms:
            self._ms = ms
            self._text = self._write(ms)
        return self._text

    def _write(self, ms: int) -> bytes:
        second, rest_ms = divmod(ms, 1_000)
        if second != self._second:
            self._second = second
            moment = datetime.fromtimestamp(second, UTC)
            self._second_text = moment.strftime("%Y%m%d-%H:%M:%S.").encode()
        return b"%b%03d" % (self._second_text, rest_ms)


class TimeReader:
    """Reads times; remembers the second it read last."""

    __slots__ = ("_second_ns", "_text")

    def __init__(self) -> None:
        self._second_ns: int | None = None
        self._text = b""

    def read(self, text: bytes) -> int | None:
        """Return the UTC nanoseconds that `text` says, None if it is not a UTCTimestamp.

        A leap second (60) counts as the first moment of the next minute.
        """
        if text[:_SECOND_BYTES] != self._text:
            self._text = text[:_SECOND_BYTES]
            self._second_ns = _second_ns(self._text)
        fraction = text[_SECOND_BYTES:]
        if not fraction or self._second_ns is None:
            return self._second_ns
        digits = fraction[1:]
        if len(fraction) not in _FRACTION_BYTES or fraction[0] != 0x2E or not digits.isdigit():
            return None
        return self._second_ns + int(digits.ljust(9, b"0"))


def _second_ns(text: bytes) -> int | None:
    found = _SECOND_FORM.fullmatch(text)
    if found is None:
        return None
    date, hour, minute, second = found.groups()
    year = int(date[:4])
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    try:
        day = datetime(year, int(date[4:6]), int(date[6:]), tzinfo=UTC)
    except ValueError:
        return None
    day_s = int(day.timestamp())
    return (day_s + int(hour) * 3600 + int(minute) * 60 + int(second)) * _SECOND_NS
