"""FIX messages → what they ask for, or why they cannot be taken. Pure: a message in, a value out.

One table per message says which fields it may have and how FIX wants them written. A message that
breaks the table is `Malformed` and gets a Reject (3). What keeps the table is read by the forms of the
JSON API, so that a value is checked in one place for all protocols; what these refuse, or what FIX
knows and Fairlead does not, is `Declined` and gets the answer that its message has for a refusal.
"""

import re
from collections.abc import Callable

import msgspec

from fairlead.core.model import ExecInst, TimeInForce
from fairlead.core.requests import CancelAll, CancelOrder, PlaceOrder
from fairlead.fix.message import Fault, Message
from fairlead.fix.readable import SECRET_TAGS
from fairlead.fix.tags import HEADER_TAGS, TRAILER_TAGS, RejectReason
from fairlead.fix.times import TimeReader
from fairlead.gateway import forms
from fairlead.gateway.fixapi import words
from fairlead.gateway.fixapi.words import named
from fairlead.gateway.times import time_text
from fairlead.gateway.wrong import Finding, FormError, Wrong, shown

# ── what comes out ───────────────────────────────────────────────────────────────────────────────

REASON_UNKNOWN_SYMBOL = 1  # OrdRejReason (103)
REASON_DUPLICATE = 6
REASON_OTHER = 99
_UNTOLD = SECRET_TAGS | {354, 355}  # EncodedText, which is as free as Text


class Declined(msgspec.Struct, frozen=True):
    """A well-formed request that cannot be taken: OrdRejReason (103) and Text (58) for the answer."""

    reason: int
    text: str


class Cancel(msgspec.Struct, frozen=True):
    """A cancel: `request`, and if there is no such order `otherwise`; `named` is what the client said."""

    request: CancelOrder
    otherwise: CancelOrder | None
    named: str


class Status(msgspec.Struct, frozen=True):
    """A question for one order: at `account` (empty: any), by the client's id."""

    account: str
    client_order_id: str


class MassStatus(msgspec.Struct, frozen=True):
    """A question for the orders of `account` (empty: of all)."""

    account: str
    request_id: str


# ── tables ───────────────────────────────────────────────────────────────────────────────────────

_read_time = TimeReader().read
is_decimal = re.compile(rb"-?[0-9]+(\.[0-9]+)?").fullmatch
_INT = re.compile(rb"[0-9]{1,9}").fullmatch
_DATA = RejectReason.INCORRECT_DATA_FORMAT

_DOMAINS = {tag: frozenset(map(str.encode, known)) for tag, known in words.DOMAINS.items()}

Check = Callable[[int, bytes], Fault | None]


class Part(msgspec.Struct, frozen=True):
    """One field of a message that comes in, and how FIX wants it written."""

    tag: int
    is_required: bool
    check: Check


def _string(_tag: int, _value: bytes) -> Fault | None:
    return None


def _float(tag: int, value: bytes) -> Fault | None:
    if is_decimal(value):
        return None
    return _wrong(_DATA, tag, value, "is not a decimal number, give digits and a point: 0.045")


def _timestamp(tag: int, value: bytes) -> Fault | None:
    if _read_time(value) is not None:
        return None
    return _wrong(_DATA, tag, value, "is not a UTC time, give YYYYMMDD-HH:MM:SS.sss")


def _closed(tag: int, value: bytes) -> Fault | None:
    """One value of those that FIX has for the tag."""
    if value in _DOMAINS[tag]:
        return None
    return _wrong(RejectReason.VALUE_INCORRECT, tag, value, "is not a value that FIX has for it")


def _letters(tag: int, value: bytes) -> Fault | None:
    """Several letters with single spaces between, each of those that FIX has for the tag."""
    letters = value.decode("latin-1").split(" ")
    if words.DOMAINS[tag].issuperset(letters):
        return None
    text = "is not letters that FIX has for it, with one space between"
    return _wrong(RejectReason.VALUE_INCORRECT, tag, value, text)


def _client_id(tag: int, value: bytes) -> Fault | None:
    try:
        forms.read_client_order_id(value.decode("latin-1"))
    except Wrong as wrong:
        return Fault(RejectReason.VALUE_INCORRECT, tag, f"{named(tag)} {wrong}")
    return None


def _whole(tag: int, value: bytes) -> Fault | None:
    if _INT(value):
        return None
    return _wrong(_DATA, tag, value, "is not a whole number")


def _wrong(reason: RejectReason, tag: int, value: bytes, text: str) -> Fault:
    return Fault(reason, tag, f"{named(tag)} {shown(value.decode('latin-1'))} {text}")


