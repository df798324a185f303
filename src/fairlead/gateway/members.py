"""One JSON object → its members, each name once, numbers as the text they were written in.

Decodes strictly and knows no field. Costs one decode and one count in the ordinary case.
"""

import json

import msgspec

from fairlead.gateway.wrong import BODY, FINDINGS_MAX, Finding, FormError, NumberText, cut

Members = dict[str, object]

_decode = msgspec.json.Decoder(float_hook=NumberText).decode


def read_members(body: bytes) -> Members:
    """Return the members of the JSON object in `body`: str, int, NumberText, bool, None, list, dict.

    Raises FormError for anything but one object in UTF-8, and naming every name given twice.
    """
    try:
        members = _decode(body)
    except msgspec.ValidationError:
        # An integer longer than the decoder takes: its field is still to be named.
        return _read_slowly(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormError([(BODY, f"is not JSON: {error}, send one JSON object")]) from None
    except RecursionError:
        raise FormError([(BODY, "is nested too deeply, send one flat JSON object")]) from None
    if type(members) is not dict:
        raise FormError([(BODY, 'is not a JSON object, send one such as {"exchange_id": "SIM"}')])
    if b"\\" in body or body.count(b'"') != 2 * _count_strings(members):
        return _read_slowly(body)
    return members


def _count_strings(members: Members) -> int:
    """Count the strings of a text that has these members, each once, and nothing nested but arrays.

    Without backslashes every string has exactly two quotation marks, so a name given twice leaves
    more of them than this accounts for.
    """
    count = len(members)
    for value in members.values():
        kind = type(value)
        if kind is str:
            count += 1
        elif kind is list:
            for element in value:  # type: ignore[attr-defined]
                if type(element) is str:
                    count += 1
    return count


def _read_slowly(body: bytes) -> Members:
    """Read again with every pair in sight."""
    try:
        pairs = json.loads(
            body, object_pairs_hook=_Pairs, parse_float=NumberText, parse_int=NumberText
        )
    except (ValueError, RecursionError) as error:
        raise FormError([(BODY, f"is not JSON: {cut(str(error))}, send one JSON object")]) from None
    if type(pairs) is not _Pairs:
        raise FormError([(BODY, "is not a JSON object, send one")])
    findings: list[Finding] = []
    members: Members = {}
    for name, value in pairs:
        if name in members and len(findings) < FINDINGS_MAX:
            findings.append((cut(name), "is given more than once, give it once"))
        members[name] = dict(value) if type(value) is _Pairs else value
    if findings:
        raise FormError(list(dict.fromkeys(findings)))
    return members


def pairs_of(value: object) -> list[tuple[str, object]] | None:
    """Return the members of an object within a body, those given twice too; None: it is no object."""
    if isinstance(value, _Pairs):
        return value
    return [*value.items()] if isinstance(value, dict) else None


class _Pairs(list[tuple[str, object]]):
    """The members of one JSON object, in order, doubles included."""
