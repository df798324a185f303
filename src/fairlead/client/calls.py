"""Every call of the API as a value: what is sent, and how its answer is read. No IO.

A transport sends a `Call` and hands the `Answer` to `result`, which returns the typed value or raises
the exception that tells the truth: of a call that changes something, only the system's own refusal
means that nothing was done.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from fairlead.client import shapes
from fairlead.client.answer import Answer
from fairlead.client.errors import (
    Conflict,
    Invalid,
    NotFound,
    OutcomeUnknown,
    Refused,
    Unavailable,
    Unreachable,
)
from fairlead.client.numbers import wire_time
from fairlead.core.model import AccountMode

Result = TypeVar("Result")

_REFUSALS: dict[int, type[Refused]] = {
    400: Invalid, 404: NotFound, 409: Conflict,
    408: Unavailable, 429: Unavailable, 490: Unavailable, 503: Unavailable,
}  # fmt: skip
_SHOWN_MAX = 200


class Call(msgspec.Struct, Generic[Result], frozen=True, kw_only=True):
    """One call. `changes` whether it may change anything; `order` (account, client id) it is about."""

    method: str
    path: str
    read: Callable[[Answer], Result]
    body: bytes | None = None
    changes: bool = False
    order: tuple[str, str] | None = None
    statuses: frozenset[int] = frozenset({200})


def result(call: Call[Result], answer: Answer) -> Result:
    """Return what was answered. Raises Refused, OutcomeUnknown or Unreachable."""
    if answer.status not in call.statuses:
        raise _refusal(call, answer)
    try:
        return call.read(answer)
    except msgspec.MsgspecError as error:
        raise unanswered(call, f"the answer cannot be read: {error}", answer) from None


def unanswered(
    call: Call[Any], text: str, answer: Answer | None = None
) -> OutcomeUnknown | Unreachable:
    """Return what is true when a call was sent and no answer came that could be read."""
    if not call.changes:
        return Unreachable(f"{text}; nothing was changed", was_reached=True)
    account, client_order_id = call.order or (None, None)
    return OutcomeUnknown(text, answer=answer, exchange_id=account, client_order_id=client_order_id)


class _ErrorBody(msgspec.Struct):
    """Every error shape in one: the contract's 400, MESSAGE_REJECT, and {"message"}."""

    type: str = ""
    reject_reason: str = ""
    message: str = ""
    errors: str = ""
    errors_by_field: dict[str, str] = {}
    field: str | None = None  # the simulated exchange's operator API names one


_read_error = msgspec.json.Decoder(_ErrorBody).decode


def _refusal(call: Call[Any], answer: Answer) -> Refused | OutcomeUnknown:
    try:
        body = _read_error(answer.body)
    except msgspec.MsgspecError:
        body = _ErrorBody()
    message = body.errors or body.message or answer.text[:_SHOWN_MAX] or f"status {answer.status}"
    is_own_word = 400 <= answer.status < 500 or (
        answer.status == 503 and body.type == "MESSAGE_REJECT"
    )
    if call.changes and not is_own_word:
        account, client_order_id = call.order or (None, None)
        return OutcomeUnknown(
            message, answer=answer, exchange_id=account, client_order_id=client_order_id
        )
    fields = body.errors_by_field or ({body.field: body.message} if body.field else {})
    kind = _REFUSALS.get(answer.status, Refused)
    return kind(answer, body.reject_reason, message, fields)


def refused(status: int, text: str) -> Refused:
    """Return what is true when the system answered no JSON of its own but this status."""
    return _REFUSALS.get(status, Refused)(Answer(status, b""), "", text, {})


# ── orders ───────────────────────────────────────────────────────────────────────────────────────


def place(order: shapes.NewOrder) -> Call[shapes.OrderReport]:
    """POST /v1/orders: answered once the exchange has answered, or REJECTED."""
    return _told(
        "/v1/orders", order.body(), shapes.OrderReport, (order.exchange_id, order.client_order_id)
    )


def status(client_order_id: str, exchange_id: str | None = None) -> Call[shapes.OrderReport]:
    """GET /v1/orders/status/{client_order_id}"""
    path = f"/v1/orders/status/{_segment(client_order_id)}"
    return _asked(path, {"exchange_id": exchange_id}, shapes.OrderReport)


def check(order: shapes.NewOrder) -> Call[shapes.Checks]:
    """POST /v1/orders/check: what every check says of `order` now; nothing is stored or sent."""
    return Call(
        method="POST", path="/v1/orders/check", read=reader(shapes.Checks), body=order.body()
    )


def story(client_order_id: str, exchange_id: str | None = None) -> Call[shapes.Story]:
    """GET /v1/orders/story/{client_order_id}"""
    path = f"/v1/orders/story/{_segment(client_order_id)}"
    return _asked(path, {"exchange_id": exchange_id}, shapes.Story)


def open_orders(exchange_id: str | None = None) -> Call[tuple[shapes.OrderReport, ...]]:
    """GET /v1/orders"""
    return _asked("/v1/orders", {"exchange_id": exchange_id}, tuple[shapes.OrderReport, ...])


def cancel(
    exchange_id: str, client_order_id: str | None = None, exchange_order_id: str | None = None
) -> Call[shapes.OrderReport]:
    """POST /v1/orders/cancel: by exactly one of the ids; answered when the cancel is durable."""
    body = {
        "exchange_id": exchange_id,
        "client_order_id": client_order_id,
        "exchange_order_id": exchange_order_id,
    }
    order = None if client_order_id is None else (exchange_id, client_order_id)
    return _told("/v1/orders/cancel", _body(body), shapes.OrderReport, order)


