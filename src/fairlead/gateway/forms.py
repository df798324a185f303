"""Requests on the wire: one table per JSON form, and the messages they become.

The tables name every field, say how its value is read, and give its schema; decoding and the OpenAPI
document both come from them. Checks form only (contract 2.3, step 1): what needs an instrument, an
account or a clock is decided by the engine.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Literal, TypeVar

import msgspec

from fairlead.control.account_text import PATTERN as EXCHANGE_ID_PATTERN
from fairlead.control.account_text import is_account
from fairlead.core.model import AccountMode, ExecInst, Side, TimeInForce
from fairlead.core.requests import (
    CancelAll,
    CancelOrder,
    PlaceOrder,
    Resolution,
    ResolveOrder,
    SetMode,
)
from fairlead.gateway.members import Members
from fairlead.gateway.numbers import read_positive
from fairlead.gateway.times import read_instant
from fairlead.gateway.wrong import FINDINGS_MAX, Finding, FormError, Wrong, cut, shown

Schema = dict[str, object]
Closed = TypeVar("Closed", bound=StrEnum)

# ── values ───────────────────────────────────────────────────────────────────────────────────────

CLIENT_ORDER_ID_PATTERN = "[ -~]{1,128}"
is_client_order_id = re.compile(CLIENT_ORDER_ID_PATTERN).fullmatch
_TEXT_MAX = 256

ORDER_TYPE: Literal["LIMIT"] = "LIMIT"
TIME_IN_FORCE = {value.value: value for value in TimeInForce} | {
    "GOOD_TILL_TIME_OEML": TimeInForce.GOOD_TILL_TIME_OMS
}
_WITH_EXPIRE_TIME = frozenset({TimeInForce.GOOD_TILL_TIME_EXCHANGE, TimeInForce.GOOD_TILL_TIME_OMS})


def read_exchange_id(value: object) -> str:
    """Return an account's whole name (contract section 1); raises Wrong."""
    if type(value) is str and is_account(value):
        return value
    raise Wrong(
        f"{shown(value)} is not an exchange id, give capital letters and digits such as SIM,"
        " optionally a separator and a tag of 1 to 64 characters such as SIM/ALICE"
    )


def read_client_order_id(value: object) -> str:
    """Return a client's order id; raises Wrong."""
    if type(value) is str and is_client_order_id(value):
        return value
    raise Wrong(f"{shown(value)} is not 1 to 128 printable ASCII characters")


def read_text(value: object) -> str:
    """Return a name that the exchange defines; raises Wrong."""
    if type(value) is str and 0 < len(value) <= _TEXT_MAX:
        return value
    raise Wrong(f"{shown(value)} is not a string of 1 to {_TEXT_MAX} characters")


def _one_of(values: dict[str, Closed]) -> Callable[[object], Closed]:
    names = ", ".join(values)

    def read(value: object) -> Closed:
        found = values.get(value) if type(value) is str else None
        if found is None:
            raise Wrong(f"{shown(value)} is not one of {names}")
        return found

    return read


def _named(kind: type[Closed]) -> dict[str, Closed]:
    return {value.value: value for value in kind}


def _read_order_type(value: object) -> str:
    if value == ORDER_TYPE and type(value) is str:
        return ORDER_TYPE
    raise Wrong(f"{shown(value)} is not supported, give {ORDER_TYPE}")


_read_known_time_in_force = _one_of(TIME_IN_FORCE)


def _read_time_in_force(value: object) -> str:
    """Return the text, which is echoed as it was sent."""
    _read_known_time_in_force(value)
    assert type(value) is str, "what is known is a name"
    return value


_read_instruction = _one_of(_named(ExecInst))


def read_exec_inst(value: object) -> tuple[ExecInst, ...]:
    """Return the instructions of an array or of a bare string; raises Wrong."""
    if type(value) is str:
        return (_read_instruction(value),)
    if type(value) is not list:
        raise Wrong(f"{shown(value)} is not an array, give one of {', '.join(ExecInst)}")
    if len(value) > len(ExecInst):
        raise Wrong(f"has {len(value)} elements, give each instruction once")
    instructions = tuple([_read_instruction(element) for element in value])
    if len(set(instructions)) < len(instructions):
        raise Wrong("names an instruction twice, give each once")
    if (
        ExecInst.CANCEL_ON_DISCONNECT in instructions
        and ExecInst.DO_NOT_CANCEL_ON_DISCONNECT in instructions
    ):
        raise Wrong(
            f"{ExecInst.CANCEL_ON_DISCONNECT} contradicts {ExecInst.DO_NOT_CANCEL_ON_DISCONNECT},"
            " give one of them"
        )
    return instructions


