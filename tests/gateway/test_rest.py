"""Each call answers with the contract's status, shape and words."""

import json

import pytest

from fairlead.core.model import AccountMode
from fairlead.core.replies import (
    AccountsReply,
    AccountState,
    AttentionReply,
    BalancesReply,
    CancelAllReply,
    InstrumentsReply,
    OrderReply,
    OrdersReply,
    PositionsReply,
    ReconciliationReply,
    Refusal,
    Refused,
    Reply,
)
from fairlead.core.requests import (
    CancelAll,
    CancelOrder,
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
    Resolution,
    ResolveOrder,
    SetMode,
)
from fairlead.gateway.rendering import Renderer, encode
from tests.gateway.conftest import Gateway
from tests.gateway.orders import BAD_ORDERS, ORDER, TIME_NS, body
from tests.gateway.scripted_edge import history_rows
from tests.gateway.wire import Answered, ask, connected, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

REPORT = encode(Renderer().order(ORDER))
ROW = encode(Renderer().history(ORDER))


async def get(gateway: Gateway, target: str) -> Answered:
    return await ask(gateway.address, request("GET", target))


async def post(gateway: Gateway, target: str, sent: bytes) -> Answered:
    return await ask(gateway.address, request("POST", target, sent))


def answering(gateway: Gateway, reply: Reply) -> None:
    def script(_: Request) -> Reply:
        return reply

    gateway.edge.script = script


# ── orders ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_new_order_answers_its_report(gateway: Gateway) -> None:
    answer = await post(gateway, "/v1/orders", body())
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == REPORT
    (placed,) = gateway.edge.asked
    assert isinstance(placed, PlaceOrder)
    assert placed.account == "SIM"
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("sent", "field"),
    [(sent, field) for _, sent, field in BAD_ORDERS],
    ids=[name for name, _, _ in BAD_ORDERS],
)
async def test_a_bad_order_gets_400_and_reaches_nobody(
    gateway: Gateway, sent: bytes, field: str
) -> None:
    answer = await post(gateway, "/v1/orders", sent)
    assert answer.status == 400
    assert list(answer.json) == ["type", "title", "status", "traceId", "errors", "errors_by_field"]
    assert answer.json["type"] == "https://tools.ietf.org/html/rfc7231#section-6.5.1"
    assert answer.json["title"] == "One or more validation errors occurred."
    assert answer.json["status"] == 400
    assert answer.json["errors"].startswith(f"{field}: ")
    assert list(answer.json["errors_by_field"]) == [field]
    assert gateway.edge.asked == []


@pytest.mark.parametrize("size", [65_537, 150_000, 1_000_000])
async def test_a_huge_body_gets_400_and_reaches_nobody(gateway: Gateway, size: int) -> None:
    sent = body()[:-1] + b" " * (size - len(body())) + b"}"
    async with connected(gateway.address) as wire:
        wire.writer.write(request("POST", "/v1/orders", sent))
        answer = await wire.answer()
    assert answer.status == 400
    assert answer.json["errors_by_field"] == {"body": "is longer than 65536 bytes, send less"}
    assert gateway.edge.asked == []


async def test_a_body_of_exactly_the_limit_is_taken(gateway: Gateway) -> None:
    sent = body()[:-1] + b" " * (65_536 - len(body())) + b"}"
    assert (await post(gateway, "/v1/orders", sent)).status == 200


async def test_trace_ids_differ(gateway: Gateway) -> None:
    traces = {(await post(gateway, "/v1/orders", b"{}")).json["traceId"] for _ in range(3)}
    assert len(traces) == 3


@pytest.mark.parametrize(
    ("refusal", "status", "reason"),
    [
        (Refusal.ACCOUNT_UNKNOWN, 490, "EXCHANGE_UNREACHABLE"),
        (Refusal.ACCOUNT_UNAVAILABLE, 490, "EXCHANGE_UNREACHABLE"),
        (Refusal.CONFLICT, 409, "OTHER"),
        (Refusal.IN_DOUBT, 504, "EXCHANGE_RESPONSE_TIMEOUT"),
        (Refusal.ORDER_UNKNOWN, 404, "ORDER_ID_NOT_FOUND"),
        (Refusal.OVERLOADED, 503, "OTHER"),
    ],
)
async def test_a_refusal_is_a_message_reject(
    gateway: Gateway, refusal: Refusal, status: int, reason: str
) -> None:
    answering(gateway, Refused(refusal, "reconciling"))
    answer = await post(gateway, "/v1/orders", body())
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json.items()) == [
        ("type", "MESSAGE_REJECT"),
        ("reject_reason", reason),
        ("exchange_id", "SIM"),
        ("message", "reconciling"),
        ("rejected_message", body().decode()),
    ]
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)


