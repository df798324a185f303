"""The WebSocket API against the running system, by a client library of others (section 4)."""

from collections.abc import Iterator
from decimal import Decimal
from urllib.parse import quote

import pytest

from tests.acceptance.conftest import Desk, MakeDesk
from tests.acceptance.test_calls import BALANCE_FIELDS, REPORT_FIELDS, TIME
from tests.streaming import OPENING, Stream
from tests.system import Json, ageless, until

INFO_FIELDS = [
    *("type", "time", "instance_guid", "exchange_id", "server_version", "server_name"),
    *("dns_name", "is_running", "time_server_start", "sequence", "connected", "reconciled"),
    *("trouble", "resumed"),
]
SYMBOL_FIELDS = [
    *("symbol_id_coinapi", "symbol_id_exchange", "asset_id_base_exchange"),
    *("asset_id_quote_exchange", "asset_id_base_coinapi", "asset_id_quote_coinapi"),
    *("price_precision", "size_precision"),
]
POSITION_FIELDS = [
    *("id", "symbol_id_exchange", "symbol_id_coinapi", "avg_entry_price", "quantity", "side"),
    *("unrealized_pnl", "leverage", "cross_margin", "liquidation_price", "raw_data"),
    *("age_ms", "source"),
]
PERPETUAL = "SIM_PERP_BTC_USDT"


@pytest.fixture
def stream(desk: Desk) -> Iterator[Stream]:
    """A client after its opening."""
    with Stream(desk.api.url) as stream:
        stream.opening()
        yield stream


def check_dense(updates: list[Json], first: int) -> None:
    """No sequence is missing or comes twice; modes and alarms are numbered too and not told."""
    sequences = [each["sequence"] for each in updates]
    assert sequences == list(range(first, first + len(sequences))), sequences


# ── what the server says ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/ws"])
def test_each_account_opens_with_its_snapshots_which_say_what_rest_says(
    desk: Desk, path: str
) -> None:
    name = f"open{path}"
    desk.api.place(name)
    desk.report_when(quote(name, safe=""), "NEW")
    with Stream(desk.api.url, path) as stream:
        opening = stream.opening()
        types = [(each["exchange_id"], each["type"]) for each in stream.messages]
    assert types == [(name, kind) for name in ("SIM", "SIM/ALICE") for kind in OPENING]
    for account, seen in opening.items():
        sequence = desk.api.accounts()[account]["sequence"]
        assert {each["sequence"] for each in seen.values()} == {sequence}
        assert {each["resumed"] for each in seen.values()} == {False}
        info = seen["SERVER_INFO"]
        assert list(info) == INFO_FIELDS
        assert info["is_running"] is info["connected"] is info["reconciled"] is True
        assert info["trouble"] is None
        assert TIME.fullmatch(info["time"])
        assert TIME.fullmatch(info["time_server_start"])
        (rules,) = desk.api.wanted(f"/v1/operator/instruments?exchange_id={account}")
        symbols = seen["SYMBOLS_SNAPSHOT"]["data"]
        assert symbols == [{field: row[field] for field in SYMBOL_FIELDS} for row in rules["data"]]
        assert list(symbols[0]) == SYMBOL_FIELDS
        orders = seen["ORDER_EXEC_REPORT_SNAPSHOT"]
        assert list(orders) == ["type", "exchange_id", "data", "sequence", "resumed"]
        assert orders["data"] == desk.api.wanted(f"/v1/orders?exchange_id={account}")
        balances = seen["BALANCE_SNAPSHOT"]
        assert list(balances["data"][0]) == BALANCE_FIELDS
        (by_rest,) = ageless(desk.api.wanted(f"/v1/balances?exchange_id={account}"))
        assert ageless([balances])[0]["data"] == by_rest["data"]
        assert seen["POSITION_SNAPSHOT"]["data"] == []
    assert opening["SIM"]["ORDER_EXEC_REPORT_SNAPSHOT"]["data"][0]["client_order_id"] == name
    assert list(opening["SIM"]["ORDER_EXEC_REPORT_SNAPSHOT"]["data"][0]) == REPORT_FIELDS


