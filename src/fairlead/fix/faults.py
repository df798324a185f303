"""What may be wrong with the fields of a message, whatever it says: values, order, repetitions. Pure."""

from collections.abc import Sequence

from fairlead.fix import tags
from fairlead.fix.message import Fault
from fairlead.fix.tags import HEADER_TAGS, RejectReason

Fields = Sequence[tuple[int, bytes]]


def fields_fault(fields: Fields) -> Fault | None:
    """Return the first thing wrong with the fields as such; None if there is nothing."""
    for tag, value in fields:
        if not value:
            return Fault(RejectReason.TAG_WITHOUT_VALUE, tag, f"tag {tag} has no value")
    return _order_fault(fields) or _repetition_fault(fields)


def _order_fault(fields: Fields) -> Fault | None:
    """Header first, trailer last."""
    in_body = False
    for at, (tag, _) in enumerate(fields):
        if tag in HEADER_TAGS:
            if in_body:
                return Fault(
                    RejectReason.TAG_OUT_OF_ORDER,
                    tag,
                    f"tag {tag} of the header stands in the body",
                )
        else:
            in_body = True
        if tag in tags.TRAILER_TAGS and at < len(fields) - 1:
            follows = fields[at + 1][0]
            if follows not in tags.TRAILER_TAGS:
                return Fault(
                    RejectReason.TAG_OUT_OF_ORDER, tag, f"tag {tag} of the trailer stands before it"
                )
    return None


def _repetition_fault(fields: Fields) -> Fault | None:
    """A tag may stand twice only in entries of a repeating group, of which there are as many as said."""
    seen: set[int] = set()
    members: frozenset[int] = frozenset()  # of the group that we are in
    for at, (tag, value) in enumerate(fields):
        if tag in tags.GROUPS and tag not in members:
            fault = _group_fault(fields, at, value)
            if fault is not None:
                return fault
            members = tags.GROUPS[tag]
        elif tag not in members:
            members = frozenset()
        if tag in seen and tag not in members:
            return Fault(
                RejectReason.TAG_MORE_THAN_ONCE, tag, f"tag {tag} stands in the message twice"
            )
        seen.add(tag)
    return None


def _group_fault(fields: Fields, at: int, value: bytes) -> Fault | None:
    """Compare the count at `at` with the entries after it; each begins with the same tag."""
    count_tag = fields[at][0]
    if not value.isdigit() or len(value) > 9:
        return Fault(
            RejectReason.INCORRECT_DATA_FORMAT, count_tag, f"tag {count_tag} is not a number"
        )
    members = tags.GROUPS[count_tag]
    entries = 0
    first = fields[at + 1][0] if at + 1 < len(fields) else 0
    if first in members:
        for tag, _ in fields[at + 1 :]:
            if tag not in members:
                break
            entries += tag == first
    if entries != int(value):
        return Fault(
            RejectReason.GROUP_COUNT_WRONG,
            count_tag,
            f"tag {count_tag} says {int(value)} entries, there are {entries}",
        )
    return None