async def test_what_the_engine_finds_invalid_is_a_400_by_field(gateway: Gateway) -> None:
    answering(gateway, Refused(Refusal.INVALID, "is odd", "price"))
    answer = await post(gateway, "/v1/orders", body())
    assert answer.status == 400
    assert answer.json["errors"] == "price: is odd"
    findings = (("price", "is odd"), ("amount_order", "is low"))
    text = "price: is odd; amount_order: is low"
    answering(gateway, Refused(Refusal.INVALID, text, "price", findings=findings))
    answer = await post(gateway, "/v1/orders", body())
    assert answer.json["errors"] == text
    assert answer.json["errors_by_field"] == dict(findings)


async def test_while_the_edge_stops_a_new_order_is_in_doubt(gateway: Gateway) -> None:
    def stopping(_: Request) -> Reply:
        raise ConnectionError("stopping")

    gateway.edge.script = stopping
    answer = await post(gateway, "/v1/orders", body())
    assert (answer.status, answer.json["reject_reason"]) == (504, "EXCHANGE_RESPONSE_TIMEOUT")
    assert "unknown" in answer.json["message"]
    cancel = b'{"exchange_id":"SIM","client_order_id":"a"}'
    assert (await post(gateway, "/v1/orders/cancel", cancel)).status == 503
    answer = await get(gateway, "/v1/balances")
    assert answer.status == 503
    assert list(answer.json) == ["type", "reject_reason", "message"]


@pytest.mark.parametrize(
    ("encoded", "client_order_id"),
    [
        ("abc", "abc"),
        ("a%2Fb", "a/b"),
        ("a/b", "a/b"),
        ("..%2F..%2Fcancel", "../../cancel"),
        ("..", ".."),
        ("a%3Fb%23c", "a?b#c"),
        ("a%20b+c", "a b+c"),
        ("a%252Fb", "a%2Fb"),
        ("%7e", "~"),
        ("status%2f", "status/"),
        ("", ""),
    ],
)
async def test_an_id_in_the_path_is_decoded_once(
    gateway: Gateway, encoded: str, client_order_id: str
) -> None:
    answer = await get(gateway, f"/v1/orders/status/{encoded}")
    assert answer.body == REPORT
    assert gateway.edge.asked == [QueryOrder(account="", client_order_id=client_order_id)]


async def test_status_at_one_account(gateway: Gateway) -> None:
    await get(gateway, "/v1/orders/status/a?exchange_id=SIM%2FALICE")
    assert gateway.edge.asked == [QueryOrder(account="SIM/ALICE", client_order_id="a")]


async def test_status_of_an_unknown_order(gateway: Gateway) -> None:
    answering(gateway, Refused(Refusal.ORDER_UNKNOWN, "no order a"))
    answer = await get(gateway, "/v1/orders/status/a")
    assert answer.status == 404
    assert answer.json == {
        "type": "MESSAGE_REJECT",
        "reject_reason": "ORDER_ID_NOT_FOUND",
        "message": "no order a",
    }
    assert (await get(gateway, "/v1/orders/status/%ff")).json[
        "reject_reason"
    ] == "ORDER_ID_NOT_FOUND"


async def test_cancel(gateway: Gateway) -> None:
    sent = b'{"exchange_id":"SIM/ALICE","exchange_order_id":"17"}'
    assert (await post(gateway, "/v1/orders/cancel", sent)).status == 200
    assert gateway.edge.asked == [CancelOrder(account="SIM/ALICE", exchange_order_id="17")]
    answer = await post(gateway, "/v1/orders/cancel", b'{"exchange_id":"SIM"}')
    assert answer.status == 400
    assert list(answer.json["errors_by_field"]) == ["client_order_id"]


