"""The page on the WebSocket API: one table per message, from the shapes that are sent and the forms that are read."""

# ruff: noqa: E501 - one row, one line

from collections.abc import Iterator

import msgspec

from fairlead.config.page import default_of
from fairlead.core.replies import Refusal
from fairlead.gateway import forms
from fairlead.gateway.shapes import MessageReject
from fairlead.gateway.websocket import shapes
from fairlead.gateway.websocket.requests import REASONS, REQUESTS
from fairlead.gateway.words import words_of
from tools.pages.text import NOTE, code, table

_TOP = f"""\
# WebSocket API

{NOTE}

Connect to `/v1/ws`, `/v1` or `/` of the address that `fairlead up` prints: `ws://127.0.0.1:3080/v1/ws` by default. Each
message is one text message that holds one JSON object; `type` says what it is. There is nothing to subscribe to. A
running example is [a page of its own](../how-to/follow-orders.md).

After the upgrade, and a pause of 50 ms, each account opens with `SERVER_INFO`, `SYMBOLS_SNAPSHOT`,
`ORDER_EXEC_REPORT_SNAPSHOT`, `BALANCE_SNAPSHOT`, `POSITION_SNAPSHOT`; then its updates follow as they happen. An account
that was never loaded opens when it is, and one that is added later opens then. An account that is deleted ends: what was
left of its updates, `SERVER_INFO` with `is_running` false, and snapshots of orders, balances and positions with nothing in
them; should it come back, it opens anew. Numbers and times are [as in the REST API](rest.md).

Requests are taken in the order in which they are sent and do not wait for one another. There is no positive
acknowledgement: **the updates are the answer.** Orders of REST, FIX and other clients are in the stream too. An order with
`CANCEL_ON_DISCONNECT` is cancelled when the connection that placed it ends, however it ends
([when a session ends](../explanation/sessions.md)).

## Sequence and resume

`sequence` counts an account's reports: dense from 1, the same for every client and for FIX and REST, kept over restarts.
Every update has its own; snapshots and `SERVER_INFO` have that of the last report, and a snapshot is of the account as it
is right after that one. A few numbers are not told: changes of an account's mode, and alarms for operators.

To go on after a disconnect, say what you have seen, for each account: `/v1/ws?from=57:SIM&from=8:SIM%2FALICE`. Such an
account gets `SERVER_INFO`, `SYMBOLS_SNAPSHOT`, every order report after that sequence, each as it was then, one
`BALANCE_SNAPSHOT` and one `POSITION_SNAPSHOT`, all with `resumed` true, and then goes on. Nothing comes twice and nothing is
missing, also after the server was killed. An account that is not named, or with a sequence from the future or more than
`websocket.resume_reports_max` reports old, gets all snapshots, with `resumed` false: forget what you knew of it. An upgrade with another parameter than
`from` and `apikey` is refused, 400.
"""

_REFUSED_BY_FORM = [
    ("`JSON_ERROR`", "the message is not one JSON object"),
    ("`INVALID_TYPE`", "`type` is missing or not a request"),
    ("`OTHER`", "a field is missing, unknown, doubled or wrong; every one is named"),
]
_WORDS_OF_REFUSAL = {
    Refusal.ACCOUNT_UNKNOWN: "the account is not one of this server",
    Refusal.ACCOUNT_UNAVAILABLE: "the account is disconnected, reconciling or was never loaded",
    Refusal.INVALID: "the order breaks a rule of its instrument, or is expired",
    Refusal.CONFLICT: "the `client_order_id` is used by a different order",
    Refusal.IN_DOUBT: "what became of the order is not known; its updates will say. Told once",
    Refusal.ORDER_UNKNOWN: "there is no such order to cancel",
    Refusal.NOT_SUPPORTED: "the exchange cannot do what the order asks for",
    Refusal.OVERLOADED: "too many requests wait; send it again",
}
_CLOSES = [
    ("1000, or your own", "you closed"),
    ("1001", "the server stops; before it `SERVER_INFO` has `is_running` false"),
    ("1002", "your frames break RFC 6455"),
    ("1003", "you sent a binary message"),
    ("1007", "your message is not UTF-8"),
    ("1009", "your message is longer than `websocket.message_bytes_max`"),
    ("1011", "you did not answer a ping until the next was due"),
    (
        "4401",
        "your [API key](../operations/keys.md) was taken back, has expired, or may less than before",
    ),
    ("4008", "your socket accepted nothing for `websocket.slow_client_ms`"),
    ("4401", "your client certificate has been revoked, or has ended"),
]
_REFUSED_UPGRADES = [
    ("400", "`from` or the upgrade makes no sense"),
    ("401", "your client certificate has been revoked since the handshake"),
    ("403", "`Origin` is a page's that is neither ours nor in `http.origins`"),
    ("404", "there is no WebSocket at this path"),
    ("421", "`Host` is not one of ours"),
    ("503", "the subscription has `websocket.clients_max` clients"),
]
_LIMITS = [
    ("websocket.clients_max", "clients of a subscription"),
    ("websocket.message_bytes_max", "bytes of one message of yours"),
    (
        "websocket.requests_max",
        "requests of one client that are not answered; over it your socket is not read until some are",
    ),
    (
        "websocket.slow_client_ms",
        "milliseconds in which your socket must accept something. A client that reads slowly is served from the journal for as long as it reads at all. Of the pings that it sends meanwhile the newest is answered",
    ),
    ("websocket.ping_interval_s", "seconds between two pings"),
    ("websocket.resume_reports_max", "reports of an account that a resume may go back"),
]

