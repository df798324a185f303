"""Mutated FIX: orders and session messages, damaged in one way each, with what FIX wants done about it.

What is expected follows from the way in which something was damaged, not from the code under test.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tests.fix.spoken import OURS, THEIRS, Field, raw, stamp


class Fate(Enum):
    """What becomes of a mutated message."""

    IGNORED = "garbled: nothing is said, its number is not counted, the next message is heard"
    DELIVERED = "right after all: delivered byte for byte"
    REJECTED = "answered with a Reject that says why; counted"
    ENDED = "the session ends"
    ANY = "whatever the bytes now say, by one of the ways above"


@dataclass(frozen=True)
class Mangled:
    """Bytes, and what is to become of them. `reason` is that of a Reject, `field` what is delivered."""

    way: str
    data: bytes
    fate: Fate
    reason: int = -1
    field: tuple[int, bytes] = (0, b"")
    number: int = 0


def order_fields(random: random.Random, number: int, now_ns: int) -> list[Field]:
    """Return the fields of an order as clients send them, header first."""
    fields: list[Field] = [
        (35, "D"), (49, THEIRS), (56, OURS), (34, number), (52, stamp(now_ns)),
        (11, f"order-{random.randrange(10**9)}"), (207, "SIM"), (48, "BTC/USDT"), (22, 8),
        (55, "BTC/USDT"), (60, stamp(now_ns)), (40, 2), (54, random.choice("12")),
        (44, f"{random.randrange(1, 10**6)}.{random.randrange(100):02}"), (38, random.randrange(1, 99)),
        (59, random.choice("1346")),
    ]  # fmt: skip
    if random.random() < 0.2:
        fields[5:5] = [(50, "DESK")]
    if random.random() < 0.2:
        fields.append((58, "some words " * random.randrange(1, 40)))
    return fields


def mangle(random: random.Random, number: int, now_ns: int) -> Mangled:
    """Return an order with the given number, damaged somehow."""
    return random.choice(WAYS)(random, order_fields(random, number, now_ns), number)


def _body_of(frame: bytes) -> tuple[bytes, int, bytes]:
    """Return what stands before the length, the length, and what stands behind it."""
    begin, length, rest = frame.split(b"\x01", 2)
    return begin + b"\x019=", int(length[2:]), b"\x01" + rest


def _truncated(random: random.Random, fields: list[Field], number: int) -> Mangled:
    frame = raw(fields)
    return Mangled("truncated", frame[: random.randrange(1, len(frame) - 1)], Fate.IGNORED)


def _beheaded(random: random.Random, fields: list[Field], number: int) -> Mangled:
    frame = raw(fields)
    return Mangled("beheaded", frame[random.randrange(1, len(frame) - 1) :], Fate.IGNORED)


def _giant_length(random: random.Random, fields: list[Field], number: int) -> Mangled:
    begin, _, rest = _body_of(raw(fields))
    length = random.choice([65_537, 10**6, 2**31, 2**63, 10 ** random.randrange(5, 200)])
    return Mangled("giant BodyLength", begin + b"%d" % length + rest, Fate.ENDED)


def _wrong_length(random: random.Random, fields: list[Field], number: int) -> Mangled:
    begin, length, rest = _body_of(raw(fields))
    wrong = random.choice(
        [each for each in range(max(0, length - 200), length + 300) if each != length]
    )
    return Mangled("wrong BodyLength", begin + b"%d" % wrong + rest, Fate.IGNORED)


def _no_length(random: random.Random, fields: list[Field], number: int) -> Mangled:
    begin, _, rest = _body_of(raw(fields))
    text = random.choice([b"", b"x", b"-5", b"1e2", b"+100", b" 100", b"0x64", b"\xd9\xa1"])
    return Mangled("BodyLength is no number", begin + text + rest, Fate.IGNORED)


def _wrong_checksum(random: random.Random, fields: list[Field], number: int) -> Mangled:
    frame = raw(fields)
    right = int(frame[-4:-1])
    wrong = random.choice([b"%03d" % each for each in range(256) if each != right])
    if random.random() < 0.2:
        wrong = random.choice([b"xyz", b"%3d" % (right % 10), b"999", b"\xff\xff\xff"])
    if wrong == b"%03d" % right:
        wrong = b"999"
    return Mangled("wrong checksum", frame[:-4] + wrong + b"\x01", Fate.IGNORED)


def _flipped(random: random.Random, fields: list[Field], number: int) -> Mangled:
    """One byte of the body is another: the checksum no longer fits."""
    frame = bytearray(raw(fields))
    start = frame.index(b"\x0135=") + 4
    at = random.randrange(start, len(frame) - 7)
    frame[at] ^= random.randrange(1, 256)
    return Mangled("flipped byte", bytes(frame), Fate.IGNORED)


def _twice_flipped(random: random.Random, fields: list[Field], number: int) -> Mangled:
    """Two bytes are changed so that length and checksum still fit: it is whatever it says now."""
    frame = bytearray(raw(fields))
    start = frame.index(b"\x0135=") + 1
    first, second = random.sample(range(start, len(frame) - 7), 2)
    change = random.randrange(1, 256)
    frame[first] = (frame[first] + change) % 256
    frame[second] = (frame[second] - change) % 256
    if sum(frame[:-7]) % 256 != int(frame[-4:-1]):
        return Mangled("flipped twice", bytes(frame), Fate.IGNORED)
    return Mangled("flipped twice, sum right", bytes(frame), Fate.ANY)


def _first_fields(random: random.Random, fields: list[Field], number: int) -> Mangled:
    """MsgType is not the third field."""
    at = random.randrange(1, 5)
    swapped = [*fields]
    swapped[0], swapped[at] = swapped[at], swapped[0]
    return Mangled("MsgType not third", raw(swapped), Fate.IGNORED)


def _repeated(random: random.Random, fields: list[Field], number: int) -> Mangled:
    body = [field for field in fields if field[0] not in (35, 49, 56, 34, 52, 50)]
    return Mangled("repeated tag", raw([*fields, random.choice(body)]), Fate.REJECTED, 13)


def _out_of_order(random: random.Random, fields: list[Field], number: int) -> Mangled:
    stray: Field = random.choice([(115, "X"), (129, "Y"), (97, "N"), (43, "N"), (50, "Z")])
    kept = [field for field in fields if field[0] != stray[0]]
    return Mangled("header field in the body", raw([*kept, stray]), Fate.REJECTED, 14)


def _without_value(random: random.Random, fields: list[Field], number: int) -> Mangled:
    at = random.choice(
        [at for at, (tag, _) in enumerate(fields) if tag not in (35, 49, 56, 34, 52)]
    )
    changed = [*fields]
    changed[at] = (changed[at][0], "")
    return Mangled("tag without value", raw(changed), Fate.REJECTED, 4)


def _bad_tag(random: random.Random, fields: list[Field], number: int) -> Mangled:
    bad = random.choice(
        [b"0", b"011", b"x", b"", b"-1", b"1.5", b"\xff", b"9" * 10, b"1" * 4_400, b" 1"]
    )
    text = b"\x01" + bad + b"=x"
    return Mangled("bad tag number", raw([*fields, (9_001, b"y" + text)]), Fate.REJECTED, 0)


def _embedded_soh(random: random.Random, fields: list[Field], number: int) -> Mangled:
    words = random.choice([b"two\x01parts", b"two\x01\x01parts", b"\x01parts and words"])
    reason = 4 if words.startswith(b"\x01") else 0
    if (
        reason == 4
    ):  # both are wrong: no value, and a part that is no field; the latter is seen first
        reason = 0
    return Mangled("SOH in a text", raw([*fields, (9_001, words)]), Fate.REJECTED, reason)


def _soh_in_data(random: random.Random, fields: list[Field], number: int) -> Mangled:
    data = random.choice(
        [b"\x01", b"a\x01b", b"\x0110=123\x01", b"x\x018=FIX.4.4\x019=5\x0135=0\x01"]
    )
    data += random.randbytes(random.randrange(1, 50))
    tag = random.choice([354, 95])
    framed = raw([*fields, (tag, len(data)), (tag + 1, data)])
    return Mangled("SOH in data", framed, Fate.DELIVERED, field=(tag + 1, data))


def _wrong_data_length(random: random.Random, fields: list[Field], number: int) -> Mangled:
    length = random.choice([0, 1, 2, 4, 5, 10**6, "x", "-1", 10**30])
    return Mangled(
        "wrong data length", raw([*fields, (354, length), (355, "abc")]), Fate.REJECTED, 6
    )


def _beyond_ascii(random: random.Random, fields: list[Field], number: int) -> Mangled:
    text = random.randbytes(random.randrange(1, 60)).replace(b"\x01", b"\xff")
    return Mangled(
        "bytes beyond ASCII", raw([*fields, (9_001, text)]), Fate.DELIVERED, field=(9_001, text)
    )


def _private_tags(random: random.Random, fields: list[Field], number: int) -> Mangled:
    tag = random.choice([5_001, 8_013, 10_000, 99_999, 999_999_999])
    return Mangled("private tags", raw([*fields, (tag, "Y")]), Fate.DELIVERED, field=(tag, b"Y"))


def _too_many_fields(random: random.Random, fields: list[Field], number: int) -> Mangled:
    many: list[Field] = [(20_000 + each, "x") for each in range(random.choice([1_000, 3_000]))]
    return Mangled("too many fields", raw([*fields, *many]), Fate.REJECTED, 99)


def _group(random: random.Random, fields: list[Field], number: int) -> Mangled:
    entries: list[Field] = []
    for each in range(count := random.randrange(1, 5)):
        entries += [(448, f"party {each}"), (447, "D"), (452, each)]
    told = random.choice([count, count, 0, count + 1])
    data = raw([*fields, (453, told), *entries])
    if told == count:
        return Mangled("group", data, Fate.DELIVERED, field=(448, b"party 0"))
    return Mangled("group of another count", data, Fate.REJECTED, 16)


def _comp_id(random: random.Random, fields: list[Field], number: int) -> Mangled:
    at = random.choice([1, 2])
    changed = [*fields]
    changed[at] = (changed[at][0], random.choice(["OTHER", "", THEIRS + "X", b"\xff"]))
    return Mangled("another CompID", raw(changed), Fate.ENDED)


def _sending_time(random: random.Random, fields: list[Field], number: int) -> Mangled:
    at = next(at for at, (tag, _) in enumerate(fields) if tag == 52)
    changed = [*fields]
    changed[at] = (52, random.choice(["20010101-00:00:00", "29990101-00:00:00", "soon", b"\xff"]))
    return Mangled("another time", raw(changed), Fate.ENDED)


def _no_number(random: random.Random, fields: list[Field], number: int) -> Mangled:
    changed = [*fields]
    changed[3] = (34, random.choice(["", "0", "-1", "x", "1" * 19, b"\xb2"]))
    return Mangled("no MsgSeqNum", raw(changed), Fate.ENDED)


def _low_number(random: random.Random, fields: list[Field], number: int) -> Mangled:
    changed = [*fields]
    changed[3] = (34, random.randrange(1, number))
    return Mangled("MsgSeqNum too low", raw(changed), Fate.ENDED)


def _low_duplicate(random: random.Random, fields: list[Field], number: int) -> Mangled:
    changed = [*fields]
    changed[3] = (34, random.randrange(1, number))
    changed[4:4] = [(43, "Y"), (122, changed[4][1])]
    return Mangled("a duplicate", raw(changed), Fate.IGNORED)


def _other_version(random: random.Random, fields: list[Field], number: int) -> Mangled:
    return Mangled("another BeginString", raw(fields, "FIX.4.2"), Fate.ENDED)


def _no_version(random: random.Random, fields: list[Field], number: int) -> Mangled:
    begin = random.choice(["FIX", "FIX.4", "FIXT.11", "FIX.4.4.4", "fix.4.4", "\xff"])
    return Mangled("no BeginString", raw(fields, begin), Fate.IGNORED)


def _noise(random: random.Random, fields: list[Field], number: int) -> Mangled:
    return Mangled("noise", random.randbytes(random.randrange(1, 400)), Fate.IGNORED)


def _right(random: random.Random, fields: list[Field], number: int) -> Mangled:
    tag, value = next(field for field in fields if field[0] == 11)
    return Mangled("nothing wrong", raw(fields), Fate.DELIVERED, field=(tag, str(value).encode()))


WAYS: list[Callable[[random.Random, list[Field], int], Mangled]] = [
    _truncated, _beheaded, _giant_length, _wrong_length, _no_length, _wrong_checksum, _flipped,
    _twice_flipped, _first_fields, _repeated, _out_of_order, _without_value, _bad_tag, _embedded_soh,
    _soh_in_data, _wrong_data_length, _beyond_ascii, _private_tags, _too_many_fields, _group,
    _comp_id, _sending_time, _no_number, _low_number, _low_duplicate, _other_version, _no_version,
    _noise, _right,
]  # fmt: skip