async def test_cancel_all_says_how_many(gateway: Gateway) -> None:
    answering(gateway, CancelAllReply(3))
    answer = await post(gateway, "/v1/orders/cancel/all", b'{"exchange_id":"SIM"}')
    assert answer.status == 200
    assert answer.body == (
        b'{"type":"MESSAGE_REJECT","reject_reason":"OTHER","exchange_id":"SIM",'
        b'"message":"Cancel requested for 3 orders."}'
    )
    assert gateway.edge.asked == [CancelAll(account="SIM")]
    assert (await post(gateway, "/v1/orders/cancel/all", b"{}")).status == 400


# ── lists ────────────────────────────────────────────────────────────────────────────────────────


async def test_lists_of_one_account_and_of_all(gateway: Gateway) -> None:
    for target, kind, reply in (
        ("/v1/orders", QueryOrders, OrdersReply(())),
        ("/v1/balances", QueryBalances, BalancesReply(())),
        ("/v1/positions", QueryPositions, PositionsReply(())),
        ("/v1/accounts/reconciliation", QueryReconciliation, ReconciliationReply((), 0)),
        ("/v1/operator/accounts", QueryAccounts, AccountsReply(())),
        ("/v1/operator/attention", QueryAttention, AttentionReply(())),
        ("/v1/operator/instruments", QueryInstruments, InstrumentsReply(())),
    ):
        gateway.edge.asked.clear()
        answering(gateway, reply)
        assert (await get(gateway, target)).body == b"[]"
        await get(gateway, f"{target}?exchange_id=SIM&apikey=x")
        assert gateway.edge.asked == [kind(account=""), kind(account="SIM")]


@pytest.mark.parametrize(
    "query",
    ["exchange_id=sim", "exchange_id=", "exchange_id=SIM&exchange_id=SIM", "exchange_id=%ff"],
)
async def test_a_bad_account_in_a_query_is_400(gateway: Gateway, query: str) -> None:
    answer = await get(gateway, f"/v1/orders?{query}")
    assert answer.status == 400
    assert list(answer.json["errors_by_field"]) in (["exchange_id"], ["query"])
    assert gateway.edge.asked == []


@pytest.mark.parametrize(
    "target",
    ["orders", "balances", "positions", "orders/status/a", "orders/story/a", "operator/attention"],
)
async def test_a_misspelt_parameter_is_refused_by_its_name(gateway: Gateway, target: str) -> None:
    answer = await get(gateway, f"/v1/{target}?exchange_idd=SIM&exchange_id=sim&apikey=x")
    assert answer.status == 400
    wrong = answer.json["errors_by_field"]
    assert list(wrong) == ["exchange_id", "exchange_idd"]
    assert wrong["exchange_idd"] == (
        "is not a parameter of this call, its parameters are exchange_id; did you mean exchange_id?"
    )
    assert gateway.edge.asked == []


@pytest.mark.parametrize(
    "path", ["orders", "orders/cancel", "orders/cancel/all", "operator/resolve", "operator/mode"]
)
async def test_what_a_body_asks_for_is_not_asked_by_the_query(gateway: Gateway, path: str) -> None:
    answer = await post(gateway, f"/v1/{path}?dry_run=true&dry_run=true&%FF", b"{}")
    assert answer.json["errors_by_field"] == {
        "query": "is not percent-encoded UTF-8 of at most 64 parameters"
    }
    answer = await post(gateway, f"/v1/{path}?dry_run=true&dry_run=true", b"{}")
    assert answer.status == 400
    assert answer.json["errors_by_field"] == {
        "dry_run": "is not a parameter of this call, which has none"
    }
    assert gateway.edge.asked == []


async def test_a_dry_run_says_that_its_query_is_wrong(gateway: Gateway) -> None:
    answer = await post(gateway, "/v1/orders/check?exchange_id=SIM", body())
    assert (answer.status, answer.json["would_be_sent"]) == (200, False)
    assert gateway.edge.asked == []


@pytest.mark.parametrize("query", ["", "?", "?&", "?apikey=x"])
async def test_a_query_that_says_nothing_is_none(gateway: Gateway, query: str) -> None:
    answering(gateway, OrderReply(ORDER))
    sent = b'{"exchange_id":"SIM","client_order_id":"a"}'
    answer = await post(gateway, f"/v1/orders/cancel{query}", sent)
    assert answer.status == 200