# fmt: off
PLACE = (
    Part(words.CL_ORD_ID,          True,  _client_id),
    Part(words.CL_ORD_LINK_ID,     False, _string),
    Part(words.EX_DESTINATION,     False, _string),
    Part(words.SECURITY_EXCHANGE,  False, _string),
    Part(words.SECURITY_ID,        True,  _string),
    Part(words.SECURITY_ID_SOURCE, True,  _closed),
    Part(words.SYMBOL,             False, _string),
    Part(words.TRANSACT_TIME,      True,  _timestamp),
    Part(words.ORD_TYPE,           True,  _closed),
    Part(words.SIDE,               True,  _closed),
    Part(words.PRICE,              True,  _float),
    Part(words.ORDER_QTY,          True,  _float),
    Part(words.TIME_IN_FORCE,      True,  _closed),
    Part(words.EXPIRE_TIME,        False, _timestamp),
    Part(words.EXEC_INST,          False, _letters),
    Part(words.ACCOUNT,            False, _string),
)
CANCEL = (
    Part(words.CL_ORD_ID,          True,  _client_id),
    Part(words.ORIG_CL_ORD_ID,     False, _string),
    Part(words.ORDER_ID,           False, _string),
    Part(words.SECURITY_EXCHANGE,  True,  _string),
    Part(words.TRANSACT_TIME,      True,  _timestamp),
)
MASS_CANCEL = (
    Part(words.CL_ORD_ID,                True,  _client_id),
    Part(words.MASS_CANCEL_REQUEST_TYPE, True,  _closed),
    Part(words.SECURITY_EXCHANGE,        True,  _string),
    Part(words.TRANSACT_TIME,            True,  _timestamp),
)
STATUS = (
    Part(words.CL_ORD_ID,          False, _client_id),
    Part(words.ORDER_ID,           False, _client_id),
    Part(words.SECURITY_EXCHANGE,  False, _string),
    Part(words.SIDE,               False, _closed),
    Part(words.ORD_STATUS_REQ_ID,  False, _string),
)
MASS_STATUS = (
    Part(words.MASS_STATUS_REQ_ID,   True,  _string),
    Part(words.MASS_STATUS_REQ_TYPE, True,  _closed),
    Part(words.SECURITY_EXCHANGE,    False, _string),
)
# fmt: on

# Say nothing about what is to be done: who sends it by whom and in what words. 453: who has a part in it.
_WITHOUT_EFFECT = frozenset({21, 47, 58, 167, 461, 528, 581, 453, 447, 448, 452, 802, 523, 803})
_ENVELOPE = HEADER_TAGS | TRAILER_TAGS
PLACE_TAGS = frozenset(part.tag for part in PLACE) | _WITHOUT_EFFECT | _ENVELOPE
_MASS_CANCEL_TAGS = frozenset(part.tag for part in MASS_CANCEL) | _WITHOUT_EFFECT | _ENVELOPE


def _fault(message: Message, table: tuple[Part, ...]) -> Fault | None:
    """Return the first thing in which the message breaks its table."""
    values = message.values
    for part in table:
        value = values.get(part.tag)
        if value is None:
            if part.is_required:
                return _missing(part.tag)
        else:
            fault = part.check(part.tag, value)
            if fault is not None:
                return fault
    return None


def _missing(tag: int, text: str = "it is required") -> Fault:
    return Fault(RejectReason.REQUIRED_TAG_MISSING, tag, f"{named(tag)} is missing, {text}")


def _foreign(message: Message, known: frozenset[int]) -> list[str]:
    """Return a finding for each field that asks for something we would not do."""
    if message.values.keys() <= known:
        return []
    foreign = message.values.keys() - known
    return [f"{_told(message, tag)} is not supported here, leave it out" for tag in sorted(foreign)]


def _told(message: Message, tag: int) -> str:
    """Return a field with its value, unless that may be anything: what we answer is stored."""
    if tag in _UNTOLD:
        return named(tag)
    return f"{named(tag)} {shown(message.text(tag))}"


# ── D ────────────────────────────────────────────────────────────────────────────────────────────

_FORM_TAGS = {
    "client_order_id": words.CL_ORD_ID,
    "symbol_id_exchange": words.SECURITY_ID,
    "symbol_id_coinapi": words.SECURITY_ID,
    "amount_order": words.ORDER_QTY,
    "price": words.PRICE,
    "side": words.SIDE,
    "order_type": words.ORD_TYPE,
    "time_in_force": words.TIME_IN_FORCE,
    "expire_time": words.EXPIRE_TIME,
    "exec_inst": words.EXEC_INST,
    "exchange_id": words.SECURITY_EXCHANGE,
    "exchange_order_id": words.ORDER_ID,
}
_SAYS_HOW_IT_ENDS = frozenset({
    ExecInst.CANCEL_ON_DISCONNECT, ExecInst.DO_NOT_CANCEL_ON_DISCONNECT,
})  # fmt: skip
_SYMBOL_FIELDS = frozenset(words.SYMBOL_FIELDS.values())


