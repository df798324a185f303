"""A FIX message as lines of text or as JSON, for fix-log."""

import sys
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from fairlead.commands import show
from fairlead.fix.log import Entry
from fairlead.fix.readable import readable, readable_fields

_NS_PER_S = 1_000_000_000
_REFUSALS = ("Reject #", "BusinessMessageReject #", "OrderCancelReject #", "not a message")


class Form(StrEnum):
    """How a message is printed."""

    LINE = "line"
    FIELDS = "fields"
    JSON = "json"


class Raw(msgspec.Struct, frozen=True):
    """A message of which nothing but its bytes is known."""

    frame: bytes


def print_message(message: Entry | Raw, form: Form) -> None:
    """Print one message: plain in a pipe, in colour on a terminal."""
    if form is Form.JSON:
        show.out(_json(message))
        return
    before = "" if isinstance(message, Raw) else f"{_time(message)}  {_way(message):3}  "
    before += "" if isinstance(message, Raw) else f"{message.session}  "
    text = readable(message.frame)
    rows = readable_fields(message.frame) if form is Form.FIELDS else []
    if rows:
        text = text.partition(" | ")[0]
    if sys.stdout.isatty():
        _print_coloured(message, before, text)
    else:
        show.out(before + text)
    for tag, name, value, meaning in rows:
        show.out(f"    {tag:>5}  {name:<24}  {value}{f'  {meaning}' if meaning else ''}".rstrip())


def _print_coloured(message: Entry | Raw, before: str, text: str) -> None:
    from rich.console import Console
    from rich.text import Text

    is_out = isinstance(message, Entry) and message.is_out
    style = "red" if text.startswith(_REFUSALS) else "green" if is_out else "cyan"
    line = Text()
    line.append(before, style="dim")
    line.append(text, style=style)
    Console(highlight=False, soft_wrap=True).print(line)


def _json(message: Entry | Raw) -> str:
    known = {}
    if isinstance(message, Entry):
        known = {
            "time": _time(message).replace(" ", "T") + "Z",
            "direction": _way(message),
            "session": message.session,
        }
    fields = [
        {"tag": tag, "name": name, "value": value, "meaning": meaning}
        for tag, name, value, meaning in readable_fields(message.frame)
    ]
    row = {**known, "text": readable(message.frame), "fields": fields}
    return msgspec.json.encode(row).decode()


def _time(entry: Entry) -> str:
    seconds, rest_ns = divmod(entry.time_ns, _NS_PER_S)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{rest_ns // 1_000_000:03}"


def _way(entry: Entry) -> str:
    return "OUT" if entry.is_out else "IN"