def test_server_info_comes_every_second_and_when_something_changes(
    desk: Desk, stream: Stream
) -> None:
    count = len(stream.infos)
    stream.wait(lambda _: len(stream.infos) >= count + 4, "two for each account")
    times = [each["time"] for each in stream.infos if each["exchange_id"] == "SIM"]
    assert times == sorted(set(times))
    assert all("resumed" not in each for each in stream.infos[count:])


# ── orders ───────────────────────────────────────────────────────────────────────────────────────


def test_an_order_is_followed_from_acceptance_to_its_cancel(desk: Desk, stream: Stream) -> None:
    start = desk.api.accounts()["SIM"]["sequence"]
    stream.place("ws-1", price=Decimal("20000.10"))
    placed = stream.report("ws-1", "NEW")
    assert placed == desk.report("ws-1")
    stream.send("ORDER_CANCEL_SINGLE_REQUEST", exchange_id="SIM", client_order_id="ws-1")
    canceled = stream.report("ws-1", "CANCELED")
    assert canceled == desk.report("ws-1")
    reports = [each for each in stream.updates() if each["type"] == "ORDER_EXEC_REPORT_UPDATE"]
    assert all(list(each) == REPORT_FIELDS for each in reports)
    assert [each["status"] for each in reports] == [
        *("ROUTING", "ROUTED", "NEW", "PENDING_CANCEL", "CANCELED"),
    ]
    story = desk.api.wanted("/v1/orders/story/ws-1")["reports"]
    assert [each["sequence"] for each in reports] == [each["sequence"] for each in story]
    stream.wait(lambda each: each["type"] == "BALANCE_UPDATE" and each["locked"] == 0, "unlocked")
    check_dense(stream.updates(), start + 1)
    assert [each for each in stream.messages if each["type"] == "MESSAGE_REJECT"] == []


def test_an_order_is_canceled_by_the_exchanges_id(stream: Stream) -> None:
    stream.place("ws-by-exchange")
    placed = stream.report("ws-by-exchange", "NEW")
    exchange_order_id = placed["exchange_order_id"]
    stream.send(
        "ORDER_CANCEL_SINGLE_REQUEST", exchange_id="SIM", exchange_order_id=exchange_order_id
    )
    assert stream.report("ws-by-exchange", "CANCELED")["exchange_order_id"] == exchange_order_id


def test_cancel_all_takes_every_order_of_the_account(desk: Desk, stream: Stream) -> None:
    for number in range(5):
        stream.place(f"ws-all-{number}")
    stream.place("ws-other", exchange_id="SIM/ALICE")
    stream.report("ws-other", "NEW")
    for number in range(5):
        desk.report_when(f"ws-all-{number}", "NEW")
    stream.send("ORDER_CANCEL_ALL_REQUEST", exchange_id="SIM")
    for number in range(5):
        desk.report_when(f"ws-all-{number}", "CANCELED")
    assert desk.report("ws-other", "SIM/ALICE")["status"] == "NEW"


def test_a_fill_moves_balances_and_every_client_of_either_account_hears_it(desk: Desk) -> None:
    with Stream(desk.api.url) as one, Stream(desk.api.url) as other:
        one.opening()
        other.opening()
        desk.sell("ws-rests", "30000.00")
        one.place("ws-takes", price=Decimal("30000.00"))
        filled = one.report("ws-takes", "FILLED")
        assert filled == desk.report("ws-takes")
        assert len(filled["fills"]) == 1
        for stream in (one, other):
            until_filled(stream, desk)
        for account in ("SIM", "SIM/ALICE"):
            assert timeless(one.updates(account)) == timeless(other.updates(account))
        last = {each["id"]: each for each in one.updates() if each["type"] == "BALANCE_UPDATE"}
        assert list(last["BTC"]) == [
            *("type", "exchange_id", *BALANCE_FIELDS, "sequence"),
        ]
        for row in desk.api.balances().values():
            if row["id"] in last:
                assert {k: last[row["id"]][k] for k in ("balance", "available", "locked")} == {
                    k: row[k] for k in ("balance", "available", "locked")
                }


