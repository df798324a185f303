"""What an operator sends: one JSON object or a query string, read field by field.

Every wrong field is an `OperatorError` that names the field, its value and what would be right.
Numbers are read as exact decimals, never as floats.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar, get_type_hints

import msgspec

from fairlead.exchange.rounding import told

LIMIT_MAX = 1_000
_T = TypeVar("_T")
_read_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class OperatorError(Exception):
    """A request that is refused; `field` is empty where the whole is wrong."""

    def __init__(self, field: str, value: object, right: str, status: int = 400) -> None:
        said = told(value) if isinstance(value, Decimal) else value
        super().__init__(f"{field or 'the request'} {said} is not valid: {right}")
        self.field = field
        self.value = value
        self.right = right
        self.status = status


class Form:
    """The fields of one JSON object. Each is taken once by its type; none may be left over."""

    def __init__(self, body: bytes) -> None:
        try:
            self._fields = _read_object(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise OperatorError("", _shown(body), "one JSON object") from error

    def require(self, field: str, kind: type[_T], right: str) -> _T:
        """Return a field that must be there."""
        if field not in self._fields:
            raise OperatorError(field, None, f"{right}; it is missing")
        return self._decode(field, kind, right)

    def require_or_null(self, field: str, kind: type[_T], right: str) -> _T | None:
        """Return a field that must be there, None if it is null."""
        if self.has(field) and bytes(self._fields[field]) == b"null":
            del self._fields[field]
            return None
        return self.require(field, kind, right)

    def has(self, field: str) -> bool:
        """Whether the field is there and not taken yet."""
        return field in self._fields

    def end(self, known: tuple[str, ...]) -> None:
        """Refuse what was not taken."""
        for field, raw in self._fields.items():
            raise OperatorError(field, _shown(raw), f"only {', '.join(known)} are known")

    def _decode(self, field: str, kind: type[_T], right: str) -> _T:
        raw = self._fields.pop(field)
        try:
            return msgspec.json.decode(raw, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise OperatorError(field, _shown(raw), right) from error


def read_struct(
    body: bytes, kind: type[_T], rights: Mapping[str, str], required: tuple[str, ...]
) -> _T:
    """Return `body` as a struct of type `kind`; `rights` says for each field what would be right."""
    form = Form(body)
    types = get_type_hints(kind)
    for field, right in rights.items():
        if form.has(field):
            form.require(field, types[field], right)
        elif field in required:
            raise OperatorError(field, None, f"{right}; it is missing")
    form.end(tuple(rights))
    return msgspec.json.decode(body, type=kind)


class Page:
    """`after` and `limit` of a query string; None where they are absent."""

    def __init__(self, query: Mapping[str, str], known: tuple[str, ...]) -> None:
        for field, value in query.items():
            if field not in ("after", "limit", *known):
                names = ", ".join(("after", "limit", *known))
                raise OperatorError(field, value, f"only {names} are known")
        self.after = query.get("after")
        self.limit = number(query.get("limit"), "limit", 1, LIMIT_MAX)


def number(value: str | None, field: str, least: int, most: int) -> int | None:
    """Return an integer of a query string or path, None if it is absent."""
    if value is None:
        return None
    if value.isascii() and value.isdigit() and len(value) <= 18 and least <= int(value) <= most:
        return int(value)
    raise OperatorError(field, _shown(value.encode()), f"an integer from {least} to {most}")


def amount(value: Decimal, field: str) -> Decimal:
    """Return `value` if it is a finite amount of at most 18 digits on either side of the point."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -18 and abs(value) < 10**18:
        return value
    raise OperatorError(field, value, "an amount with at most 18 digits before and after the point")


def _shown(raw: bytes | msgspec.Raw) -> str:
    return bytes(raw)[:200].decode(errors="replace")