def cancel_all(exchange_id: str) -> Call[shapes.CancelAll]:
    """POST /v1/orders/cancel/all: every order of the account that is not final."""
    return _told("/v1/orders/cancel/all", _body({"exchange_id": exchange_id}), shapes.CancelAll)


def history_page(
    time_start: datetime | str, time_end: datetime | str, limit: int, after: str | None = None
) -> Call[shapes.HistoryPage]:
    """GET /v1/orders/history: one page of the orders that changed from start up to end."""
    read_rows = msgspec.json.Decoder(tuple[shapes.HistoryOrder, ...]).decode

    def read(answer: Answer) -> shapes.HistoryPage:
        return shapes.HistoryPage(read_rows(answer.body), answer.after)

    query = {
        "time_start": wire_time("time_start", time_start),
        "time_end": wire_time("time_end", time_end),
        "limit": str(limit),
        "after": after,
    }
    return Call(method="GET", path=_path("/v1/orders/history", query), read=read)


# ── accounts ─────────────────────────────────────────────────────────────────────────────────────


def balances(exchange_id: str | None = None) -> Call[tuple[shapes.Balances, ...]]:
    """GET /v1/balances"""
    return _asked("/v1/balances", {"exchange_id": exchange_id}, tuple[shapes.Balances, ...])


def positions(exchange_id: str | None = None) -> Call[tuple[shapes.Positions, ...]]:
    """GET /v1/positions"""
    return _asked("/v1/positions", {"exchange_id": exchange_id}, tuple[shapes.Positions, ...])


def instruments(exchange_id: str | None = None) -> Call[tuple[shapes.Instruments, ...]]:
    """GET /v1/operator/instruments"""
    return _asked(
        "/v1/operator/instruments", {"exchange_id": exchange_id}, tuple[shapes.Instruments, ...]
    )


def accounts(exchange_id: str | None = None) -> Call[tuple[shapes.Account, ...]]:
    """GET /v1/operator/accounts"""
    return _asked("/v1/operator/accounts", {"exchange_id": exchange_id}, tuple[shapes.Account, ...])


def reconciliation(exchange_id: str | None = None) -> Call[tuple[shapes.Reconciliation, ...]]:
    """GET /v1/accounts/reconciliation"""
    return _asked(
        "/v1/accounts/reconciliation",
        {"exchange_id": exchange_id},
        tuple[shapes.Reconciliation, ...],
    )


# ── operating ────────────────────────────────────────────────────────────────────────────────────


def attention(exchange_id: str | None = None) -> Call[tuple[shapes.Attention, ...]]:
    """GET /v1/operator/attention: orders in doubt, unsettled, or whose cancel was given up."""
    return _asked(
        "/v1/operator/attention", {"exchange_id": exchange_id}, tuple[shapes.Attention, ...]
    )


def resolve(
    exchange_id: str, client_order_id: str, resolution: shapes.Resolution
) -> Call[shapes.OrderReport]:
    """POST /v1/operator/resolve: an operator's word on what became of an order."""
    body = {
        "exchange_id": exchange_id,
        "client_order_id": client_order_id,
        "resolution": resolution,
    }
    order = (exchange_id, client_order_id)
    return _told("/v1/operator/resolve", _body(body), shapes.OrderReport, order)


def set_mode(exchange_id: str, mode: AccountMode) -> Call[shapes.Mode]:
    """POST /v1/operator/mode"""
    return _told(
        "/v1/operator/mode", _body({"exchange_id": exchange_id, "mode": mode}), shapes.Mode
    )


# ── health ───────────────────────────────────────────────────────────────────────────────────────


def live() -> Call[None]:
    """GET /health/live"""
    return Call(method="GET", path="/health/live", read=lambda _: None)


def ready() -> Call[shapes.Health]:
    """GET /health/ready: also a 503 is an answer."""
    call = _asked("/health/ready", {}, shapes.Health)
    return msgspec.structs.replace(call, statuses=frozenset({200, 503}))


def metrics() -> Call[str]:
    """GET /metrics: Prometheus' text format."""
    return Call(method="GET", path="/metrics", read=lambda answer: answer.text)


# ── building ─────────────────────────────────────────────────────────────────────────────────────


def _asked(path: str, query: Mapping[str, str | None], shape: type[Result]) -> Call[Result]:
    return Call(method="GET", path=_path(path, query), read=reader(shape))


def _told(
    path: str, body: bytes, shape: type[Result], order: tuple[str, str] | None = None
) -> Call[Result]:
    return Call(method="POST", path=path, read=reader(shape), body=body, changes=True, order=order)


def reader(shape: type[Result]) -> Callable[[Answer], Result]:
    """Return what reads an answer's JSON as `shape`."""
    decode = msgspec.json.Decoder(shape).decode

    def read(answer: Answer) -> Result:
        return decode(answer.body)

    return read


def _body(fields: Mapping[str, str | None]) -> bytes:
    return msgspec.json.encode({name: value for name, value in fields.items() if value is not None})


def _path(path: str, query: Mapping[str, str | None]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _segment(text: str) -> str:
    """Return `text` as one part of a path, whatever it holds; also dots, which mean folders there."""
    return quote(text, safe="").replace(".", "%2E")
