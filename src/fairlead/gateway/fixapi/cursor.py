"""How far a session has come, as it is stored with the messages that it led to.

The bytes are a stored format: an array, to which fields are only added, at the end, with defaults.
"""

import msgspec


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """By account, sequences of reports.

    `told`: everything up to there has been made into messages. `asked`: up to where the client has
    seen the orders by a mass status request, or by having begun there; the next one begins there.
    """

    told: dict[str, int] = {}
    asked: dict[str, int] = {}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Cursor).decode


def encode_cursor(cursor: Cursor) -> bytes:
    """Return the bytes that a store keeps."""
    return _encode(cursor)


def decode_cursor(data: bytes) -> Cursor:
    """Return what was kept; nothing of a session that was not known, or was reset."""
    return _decode(data) if data else Cursor()


def begun(kept: Cursor, is_reset: bool, present: dict[str, int]) -> Cursor:
    """Return where a session goes on that logs on now, `present` being the accounts' sequences.

    An account that it does not know, or everything if it was reset, begins at the present; and nothing
    lies in the future, as it would after the journal was restored from a backup. An account that is not
    present is kept as it was, for it may come back.
    """
    told = {} if is_reset else kept.told
    return Cursor(
        told | {account: min(told.get(account, now), now) for account, now in present.items()},
        kept.asked
        | {account: min(kept.asked.get(account, now), now) for account, now in present.items()},
    )