# ── tables ───────────────────────────────────────────────────────────────────────────────────────


class Field(msgspec.Struct, frozen=True):
    """One field of a form: how its value is read (raising Wrong) and what OpenAPI says of it."""

    name: str
    read: Callable[[object], object]
    schema: Schema
    is_required: bool = False


class Form(msgspec.Struct, frozen=True):
    """The fields of one request, under the contract's schema name; `readers` are what reading needs."""

    name: str
    fields: tuple[Field, ...]
    names: frozenset[str]
    readers: tuple[tuple[str, Callable[[object], object], bool], ...]


def _form(name: str, *fields: Field) -> Form:
    readers = tuple((field.name, field.read, field.is_required) for field in fields)
    return Form(name, fields, frozenset(field.name for field in fields), readers)


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _text(description: str = "") -> Schema:
    return {"type": "string", "description": description} if description else {"type": "string"}


def _matching(pattern: str, description: str) -> Schema:
    return {"type": "string", "pattern": f"^{pattern}$", "description": description}


_NUMBER: Schema = {
    "type": "number",
    "description": "A JSON number or a string holding one; exact, at most 38 digits in plain form.",
}
EXCHANGE_ID = _matching(EXCHANGE_ID_PATTERN, f"An account: {EXCHANGE_ID_PATTERN}")
CLIENT_ORDER_ID = _matching(
    CLIENT_ORDER_ID_PATTERN, f"{CLIENT_ORDER_ID_PATTERN}, unique per account for ever"
)
_EXPIRE_TIME = _text("UTC, ISO 8601; required with GOOD_TILL_TIME_..., refused with the others")
_EXEC_INST: Schema = {
    "type": "array",
    "items": {"type": "string", "enum": [value.value for value in ExecInst]},
    "description": "A bare string is accepted; an array is emitted. By REST the two that speak of a"
    " disconnect need the exchange's own support.",
}

PLACE = _form(
    "OrderNewSingleRequest",
    Field("exchange_id", read_exchange_id, EXCHANGE_ID, is_required=True),
    Field("client_order_id", read_client_order_id, CLIENT_ORDER_ID, is_required=True),
    Field("symbol_id_exchange", read_text, _text()),
    Field("symbol_id_coinapi", read_text, _text()),
    Field("amount_order", read_positive, _NUMBER, is_required=True),
    Field("price", read_positive, _NUMBER, is_required=True),
    Field("side", _one_of(_named(Side)), _ref("OrdSide"), is_required=True),
    Field("order_type", _read_order_type, _ref("OrdType"), is_required=True),
    Field("time_in_force", _read_time_in_force, _ref("TimeInForce"), is_required=True),
    Field("expire_time", read_instant, _EXPIRE_TIME),
    Field("exec_inst", read_exec_inst, _EXEC_INST),
)
CANCEL = _form(
    "OrderCancelSingleRequest",
    Field("exchange_id", read_exchange_id, EXCHANGE_ID, is_required=True),
    Field("exchange_order_id", read_text, _text()),
    Field("client_order_id", read_client_order_id, CLIENT_ORDER_ID),
)
CANCEL_ALL = _form(
    "OrderCancelAllRequest",
    Field("exchange_id", read_exchange_id, EXCHANGE_ID, is_required=True),
)
RESOLVE = _form(
    "OperatorResolveRequest",
    Field("exchange_id", read_exchange_id, EXCHANGE_ID, is_required=True),
    Field("client_order_id", read_client_order_id, CLIENT_ORDER_ID, is_required=True),
    Field("resolution", _one_of(_named(Resolution)), _ref("Resolution"), is_required=True),
)
MODE = _form(
    "OperatorModeRequest",
    Field("exchange_id", read_exchange_id, EXCHANGE_ID, is_required=True),
    Field("mode", _one_of(_named(AccountMode)), _ref("AccountMode"), is_required=True),
)
FORMS = (PLACE, CANCEL, CANCEL_ALL, RESOLVE, MODE)

# The closed sets that requests name, under the contract's schema names where it has one.
ENUMS: dict[str, tuple[str, ...]] = {
    "OrdSide": tuple(Side),
    "OrdType": (ORDER_TYPE,),
    "TimeInForce": tuple(TIME_IN_FORCE),
    "Resolution": tuple(Resolution),
    "AccountMode": tuple(AccountMode),
}

