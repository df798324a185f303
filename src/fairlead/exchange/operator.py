"""The operator's HTTP API: the exchange's own truth, and its levers.

A plain ASGI application over one `Exchange` in the same loop; whoever composes it wraps it with what
guards its border. Documented in docs/reference/exchange.md. Lists without `limit` are streamed whole,
a page in memory at a time.
"""

# ruff: noqa: ARG002 - Starlette gives every handler the request

import asyncio
from decimal import Decimal

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from fairlead.exchange import operator_rows as rows
from fairlead.exchange.copying import chunks, copied
from fairlead.exchange.faults import KINDS, REQUESTS, Fault, FaultError, FaultName, How
from fairlead.exchange.margin import available
from fairlead.exchange.operator_border import (
    account_named,
    encode,
    http_error,
    json_answer,
    listed,
    read_body,
    refuse,
    symbol_named,
)
from fairlead.exchange.operator_forms import Form, OperatorError, Page, amount, number, read_struct
from fairlead.exchange.operator_perpetuals import perpetual_routes
from fairlead.exchange.orders import Account
from fairlead.exchange.rounding import told
from fairlead.exchange.rules import tick_is_valid
from fairlead.exchange.server import Exchange
from fairlead.exchange.session import instruments_of
from fairlead.exchange.store_file import StoreError
from fairlead.exchange.tape import ByEvents, Tape, Target, ToEvent, ToTime
from fairlead.exchange.tape_line import TapeError
from fairlead.venues.sim_messages import OrderState

TAPE_EVENTS = 100  # of the tape, between two turns of the loop
_INT_MAX = 2**62


def operator_app(exchange: Exchange) -> Starlette:
    """Return the application that serves `/operator/…` for `exchange`."""
    operator = Operator(exchange)
    routes = [
        Route("/operator/health", operator.health),
        Route("/operator/orders", operator.orders),
        Route("/operator/fills", operator.fills),
        Route("/operator/balances", operator.balances),
        Route("/operator/balances", operator.adjust, methods=["POST"]),
        Route("/operator/instruments", operator.instruments),
        Route("/operator/instruments", operator.change_instrument, methods=["POST"]),
        Route("/operator/quotes", operator.quotes),
        Route("/operator/participants", operator.switch_participants, methods=["POST"]),
        Route("/operator/tape", operator.tape),
        Route("/operator/tape/advance", operator.advance_tape, methods=["POST"]),
        Route("/operator/faults", operator.faults),
        Route("/operator/faults", operator.add_fault, methods=["POST"]),
        Route("/operator/faults", operator.clear_faults, methods=["DELETE"]),
        Route("/operator/faults/{fault_id}", operator.remove_fault, methods=["DELETE"]),
        Route("/operator/backup", operator.back_up, methods=["POST"]),
        *perpetual_routes(exchange),
    ]
    return Starlette(
        routes=routes, exception_handlers={OperatorError: refuse, HTTPException: http_error}
    )


