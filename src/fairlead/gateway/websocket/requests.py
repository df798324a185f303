"""One message of a client → a request for the port, or why it is refused.

Reads by the same forms as REST; only `type`, and how a refusal is worded, belong to this protocol.
"""

from collections.abc import Callable

import msgspec

from fairlead.core.replies import Refusal, Refused
from fairlead.core.requests import CancelAll, CancelOrder, PlaceOrder
from fairlead.gateway import forms
from fairlead.gateway.members import Members, read_members
from fairlead.gateway.shapes import RejectReason
from fairlead.gateway.wrong import BODY, FormError, Wrong, shown

Asked = PlaceOrder | CancelOrder | CancelAll

REQUESTS: dict[str, Callable[[Members], Asked]] = {
    "ORDER_NEW_SINGLE_REQUEST": forms.place_order,
    "ORDER_CANCEL_SINGLE_REQUEST": forms.cancel_order,
    "ORDER_CANCEL_ALL_REQUEST": forms.cancel_all,
}

REASONS: dict[Refusal, RejectReason] = {
    Refusal.ACCOUNT_UNKNOWN: "EXCHANGE_UNREACHABLE",
    Refusal.ACCOUNT_UNAVAILABLE: "EXCHANGE_UNREACHABLE",
    Refusal.INVALID: "OTHER",
    Refusal.CONFLICT: "OTHER",
    Refusal.IN_DOUBT: "EXCHANGE_RESPONSE_TIMEOUT",
    Refusal.ORDER_UNKNOWN: "ORDER_ID_NOT_FOUND",
    Refusal.NOT_SUPPORTED: "METHOD_NOT_SUPPORTED",
    Refusal.OVERLOADED: "OTHER",
    Refusal.UNAUTHENTICATED: "OTHER",
    Refusal.FORBIDDEN: "OTHER",
    Refusal.RATE_EXCEEDED: "OTHER",
}


class Reject(msgspec.Struct, frozen=True):
    """Why a message is refused; `account` None: it names none."""

    reason: RejectReason
    text: str
    account: str | None = None


def read(message: bytes) -> Asked | Reject:
    """Return what a client's message asks for."""
    try:
        members = read_members(message)
    except FormError as error:
        is_json = error.findings[0][0] != BODY
        return Reject("OTHER" if is_json else "JSON_ERROR", _text(error.findings))
    kind = members.pop("type", None)
    read_form = REQUESTS.get(kind) if type(kind) is str else None
    if read_form is None:
        sent = "is missing" if kind is None else f"{shown(kind)} is not a request"
        text = f"type: {sent}, give one of {', '.join(REQUESTS)}"
        return Reject("INVALID_TYPE", text, _account(members))
    try:
        return read_form(members)
    except FormError as error:
        return Reject("OTHER", _text(error.findings), _account(members))


def refusal(refused: Refused, asked: Asked) -> Reject:
    """Return how an edge's refusal reads here."""
    is_of_fields = refused.refusal in (Refusal.INVALID, Refusal.NOT_SUPPORTED)
    findings = list(refused.findings) or [(refused.field or BODY, refused.message)]
    text = _text(findings) if is_of_fields else refused.message
    return Reject(REASONS[refused.refusal], text, asked.account)


def stopping(asked: Asked) -> Reject:
    """Return what is said when the edge stopped first: whether it took a new order is unknown."""
    if isinstance(asked, PlaceOrder):
        text = (
            f"the gateway is stopping; whether order {asked.client_order_id} was taken is unknown:"
            " after its restart ask for the order's status, or send the same order again"
        )
        return Reject("EXCHANGE_RESPONSE_TIMEOUT", text, asked.account)
    return Reject("OTHER", "the gateway is stopping, try again", asked.account)


def _account(members: Members) -> str | None:
    try:
        return forms.read_exchange_id(members.get("exchange_id"))
    except Wrong:
        return None


def _text(findings: list[tuple[str, str]]) -> str:
    return "; ".join([f"{field}: {text}" for field, text in findings])
