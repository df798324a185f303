"""Messages of a FIX client, for tests of the mapping: good ones; a test changes what it is about."""

from fairlead.fix.codec import decode
from fairlead.fix.message import Message
from tests.fix.spoken import say

Fields = dict[int, object]

TIME = "20260102-03:04:05.678"
PLACE: Fields = {
    11: "order 1",
    583: "order 1",
    207: "SIM",
    48: "BTC/USDT",
    22: "8",
    55: "BTC/USDT",
    60: TIME,
    40: "2",
    54: "1",
    44: "100.50",
    38: "0.0450",
    59: "1",
}
CANCEL: Fields = {11: "cancel 1", 41: "order 1", 207: "SIM", 60: TIME}
MASS_CANCEL: Fields = {11: "cancel 2", 530: "7", 207: "SIM", 60: TIME}
STATUS: Fields = {11: "order 1", 54: "1", 55: "BTC/USDT", 207: "SIM"}
MASS_STATUS: Fields = {584: "status 1", 585: "7"}


def message(msg_type: str, fields: Fields, *more: tuple[int, object], **changes: object) -> Message:
    """Return a message as the session delivers it; `_38=…` changes a field, None leaves it out."""
    changed = fields | {int(name[1:]): value for name, value in changes.items()}
    kept = [(tag, value) for tag, value in changed.items() if value is not None]
    decoded = decode(say(msg_type, 2, *kept, *more), 1_000)
    assert decoded.fault is None, decoded.fault
    return decoded


def place(*more: tuple[int, object], **changes: object) -> Message:
    """Return a NewOrderSingle."""
    return message("D", PLACE, *more, **changes)


def fields_of(body: bytes) -> dict[int, str]:
    """Return the fields of a body of ours, each of which must stand in it once and hold something."""
    pairs = [part.split(b"=", 1) for part in body.removesuffix(b"\x01").split(b"\x01")]
    fields = {int(tag): value.decode("ascii") for tag, value in pairs}
    assert len(fields) == len(pairs), body
    assert all(fields.values()), body
    return fields
