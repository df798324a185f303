"""The trading REST API (contract section 3) and ours for operators, over `EdgePort` alone.

Each call: read the form, submit one request, render the reply. Decides nothing about orders.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import assert_never

import msgspec
from msgspec import UNSET

from fairlead.core.model import Order
from fairlead.core.port import EdgePort, HistoryRow
from fairlead.core.replies import (
    AccountsReply,
    AttentionReply,
    BalancesReply,
    CancelAllReply,
    ChecksReply,
    Done,
    InstrumentsReply,
    OrderReply,
    OrdersReply,
    PositionsReply,
    ReconciliationReply,
    Refusal,
    Refused,
    Reply,
    SnapshotReply,
)
from fairlead.core.requests import (
    LOCAL,
    CheckOrder,
    PlaceOrder,
    QueryAccounts,
    QueryAttention,
    QueryBalances,
    QueryInstruments,
    QueryOrder,
    QueryOrders,
    QueryPositions,
    QueryReconciliation,
    Request,
)
from fairlead.gateway import forms, insight, shapes
from fairlead.gateway.answers import (
    JSON,
    Answer,
    Call,
    Stream,
    form_message,
    json_answer,
)
from fairlead.gateway.gate import answer_of
from fairlead.gateway.guard import Doors, NotAllowed
from fairlead.gateway.members import Members, read_members
from fairlead.gateway.queries import Query, check_no_query, path_text, read_count
from fairlead.gateway.rendering import Renderer, encode, invalid
from fairlead.gateway.routing import Methods
from fairlead.gateway.times import read_bound
from fairlead.gateway.wrong import BODY, FormError

HISTORY_LIMIT_MAX = 1000
AFTER_HEADER = b"x-fairlead-after"
_CHUNK_BYTES = 1 << 15
_RETRY_AFTER = (b"retry-after", b"1")
_UNREACHABLE_STATUS = 490  # the contract's own, not a registered code
_STOPPING = "the gateway is stopping"


class RestSettings(msgspec.Struct, frozen=True):
    """`omit_nulls`: leave null fields out, for strict generated clients.

    `reject_media_type`: of 490 and 504; the contract's documents misspell it `appliction/json`.
    """

    omit_nulls: bool = False
    reject_media_type: str = "application/json"


class RestApi:
    """Handlers for every call; `routes` and `prefixes` are for a `Router`."""

    def __init__(
        self,
        port: EdgePort | Doors,
        new_trace_id: Callable[[], str],
        settings: RestSettings | None = None,
    ) -> None:
        settings = settings or RestSettings()
        self._doors = port if isinstance(port, Doors) else Doors({LOCAL: port})
        self._new_trace_id = new_trace_id
        self._render = Renderer(settings.omit_nulls)
        self._reject_media_type = settings.reject_media_type.encode()
        self.routes: dict[bytes, Methods] = {
            b"/v1/orders": {"GET": self.orders, "POST": self.place},
            b"/v1/orders/check": {"POST": self.check},
            b"/v1/orders/cancel": {"POST": self.cancel},
            b"/v1/orders/cancel/all": {"POST": self.cancel_all},
            b"/v1/orders/history": {"GET": self.history},
            b"/v1/balances": {"GET": self.balances},
            b"/v1/positions": {"GET": self.positions},
            b"/v1/accounts/reconciliation": {"GET": self.reconciliation},
            b"/v1/operator/accounts": {"GET": self.accounts},
            b"/v1/operator/attention": {"GET": self.attention},
            b"/v1/operator/instruments": {"GET": self.instruments},
            b"/v1/operator/resolve": {"POST": self.resolve},
            b"/v1/operator/mode": {"POST": self.mode},
        }
        self.prefixes: tuple[tuple[bytes, Methods], ...] = (
            (b"/v1/orders/status/", {"GET": self.status}),
            (b"/v1/orders/story/", {"GET": self.story}),
            (b"/v1/orders/history/", {"GET": self.history_in_path}),
        )

    # ── orders ───────────────────────────────────────────────────────────────────────────────────

    async def place(self, call: Call) -> Answer:
        """POST /v1/orders"""
        try:
            place = forms.place_order(_members(call))
        except FormError as error:
            return self._invalid(error)
        return await self._answer(place, call)

    async def check(self, call: Call) -> Answer:
        """POST /v1/orders/check: what every check says of this order now; nothing is placed."""
        try:
            place = forms.place_order(_members(call))
        except FormError as error:
            return json_answer(200, insight.malformed(error))
        return await self._answer(CheckOrder(account=place.account, order=place), call)

    async def cancel(self, call: Call) -> Answer:
        """POST /v1/orders/cancel"""
        try:
            cancel = forms.cancel_order(_members(call))
        except FormError as error:
            return self._invalid(error)
        return await self._answer(cancel, call)

    async def cancel_all(self, call: Call) -> Answer:
        """POST /v1/orders/cancel/all"""
        try:
            cancel_all = forms.cancel_all(_members(call))
        except FormError as error:
            return self._invalid(error)
        return await self._answer(cancel_all, call)

    async def status(self, call: Call) -> Answer:
        """GET /v1/orders/status/{client_order_id}; an optional `exchange_id` says at which account."""
        order = await self._order(call)
        return order if isinstance(order, Answer) else json_answer(200, self._render.order(order))

    async def story(self, call: Call) -> Answer:
        """GET /v1/orders/story/{client_order_id}: the order, and every report about it."""
        order = await self._order(call)
        if isinstance(order, Answer):
            return order
        try:
            reports = await self._doors.of(call.caller).story(order.account, order.number)
        except NotAllowed as error:
            return answer_of(error.refused)
        return json_answer(200, insight.story(order, self._render.order(order), reports))

    async def orders(self, call: Call) -> Answer:
        """GET /v1/orders"""
        return await self._of_account(call, lambda account: QueryOrders(account=account))

    # ── history ──────────────────────────────────────────────────────────────────────────────────

    async def history(self, call: Call) -> Answer | Stream:
        """GET /v1/orders/history?time_start&time_end"""
        try:
            query = Query(call.query)
            start_ns = query.required("time_start", read_bound)
            end_ns = query.required("time_end", read_bound)
            return await self._history(call, query, start_ns, end_ns)
        except FormError as error:
            return form_message(error)
        except NotAllowed as error:
            return answer_of(error.refused)

    async def history_in_path(self, call: Call) -> Answer | Stream:
        """GET /v1/orders/history/{time_start}/{time_end}"""
        start, _, end = call.tail.partition(b"/")
        try:
            query = Query(call.query)
            start_ns = query.read("time_start", path_text(start), read_bound)
            end_ns = query.read("time_end", path_text(end), read_bound)
            return await self._history(call, query, start_ns, end_ns)
        except FormError as error:
            return form_message(error)
        except NotAllowed as error:
            return answer_of(error.refused)

    async def _history(
        self, call: Call, query: Query, start_ns: int | None, end_ns: int | None
    ) -> Answer | Stream:
        """Answer one page when `limit` is given, else stream all; raises FormError."""
        limit = query.optional("limit", read_count(HISTORY_LIMIT_MAX))
        after = query.optional("after", str)
        if start_ns is not None and end_ns is not None and start_ns > end_ns:
            query.findings.append(("time_start", "lies after time_end, give the earlier one first"))
        query.check()
        assert start_ns is not None
        assert end_ns is not None
        rows = self._doors.of(call.caller).history(start_ns, end_ns, after, limit)
        try:
            if limit is None:
                first = await anext(rows, None)
                return Stream(self._history_chunks(first, rows))
            page = [row async for row in rows]
        except ValueError as error:
            raise FormError([("after", str(error))]) from None
        is_full = len(page) == limit
        headers = ((AFTER_HEADER, page[-1].cursor.encode()),) if is_full else ()
        return json_answer(200, [self._render.history(row.order) for row in page], *headers)

    async def _history_chunks(
        self, first: HistoryRow | None, rows: AsyncIterator[HistoryRow]
    ) -> AsyncGenerator[bytes]:
        if first is None:
            yield b"[]"
            return
        chunk = bytearray(b"[")
        chunk += encode(self._render.history(first.order))
        async for row in rows:
            if len(chunk) >= _CHUNK_BYTES:
                yield bytes(chunk)
                chunk.clear()
            chunk += b","
            chunk += encode(self._render.history(row.order))
        chunk += b"]"
        yield bytes(chunk)

    # ── accounts ─────────────────────────────────────────────────────────────────────────────────

    async def balances(self, call: Call) -> Answer:
        """GET /v1/balances"""
        return await self._of_account(call, lambda account: QueryBalances(account=account))

    async def positions(self, call: Call) -> Answer:
        """GET /v1/positions"""
        return await self._of_account(call, lambda account: QueryPositions(account=account))

    async def reconciliation(self, call: Call) -> Answer:
        """GET /v1/accounts/reconciliation"""
        return await self._of_account(call, lambda account: QueryReconciliation(account=account))

    async def accounts(self, call: Call) -> Answer:
        """GET /v1/operator/accounts"""
        return await self._of_account(call, lambda account: QueryAccounts(account=account))

    async def attention(self, call: Call) -> Answer:
        """GET /v1/operator/attention"""
        return await self._of_account(call, lambda account: QueryAttention(account=account))

    async def instruments(self, call: Call) -> Answer:
        """GET /v1/operator/instruments"""
        return await self._of_account(call, lambda account: QueryInstruments(account=account))

    async def resolve(self, call: Call) -> Answer:
        """POST /v1/operator/resolve"""
        try:
            resolve = forms.resolve_order(_members(call))
        except FormError as error:
            return self._invalid(error)
        return await self._answer(resolve, call)

    async def mode(self, call: Call) -> Answer:
        """POST /v1/operator/mode"""
        try:
            mode = forms.set_mode(_members(call))
        except FormError as error:
            return self._invalid(error)
        answer = await self._answer(mode, call)
        if answer.status != 200:
            return answer
        return json_answer(200, shapes.OperatorMode(mode.account, mode.mode))

    # ── replies ──────────────────────────────────────────────────────────────────────────────────

    async def _of_account(self, call: Call, request: Callable[[str], Request]) -> Answer:
        try:
            account = _account_asked(call)
        except FormError as error:
            return self._invalid(error)
        return await self._answer(request(account), call)

    async def _order(self, call: Call) -> Order | Answer:
        """Return the order that the rest of the path names, or the answer that there is none."""
        client_order_id = path_text(call.tail)
        if client_order_id is None:
            return self._reject(404, "ORDER_ID_NOT_FOUND", None, "the order id is not UTF-8", call)
        try:
            request = QueryOrder(account=_account_asked(call), client_order_id=client_order_id)
        except FormError as error:
            return self._invalid(error)
        try:
            reply = await self._doors.of(call.caller).submit(request)
        except ConnectionError:
            return self._stopping(request, call)
        return reply.order if isinstance(reply, OrderReply) else self._reply(reply, request, call)

    async def _answer(self, request: Request, call: Call) -> Answer:
        prepared: Answer | None = None

        def prepare(reply: Reply) -> None:
            nonlocal prepared
            prepared = self._reply(reply, request, call)

        try:
            reply = await self._doors.of(call.caller).submit(request, prepare)
        except ConnectionError:
            return self._stopping(request, call)
        return prepared or self._reply(reply, request, call)

    def _reply(self, reply: Reply, request: Request, call: Call) -> Answer:
        render = self._render
        match reply:
            case OrderReply(order):
                return json_answer(200, render.order(order))
            case OrdersReply(orders):
                return json_answer(200, [render.order(order) for order in orders])
            case BalancesReply(balances, time_ns, rates):
                rows = [
                    render.balances(account, held, rates.get(account, {}), time_ns)
                    for account, held in balances
                ]
                return json_answer(200, rows)
            case PositionsReply(positions, time_ns):
                snapshots = [
                    render.positions(account, held, time_ns) for account, held in positions
                ]
                return json_answer(200, snapshots)
            case AccountsReply(states):
                return json_answer(200, [render.account(state) for state in states])
            case ReconciliationReply(stands, time_ns):
                return json_answer(200, [render.reconciliation(each, time_ns) for each in stands])
            case AttentionReply(pairs):
                return json_answer(200, [render.attention(*pair) for pair in pairs])
            case InstrumentsReply(instruments):
                return json_answer(200, [render.instruments(*each) for each in instruments])
            case CancelAllReply(count):
                text = f"Cancel requested for {count} orders."
                reject = shapes.MessageReject(
                    type="MESSAGE_REJECT",
                    reject_reason="OTHER",
                    exchange_id=request.account,
                    message=text,
                )
                return json_answer(200, reject)
            case ChecksReply(checks):
                assert isinstance(request, CheckOrder)
                return json_answer(200, insight.checked(request, checks))
            case Done():
                return json_answer(200, {})
            case SnapshotReply():
                raise AssertionError("no call here asks for a snapshot")
            case Refused():
                return self._refused(reply, request, call)
            case _:
                assert_never(reply)

    def _refused(self, refused: Refused, request: Request, call: Call) -> Answer:
        account = request.account or None
        text = refused.message
        match refused.refusal:
            case Refusal.ACCOUNT_UNKNOWN | Refusal.ACCOUNT_UNAVAILABLE:
                return self._reject(
                    _UNREACHABLE_STATUS, "EXCHANGE_UNREACHABLE", account, text, call
                )
            case Refusal.INVALID | Refusal.NOT_SUPPORTED:
                return self._invalid(FormError(_findings(refused)))
            case Refusal.CONFLICT:
                return self._reject(409, "OTHER", account, text, call)
            case Refusal.IN_DOUBT:
                return self._reject(504, "EXCHANGE_RESPONSE_TIMEOUT", account, text, call)
            case Refusal.ORDER_UNKNOWN:
                return self._reject(404, "ORDER_ID_NOT_FOUND", account, text, call)
            case Refusal.UNAUTHENTICATED | Refusal.FORBIDDEN | Refusal.RATE_EXCEEDED:
                return answer_of(refused)
            case Refusal.OVERLOADED:
                return self._reject(503, "OTHER", account, text, call, _RETRY_AFTER)
            case _:
                assert_never(refused.refusal)

    def _stopping(self, request: Request, call: Call) -> Answer:
        """The edge is stopping: whether it took a new order is unknown, the rest may come again."""
        account = request.account or None
        if isinstance(request, PlaceOrder):
            text = (
                f"{_STOPPING}; whether order {request.client_order_id} was taken is unknown:"
                " after its restart ask for the order's status, or send the same order again"
            )
            return self._reject(504, "EXCHANGE_RESPONSE_TIMEOUT", account, text, call)
        return self._reject(503, "OTHER", account, f"{_STOPPING}, try again", call, _RETRY_AFTER)

    def _reject(
        self,
        status: int,
        reason: shapes.RejectReason,
        account: str | None,
        text: str,
        call: Call,
        *headers: tuple[bytes, bytes],
    ) -> Answer:
        reject = shapes.MessageReject(
            type="MESSAGE_REJECT",
            reject_reason=reason,
            exchange_id=UNSET if account is None else account,
            message=text,
            rejected_message=call.body.decode() if call.body else UNSET,
        )
        media_type = self._reject_media_type if status in (_UNREACHABLE_STATUS, 504) else JSON
        return Answer(status, encode(reject), media_type, headers)

    def _invalid(self, error: FormError) -> Answer:
        return json_answer(400, invalid(error.findings, self._new_trace_id()))


def _members(call: Call) -> Members:
    """Return what the body says, to a call that is asked for by its body alone; raises FormError."""
    check_no_query(call)
    return read_members(call.body)


def _account_asked(call: Call) -> str:
    """Return the account that the query names, empty where it names none; raises FormError."""
    query = Query(call.query)
    account = query.optional("exchange_id", forms.read_exchange_id) or ""
    query.check()
    return account


def _findings(refused: Refused) -> list[tuple[str, str]]:
    return list(refused.findings) or [(refused.field or BODY, refused.message)]
