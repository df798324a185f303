"""What a URL says: query parameters and path parameters, decoded once, each wrong one named.

A parameter that nobody reads is refused by its name: left alone it would be what somebody meant and misspelt.
"""

import difflib
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes

from fairlead.gateway.answers import Answer, Call, Handler, Stream, form_message
from fairlead.gateway.wrong import FINDINGS_MAX, Finding, FormError, Wrong, cut

Value = TypeVar("Value")
_PARAMETERS_MAX = 64


class Query:
    """The parameters of a query string.

    Reading collects `findings`; `check` raises them all, and names what nothing has read. What could not be
    read is None until then.
    """

    def __init__(self, query: bytes) -> None:
        """Raises FormError when the text is not a query string."""
        self.findings: list[Finding] = []
        self._values: dict[str, str] = {}
        try:
            pairs = parse_qsl(
                query.decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=_PARAMETERS_MAX,
            )
        except ValueError:
            raise FormError(
                [("query", f"is not percent-encoded UTF-8 of at most {_PARAMETERS_MAX} parameters")]
            ) from None
        self._pairs = pairs
        self._known: dict[str, None] = {}  # what the call reads, in order
        self._twice: set[str] = set()
        for name, value in pairs:
            if name in self._values:
                self._twice.add(name)
            self._values[name] = value

    def required(self, name: str, read: Callable[[object], Value]) -> Value | None:
        """Return the parameter as `read` (raising Wrong) reads it."""
        self._known[name] = None
        if name not in self._values:
            self.findings.append((name, "is missing, it is required"))
            return None
        return self.optional(name, read)

    def optional(self, name: str, read: Callable[[object], Value]) -> Value | None:
        """Return the parameter as `read` reads it, None when it is absent."""
        self._known[name] = None
        if name not in self._values:
            return None
        if name in self._twice:
            self.findings.append((name, "is given more than once, give it once"))
            return None
        return self.read(name, self._values[name], read)

    def repeated(self, name: str, read: Callable[[object], Value]) -> list[Value]:
        """Return the parameter each time it is given, as `read` reads it."""
        self._known[name] = None
        values = [self.read(name, text, read) for each, text in self._pairs if each == name]
        return [value for value in values if value is not None]

    def read(self, name: str, text: str | None, read: Callable[[object], Value]) -> Value | None:
        """Return `text` (None: not UTF-8) as `read` reads it, for a parameter from elsewhere."""
        try:
            return read(text)
        except Wrong as wrong:
            self.findings.append((name, str(wrong)))
            return None

    def check(self) -> None:
        """Raise FormError if anything was wrong, or was given that the call does not read."""
        unknown = [name for name in self._values if name not in self._known][:FINDINGS_MAX]
        findings = [*self.findings, *((cut(name), self._meant(name)) for name in unknown)]
        if findings:
            raise FormError(findings)

    def _meant(self, name: str) -> str:
        if not self._known:
            return "is not a parameter of this call, which has none"
        names = ", ".join(self._known)
        near = difflib.get_close_matches(name, self._known, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        return f"is not a parameter of this call, its parameters are {names}{meant}"


def check_no_query(call: Call) -> None:
    """Raise FormError if a call that has no parameters is given one."""
    if call.query:
        Query(call.query).check()


def without_query(handler: Handler) -> Handler:
    """Return the handler of a call that has no parameters: given one it is not done, and says so."""

    async def checked(call: Call) -> Answer | Stream:
        try:
            check_no_query(call)
        except FormError as error:
            return form_message(error)
        return await handler(call)

    return checked


def read_count(most: int) -> Callable[[object], int]:
    """Return a reader of whole numbers from 1 to `most`."""

    def read(value: object) -> int:
        text = str(value)
        if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most:
            return int(text)
        raise Wrong(f"{cut(text)} is not a whole number from 1 to {most}")

    return read


def path_text(raw: bytes) -> str | None:
    """Return a path parameter, percent-decoded once; None when it is not UTF-8."""
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        return None
