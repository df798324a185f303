"""What is wrong with a request: findings, each under the field's name as the caller knows it.

Holds how findings are worded and bounded; never decides that something is wrong.
"""

import json

from fairlead.control.key_text import hidden

Finding = tuple[str, str]  # field, what was wrong (with the value) and what would be right

BODY = "body"  # the field named when the body as a whole is wrong
FINDINGS_MAX = 32
_SHOWN_MAX = 64


class Wrong(ValueError):
    """One value cannot be taken; the text says what was wrong and what would be right."""


class FormError(ValueError):
    """A request cannot be taken; `findings` says everything that is wrong with it, at least one."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(f"{field}: {text}" for field, text in findings))
        self.findings = findings


class NumberText(str):
    """A JSON number as it was written."""

    __slots__ = ()


def shown(value: object) -> str:
    """Return `value` as it stood in the request, printable ASCII, at most about 64 characters."""
    if isinstance(value, NumberText):
        return cut(value)
    if isinstance(value, str):
        return cut(json.dumps(value[: 2 * _SHOWN_MAX]))  # a secret in it may be hidden
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return cut(json.dumps(value, default=str))


def cut(text: str) -> str:
    """Return the beginning of `text`, marked when it is not all of it, sure to be encodable."""
    text = hidden(text)  # before it is cut: of a secret nothing is shown
    beginning = text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."
    return beginning.encode("utf-8", "backslashreplace").decode()