def timeless(updates: list[Json]) -> list[Json]:
    """Updates without how old something was when it was told."""
    ages = {"age_ms", "rate_usd_age_ms"}
    return [{k: v for k, v in each.items() if k not in ages} for each in updates]


def until_filled(stream: Stream, desk: Desk) -> None:
    """Read on until nothing more can come."""
    ends = {name: state["sequence"] for name, state in desk.api.accounts().items()}
    for name, end in ends.items():
        while not (stream.updates(name) and stream.updates(name)[-1]["sequence"] >= end):
            stream.next()


def test_positions_come_flat_as_rest_has_them(desk: Desk, stream: Stream) -> None:
    desk.api.place(
        "perp-rests",
        exchange_id="SIM/ALICE",
        symbol_id_coinapi=PERPETUAL,
        side="SELL",
        price=Decimal("30000.0"),
        amount_order=Decimal("0.010"),
    )
    desk.report_when("perp-rests", "NEW", account="SIM/ALICE")
    stream.place(
        "perp-takes",
        symbol_id_coinapi=PERPETUAL,
        price=Decimal("30000.0"),
        amount_order=Decimal("0.010"),
    )
    update = stream.wait(
        lambda each: each["type"] == "POSITION_UPDATE" and each["exchange_id"] == "SIM",
        "the position",
    )
    assert list(update) == ["type", "exchange_id", *POSITION_FIELDS, "sequence"]
    (row,) = desk.api.wanted("/v1/positions?exchange_id=SIM")[0]["data"]
    assert {k: update[k] for k in ("id", "quantity", "side", "avg_entry_price")} == {
        k: row[k] for k in ("id", "quantity", "side", "avg_entry_price")
    }
    with Stream(desk.api.url) as late:
        (opened,) = late.opening()["SIM"]["POSITION_SNAPSHOT"]["data"]
        assert list(opened) == POSITION_FIELDS
    desk.api.place(
        "perp-rests-2",
        exchange_id="SIM/ALICE",
        symbol_id_coinapi=PERPETUAL,
        price=Decimal("30000.0"),
        amount_order=Decimal("0.010"),
    )
    stream.place(
        "perp-closes",
        symbol_id_coinapi=PERPETUAL,
        side="SELL",
        price=Decimal("30000.0"),
        amount_order=Decimal("0.010"),
    )
    stream.wait(
        lambda each: each["type"] == "POSITION_UPDATE" and each["quantity"] == 0, "it is flat"
    )


def test_orders_of_rest_and_of_other_clients_are_seen(desk: Desk, stream: Stream) -> None:
    answer = desk.api.place("by-rest").json
    assert answer in [stream.report("by-rest", answer["status"]), desk.report("by-rest")]
    with Stream(desk.api.url) as other:
        other.opening()
        other.place("by-other")
        assert stream.report("by-other", "NEW") == other.report("by-other", "NEW")


def test_requests_do_not_wait_for_one_anothers_answers(desk: Desk, stream: Stream) -> None:
    """The exchange withholds its answers: the next order is taken before the first is answered."""
    desk.operator.fault("answer_late", requests=["place"], delay_ms=1_000, count=None)
    desk.operator.fault("stream_silent", account="desk")
    names = [f"ws-many-{number}" for number in range(20)]
    for name in names:
        stream.place(name)
    stream.report(names[0], "ROUTED", "NEW")
    stream.report(names[-1], "RECEIVED", "ROUTING")
    reports = [each for each in stream.updates() if each["type"] == "ORDER_EXEC_REPORT_UPDATE"]
    assert list(dict.fromkeys(each["id"] for each in reports)) == names
    statuses = [each["status"] for each in reports]
    answered = next(place for place, each in enumerate(statuses) if each in ("ROUTED", "NEW"))
    assert names[1] in [each["id"] for each in reports[:answered]]


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────


def check_reject(reject: Json, reason: str, sent: str, exchange_id: str | None = "SIM") -> str:
    """The refusal has its fields in order; return its words."""
    fields = ["type", "reject_reason", "exchange_id", "message", "rejected_message"]
    assert list(reject) == [each for each in fields if exchange_id or each != "exchange_id"]
    assert reject["reject_reason"] == reason, reject
    assert reject.get("exchange_id") == exchange_id
    assert reject["rejected_message"] == sent
    message: str = reject["message"]
    return message