class Operator:
    """The endpoints."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._tape_turn = asyncio.Lock()
        self._copy_turn = asyncio.Lock()

    # ── the exchange's truth ─────────────────────────────────────────────────────────────────────

    async def health(self, request: Request) -> Response:
        """Say that it is up, its clock and how much there is."""
        exchange, matching = self._exchange, self._exchange.matching
        movement = exchange.movement
        return json_answer(
            {
                "status": "up",
                "time_ns": exchange.now_ns(),
                "orders": matching.orders,
                "orders_open": len(matching.open_orders),
                "accounts": sum(not each.is_house for each in matching.accounts.values()),
                "connections": len(exchange.connections),
                "commits": exchange.store.commits,
                "faults": len(exchange.misbehavior.listed(exchange.now_ns())),
                "participants": movement.participants_are_on,
                "request_window_ms": exchange.settings.request_window_ms,
            }
        )

    async def orders(self, request: Request) -> Response:
        """List orders, oldest first: `account`, `state`, `client_id`, `after`, `limit`."""
        query = request.query_params
        page = Page(query, ("account", "state", "client_id"))
        account = account_named(self._exchange, query.get("account"))
        state = _state(query.get("state"))
        client_id = query.get("client_id")
        names = self._names()

        def read(after: str | None, limit: int) -> list[tuple[str, bytes]]:
            number_after = number(after, "after", 0, _INT_MAX) or 0
            found = self._exchange.store.orders_after(
                number_after, limit, None if account is None else account.number, state, client_id
            )
            return [
                (order.exchange_order_id, encode(rows.order_row(names[owner], order)))
                for owner, order in found
            ]

        return listed("orders", page, read)

    async def fills(self, request: Request) -> Response:
        """List fills by account and ordinal: `account`, `after`, `limit`."""
        query = request.query_params
        page = Page(query, ("account",))
        account = account_named(self._exchange, query.get("account"))
        names = self._names()

        def read(after: str | None, limit: int) -> list[tuple[str, bytes]]:
            owner_after, _, ordinal = (after or "0-0").partition("-")
            found = self._exchange.store.all_fills_after(
                number(owner_after, "after", 0, _INT_MAX) or 0,
                number(ordinal, "after", 0, _INT_MAX) or 0,
                limit,
                None if account is None else account.number,
            )
            return [
                (f"{owner}-{fill.ordinal}", encode(rows.fill_row(names[owner], fill)))
                for owner, fill in found
            ]

        return listed("fills", page, read)

    async def balances(self, request: Request) -> Response:
        """List accounts with their balances: `account`, `after`, `limit`."""
        query = request.query_params
        page = Page(query, ("account",))
        wanted = account_named(self._exchange, query.get("account"))
        accounts = sorted(self._exchange.matching.accounts.values(), key=_number)

        def read(after: str | None, limit: int) -> list[tuple[str, bytes]]:
            start = number(after, "after", 0, _INT_MAX) or 0
            found = [
                (str(position), encode(rows.account_row(account)))
                for position, account in enumerate(accounts, start=1)
                if position > start and wanted in (None, account)
            ]
            return found[:limit]

        return listed("accounts", page, read)

    async def instruments(self, request: Request) -> Response:
        """List the instruments with the rules of now."""
        return json_answer({"instruments": self._instrument_rows()})

    async def quotes(self, request: Request) -> Response:
        """List the best bid and ask of every market; null and 0 where there is none."""
        matching = self._exchange.matching
        return json_answer(
            {
                "quotes": [
                    rows.quote_row(each, matching.top(each.symbol_exchange))
                    for each in instruments_of(matching)
                ]
            }
        )

    # ── levers ───────────────────────────────────────────────────────────────────────────────────

    async def adjust(self, request: Request) -> Response:
        """Add `change` to what `account` holds of `asset`; its stream tells it."""
        form = Form(await read_body(request))
        account = account_named(
            self._exchange, form.require("account", str, "the public key of an account")
        )
        assets = self._assets()
        asset = form.require("asset", str, f"one of {', '.join(assets)}")
        change = amount(form.require("change", Decimal, "an amount to add"), "change")
        form.end(("account", "asset", "change"))
        assert account is not None
        if asset not in assets:
            raise OperatorError("asset", asset, f"one of {', '.join(assets)}")
        if not self._exchange.adjust(account, asset, change):
            least = -available(account, asset)
            raise OperatorError(
                "change", change, f"at least {told(least)}: the rest is locked or lost", 409
            )
        return json_answer(rows.account_row(account))

    async def change_instrument(self, request: Request) -> Response:
        """Change the `price_tick` of `symbol`; every connection is told."""
        form = Form(await read_body(request))
        symbol = symbol_named(self._exchange, form.require("symbol", str, "a symbol"))
        tick = form.require("price_tick", Decimal, "a price tick above 0")
        form.end(("symbol", "price_tick"))
        if not tick_is_valid(tick):
            raise OperatorError("price_tick", tick, "from 0.000000000001 to 1000000")
        self._exchange.set_tick(symbol, tick)
        return json_answer({"instruments": self._instrument_rows()})

    async def switch_participants(self, request: Request) -> Response:
        """Let the participants act (`on` true) or stop them and take their orders away."""
        form = Form(await read_body(request))
        is_on = form.require("on", bool, "true or false")
        form.end(("on",))
        if self._exchange.movement.participants is None:
            raise OperatorError("on", is_on, "this exchange was started without participants", 409)
        self._exchange.switch_participants(is_on)
        return json_answer({"on": is_on})

    async def tape(self, request: Request) -> Response:
        """Say how far the tape has come."""
        return json_answer(self._tape_row())

    async def advance_tape(self, request: Request) -> Response:
        """Step the tape: by `events`, or to `to_event`, or to `to_time_ns` (recorded time).

        Answers when everything that came of it is committed and written to the connections.
        """
        form = Form(await read_body(request))
        target = _target(form)
        async with self._tape_turn:  # two at once would mix their steps
            tape = self._tape()
            if not tape.is_stepped:
                raise OperatorError("tape", "played", "a tape that is stepped", 409)
            if isinstance(target, ByEvents):
                target = ToEvent(tape.position().event + target.count)
            try:
                is_there = False
                while not is_there:
                    is_there = self._exchange.advance_tape(target, TAPE_EVENTS)
                    await asyncio.sleep(0)  # others have their turn
            except TapeError as error:
                raise OperatorError(
                    "tape", str(error), "a tape without a malformed line", 409
                ) from error
            return json_answer(self._tape_row())

    async def faults(self, request: Request) -> Response:
        """List the faults that can still bite, and every kind there is."""
        exchange = self._exchange
        return json_answer(
            {
                "faults": [
                    rows.fault_row(each) for each in exchange.misbehavior.listed(exchange.now_ns())
                ],
                "kinds": [rows.kind_row(name, kind) for name, kind in KINDS.items()],
            }
        )

    async def add_fault(self, request: Request) -> Response:
        """Command a fault; it can bite when this is answered."""
        fault = read_struct(await read_body(request), Fault, _FAULT_FIELDS, required=("name",))
        try:
            active = self._exchange.add_fault(fault)
        except FaultError as error:
            raise OperatorError(error.field, error.value, error.right) from error
        return json_answer(rows.fault_row(active), 201)

    async def clear_faults(self, request: Request) -> Response:
        """End all faults and show again what they hid."""
        self._exchange.misbehavior.clear()
        return json_answer({"faults": []})

    async def remove_fault(self, request: Request) -> Response:
        """End one fault."""
        fault_id = number(request.path_params["fault_id"], "fault_id", 1, _INT_MAX)
        assert fault_id is not None
        if not self._exchange.misbehavior.remove(fault_id):
            raise OperatorError("fault_id", fault_id, "the fault_id of a fault in the list", 404)
        return json_answer({"fault_id": fault_id})

    async def back_up(self, request: Request) -> Response:
        """Send a copy of the store, as it is at the end of the copying; orders go on meanwhile."""
        Form(await read_body(request)).end(())
        folder = self._exchange.folder
        if folder is None:
            raise OperatorError("store", "in memory", "an exchange that has a folder", 409)
        async with self._copy_turn:  # one copy at a time is work enough
            try:
                copy, size = await asyncio.to_thread(copied, self._exchange.store, folder)
            except (StoreError, OSError) as error:
                raise OperatorError("store", str(error), "space to copy it", 503) from error
        return StreamingResponse(
            chunks(copy),
            media_type="application/vnd.sqlite3",
            headers={"Content-Length": str(size)},
        )

    # ── what they share ──────────────────────────────────────────────────────────────────────────

    def _names(self) -> dict[int, str]:
        accounts = self._exchange.matching.accounts
        return {account.number: name for name, account in accounts.items()}

    def _assets(self) -> list[str]:
        instruments = instruments_of(self._exchange.matching)
        return sorted(
            {each.base_exchange for each in instruments}
            | {each.quote_exchange for each in instruments}
        )

    def _instrument_rows(self) -> list[dict[str, object]]:
        return [rows.instrument_row(each) for each in instruments_of(self._exchange.matching)]

    def _tape_row(self) -> dict[str, object]:
        position = msgspec.structs.asdict(self._tape().position())
        return {**position, "stale_levels": self._exchange.movement.stale_levels}

    def _tape(self) -> Tape:
        tape = self._exchange.movement.tape
        if tape is None:
            raise OperatorError("tape", None, "this exchange was started without a tape", 409)
        return tape


def _target(form: Form) -> Target:
    """Return where the tape shall go; exactly one of three fields says it."""
    right = "an integer from 0"
    fields = ("events", "to_event", "to_time_ns")
    given = [field for field in fields if form.has(field)]
    if len(given) != 1:
        raise OperatorError("", " and ".join(given) or "{}", f"exactly one of {', '.join(fields)}")
    value = form.require(given[0], int, right)
    form.end(fields)
    if not 0 <= value <= _INT_MAX:
        raise OperatorError(given[0], value, right)
    if given[0] == "events":
        return ByEvents(value)
    return ToEvent(value) if given[0] == "to_event" else ToTime(value)


# What would be right for each field of a fault's command.
_FAULT_FIELDS = {
    "name": f"one of {', '.join(FaultName)}",
    "account": "a public key, or null for every account",
    "requests": f"a list of some of {', '.join(REQUESTS)}, or null",
    "symbol": "the exchange's symbol, or null",
    "side": "BUY, SELL or null",
    "client_id_prefix": "a text",
    "only_fills": "true or false",
    "skip": "an integer",
    "one_in": "an integer",
    "count": "an integer, or null for no limit",
    "duration_ms": "an integer, or null for no limit",
    "delay_ms": "an integer",
    "hide_ms": "an integer",
    "retry_after_ms": "an integer",
    "frames": "an integer",
    "share": "a number from 0 to 1",
    "how": f"one of {', '.join(How)}, or null",
    "is_current": "true or false",
    "tick": "a price tick above 0, or null",
}


def _state(state: str | None) -> OrderState | None:
    if state is None:
        return None
    if state not in OrderState.__members__:
        raise OperatorError("state", state, f"one of {', '.join(OrderState)}")
    return OrderState(state)


def _number(account: Account) -> int:
    return account.number