def read_place(
    message: Message, session: str, ends_with_session: bool
) -> PlaceOrder | Fault | Declined:
    """Return the order that a NewOrderSingle asks for, placed by `session`.

    `ends_with_session`: this session's orders are cancelled when it ends, but for those with ExecInst H.
    """
    fault = _fault(message, PLACE) or _conditional(message)
    if fault is not None:
        return fault
    members, findings = _members(message)
    if findings:
        return Declined(REASON_OTHER, "; ".join(findings))
    try:
        place = forms.place_order(members)
    except FormError as error:
        return _declined(error.findings)
    exec_inst = place.exec_inst
    if ends_with_session and not _SAYS_HOW_IT_ENDS.intersection(exec_inst):
        exec_inst = (*exec_inst, ExecInst.CANCEL_ON_DISCONNECT)
    return msgspec.structs.replace(
        place,
        session=session,
        exec_inst=exec_inst,
        echo=message.text(words.SECURITY_ID_SOURCE),
        or_oms=place.time_in_force is TimeInForce.GOOD_TILL_TIME_EXCHANGE,
    )


def _conditional(message: Message) -> Fault | None:
    values = message.values
    if words.SECURITY_EXCHANGE not in values and words.EX_DESTINATION not in values:
        text = f"give it or {named(words.EX_DESTINATION)}: the account"
        return _missing(words.SECURITY_EXCHANGE, text)
    if values[words.TIME_IN_FORCE] == b"6" and words.EXPIRE_TIME not in values:
        return _missing(words.EXPIRE_TIME, f"{named(words.TIME_IN_FORCE)} 6 requires it")
    return None


def _members(message: Message) -> tuple[dict[str, object], list[str]]:
    """Return the members of the order's JSON form, and what FIX knows but we do not."""
    findings = _foreign(message, PLACE_TAGS)
    text = message.text
    account = text(words.SECURITY_EXCHANGE) or text(words.EX_DESTINATION)
    client_order_id, symbol = text(words.CL_ORD_ID), text(words.SECURITY_ID)
    for tag, other, right in (
        (words.CL_ORD_LINK_ID, words.CL_ORD_ID, client_order_id),
        (words.EX_DESTINATION, words.SECURITY_EXCHANGE, account),
        (words.ACCOUNT, words.SECURITY_EXCHANGE, account),
        (words.SYMBOL, words.SECURITY_ID, symbol),
    ):
        given = text(tag) if tag in message.values else right
        if given != right and not (tag == words.SYMBOL and given == words.NO_SYMBOL):
            findings.append(
                f"{named(tag)} {shown(given)} contradicts {named(other)} {shown(right)},"
                " give the same or leave it out"
            )
    members: dict[str, object] = {
        "exchange_id": account,
        "client_order_id": client_order_id,
        "amount_order": text(words.ORDER_QTY),
        "price": text(words.PRICE),
        "order_type": _word(message, words.ORD_TYPE, words.ORD_TYPES, findings),
        "side": _word(message, words.SIDE, words.SIDES, findings),
        "time_in_force": _word(message, words.TIME_IN_FORCE, words.TIMES_IN_FORCE, findings),
        "exec_inst": _exec_inst(message, findings),
    }
    symbol_field = _word(message, words.SECURITY_ID_SOURCE, words.SYMBOL_FIELDS, findings)
    if symbol_field is not None:
        members[symbol_field] = symbol
    expire_time = message.get(words.EXPIRE_TIME)
    if expire_time is not None:
        time_ns = _read_time(expire_time)
        assert time_ns is not None, "the table has looked at it"
        members["expire_time"] = time_text(time_ns)
    return members, findings


def _word(message: Message, tag: int, known: dict[str, str], findings: list[str]) -> str | None:
    letter = message.text(tag)
    word = known.get(letter)
    if word is None:
        findings.append(_unsupported(tag, letter, known))
    return word


def _exec_inst(message: Message, findings: list[str]) -> list[object] | None:
    if words.EXEC_INST not in message.values:
        return None
    letters = message.text(words.EXEC_INST).split(" ")
    findings += [
        _unsupported(words.EXEC_INST, letter, words.EXEC_INSTS)
        for letter in letters
        if letter not in words.EXEC_INSTS
    ]
    return [words.EXEC_INSTS[letter] for letter in letters if letter in words.EXEC_INSTS]


