"""order, cancel, orders, balances: a client of the REST API.

A place is sent once. When no answer comes, its status is asked by client id and said as it is known.
"""

import re
import secrets
import time
from datetime import UTC, datetime

import msgspec

from fairlead.commands import show
from fairlead.commands.client import Answer, Api, Json, NoAnswer
from fairlead.commands.ending import Ended, ExitCode

TIMES_IN_FORCE = {
    "gtc": "GOOD_TILL_CANCEL",
    "gtt": "GOOD_TILL_TIME_EXCHANGE",
    "gtt-oms": "GOOD_TILL_TIME_OMS",
    "ioc": "IMMEDIATE_OR_CANCEL",
    "fok": "FILL_OR_KILL",
}
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_HISTORY_PAGE = 1_000
_FAR_AHEAD = "2262-01-01"  # this machine's clock may be behind the system's
_BALANCE_COLUMNS = (
    show.Column("account"),
    show.Column("asset"),
    show.Column("balance", is_number=True),
    show.Column("available", is_number=True),
    show.Column("locked", is_number=True),
    show.Column("traded", is_number=True),
)


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A new order as it was typed."""

    side: str
    quantity: str
    symbol: str
    price: str
    account: str
    time_in_force: str | None = None
    post_only: bool = False
    client_order_id: str | None = None
    expire: str | None = None


def order(api: Api, ticket: Ticket, *, as_json: bool) -> None:
    """Send one order and print its life. Raises Ended when it was not accepted, or is in doubt."""
    body = place_body(ticket)
    client_order_id = body["client_order_id"]
    try:
        answer = api.post("/v1/orders", body)
    except NoAnswer as error:
        _asked_instead(api, ticket.account, client_order_id, str(error), as_json=as_json)
        return
    try:
        _print_life(answer, as_json=as_json)
    except Ended as ended:
        if ended.code is not ExitCode.UNKNOWN:
            raise
        again = f"ask again with: fairlead orders {client_order_id} --account {ticket.account}"
        raise Ended(ended.code, f"{ended.text}; {again}") from None
    _check_status(answer.content)


def place_body(ticket: Ticket) -> dict[str, Json]:
    """Return the request for `ticket`; numbers stay as they were typed. Raises Ended."""
    is_ours = re.fullmatch(r"[A-Z0-9]+_(SPOT|FTS|PERP|OPT)_.+", ticket.symbol)
    body: dict[str, Json] = {
        "exchange_id": ticket.account,
        "client_order_id": ticket.client_order_id or f"cli-{secrets.token_hex(8)}",
        "symbol_id_coinapi" if is_ours else "symbol_id_exchange": ticket.symbol,
        "side": ticket.side.upper(),
        "order_type": "LIMIT",
        "time_in_force": _time_in_force(ticket),
        "amount_order": ticket.quantity,
        "price": ticket.price,
    }
    if ticket.expire is not None:
        body["expire_time"] = moment(ticket.expire, time.time_ns())
    if ticket.post_only:
        body["exec_inst"] = ["MAKER_OR_CANCEL"]
    return body


def _time_in_force(ticket: Ticket) -> str:
    given = ticket.time_in_force or ("gtc" if ticket.expire is None else "gtt")
    return TIMES_IN_FORCE.get(given.lower(), given.upper())


def moment(text: str, now_ns: int) -> str:
    """Return a time of the API: `text` as it is, or from now for +30s, +5m, +2h, +1d."""
    match = re.fullmatch(r"([+-])([0-9]{1,9})([smhd])", text)
    if match is None:
        return text
    distance_ns = int(match[2]) * _UNITS_S[match[3]] * 1_000_000_000
    return api_time(now_ns + distance_ns if match[1] == "+" else max(0, now_ns - distance_ns))


def api_time(time_ns: int) -> str:
    """Return `time_ns` as the API writes times."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 100:07d}Z"


def _asked_instead(
    api: Api, account: str, client_order_id: str, error: str, *, as_json: bool
) -> None:
    """Say what is known of a place that was sent and not answered."""
    asked = api.status(client_order_id, account)
    again = f"ask again with: fairlead orders {client_order_id} --account {account}"
    if asked.is_ok:
        _print_life(asked, as_json=as_json)
        if asked.content.get("in_doubt"):
            raise Ended(ExitCode.UNKNOWN, f"{error}; the order is in doubt; {again}")
        _check_status(asked.content)
        return
    if asked.status == 404:
        text = f"{error}; order {client_order_id} is not known there yet and may still arrive"
        raise Ended(ExitCode.UNKNOWN, f"{text}; {again}")
    raise Ended(ExitCode.UNKNOWN, f"{error}; its status is unknown too: {asked.reason}; {again}")