async def test_open_orders_balances_positions(gateway: Gateway) -> None:
    answering(gateway, OrdersReply((ORDER, ORDER)))
    assert (await get(gateway, "/v1/orders")).body == b"[" + REPORT + b"," + REPORT + b"]"
    answering(gateway, BalancesReply((("SIM", ()),)))
    assert (await get(gateway, "/v1/balances")).json == [
        {"type": "BALANCE_SNAPSHOT", "exchange_id": "SIM", "data": []}
    ]
    answering(gateway, PositionsReply((("SIM", ()),)))
    assert (await get(gateway, "/v1/positions")).json == [
        {"type": "POSITION_SNAPSHOT", "exchange_id": "SIM", "data": []}
    ]


async def test_an_unknown_account_in_a_query_is_490(gateway: Gateway) -> None:
    answering(gateway, Refused(Refusal.ACCOUNT_UNKNOWN, "no account NIX"))
    answer = await get(gateway, "/v1/balances?exchange_id=NIX")
    assert answer.status == 490
    assert answer.json["exchange_id"] == "NIX"


# ── history ──────────────────────────────────────────────────────────────────────────────────────

RANGE = "time_start=2021-01-07&time_end=2021-01-08T12:00"
RANGE_NS = (1_609_977_600_000_000_000, 1_610_107_200_000_000_000)


async def test_history_in_both_forms(gateway: Gateway) -> None:
    gateway.edge.rows = history_rows(3)
    for target in (
        f"/v1/orders/history?{RANGE}",
        "/v1/orders/history/2021-01-07/2021-01-08T12:00",
        "/v1/orders/history/2021-01-07/2021-01-08T12%3A00",
    ):
        answer = await get(gateway, target)
        assert answer.status == 200
        assert answer.body == b"[" + b",".join([ROW] * 3) + b"]"
    assert gateway.edge.history_asked == [(*RANGE_NS, None, None)] * 3


async def test_empty_history(gateway: Gateway) -> None:
    assert (await get(gateway, f"/v1/orders/history?{RANGE}")).body == b"[]"
    assert (await get(gateway, f"/v1/orders/history?{RANGE}&limit=5")).body == b"[]"


async def test_pages_of_history(gateway: Gateway) -> None:
    gateway.edge.rows = history_rows(5)
    first = await get(gateway, f"/v1/orders/history?{RANGE}&limit=3")
    assert len(first.json) == 3
    after = first.headers["x-fairlead-after"]
    assert after == "2"
    second = await get(gateway, f"/v1/orders/history?{RANGE}&limit=3&after={after}")
    assert len(second.json) == 2
    assert "x-fairlead-after" not in second.headers
    rest = await get(gateway, f"/v1/orders/history?{RANGE}&after={after}")
    assert len(rest.json) == 2


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("/v1/orders/history", ["time_start", "time_end"]),
        ("/v1/orders/history?time_start=2021-01-07", ["time_end"]),
        ("/v1/orders/history?time_start=x&time_end=y", ["time_start", "time_end"]),
        ("/v1/orders/history?time_start=2021-01-08&time_end=2021-01-07", ["time_start"]),
        (f"/v1/orders/history?{RANGE}&limit=0", ["limit"]),
        (f"/v1/orders/history?{RANGE}&limit=1001", ["limit"]),
        (f"/v1/orders/history?{RANGE}&limit=%D9%A1", ["limit"]),
        (f"/v1/orders/history?{RANGE}&after=nonsense", ["after"]),
        (f"/v1/orders/history?{RANGE}&after=nonsense&limit=5", ["after"]),
        (f"/v1/orders/history?{RANGE}&time_end=2021-01-09", ["time_end"]),
        (f"/v1/orders/history?{RANGE}&limitt=5", ["limitt"]),
        ("/v1/orders/history/2021-01-07/2021-01-08?time_end=2021-01-09", ["time_end"]),
        ("/v1/orders/history/2021-01-07", ["time_end"]),
        ("/v1/orders/history/2021-01-07/", ["time_end"]),
        ("/v1/orders/history/2021-01-07/2021-01-08/x", ["time_end"]),
        ("/v1/orders/history/%ff/2021-01-08", ["time_start"]),
    ],
)
async def test_bad_history_requests_get_a_message(
    gateway: Gateway, target: str, named: list[str]
) -> None:
    answer = await get(gateway, target)
    assert answer.status == 400
    assert list(answer.json) == ["message"]
    for name in named:
        assert f"{name}: " in answer.json["message"]