def _unsupported(tag: int, letter: str, known: dict[str, str]) -> str:
    right = ", ".join(f"{each} ({word})" for each, word in known.items())
    return f"{named(tag)} {shown(letter)} is not supported, give {right}"


def _declined(findings: list[Finding]) -> Declined:
    is_symbol = bool(findings) and findings[0][0] in _SYMBOL_FIELDS
    return Declined(REASON_UNKNOWN_SYMBOL if is_symbol else REASON_OTHER, told(findings))


def told(findings: list[Finding]) -> str:
    """Return findings of the JSON forms or of the engine in a FIX client's words."""
    texts = []
    for field, text in findings:
        tag = _FORM_TAGS.get(field)
        name = field if tag is None else named(tag)
        texts.append(f"{name}: {text}" if name else text)
    return "; ".join(texts)


def reason_of(findings: list[Finding]) -> int:
    """Return OrdRejReason (103) for findings of the engine."""
    return _declined(findings).reason


# ── F, q, H, AF ──────────────────────────────────────────────────────────────────────────────────


def read_cancel(message: Message) -> Cancel | Fault | Declined:
    """Return the cancel that an OrderCancelRequest asks for; 54, 55 and the like are not looked at.

    OrderID (37) is, as in our reports, the client's id; failing that it is the exchange's.
    """
    fault = _fault(message, CANCEL)
    if fault is not None:
        return fault
    account, original = message.text(words.SECURITY_EXCHANGE), message.text(words.ORIG_CL_ORD_ID)
    order_id = message.text(words.ORDER_ID)
    if not original and not order_id:
        return _missing(words.ORIG_CL_ORD_ID, f"give it or {named(words.ORDER_ID)}")
    try:
        request = forms.cancel_order(
            {"exchange_id": account, "client_order_id": original or order_id}
        )
        otherwise = None
        if not original:
            members: dict[str, object] = {"exchange_id": account, "exchange_order_id": order_id}
            otherwise = forms.cancel_order(members)
    except FormError as error:
        return _declined(error.findings)
    return Cancel(request, otherwise, original or order_id)


def read_mass_cancel(message: Message) -> CancelAll | Fault | Declined:
    """Return the cancel of all orders of an account that an OrderMassCancelRequest asks for."""
    fault = _fault(message, MASS_CANCEL)
    if fault is not None:
        return fault
    findings = _foreign(message, _MASS_CANCEL_TAGS)
    kind = message.text(words.MASS_CANCEL_REQUEST_TYPE)
    if kind != words.ALL_ORDERS:
        tag = words.MASS_CANCEL_REQUEST_TYPE
        findings.insert(
            0, f"{named(tag)} {kind} is not supported, give 7: all orders of the account"
        )
    if findings:
        return Declined(REASON_OTHER, "; ".join(findings))
    try:
        return forms.cancel_all({"exchange_id": message.text(words.SECURITY_EXCHANGE)})
    except FormError as error:
        return _declined(error.findings)


def read_status(message: Message) -> Status | Fault | Declined:
    """Return the order that an OrderStatusRequest asks about."""
    fault = _fault(message, STATUS)
    if fault is not None:
        return fault
    client_order_id = message.text(words.CL_ORD_ID) or message.text(words.ORDER_ID)
    if not client_order_id:
        return _missing(words.CL_ORD_ID, f"give it or {named(words.ORDER_ID)}")
    account = _account(message)
    return account if isinstance(account, Declined) else Status(account, client_order_id)


def read_mass_status(message: Message) -> MassStatus | Fault | Declined:
    """Return the account whose orders an OrderMassStatusRequest asks about, all where it names none."""
    fault = _fault(message, MASS_STATUS)
    if fault is not None:
        return fault
    kind = message.text(words.MASS_STATUS_REQ_TYPE)
    if kind != words.ALL_ORDERS:
        tag = words.MASS_STATUS_REQ_TYPE
        return Declined(REASON_OTHER, f"{named(tag)} {kind} is not supported, give 7: all orders")
    account = _account(message)
    if isinstance(account, Declined):
        return account
    return MassStatus(account, message.text(words.MASS_STATUS_REQ_ID))


def _account(message: Message) -> str | Declined:
    account = message.text(words.SECURITY_EXCHANGE)
    try:
        return forms.read_exchange_id(account) if account else ""
    except Wrong as wrong:
        return Declined(REASON_OTHER, f"{named(words.SECURITY_EXCHANGE)}: {wrong}")