_SEQUENCE = "number of the account's last report; of an update: of this report"
_RESUMED = "whether the account goes on from where you were"
_DATA = {
    "SymbolsSnapshot": "one object per instrument",
    "OrderSnapshot": "the orders that have not ended, each as in `ORDER_EXEC_REPORT_UPDATE`",
    "BalanceSnapshot": "one object per asset, as in `BALANCE_UPDATE` but for `type`, `exchange_id`, `sequence`",
    "PositionSnapshot": "one object per position, as in `POSITION_UPDATE` but for `type`, `exchange_id`, `sequence`",
}
_INFO = {
    "time": "when it was sent",
    "instance_guid": "this run of the server",
    "server_version": "Fairlead's version",
    "server_name": "fairlead",
    "dns_name": "the machine's name",
    "is_running": "false: the server is about to stop, or the account is no account of it any more",
    "time_server_start": "when this run began",
    "connected": "whether the account's connection to its exchange stands",
    "reconciled": "whether the account takes new orders",
    "trouble": "why it takes none; null when it does",
}


def websocket() -> str:
    """Return the page."""
    lines = [_TOP, "## What you send", ""]
    for kind, form in zip(REQUESTS, (forms.PLACE, forms.CANCEL, forms.CANCEL_ALL), strict=True):
        lines += [f"### {kind}", "", *_request(kind, form), ""]
    lines += ["## What you get", ""]
    lines += _message("SERVER_INFO", "Every second, and when something changes.", shapes.ServerInfo)
    lines += _message(
        "SYMBOLS_SNAPSHOT", "The instruments.", shapes.SymbolsSnapshot, shapes.SymbolRow
    )
    lines += _message("ORDER_EXEC_REPORT_SNAPSHOT", "The open orders.", shapes.OrderSnapshot)
    lines += [
        "### ORDER_EXEC_REPORT_UPDATE",
        "",
        "An order changed: the whole order as it is now, final ones too. The fields are those of the REST API's"
        " [OrderExecutionReport](rest.md#orderexecutionreport), in the same order.",
        "",
    ]
    lines += _message("BALANCE_SNAPSHOT", "What the account has.", shapes.BalanceSnapshot)
    lines += _message("BALANCE_UPDATE", "One asset changed.", shapes.BalanceUpdate)
    lines += _message("POSITION_SNAPSHOT", "What the account holds.", shapes.PositionSnapshot)
    lines += _message(
        "POSITION_UPDATE",
        "One position changed; `quantity` 0: it is closed.",
        shapes.PositionUpdate,
    )
    lines += _message(
        "MESSAGE_REJECT", "A request is refused. The connection stays.", MessageReject
    )
    reasons = [(code(REASONS[refusal]), text) for refusal, text in _WORDS_OF_REFUSAL.items()]
    lines += [*table(["`reject_reason`", "why"], [*_REFUSED_BY_FORM, *reasons]), ""]
    lines += ["## How it ends", "", *table(["close code", "why"], _CLOSES), ""]
    lines += ['An upgrade is refused with a status and `{"message"}`:', ""]
    lines += [*table(["status", "why"], _REFUSED_UPGRADES), ""]
    limits = [(code(name), default_of(name), text) for name, text in _LIMITS]
    lines += ["## Limits", "", *table(["setting", "default", "bounds"], limits), ""]
    lines += [
        "Messages are not compressed: a report is encoded and framed once for all clients"
        " ([decision 0019](../decisions/0019-own-websocket-connection.md)).",
        "",
    ]
    return "\n".join(lines)


def _request(kind: str, form: forms.Form) -> list[str]:
    rows = [[code("type"), "yes", code(kind)]]
    rows += [
        [code(field.name), "yes" if field.is_required else "no", _form_words(form.name, field)]
        for field in form.fields
    ]
    return table(["field", "required", "meaning"], rows)


def _form_words(form: str, field: forms.Field) -> str:
    words = words_of(form, field.name) or field.schema.get("description")
    assert words, (form, field.name)
    return str(words).replace("|", "\\|")


def _message(
    kind: str, text: str, shape: type[msgspec.Struct], row: type[msgspec.Struct] | None = None
) -> Iterator[str]:
    yield from (f"### {kind}", "", text, "")
    fields = [[code(name), _words(shape.__name__, name, kind)] for name in shape.__struct_fields__]
    yield from table(["field", "meaning"], fields)
    if row is not None:
        yield from ("", "Each object of `data`:", "")
        fields = [[code(name), _words(row.__name__, name, kind)] for name in row.__struct_fields__]
        yield from table(["field", "meaning"], fields)
    yield ""


def _words(shape: str, field: str, kind: str) -> str:
    if field == "type":
        return code(kind)
    if field == "data":
        return _DATA[shape]
    ours = {"exchange_id": "the account", "sequence": _SEQUENCE, "resumed": _RESUMED}
    if field in ours:
        return ours[field]
    if shape == "ServerInfo":
        return _INFO[field]
    home = {
        "SymbolRow": "OperatorInstrument",
        "BalanceUpdate": "BalanceRow",
        "PositionUpdate": "PositionRow",
    }.get(shape, shape)
    words = words_of(home, field)
    assert words, (shape, field)
    return words.replace("|", "\\|")