# ── members → messages ───────────────────────────────────────────────────────────────────────────


def place_order(members: Members, caller: str = "") -> PlaceOrder:
    """Return the new order that `members` asks for; raises FormError with everything that is wrong."""
    found, findings = _read(PLACE, members)
    _check_symbol(members, findings)
    time_in_force = TIME_IN_FORCE.get(found.get("time_in_force", ""))
    if time_in_force is not None:
        _check_expire_time(members, time_in_force, findings)
    if findings or time_in_force is None:
        raise FormError(findings)
    return PlaceOrder(
        account=found["exchange_id"],
        client_order_id=found["client_order_id"],
        symbol=found.get("symbol_id_coinapi"),
        symbol_exchange=found.get("symbol_id_exchange"),
        side=found["side"],
        price=found["price"],
        quantity=found["amount_order"],
        time_in_force=time_in_force,
        time_in_force_text=found["time_in_force"],
        expire_time_ns=found.get("expire_time"),
        exec_inst=found.get("exec_inst", ()),
        caller=caller,
    )


def cancel_order(members: Members) -> CancelOrder:
    """Return the cancel that `members` asks for; raises FormError."""
    found, findings = _read(CANCEL, members)
    ids = [
        name for name in ("client_order_id", "exchange_order_id") if members.get(name) is not None
    ]
    if not ids:
        findings.append((
            "client_order_id",
            "is missing and so is exchange_order_id, give exactly one of them",
        ))  # fmt: skip
    elif len(ids) == 2:
        findings.append((
            "exchange_order_id",
            f"{shown(members[ids[1]])} is given beside client_order_id {shown(members[ids[0]])},"
            " give exactly one of them",
        ))  # fmt: skip
    if findings:
        raise FormError(findings)
    return CancelOrder(
        account=found["exchange_id"],
        client_order_id=found.get("client_order_id"),
        exchange_order_id=found.get("exchange_order_id"),
    )


def cancel_all(members: Members) -> CancelAll:
    """Return the cancel of all orders of an account; raises FormError."""
    return CancelAll(account=_read_all(CANCEL_ALL, members)["exchange_id"])


def resolve_order(members: Members) -> ResolveOrder:
    """Return an operator's word on an order; raises FormError."""
    found = _read_all(RESOLVE, members)
    return ResolveOrder(
        account=found["exchange_id"],
        client_order_id=found["client_order_id"],
        resolution=found["resolution"],
    )


def set_mode(members: Members) -> SetMode:
    """Return an operator's change of an account's mode; raises FormError."""
    found = _read_all(MODE, members)
    return SetMode(account=found["exchange_id"], mode=found["mode"])


def _read_all(form: Form, members: Members) -> dict[str, Any]:
    found, findings = _read(form, members)
    if findings:
        raise FormError(findings)
    return found


def _read(form: Form, members: Members) -> tuple[dict[str, Any], list[Finding]]:
    """Return the values read, null and absent ones left out, and everything that is wrong."""
    found: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, read, is_required in form.readers:
        value = members.get(name)
        if value is not None:
            try:
                found[name] = read(value)
            except Wrong as wrong:
                findings.append((name, str(wrong)))
        elif is_required:
            findings.append((name, "is missing, it is required"))
    if not members.keys() <= form.names:
        for name in sorted(members.keys() - form.names)[:FINDINGS_MAX]:
            names = ", ".join(field.name for field in form.fields)
            findings.append((cut(name), f"is not a field of this request, its fields are {names}"))
    return found, findings


def _check_symbol(members: Members, findings: list[Finding]) -> None:
    if members.get("symbol_id_coinapi") is None and members.get("symbol_id_exchange") is None:
        findings.append((
            "symbol_id_coinapi",
            "is missing and so is symbol_id_exchange, give at least one of them",
        ))  # fmt: skip


def _check_expire_time(
    members: Members, time_in_force: TimeInForce, findings: list[Finding]
) -> None:
    value = members.get("expire_time")
    text = members["time_in_force"]
    if value is None and time_in_force in _WITH_EXPIRE_TIME:
        findings.append(("expire_time", f"is missing, time_in_force {text} requires it"))
    elif value is not None and time_in_force not in _WITH_EXPIRE_TIME:
        findings.append((
            "expire_time",
            f"{shown(value)} is given with time_in_force {text}, which has none, leave it out"
            " or use GOOD_TILL_TIME_EXCHANGE or GOOD_TILL_TIME_OMS",
        ))  # fmt: skip
