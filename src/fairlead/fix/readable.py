"""Messages as text for people. Shows whatever bytes it is given, right or wrong, and never a password."""

from fairlead.fix import tags
from fairlead.fix.codec import SOH, decode
from fairlead.fix.message import Message
from fairlead.fix.names import MSG_TYPES, TAGS, VALUES

# Username too, where a secret stands by mistake; Password, NewPassword, and RawData, which may be one.
SECRET_TAGS = frozenset({553, tags.PASSWORD, 925, 96})
HIDDEN = "***"

_IN_THE_HEAD = frozenset({8, 9, 10, 35, 49, 50, 56, 57, 34, 52})


def readable(frame: bytes) -> str:
    """Return a message as one line: what, from whom to whom, its number and time, then its fields.

    `NewOrderSingle #5 CLIENT → SERVER 20260921-14:13:20.000 | ClOrdID=a Side=1:Buy OrderQty=3`.
    Bytes that are no message are shown as they are.
    """
    message = _read(frame)
    if message is None:
        return f"not a message: {shown(frame)}"
    fields = " ".join(
        f"{_name(tag)}={_value(tag, value)}"
        for tag, value in message.fields
        if tag not in _IN_THE_HEAD
    )
    fault = (
        "" if message.fault is None else f" | wrong: {shown(message.fault.text.encode('latin-1'))}"
    )
    return f"{_head(message)}{' | ' if fields else ''}{fields}{fault}"


def readable_fields(frame: bytes) -> list[tuple[int, str, str, str]]:
    """Return every field of a message as (tag, its name, its value, the value's name); names may be empty."""
    message = _read(frame)
    if message is None:
        return []
    return [
        (tag, TAGS.get(tag, ""), _plain(tag, value), _value_name(tag, value))
        for tag, value in message.fields
    ]


def shown(data: bytes) -> str:
    """Return bytes as printable ASCII: `|` for the delimiter, `\\xNN` for what does not print."""
    return "".join(_SHOWN[byte] for byte in data)


def _read(frame: bytes) -> Message | None:
    """Return the message, also of a frame whose length or checksum is wrong."""
    parts = frame.split(SOH)
    is_message = len(parts) > 3 and parts[0].startswith(b"8=") and parts[2].startswith(b"35=")
    if not is_message or not frame.endswith(SOH):
        return None
    return decode(frame)


def _head(message: Message) -> str:
    name = MSG_TYPES.get(message.msg_type, "")
    what = name or f"MsgType {shown(message.msg_type.encode('latin-1'))}"
    sender = _party(message, tags.SENDER_COMP_ID, tags.SENDER_SUB_ID)
    target = _party(message, tags.TARGET_COMP_ID, tags.TARGET_SUB_ID)
    number = _plain(tags.MSG_SEQ_NUM, message.values.get(tags.MSG_SEQ_NUM, b"?"))
    time = _plain(tags.SENDING_TIME, message.values.get(tags.SENDING_TIME, b"?"))
    return f"{what} #{number} {sender} → {target} {time}"


def _party(message: Message, comp_tag: int, sub_tag: int) -> str:
    comp = _plain(comp_tag, message.values.get(comp_tag, b"?"))
    sub = message.values.get(sub_tag)
    return comp if sub is None else f"{comp}/{_plain(sub_tag, sub)}"


def _name(tag: int) -> str:
    return TAGS.get(tag, str(tag))


def _value(tag: int, value: bytes) -> str:
    name = _value_name(tag, value)
    text = _plain(tag, value)
    return f"{text}:{name}" if name else f'"{text}"' if " " in text else text


def _value_name(tag: int, value: bytes) -> str:
    """Return the name of a value; of several values in one field, as in ExecInst, all names."""
    names = VALUES.get(tag)
    if names is None:
        return ""
    return "+".join(names[each] for each in value.decode("latin-1").split(" ") if each in names)


def _plain(tag: int, value: bytes) -> str:
    return HIDDEN if tag in SECRET_TAGS else shown(value)


_SHOWN = [
    "|"
    if byte == 1
    else chr(byte)
    if 0x20 <= byte < 0x7F and byte not in b"|\\"
    else f"\\x{byte:02x}"
    for byte in range(256)
]
