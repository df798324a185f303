"""Checksums of a stream: right wherever it is cut, and no more work than the stream is long."""

import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.fix.frames import Frames, Skipped
from fairlead.fix.sums import BLOCK, Sums
from tests.fix.spoken import say

BODY_BYTES_MOST = 65_536
STREAM_BYTES = 4 * BODY_BYTES_MOST
LONG = say("D", 2, (11, "a"), (58, "x" * 3 * BLOCK))


@pytest.fixture
def summed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes were added up, by call."""
    summed: list[int] = []
    adler32 = zlib.adler32

    def counted(data: bytes) -> int:
        summed.append(len(data))
        return adler32(data)

    monkeypatch.setattr(zlib, "adler32", counted)
    return summed


def _claims(trailer: bytes) -> bytes:
    """A stream of heads that each claim a body of about the longest; `trailer` stands where each one ends."""
    head = b"8=FIX.4.4\x019=%05d\x0135=0\x01"
    unit = len(head % 0) + len(trailer)
    claimed = BODY_BYTES_MOST // unit * unit - len(head % 0) + len(b"35=0\x01") - len(trailer)
    return (head % claimed + trailer) * (STREAM_BYTES // unit)


def _taken(data: bytes, chunk: int) -> Iterator[bytes | Skipped]:
    frames = Frames(BODY_BYTES_MOST)
    for at in range(0, len(data), chunk):
        frames.feed(data[at : at + chunk])
        while (frame := frames.next()) is not None:
            assert isinstance(frame, bytes | Skipped)
            yield frame


def test_lengths_that_lead_to_no_trailer_are_not_added_up(summed: list[int]) -> None:
    claims = _claims(b"58=0000\x01")
    (skipped,) = set(_taken(claims, len(claims)))
    assert isinstance(skipped, Skipped)
    assert "does not lead to the CheckSum (10)" in skipped.reason
    assert summed == []


@pytest.mark.parametrize("chunk", [len(_claims(b"10=000\x01")), 4_000, 29])
def test_planted_trailers_make_no_more_work_than_the_stream_is_long(
    summed: list[int], chunk: int
) -> None:
    claims = _claims(b"10=000\x01")
    found = list(_taken(claims, chunk))
    assert set(found) == {Skipped("CheckSum (10) is wrong")}
    assert sum(summed) <= len(claims) + len(found) * 2 * BLOCK


@pytest.mark.parametrize("chunk", [STREAM_BYTES * 2, 4_000])
def test_messages_among_planted_trailers_are_found(chunk: int) -> None:
    claims = _claims(b"10=000\x01")
    # Behind the last claims enough comes to find out what they are.
    stream = claims + LONG + claims + LONG * 100
    whole = [frame for frame in _taken(stream, chunk) if isinstance(frame, bytes)]
    assert whole == [LONG] * 101


@pytest.mark.parametrize("chunk", [1, 100, 1_000, 10_000])
def test_long_and_short_messages_alternate(chunk: int) -> None:
    short = say("0", 3)
    stream = (LONG + short) * 5
    assert list(_taken(stream, chunk)) == [LONG, short] * 5


@given(
    data=st.binary(max_size=4 * BLOCK).map(lambda data: data * 2),
    cuts=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 8 * BLOCK), st.integers(0, 8 * BLOCK))
    ),
)
def test_a_part_sums_up_as_its_bytes_do(data: bytes, cuts: list[tuple[int, int, int]]) -> None:
    sums = Sums()
    for blocks, one, other in cuts:
        gone = min(blocks, len(data) // BLOCK)
        data = data[gone * BLOCK :]
        sums.cut(gone)
        start, end = sorted((min(one, len(data)), min(other, len(data))))
        assert sums.checksum(data, start, end) == sum(data[start:end]) & 0xFF
    sums.clear()
    assert sums.checksum(data[::-1], 0, len(data)) == sum(data) & 0xFF
