"""One call and its answer as a page shows them, and the form in which that is the same in every run."""

import hashlib
import json
from typing import Any

import msgspec

Json = Any
DAY = "2026-01-05T09:30:0"  # the time of everything shown
_NUMBERS = msgspec.json.Encoder(decimal_format="number")
_WIDTH = 100


class Exchanged(msgspec.Struct, frozen=True):
    """One call and its answer, in a fixed form. `body` is JSON as text, so is `content` unless it is PEM."""

    method: str
    path: str
    body: str | None
    status: int
    content: str
    language: str = "json"


def hash_of(text: str) -> str:
    """Return what stands for a number that is random."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def text_of(value: Json, indent: int = 0) -> str:
    """Return JSON as people read it: numbers with their digits, what fits on a line on one line."""
    if not isinstance(value, dict | list):
        return _NUMBERS.encode(value).decode()
    opening, closing = "{}" if isinstance(value, dict) else "[]"

    def parts(inner: int) -> list[str]:
        if isinstance(value, dict):
            return [f"{json.dumps(name)}: {text_of(each, inner)}" for name, each in value.items()]
        return [text_of(each, inner) for each in value]

    flat = f"{opening}{', '.join(parts(indent))}{closing}"
    if len(flat) + indent <= _WIDTH and "\n" not in flat:
        return flat
    gap = " " * (indent + 2)
    return f"{opening}\n{gap}" + f",\n{gap}".join(parts(indent + 2)) + f"\n{' ' * indent}{closing}"
