"""The codec: frames out of a stream, messages out of frames, and what is wrong with either."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.fix.codec import (
    _LAYOUTS_MOST,
    _OFTEN,
    _OFTEN_LEAST,
    _PLAIN_LAYOUTS,
    body,
    checksum,
    decode,
    encode,
)
from fairlead.fix.frames import Frames, Oversize, Skipped
from fairlead.fix.message import Message
from fairlead.fix.tags import DATA_TAGS, GROUPS, HEADER_TAGS, TRAILER_TAGS, RejectReason
from tests.fix.spoken import Field, raw, say

ORDER = say("D", 2, (11, "a"), (38, "1.5"))
HEADER: list[Field] = [(35, "D"), (49, "C"), (56, "S"), (34, 2), (52, "20260101-00:00:00")]


def _frames(*chunks: bytes, body_bytes_most: int = 1_000) -> list[bytes | Skipped | Oversize]:
    frames, found = Frames(body_bytes_most), []
    for chunk in chunks:
        frames.feed(chunk)
        while (frame := frames.next()) is not None:
            found.append(frame)
            if isinstance(frame, Oversize):
                return found
    return found


def _whole(*chunks: bytes) -> list[bytes]:
    return [frame for frame in _frames(*chunks) if isinstance(frame, bytes)]


def _decoded(*fields: Field) -> Message:
    return decode(raw([*HEADER, *fields]))


def _reason(message: Message) -> tuple[int, int | None] | None:
    return None if message.fault is None else (message.fault.reason, message.fault.tag)


# ── frames ─────────────────────────────────────────────────────────────────────────────────────


def test_frames_come_out_as_they_went_in() -> None:
    assert _frames(ORDER + ORDER) == [ORDER, ORDER]


def test_a_slow_trickle_is_the_same_message() -> None:
    trickle = [bytes([byte]) for byte in ORDER + ORDER]
    assert _frames(*trickle) == [ORDER, ORDER]


@pytest.mark.parametrize("at", range(1, len(ORDER)))
def test_a_message_may_be_cut_anywhere(at: int) -> None:
    assert _frames(ORDER[:at], ORDER[at:] + ORDER) == [ORDER, ORDER]


@pytest.mark.parametrize(
    "garbled",
    [
        ORDER[:-2] + b"\xff\x01",
        ORDER.replace(b"38=1.5", b"38=2.5"),
        ORDER.replace(b"\x019=", b"\x019=1"),
        ORDER.replace(b"9=", b"9=0x", 1),
        ORDER.replace(b"\x0135=D", b"\x0149=D", 1),
        ORDER[:-8],
        ORDER[:20],
        ORDER[20:],
        b"8=FIX.4.4\x0135=D\x019=5\x01",
        b"8=FIX4.4\x019=5\x0135=0\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        b"8=FIX" * 20,
        b"\x00\xff" * 100,
    ],
)
def test_after_garbage_the_next_message_is_found(garbled: bytes) -> None:
    assert _whole(garbled + ORDER * 3) == [ORDER] * 3


def test_a_length_that_is_too_long_swallows_nothing_behind_it() -> None:
    longer = ORDER.replace(b"\x019=%d" % _length(ORDER), b"\x019=%d" % (_length(ORDER) + 150), 1)
    assert _whole(longer + ORDER) == []
    assert _whole(longer + ORDER, ORDER, ORDER) == [ORDER] * 3


def _length(frame: bytes) -> int:
    return int(frame.split(b"\x01")[1][2:])


@pytest.mark.parametrize("length", [b"1001", b"999999999", b"10000000000000000000000"])
def test_a_giant_length_is_told_before_its_bytes_are_waited_for(length: bytes) -> None:
    (found,) = _frames(b"8=FIX.4.4\x019=" + length + b"\x0135=D\x01")
    assert isinstance(found, Oversize)


def test_a_length_at_the_bound_is_read() -> None:
    order = say("D", 2, (58, "x" * 5_000))
    assert _frames(order, body_bytes_most=_length(order)) == [order]


def test_what_is_kept_of_garbage_is_bounded() -> None:
    frames = Frames(1_000)
    for _ in range(1_000):
        frames.feed(b"8=FIX.4.4\x019=12345")
        while frames.next() is not None:
            pass
        assert frames.waiting_bytes < 100


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_in_any_pieces_are_harmless(data: bytes, cuts: list[int]) -> None:
    stream = data + ORDER * 4
    edges = [0, *sorted(cuts), len(stream)]
    pieces = [stream[start:stop] for start, stop in pairwise(edges)]
    assert _whole(*pieces)[-2:] == [ORDER, ORDER]
    assert _whole(*pieces) == _whole(stream)


@given(st.binary(max_size=2_000))
def test_the_checksum_is_the_sum_of_the_bytes(data: bytes) -> None:
    assert checksum(data, len(data)) == sum(data) % 256
    assert checksum(data, len(data) // 2) == sum(data[: len(data) // 2]) % 256


# ── messages ───────────────────────────────────────────────────────────────────────────────────


def test_a_message_has_its_fields_in_order_and_by_tag() -> None:
    message = _decoded((11, "a"), (38, "1.5"))
    assert message.fault is None
    assert (message.begin_string, message.msg_type, message.sequence_number) == ("FIX.4.4", "D", 2)
    assert [tag for tag, _ in message.fields] == [8, 9, 35, 49, 56, 34, 52, 11, 38, 10]
    assert (message.get(38), message.text(11), message.get(99)) == (b"1.5", "a", None)
    assert (message.number(34), message.number(38), message.number(99)) == (2, None, None)


def test_a_value_may_hold_an_equals_sign() -> None:
    assert _decoded((58, "a=b=c")).get(58) == b"a=b=c"


def test_bytes_beyond_ascii_stay_as_they_are() -> None:
    message = _decoded((58, b"\xc3\xa9\xff\x00"))
    assert message.fault is None
    assert message.get(58) == b"\xc3\xa9\xff\x00"


@pytest.mark.parametrize(("length_tag", "data_tag"), [(95, 96), (354, 355), (212, 213), (90, 91)])
def test_a_data_field_may_hold_the_delimiter(length_tag: int, data_tag: int) -> None:
    data = b"a\x0110=000\x018=FIX.4.4\x0111=b\x01"
    fields: list[Field] = [(length_tag, len(data)), (data_tag, data)]
    in_header = length_tag in HEADER_TAGS
    message = _decoded(*fields, (11, "a")) if not in_header else _decoded(*fields)
    assert message.fault is None
    assert message.get(data_tag) == data
    assert message.fields[-2] == ((data_tag, data) if in_header else (11, b"a"))


def test_a_signature_stands_in_the_trailer() -> None:
    assert _decoded((11, "a"), (93, 3), (89, b"x\x01y")).fault is None
    assert _reason(_decoded((93, 3), (89, b"x\x01y"), (11, "a"))) == (14, 89)


@pytest.mark.parametrize("length", ["2", "4", "400", "x", "-1", "9999999999"])
def test_a_wrong_length_of_a_data_field_is_a_wrong_format(length: str) -> None:
    assert _reason(_decoded((95, length), (96, "abc"))) == (6, 95)


def test_a_length_cannot_reach_over_the_end_of_the_message() -> None:
    frame = raw([*HEADER, (95, 9), (96, "ab")])
    assert frame[-10:-7] == b"ab\x01"
    assert _reason(decode(frame)) == (6, 95)


@pytest.mark.parametrize(
    ("fields", "reason", "tag"),
    [
        ([(11, "")], RejectReason.TAG_WITHOUT_VALUE, 11),
        ([(11, "a"), (11, "a")], RejectReason.TAG_MORE_THAN_ONCE, 11),
        ([(11, "a"), (10, "000")], RejectReason.TAG_MORE_THAN_ONCE, 10),
        ([(11, "a"), (34, "3")], RejectReason.TAG_OUT_OF_ORDER, 34),
        ([(11, "a"), (97, "Y")], RejectReason.TAG_OUT_OF_ORDER, 97),
        ([(0, "a")], RejectReason.INVALID_TAG_NUMBER, None),
        ([(58, b"a\x01b")], RejectReason.INVALID_TAG_NUMBER, None),
        ([(58, b"a\x01=b")], RejectReason.INVALID_TAG_NUMBER, None),
        ([(58, b"a\x01-1=b")], RejectReason.INVALID_TAG_NUMBER, None),
        ([(58, b"a\x0101=b")], RejectReason.INVALID_TAG_NUMBER, None),
        ([(58, b"a\x011\xb9=b")], RejectReason.INVALID_TAG_NUMBER, None),
        ([(58, b"a\x01\xd9\xa1=b")], RejectReason.INVALID_TAG_NUMBER, None),
        ([(58, b"a\x01+1=b")], RejectReason.INVALID_TAG_NUMBER, None),
        ([(58, b"a\x01 1=b")], RejectReason.INVALID_TAG_NUMBER, None),
        ([(58, b"a\x011234567890=b")], RejectReason.INVALID_TAG_NUMBER, None),
        ([(58, b"a\x01\x01")], RejectReason.INVALID_TAG_NUMBER, None),
    ],
)
def test_what_is_wrong_with_fields_is_found(
    fields: list[Field], reason: RejectReason, tag: int | None
) -> None:
    assert _reason(_decoded(*fields)) == (reason, tag)


def test_tags_of_users_and_others_are_fields_like_any() -> None:
    message = _decoded((5001, "Y"), (8013, "S"), (20_000, "x"), (999_999_999, "y"))
    assert message.fault is None
    assert (message.get(20_000), message.get(999_999_999)) == (b"x", b"y")


def test_more_fields_than_allowed_are_a_fault() -> None:
    frame = raw([*HEADER, *((1_000 + number, "x") for number in range(50))])
    assert decode(frame, fields_most=58).fault is None
    assert _reason(decode(frame, fields_most=57)) == (RejectReason.OTHER, None)


# ── repeating groups ───────────────────────────────────────────────────────────────────────────

PARTY: list[Field] = [(448, "me"), (447, "D"), (452, 3)]


def test_entries_of_a_group_repeat_their_tags() -> None:
    message = _decoded((11, "a"), (453, 2), *PARTY, *PARTY, (55, "x"))
    assert message.fault is None
    assert [tag for tag, _ in message.fields if tag == 448] == [448, 448]


def test_a_group_in_a_group_repeats_its_tags() -> None:
    sub: list[Field] = [(802, 2), (523, "a"), (803, 1), (523, "b"), (803, 2)]
    assert _decoded((453, 2), *PARTY, *sub, *PARTY, *sub, (11, "a")).fault is None


@pytest.mark.parametrize("count", ["1", "3", "0"])
def test_a_wrong_count_of_entries_is_found(count: str) -> None:
    assert _reason(_decoded((453, count), *PARTY, *PARTY, (11, "a"))) == (16, 453)


def test_a_count_without_entries_is_right_when_it_is_none() -> None:
    assert _decoded((453, 0), (11, "a")).fault is None
    assert _reason(_decoded((453, 1), (11, "a"))) == (16, 453)


def test_a_count_that_is_no_number_is_a_wrong_format() -> None:
    assert _reason(_decoded((453, "x"), *PARTY)) == (6, 453)


def test_a_tag_may_not_repeat_outside_its_group() -> None:
    assert _reason(_decoded((453, 1), *PARTY, (11, "a"), (448, "me"))) == (13, 448)


def test_the_tables_of_tags_do_not_contradict_each_other() -> None:
    assert not HEADER_TAGS & TRAILER_TAGS
    assert not set(DATA_TAGS) & set(DATA_TAGS.values())
    for count, members in GROUPS.items():
        assert count not in members


# ── fields → bytes ─────────────────────────────────────────────────────────────────────────────


def test_what_is_encoded_can_be_read_back() -> None:
    content = b"35=8\x0134=7\x01" + body([(11, "a"), (38, 5), (354, 3), (355, b"a\x01b")])
    frame = encode(b"FIX.4.4", content)
    assert _frames(frame) == [frame]
    message = decode(frame)
    assert (message.msg_type, message.number(38), message.get(355)) == ("8", 5, b"a\x01b")


@pytest.mark.parametrize("value", ["", b"", "a\x01b"])
def test_a_value_that_would_be_another_message_is_not_encoded(value: str | bytes) -> None:
    with pytest.raises(ValueError, match="tag 58"):
        body([(58, value)])


_TAGS = st.sampled_from([11, 38, 44, 55, 58, 60, 99, 5001, 12_345])
_VALUES = st.binary(min_size=1, max_size=30).filter(lambda value: b"\x01" not in value)


@given(st.dictionaries(_TAGS, _VALUES))
def test_any_fields_survive_the_way_out_and_in(fields: dict[int, bytes]) -> None:
    frame = encode(b"FIX.4.4", b"35=D\x0134=7\x01" + body(fields.items()))
    (back,) = _whole(frame)
    message = decode(back)
    assert message.fault is None
    assert {tag: message.get(tag) for tag in fields} == fields


def test_the_layouts_that_are_remembered_are_bounded() -> None:
    for tag in range(6_000, 7_000):
        assert _decoded((tag, "x")).fault is None
    assert len(_PLAIN_LAYOUTS) <= _LAYOUTS_MOST


def test_a_layout_that_comes_often_is_read_as_before() -> None:
    mixed = [
        ((6_010, "a=b"), (6_011, "\xff")),
        ((6_012, "c"), (6_013, "1")),
        ((6_010, "d"), (6_011, "e")),
    ]
    for fields in mixed:
        frame = raw([*HEADER, *fields])
        reads = [decode(frame) for _ in range(_OFTEN_LEAST + 2)]
        assert all(each == reads[0] for each in reads)
        assert reads[0].fault is None
        assert reads[0].text(fields[0][0]) == fields[0][1]
    assert len(HEADER) + 5 in _OFTEN


@pytest.mark.parametrize(
    "fields", [[(6_020, "")], [(6_020, "a"), (6_020, "b")], [(0, "a")], [(6_021, "a")]]
)
def test_what_is_nearly_a_layout_that_comes_often_gets_a_look(fields: list[Field]) -> None:
    alike = [(6_020, "a")] if len(fields) == 1 else [(6_020, "a"), (6_022, "b")]
    first = decode(raw([*HEADER, *fields]))
    for _ in range(_OFTEN_LEAST + 2):
        assert _decoded(*alike).fault is None
    assert decode(raw([*HEADER, *fields])) == first


def test_more_fields_than_allowed_are_a_fault_however_often_they_came() -> None:
    frame = raw([*HEADER, (6_030, "a")])
    for _ in range(_OFTEN_LEAST + 2):
        assert decode(frame).fault is None
    fault = decode(frame, fields_most=4).fault
    assert fault is not None
    assert fault.text == "more than 4 fields"