async def test_long_history_is_streamed(gateway: Gateway) -> None:
    gateway.edge.rows = history_rows(2_000)
    answer = await get(gateway, f"/v1/orders/history?{RANGE}")
    assert answer.headers["transfer-encoding"] == "chunked"
    assert len(answer.json) == 2_000


async def test_long_history_for_http_1_0_has_a_length(gateway: Gateway) -> None:
    gateway.edge.rows = history_rows(2_000)
    old = request("GET", f"/v1/orders/history?{RANGE}", version="1.0", host=None)
    answer = await ask(gateway.address, old)
    assert "transfer-encoding" not in answer.headers
    assert int(answer.headers["content-length"]) > 1 << 20
    assert len(answer.json) == 2_000


async def test_a_client_that_leaves_ends_the_reading(gateway: Gateway) -> None:
    gateway.edge.rows = history_rows(200_000)
    async with connected(gateway.address) as wire:
        await wire.send(request("GET", f"/v1/orders/history?{RANGE}"))
        await wire.reader.readuntil(b"\r\n\r\n")
    await get(gateway, "/health/live")
    read = gateway.edge.rows_read
    for _ in range(100):
        await get(gateway, "/health/live")
        if gateway.edge.rows_read == read:
            break
        read = gateway.edge.rows_read
    assert read < 200_000


# ── operators ────────────────────────────────────────────────────────────────────────────────────


async def test_operators_resolve_and_switch(gateway: Gateway) -> None:
    sent = b'{"exchange_id":"SIM","client_order_id":"a","resolution":"CANCELED"}'
    assert (await post(gateway, "/v1/operator/resolve", sent)).status == 200
    answer = await post(gateway, "/v1/operator/mode", b'{"exchange_id":"SIM","mode":"HALTED"}')
    assert answer.json == {"exchange_id": "SIM", "mode": "HALTED"}
    assert gateway.edge.asked == [
        ResolveOrder(account="SIM", client_order_id="a", resolution=Resolution.CANCELED),
        SetMode(account="SIM", mode=AccountMode.HALTED),
    ]
    for target in ("/v1/operator/resolve", "/v1/operator/mode"):
        assert (await post(gateway, target, b"{}")).status == 400
    answering(gateway, Refused(Refusal.ACCOUNT_UNKNOWN, "no account SIM"))
    answer = await post(gateway, "/v1/operator/mode", b'{"exchange_id":"SIM","mode":"HALTED"}')
    assert answer.status == 490


async def test_operators_see_accounts_and_what_needs_attention(gateway: Gateway) -> None:
    state = AccountState("SIM", AccountMode.ACTIVE, True, True, True, None, 9, 2, 1, TIME_NS, "t9")
    answering(gateway, AccountsReply((state,)))
    assert (await get(gateway, "/v1/operator/accounts")).json[0]["sequence"] == 9
    answering(gateway, AttentionReply(((ORDER, "in doubt"),)))
    answer = await get(gateway, "/v1/operator/attention")
    assert answer.body == b'[{"trouble":"in doubt","order":' + REPORT + b"}]"


# ── what is not there ────────────────────────────────────────────────────────────────────────────


async def test_unknown_paths_and_methods(gateway: Gateway) -> None:
    for target in ("/", "/v1", "/v1/orders/", "/v1/%6Frders", "/v1/orders/status", "/exchangex"):
        answer = await get(gateway, target)
        assert answer.status == 404
        assert list(answer.json) == ["message"]
    answer = await ask(gateway.address, request("DELETE", "/v1/orders"))
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, POST, HEAD"
    answer = await ask(gateway.address, request("GET", "/v1/orders/cancel"))
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert gateway.edge.asked == []


async def test_head_answers_as_get_without_a_body(gateway: Gateway) -> None:
    answering(gateway, OrdersReply(()))
    gateway.edge.rows = history_rows(1)
    async with connected(gateway.address) as wire:
        for target in ("/v1/orders", f"/v1/orders/history?{RANGE}", "/openapi.json"):
            await wire.send(request("HEAD", target))
            assert (await wire.answer("HEAD")).status == 200
        await wire.send(request("GET", "/v1/orders"))
        assert (await wire.answer()).body == b"[]"


async def test_the_document_is_served(gateway: Gateway) -> None:
    answer = await get(gateway, "/openapi.json")
    assert json.loads(answer.body)["openapi"] == "3.0.3"
    assert "/v1/orders" in answer.json["paths"]
