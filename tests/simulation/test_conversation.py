"""What was said is put into words for people, and its digest tells any two conversations apart."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from fairlead.simulation.conversation import Conversation
from fairlead.simulation.loop import VirtualLoop


class Kind(StrEnum):
    SEVERAL = "several"


class Inner(msgspec.Struct, frozen=True):
    quantity: Decimal
    note: str = ""


class Said(msgspec.Struct, frozen=True):
    kind: Kind
    inner: tuple[Inner, ...] = ()


class Meant(msgspec.Struct, frozen=True):
    kind: Kind
    inner: tuple[Inner, ...] = ()


def conversation(*lines: object, who: str = "c0", now_ns: int = 0) -> Conversation:
    loop = VirtualLoop(lambda *_: None)
    loop.now_ns = now_ns
    said = Conversation(loop)
    for line in lines:
        said.note(who, line)
    loop.close()
    return said


def test_a_line_says_when_and_who_and_of_a_struct_what_is_not_empty() -> None:
    said = conversation(Said(Kind.SEVERAL, (Inner(Decimal("1E+2")),)), "hangs up", now_ns=1_500_000)
    assert list(said.lines()) == [
        "   0.001500  c0             Said(kind=several inner=[Inner(quantity=100)])",
        "   0.001500  c0             hangs up",
    ]
    assert list(said.lines(last=1)) == ["   0.001500  c0             hangs up"]


def test_equal_conversations_have_equal_digests_and_others_have_not() -> None:
    said = Said(Kind.SEVERAL, (Inner(Decimal("0.10")),))
    others = [
        conversation(),
        conversation(said, said),
        conversation(said, who="c1"),
        conversation(said, now_ns=1),
        conversation(Meant(Kind.SEVERAL, (Inner(Decimal("0.10")),))),
        conversation(Said(Kind.SEVERAL, (Inner(Decimal("0.11")),))),
        conversation(Said(Kind.SEVERAL, (Inner(Decimal("0.10"), "more"),))),
        conversation("said"),
    ]
    digests = {each.digest() for each in others}
    assert len(digests) == len(others)
    assert conversation(said).digest() == conversation(said).digest()
    assert conversation(said).digest() not in digests