@pytest.mark.parametrize(
    ("sent", "reason", "exchange_id", "words"),
    [
        ("{", "JSON_ERROR", None, "body: is not JSON"),
        ("", "JSON_ERROR", None, "body: is not JSON"),
        ("[]", "JSON_ERROR", None, "body: is not a JSON object"),
        ("\u0000", "JSON_ERROR", None, "body: is not JSON"),
        ("{}", "INVALID_TYPE", None, "type: is missing, give one of ORDER_NEW_SINGLE_REQUEST"),
        ('{"type":"ORDER","exchange_id":"SIM"}', "INVALID_TYPE", "SIM", 'type: "ORDER" is not'),
        ('{"type":7}', "INVALID_TYPE", None, "type: 7 is not a request"),
        ('{"type":"SERVER_INFO"}', "INVALID_TYPE", None, 'type: "SERVER_INFO" is not'),
        (
            '{"type":"ORDER_CANCEL_ALL_REQUEST","exchange_id":"SIM","exchange_id":"SIM"}',
            "OTHER", None, "exchange_id: is given more than once",
        ),
        (
            '{"type":"ORDER_CANCEL_ALL_REQUEST","exchange_id":"sim"}',
            "OTHER", None, 'exchange_id: "sim" is not an exchange id',
        ),
        (
            '{"type":"ORDER_CANCEL_ALL_REQUEST","exchange_id":"SIM","extra":1}',
            "OTHER", "SIM", "extra: is not a field of this request",
        ),
        (
            '{"type":"ORDER_CANCEL_ALL_REQUEST","exchange_id":"KRAKEN"}',
            "EXCHANGE_UNREACHABLE", "KRAKEN", "KRAKEN",
        ),
        (
            '{"type":"ORDER_CANCEL_SINGLE_REQUEST","exchange_id":"SIM","client_order_id":"no"}',
            "ORDER_ID_NOT_FOUND", "SIM", "no",
        ),
        (
            '{"type":"ORDER_CANCEL_SINGLE_REQUEST","exchange_id":"SIM"}',
            "OTHER", "SIM", "client_order_id: is missing",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_and_the_connection_stays(
    stream: Stream, sent: str, reason: str, exchange_id: str | None, words: str
) -> None:
    stream.send_text(sent)
    assert words in check_reject(stream.reject(), reason, sent, exchange_id)
    stream.send_text(sent)
    check_reject(stream.reject(), reason, sent, exchange_id)


def test_orders_are_refused_for_what_is_wrong_with_them(desk: Desk, stream: Stream) -> None:
    stream.place("ws-bad", price=Decimal(-1), side="SHORT")
    reject = stream.reject()
    assert reject["reject_reason"] == "OTHER"
    assert reject["exchange_id"] == "SIM"
    assert reject["message"] == desk.api.place("x", price=Decimal(-1), side="SHORT").json["errors"]
    stream.place("ws-bad", price=Decimal("20000.001"))
    reject = stream.reject()
    assert reject["reject_reason"] == "OTHER"
    assert reject["message"] == desk.api.place("x", price=Decimal("20000.001")).json["errors"]
    stream.place("ws-bad", exec_inst=["AUCTION_ONLY"])
    reject = stream.reject()
    assert reject["reject_reason"] == "METHOD_NOT_SUPPORTED"
    assert reject["message"].startswith("exec_inst: AUCTION_ONLY is not supported by SIM")
    stream.place("ws-bad", exchange_id="SIM/BOB")
    assert stream.reject()["reject_reason"] == "EXCHANGE_UNREACHABLE"
    assert desk.api.status("ws-bad").status == 404
    stream.place("ws-good")
    stream.report("ws-good", "NEW")
    stream.place("ws-good")  # the same again is no error, and places nothing
    stream.place("ws-good", price=Decimal(20001))
    reject = stream.reject()
    assert reject["reject_reason"] == "OTHER"
    assert reject["message"] == desk.api.place("ws-good", price=Decimal(20001)).json["message"]
    stream.place("ws-rejected", amount_order=Decimal(900), price=Decimal(90000))
    assert stream.report("ws-rejected", "REJECTED") == desk.report("ws-rejected")


def test_a_disconnected_account_refuses_orders_and_takes_cancels(apart: Desk) -> None:
    with Stream(apart.api.url) as stream:
        stream.opening()
        stream.place("ws-stays")
        stream.report("ws-stays", "NEW")
        apart.kill_exchange()
        stream.wait(
            lambda each: each["type"] == "SERVER_INFO" and each["trouble"] is not None,
            "SERVER_INFO says that it is disconnected",
        )
        stream.place("ws-unreachable")
        assert stream.reject()["reject_reason"] == "EXCHANGE_UNREACHABLE"
        stream.send("ORDER_CANCEL_SINGLE_REQUEST", exchange_id="SIM", client_order_id="ws-stays")
        stream.wait(
            lambda each: each["type"] == "ORDER_EXEC_REPORT_UPDATE" and each["id"] == "ws-stays",
            "the wish to cancel is durable",
        )
        apart.restart_exchange()
        stream.report("ws-stays", "CANCELED")


def test_an_order_in_doubt_is_told_once(hasty: Desk) -> None:
    hasty.operator.fault("accepted_then_silence")
    hasty.operator.fault("stream_silent", account="desk")
    hasty.operator.fault("request_lost", requests=["query", "open_orders"], count=None)
    with Stream(hasty.api.url) as stream:
        stream.opening()
        stream.place("ws-doubt")
        reject = stream.reject()
        assert reject["reject_reason"] == "EXCHANGE_RESPONSE_TIMEOUT"
        assert '"client_order_id": "ws-doubt"' in reject["rejected_message"]
        hasty.operator.clear()
        assert stream.report("ws-doubt", "NEW")["in_doubt"] is False
        timeouts = [each for each in stream.messages if each["type"] == "MESSAGE_REJECT"]
        assert timeouts == [reject]
        assert any(each.get("in_doubt") for each in stream.updates())


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["close", "kill"])
def test_orders_that_end_with_their_session_are_canceled_when_it_ends(desk: Desk, how: str) -> None:
    stream = Stream(desk.api.url)
    stream.opening()
    for name, account, instructions in (
        (f"ends-{how}", "SIM", ["CANCEL_ON_DISCONNECT"]),
        (f"ends-too-{how}", "SIM/ALICE", ["CANCEL_ON_DISCONNECT", "MAKER_OR_CANCEL"]),
        (f"stays-{how}", "SIM", ["DO_NOT_CANCEL_ON_DISCONNECT"]),
        (f"says-nothing-{how}", "SIM", None),
    ):
        stream.place(name, exchange_id=account, exec_inst=instructions)
        stream.report(name, "NEW")
    with Stream(desk.api.url) as other:
        other.opening()
        other.place(f"of-another-{how}", exec_inst=["CANCEL_ON_DISCONNECT"])
        other.report(f"of-another-{how}", "NEW")
        if how == "close":
            stream.place(f"at-last-{how}", exec_inst=["CANCEL_ON_DISCONNECT"])
            stream.close()
            until(lambda: desk.api.status(f"at-last-{how}").status == 200, "it is taken")
            desk.report_when(f"at-last-{how}", "CANCELED")
        else:
            stream.kill()
        desk.report_when(f"ends-{how}", "CANCELED")
        desk.report_when(f"ends-too-{how}", "CANCELED", account="SIM/ALICE")
        for name in (f"stays-{how}", f"says-nothing-{how}", f"of-another-{how}"):
            assert desk.report(name)["status"] == "NEW"


def test_strict_clients_get_no_nulls_here_either(make_desk: MakeDesk) -> None:
    with make_desk(http__omit_nulls=True) as desk, Stream(desk.api.url) as stream:
        info = stream.opening()["SIM"]["SERVER_INFO"]
        assert "trouble" not in info
        stream.place("no-nulls")
        assert "error_message" not in stream.report("no-nulls", "NEW")
        assert all(None not in each.values() for each in stream.messages)