def _check_status(report: Json) -> None:
    if report["status"] == "REJECTED":
        raise Ended(ExitCode.REFUSED, f"rejected: {report['error_message']}")


def cancel(
    api: Api,
    account: str,
    client_order_id: str | None,
    exchange_order_id: str | None,
    *,
    is_all: bool,
    as_json: bool,
) -> None:
    """Cancel one order, or all of an account. Raises Ended."""
    if sum((client_order_id is not None, exchange_order_id is not None, is_all)) != 1:
        raise Ended(ExitCode.USAGE, "give exactly one of: ID, --exchange-order-id ID, --all")
    path = "/v1/orders/cancel/all" if is_all else "/v1/orders/cancel"
    body = {"exchange_id": account}
    if client_order_id is not None:
        body["client_order_id"] = client_order_id
    elif exchange_order_id is not None:
        body["exchange_order_id"] = exchange_order_id
    try:
        answer = api.post(path, body)
    except NoAnswer as error:
        raise Ended(
            ExitCode.UNKNOWN,
            f"{error}; the cancel may have arrived: look with: fairlead orders, and cancel again if"
            " need be, which does no harm",
        ) from None
    if not is_all:
        _print_life(answer, as_json=as_json)
    elif show.is_for_people(answer, as_json=as_json):
        show.out(answer.content["message"])


def orders(
    api: Api, account: str | None, client_order_id: str | None, since: str | None, *, as_json: bool
) -> None:
    """Print one order's life, or the orders changed `since`, or the open ones. Raises Ended."""
    if client_order_id is not None:
        _print_life(api.status(client_order_id, account), as_json=as_json)
        return
    if since is not None:
        _history(api, account, since, as_json=as_json)
        return
    answer = api.get("/v1/orders", {"exchange_id": account})
    if show.is_for_people(answer, as_json=as_json):
        rows = [show.order_row(report) for report in answer.content]
        show.table(show.ORDER_COLUMNS, rows, "no open orders")


def _history(api: Api, account: str | None, since: str, *, as_json: bool) -> None:
    """Print page after page, so that any number of orders is fine."""
    ago = f"-{since}" if since[-1:] in _UNITS_S else since
    query: dict[str, str | None] = {
        "time_start": moment(ago, time.time_ns()),
        "time_end": _FAR_AHEAD,
        "limit": str(_HISTORY_PAGE),
    }
    is_first = True
    while True:
        answer = api.get("/v1/orders/history", query)
        if not answer.is_ok:
            raise answer.ended()
        _print_page(answer, account, is_first=is_first, as_json=as_json)
        if answer.after is None:
            return
        query["after"] = answer.after
        is_first = False


def _print_page(answer: Answer, account: str | None, *, is_first: bool, as_json: bool) -> None:
    """Print one page of the history: a table, or one JSON object per line with its own digits."""
    if as_json:
        raws = msgspec.json.decode(answer.text, type=list[msgspec.Raw])
        for row, raw in zip(answer.content, raws, strict=True):
            if account in (None, row["exchangeId"]):
                show.out(bytes(raw).decode())
        return
    rows = [row for row in answer.content if account in (None, row["exchangeId"])]
    if rows or is_first:
        show.table(show.ORDER_COLUMNS, [show.history_row(row) for row in rows], "no orders")


def balances(api: Api, account: str | None, *, as_json: bool) -> None:
    """Print every account's balances. Raises Ended."""
    answer = api.get("/v1/balances", {"exchange_id": account})
    if not show.is_for_people(answer, as_json=as_json):
        return
    rows = [
        [
            snapshot["exchange_id"],
            row["asset_id_coinapi"],
            *(show.number(row[name]) for name in ("balance", "available", "locked", "traded")),
        ]
        for snapshot in answer.content
        for row in snapshot["data"]
    ]
    show.table(_BALANCE_COLUMNS, rows, "no balances yet")


def _print_life(answer: Answer, *, as_json: bool) -> None:
    """Print the life of the order that a 200 holds, or its JSON. Raises Ended for other answers."""
    if show.is_for_people(answer, as_json=as_json):
        for line in show.life(answer.content):
            show.out(line)
