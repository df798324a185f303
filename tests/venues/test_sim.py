"""The SIM dialect as a conversation: what is asked, what is answered, what that means."""

from decimal import Decimal

import msgspec
import pytest

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import ExecInst, Liquidity, Reason, Side, TimeInForce
from fairlead.core.rates import Ticker
from fairlead.core.venue_messages import (
    Outcome,
    VenueAnswer,
    VenueAssetBalance,
    VenueBalancesStated,
    VenueClock,
    VenueConnected,
    VenueFill,
    VenueFillsListed,
    VenueInstrumentsListed,
    VenueNotFound,
    VenueOpenOrdersListed,
    VenueOrder,
    VenueOrderState,
    VenuePosition,
    VenuePositionsStated,
    VenueRequest,
    VenueStreamGap,
    VenueTickersStated,
)
from fairlead.venues import sim_messages as wire
from fairlead.venues.sim import ABILITIES, SimDialect
from fairlead.venues.sim_limits import SimLimits
from fairlead.venues.sim_words import venue_fill, venue_order
from tests.venues.talk import (
    ACCOUNT,
    BALANCES,
    CLIENT_ID,
    INSTRUMENT,
    MS,
    START_NS,
    SYMBOL,
    Talk,
    balances,
    cancel,
    every_request,
    execution,
    fills_since,
    instruments,
    open_orders,
    place,
    positions,
    query,
    refused,
    sent,
    tickers,
    wire_fill,
    wire_order,
)

Code = wire.RefusalCode


@pytest.fixture(autouse=True)
def _exact():
    use_exact_decimals()


def answer(request: VenueRequest, outcome: Outcome, **more) -> VenueAnswer:
    return VenueAnswer(
        account=ACCOUNT, request_id=request.request_id, request=request, outcome=outcome, **more
    )


ORDER = VenueOrder(
    account=ACCOUNT,
    exchange_order_id="501",
    venue_client_id=CLIENT_ID,
    symbol_exchange=SYMBOL,
    side=Side.BUY,
    price=Decimal("30000.10"),
    quantity=Decimal("0.5000"),
    quantity_filled=Decimal("0.2000"),
    time_in_force=TimeInForce.GOOD_TILL_CANCEL,
    expire_time_ns=None,
    state=VenueOrderState.OPEN,
    time_ns=START_NS,
    exchange_ordinal=12,
)
FILL = VenueFill(
    account=ACCOUNT,
    exchange_order_id="501",
    venue_client_id=CLIENT_ID,
    symbol_exchange=SYMBOL,
    side=Side.BUY,
    trade_id="t-3",
    price=Decimal("30000.10"),
    quantity=Decimal("0.2000"),
    fee=Decimal("-0.00000004"),
    fee_asset_exchange="BTC",
    liquidity=Liquidity.MAKER,
    time_ns=START_NS,
    exchange_ordinal=12,
)
WIRE_POSITION = wire.WirePosition(
    "BTC-PERP", Side.SELL, Decimal("0.5"), Decimal(30000), Decimal(30100), Decimal(-50),
    Decimal(10), True, Decimal(32000),
)  # fmt: skip
POSITIONS_STATED = VenuePositionsStated(
    account=ACCOUNT,
    positions=(
        VenuePosition(
            "BTC-PERP", Side.SELL, Decimal("0.5"), Decimal(30000), Decimal(30100), Decimal(-50),
            Decimal(10), True, Decimal(32000),
        ),
    ),
    exchange_ordinal=12,
    time_ns=START_NS,
    is_complete=False,
)  # fmt: skip
TICKER = wire.WireTicker(SYMBOL, Decimal(30000), Decimal("30000.10"))
STATED = VenueBalancesStated(
    account=ACCOUNT,
    balances=(
        VenueAssetBalance("BTC", Decimal("1.2"), Decimal(0)),
        VenueAssetBalance("USDT", Decimal(1000), Decimal("300.25")),
    ),
    exchange_ordinal=12,
    time_ns=START_NS,
    is_complete=False,
)


def changed(value, **changes):
    return msgspec.structs.replace(value, **changes)


# ── login ────────────────────────────────────────────────────────────────────────────────────────


def test_login_is_sent_when_opened_and_says_what_the_exchange_can():
    talk = Talk(is_logged_in=False)
    assert sent(talk.dialect.opened(START_NS)) == [wire.Login(0, START_NS, "public", "private")]
    abilities = changed(ABILITIES, request_window_ms=300)
    assert talk.hear(wire.LoggedIn(0, 10, 300, START_NS)) == [
        VenueConnected(account=ACCOUNT, abilities=abilities)
    ]
    assert talk.dialect.abilities == abilities


def test_abilities_are_those_of_the_exchange():
    assert ABILITIES.time_in_force == frozenset(TimeInForce)
    assert ExecInst.MAKER_OR_CANCEL in ABILITIES.exec_inst
    assert ExecInst.CANCEL_ON_DISCONNECT not in ABILITIES.exec_inst
    assert ABILITIES.login_parameters == ("PublicApiKey", "PrivateApiKey")
    assert ABILITIES.client_id_length_max == 36


def test_a_doubled_login_answer_is_nothing_new():
    assert Talk().hear(wire.LoggedIn(0, 99, 300, START_NS)) == []


def test_another_exchange_than_before_is_refused_at_the_login():
    talk = Talk(is_logged_in=False)
    for exchange in ("", "x1", "x1"):  # one that does not say which it is may be any
        talk.dialect.opened(START_NS)
        (connected,) = talk.hear(wire.LoggedIn(0, 10, 300, START_NS, exchange))
        assert isinstance(connected, VenueConnected)
        talk.dialect.closed(START_NS)
    talk.dialect.opened(START_NS)
    acts = talk.hear_acts(wire.LoggedIn(0, 0, 300, START_NS, "x2"))
    assert acts.reports == []
    assert acts.refused_login
    assert acts.disconnect is not None
    assert "this is exchange x2, and the account's orders are at exchange x1" in acts.disconnect


def test_another_exchange_than_before_a_restart_is_refused_at_the_login():
    talk = Talk(is_logged_in=False, fills_cursor="41@x1")
    login = wire.Login(0, START_NS, "public", "private")
    assert sent(talk.dialect.opened(START_NS)) == [login]
    acts = talk.hear_acts(wire.LoggedIn(0, 41, 300, START_NS, "x2"))
    assert (acts.send, acts.reports, acts.refused_login) == (b"", [], True)
    talk.dialect.closed(START_NS)
    talk.dialect.opened(START_NS)
    (connected,) = talk.hear(wire.LoggedIn(0, 41, 300, START_NS, ""))  # it may be any
    assert connected.cursor_first == "0@x1"
    talk.dialect.closed(START_NS)
    talk.dialect.opened(START_NS)
    assert talk.hear_acts(wire.LoggedIn(0, 41, 300, START_NS, "x2")).refused_login
    talk.dialect.closed(START_NS)
    talk.dialect.opened(START_NS)
    (connected,) = talk.hear(wire.LoggedIn(0, 41, 300, START_NS, "x1"))
    assert isinstance(connected, VenueConnected)


@pytest.mark.parametrize("cursor", ["", "41"])  # of no exchange yet, and of an earlier version
def test_the_login_says_at_which_exchange_an_account_begins(cursor):
    talk = Talk(is_logged_in=False, fills_cursor=cursor)
    talk.dialect.opened(START_NS)
    (connected,) = talk.hear(wire.LoggedIn(0, 0, 300, START_NS, "x1"))
    assert connected.cursor_first == "0@x1"


def test_another_exchange_than_before_a_restart_is_refused_by_the_cursor():
    """Also where the account's first cursor came only after this login was prepared."""
    talk = Talk(is_logged_in=False)
    talk.dialect.opened(START_NS)
    talk.hear(wire.LoggedIn(0, 10, 300, START_NS, "x2"))
    assert talk.ask(fills_since("41")) == [wire.AskFills(5, START_NS, 41)]  # of an earlier version
    asked = changed(fills_since("41@x1"), request_id=6)
    acts = talk.dialect.ask(asked, START_NS)
    assert acts.send == b""
    assert acts.refused_login
    (refused,) = acts.reports
    assert refused.outcome is Outcome.NOT_SENT
    talk.dialect.closed(START_NS)
    talk.dialect.opened(START_NS)
    assert talk.hear_acts(wire.LoggedIn(0, 0, 300, START_NS, "x2")).refused_login
    talk.dialect.closed(START_NS)
    talk.dialect.opened(START_NS)
    assert not talk.hear_acts(wire.LoggedIn(0, 41, 300, START_NS, "x1")).refused_login
    assert talk.ask(fills_since("41@x1")) == [wire.AskFills(5, START_NS, 41)]


def test_a_refused_login_disconnects_for_good():
    talk = Talk(is_logged_in=False)
    talk.dialect.opened(START_NS)
    acts = talk.hear_acts(refused(0, Code.LOGIN))
    assert acts.refused_login
    assert acts.disconnect == "the exchange refused the login: because of LOGIN"
    assert acts.reports == []


@pytest.mark.parametrize("code", [Code.MAINTENANCE, Code.RATE, Code.INTERNAL])
def test_a_login_refused_for_now_disconnects_for_now(code):
    talk = Talk(is_logged_in=False)
    talk.dialect.opened(START_NS)
    acts = talk.hear_acts(refused(0, code))
    assert acts.disconnect is not None
    assert not acts.refused_login


def test_a_login_without_answer_disconnects():
    talk = Talk(is_logged_in=False)
    talk.dialect.opened(START_NS)
    assert talk.wait(4_999).disconnect is None
    acts = talk.wait(1)
    assert acts.disconnect == "the login got no answer within 5000 ms"
    assert not acts.refused_login


def test_a_refusal_of_nothing_after_login_changes_nothing():
    assert Talk().hear(refused(0, Code.MALFORMED)) == []


# ── requests, as they leave ──────────────────────────────────────────────────────────────────────


def test_each_request_leaves_as_its_message():
    talk = Talk()
    sent_messages = [message for request in every_request() for message in talk.ask(request)]
    assert sent_messages == [
        wire.Place(
            1, START_NS, CLIENT_ID, SYMBOL, Side.BUY, Decimal("30000.10"), Decimal("0.5000"),
            TimeInForce.GOOD_TILL_CANCEL, True, None,
        ),
        wire.Cancel(2, START_NS, SYMBOL, None, CLIENT_ID),
        wire.Query(3, START_NS, SYMBOL, None, CLIENT_ID),
        wire.AskOpenOrders(4, START_NS),
        wire.AskFills(5, START_NS, 0),
        wire.AskBalances(6, START_NS),
        wire.AskInstruments(7, START_NS),
        wire.AskTickers(8, START_NS),
        wire.AskPositions(9, START_NS),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs", "expire_time_ns"),
    [
        (TimeInForce.GOOD_TILL_CANCEL, TimeInForce.GOOD_TILL_CANCEL, None),
        (TimeInForce.GOOD_TILL_TIME_OMS, TimeInForce.GOOD_TILL_CANCEL, None),
        (TimeInForce.GOOD_TILL_TIME_EXCHANGE, TimeInForce.GOOD_TILL_TIME_EXCHANGE, START_NS + 1),
        (TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.IMMEDIATE_OR_CANCEL, None),
        (TimeInForce.FILL_OR_KILL, TimeInForce.FILL_OR_KILL, None),
    ],
)
def test_time_in_force_as_the_exchange_is_told(ours, theirs, expire_time_ns):
    is_timed = ours in (TimeInForce.GOOD_TILL_TIME_OMS, TimeInForce.GOOD_TILL_TIME_EXCHANGE)
    (message,) = Talk().ask(
        place(time_in_force=ours, expire_time_ns=START_NS + 1 if is_timed else None, exec_inst=())
    )
    assert isinstance(message, wire.Place)
    assert (message.time_in_force, message.expire_time_ns) == (theirs, expire_time_ns)
    assert not message.post_only


def test_an_order_is_named_by_the_exchanges_id_where_known():
    talk = Talk()
    assert talk.ask(cancel(2, "501")) == [wire.Cancel(2, START_NS, SYMBOL, "501", CLIENT_ID)]
    assert talk.ask(query(3, "501")) == [wire.Query(3, START_NS, SYMBOL, "501", CLIENT_ID)]


def test_a_fills_cursor_is_the_last_ordinal():
    assert Talk().ask(fills_since("41")) == [wire.AskFills(5, START_NS, 41)]


def test_too_many_unanswered_requests_are_not_sent():
    talk = Talk(SimLimits(pending_max=1))
    talk.ask(balances(1))
    acts = talk.dialect.ask(balances(2), START_NS)
    assert acts.send == b""
    text = "1 requests wait for an answer, the most there may be"
    assert acts.reports == [answer(balances(2), Outcome.NOT_SENT, text=text)]


# ── done ─────────────────────────────────────────────────────────────────────────────────────────


def test_placed_is_done_with_the_exchanges_id():
    talk = Talk()
    talk.ask(place())
    placed = wire.Placed(1, "501", CLIENT_ID, START_NS)
    assert talk.hear(placed) == [answer(place(), Outcome.DONE, exchange_order_id="501")]
    assert talk.hear(placed) == []  # doubled
    assert talk.close() == []


@pytest.mark.parametrize("request_", [cancel(), query(), cancel(2, "501"), query(3, "501")])
@pytest.mark.parametrize(
    ("state", "ours"),
    [
        (wire.OrderState.OPEN, VenueOrderState.OPEN),
        (wire.OrderState.FILLED, VenueOrderState.FILLED),
        (wire.OrderState.CANCELED, VenueOrderState.CANCELED),
        (wire.OrderState.EXPIRED, VenueOrderState.EXPIRED),
    ],
)
def test_an_order_stated_then_the_answer_to_who_asked(request_, state, ours):
    talk = Talk()
    talk.ask(request_)
    stated = wire.Stated(request_.request_id, wire_order(state=state, text="as asked"))
    order = changed(
        ORDER, request_id=request_.request_id, state=ours, text="as asked", asked=request_
    )
    assert talk.hear(stated) == [order, answer(request_, Outcome.DONE, exchange_order_id="501")]


def test_open_orders_come_before_their_answer():
    talk = Talk()
    talk.ask(open_orders())
    listed = VenueOpenOrdersListed(account=ACCOUNT, request_id=4, orders=(ORDER,))
    assert talk.hear(wire.OpenOrders(4, 11, (wire_order(),))) == [
        listed,
        answer(open_orders(), Outcome.DONE),
    ]


def test_a_page_of_fills_says_where_to_go_on():
    talk = Talk()
    talk.ask(fills_since("2"))
    page = wire.FillsPage(5, (wire_fill(), wire_fill(ordinal=4, trade_id="t-4")), False)
    fill = changed(FILL, from_page=True)
    assert talk.hear(page) == [
        VenueFillsListed(
            account=ACCOUNT,
            request_id=5,
            fills=(fill, changed(fill, trade_id="t-4")),
            cursor="4",
            is_last=False,
        ),
        answer(fills_since("2"), Outcome.DONE),
    ]


def test_an_empty_page_of_fills_stays_where_it_was():
    talk = Talk()
    talk.ask(fills_since("2"))
    listed, _ = talk.hear(wire.FillsPage(5, (), True))
    assert listed == VenueFillsListed(
        account=ACCOUNT, request_id=5, fills=(), cursor="2", is_last=True
    )


def test_asked_balances_are_complete():
    talk = Talk()
    talk.ask(balances())
    assert talk.hear(wire.Balances(6, 11, START_NS, BALANCES)) == [
        changed(STATED, request_id=6, is_complete=True),
        answer(balances(), Outcome.DONE),
    ]


def test_instruments_are_listed_whole():
    talk = Talk()
    talk.ask(instruments())
    listed = VenueInstrumentsListed(account=ACCOUNT, request_id=7, instruments=(INSTRUMENT,))
    assert talk.hear(wire.Instruments(7, (INSTRUMENT,))) == [
        listed,
        answer(instruments(), Outcome.DONE),
    ]


def test_tickers_are_the_best_quotes_of_every_market():
    talk = Talk()
    talk.ask(tickers())
    half_empty = wire.WireTicker("ETH/USDT", None, Decimal("1250.5"))
    stated, ended = talk.hear(wire.Tickers(8, START_NS, (TICKER, half_empty)))
    assert stated == VenueTickersStated(
        account=ACCOUNT,
        request_id=8,
        tickers=(
            Ticker(SYMBOL, Decimal(30000), Decimal("30000.10")),
            Ticker("ETH/USDT", None, Decimal("1250.5")),
        ),
    )
    assert ended == answer(tickers(), Outcome.DONE)


@pytest.mark.parametrize("price", ["NaN", "Infinity", "1E+99"])
def test_a_ticker_that_is_no_price_drops_the_line(price):
    talk = Talk()
    talk.ask(tickers())
    odd = wire.WireTicker(SYMBOL, Decimal(price), None)
    assert talk.hear_acts(wire.Tickers(8, START_NS, (odd,))).disconnect is not None


# ── refused, unknown ─────────────────────────────────────────────────────────────────────────────

UNKNOWN_WHEN = {Code.INTERNAL}
PLAIN = sorted(set(Code) - UNKNOWN_WHEN - {Code.RATE, Code.ORDER_UNKNOWN, Code.DUPLICATE})


@pytest.mark.parametrize("request_", every_request(), ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("code", PLAIN)
def test_a_plain_refusal_is_refused(request_, code):
    talk = Talk()
    talk.ask(request_)
    acts = talk.hear_acts(refused(request_.request_id, code))
    assert acts.reports == [answer(request_, Outcome.REFUSED, text=f"because of {code.value}")]
    assert (acts.disconnect is not None) == (code is Code.NOT_LOGGED_IN)
    assert talk.close() == []


@pytest.mark.parametrize("request_", every_request(), ids=lambda r: type(r).__name__)
def test_an_internal_error_is_unknown(request_):
    talk = Talk()
    talk.ask(request_)
    text = "because of INTERNAL"
    assert talk.hear(refused(request_.request_id, Code.INTERNAL)) == [
        answer(request_, Outcome.UNKNOWN, text=text)
    ]


def test_accepted_after_an_internal_error_is_news():
    talk = Talk()
    talk.ask(place())
    talk.hear(refused(1, Code.INTERNAL))
    done = answer(place(), Outcome.DONE, exchange_order_id="501")
    assert talk.hear(wire.Placed(1, "501", CLIENT_ID, START_NS)) == [done]


def test_a_duplicate_means_that_ours_may_live():
    talk = Talk()
    talk.ask(place())
    text = "because of DUPLICATE"
    assert talk.hear(refused(1, Code.DUPLICATE)) == [answer(place(), Outcome.UNKNOWN, text=text)]


@pytest.mark.parametrize("wait_ms", [250, 0, None])
def test_asked_too_often_says_when_to_ask_again(wait_ms):
    talk = Talk()
    talk.ask(place())
    assert talk.hear(refused(1, Code.RATE, wait_ms)) == [
        answer(place(), Outcome.REFUSED, text="because of RATE", retry_after_ms=wait_ms)
    ]


def test_a_query_for_an_unknown_order_is_done_and_found_nothing():
    talk = Talk()
    talk.ask(query())
    assert talk.hear(refused(3, Code.ORDER_UNKNOWN)) == [
        VenueNotFound(account=ACCOUNT, request_id=3, asked=query()),
        answer(query(), Outcome.DONE, text="because of ORDER_UNKNOWN"),
    ]


def test_a_cancel_of_an_unknown_order_is_refused_and_says_so():
    talk = Talk()
    talk.ask(cancel())
    assert talk.hear(refused(2, Code.ORDER_UNKNOWN)) == [
        answer(cancel(), Outcome.REFUSED, text="because of ORDER_UNKNOWN", order_unknown=True)
    ]


def test_no_answer_in_time_is_unknown_each_at_its_own_deadline():
    talk = Talk()
    talk.ask(place(1))
    talk.wait(1_000)
    talk.ask(query(3))
    assert talk.wait(3_999).reports == []
    text = "no answer within 5000 ms"
    assert talk.wait(1).reports == [answer(place(1), Outcome.UNKNOWN, text=text)]
    assert talk.wait(1_000).reports == [answer(query(3), Outcome.UNKNOWN, text=text)]
    assert talk.close() == []


def test_the_end_of_the_connection_makes_every_unanswered_request_unknown():
    talk = Talk()
    for request in every_request():
        talk.ask(request)
    talk.hear(wire.Placed(1, "501", CLIENT_ID, START_NS))
    text = "the connection ended before the answer"
    assert talk.close() == [
        answer(request, Outcome.UNKNOWN, text=text) for request in every_request()[1:]
    ]
    assert talk.close() == []


def test_a_clock_set_back_or_forward_ends_no_wait_for_ever():
    talk = Talk()
    talk.ask(place())
    talk.now_ns -= 3_600_000 * MS
    assert talk.dialect.due(talk.now_ns).reports == []
    assert talk.wait(4_999).reports == []
    assert len(talk.wait(1).reports) == 1


ANSWERS = [
    wire.Placed(1, "501", CLIENT_ID, START_NS),
    wire.Stated(1, wire_order()),
    wire.OpenOrders(1, 11, ()),
    wire.FillsPage(1, (), True),
    wire.Balances(1, 11, START_NS, ()),
    wire.Instruments(1, ()),
    wire.Tickers(1, START_NS, ()),
    wire.Positions(1, 11, START_NS, ()),
]
RIGHT = [("VenuePlace", "Placed"), ("VenueCancel", "Stated"), ("VenueQuery", "Stated"),
         ("VenueOpenOrders", "OpenOrders"), ("VenueFillsSince", "FillsPage"),
         ("VenueBalances", "Balances"), ("VenueInstruments", "Instruments"),
         ("VenueTickers", "Tickers"), ("VenuePositions", "Positions")]  # fmt: skip


@pytest.mark.parametrize("message", ANSWERS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("request_", every_request(), ids=lambda r: type(r).__name__)
def test_only_the_right_answer_is_one(request_, message):
    request = changed(request_, request_id=1)
    talk = Talk()
    talk.ask(request)
    talk.ask(balances(9))
    acts = talk.hear_acts(message)
    ends = [report for report in acts.reports if isinstance(report, VenueAnswer)]
    if (type(request).__name__, type(message).__name__) in RIGHT:
        assert [end.outcome for end in ends] == [Outcome.DONE]
        assert acts.disconnect is None
        return
    assert [end.outcome for end in acts.reports] == [Outcome.UNKNOWN]
    assert "does not fit" in acts.disconnect
    assert [end.request for end in talk.close()] == [balances(9)]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (place(), wire.Placed(1, "501", "another", START_NS)),
        (place(), wire.Placed(1, "", CLIENT_ID, START_NS)),
        (query(), wire.Stated(3, wire_order(client_id="another"))),
        (query(3, "501"), wire.Stated(3, wire_order(exchange_order_id="502"))),
        (cancel(2, "501"), wire.Stated(2, wire_order(exchange_order_id="502"))),
    ],
)
def test_an_answer_about_another_order_is_none(request_, message):
    talk = Talk()
    talk.ask(request_)
    acts = talk.hear_acts(message)
    assert [end.outcome for end in acts.reports] == [Outcome.UNKNOWN]
    assert acts.disconnect is not None


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",  # too long
        b"\x00\x00\x00\x01\xc1",  # no msgpack
        b"\x00\x00\x00\x03\x92\xa1x",  # no message of ours
        b"\x00\x00\x00\x08\x93\xa4\xf0ong\x01\x01",  # bad UTF-8
        b"\x00\x01\x00\x00" + b"\x94\xa4pong\x01\x01" + b"\x91" * 65_528,  # too deep
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>",
    ],
)
def test_what_cannot_be_read_disconnects_and_leaves_unknown(data):
    talk = Talk()
    talk.ask(place())
    acts = talk.dialect.receive(data, START_NS)
    assert acts.disconnect.startswith("the exchange sent what cannot be read: ")
    assert [end.outcome for end in talk.close()] == [Outcome.UNKNOWN]


@pytest.mark.parametrize(
    "text", ["NaN", "-sNaN", "Infinity", "1E400", "1E-400", "1." + "0" * 60 + "1"]
)
@pytest.mark.parametrize("where", ["price", "quantity", "fee"])
def test_a_number_that_cannot_be_computed_with_is_not_read(text, where):
    talk = Talk()
    fill = changed(wire_fill(), **{where: Decimal(text)})
    acts = talk.hear_acts(wire.Execution(11, START_NS, wire_order(), fill, ()))
    assert "is no price, quantity or fee" in acts.disconnect
    assert acts.reports == []


# ── late answers: their facts count ──────────────────────────────────────────────────────────────


def test_a_late_placed_is_news_of_the_place_given_up():
    talk = Talk()
    talk.ask(place())
    talk.wait(5_000)
    placed = wire.Placed(1, "501", CLIENT_ID, START_NS)
    assert talk.hear(placed) == [answer(place(), Outcome.DONE, exchange_order_id="501")]
    assert talk.hear(placed) == []


def test_places_given_up_are_remembered_within_bounds():
    talk = Talk(SimLimits(given_up_max=2, given_up_ms=60_000))
    for request_id in (1, 2, 3):
        talk.ask(place(request_id))
    talk.wait(5_000)
    first, second = (wire.Placed(n, f"50{n}", CLIENT_ID, START_NS) for n in (1, 2))
    assert talk.hear(first) == []
    assert len(talk.hear(second)) == 1
    talk.hear(wire.Pong(-1, START_NS))
    talk.wait(60_000)
    assert talk.hear(wire.Placed(3, "503", CLIENT_ID, START_NS)) == []


@pytest.mark.parametrize(
    ("request_", "message", "facts"),
    [
        (query(), wire.Stated(3, wire_order()), [ORDER]),
        (cancel(), wire.Stated(2, wire_order()), [ORDER]),
        (open_orders(), wire.OpenOrders(4, 11, (wire_order(),)), [ORDER]),
        (fills_since(), wire.FillsPage(5, (wire_fill(),), True), [changed(FILL, from_page=True)]),
        (
            balances(),
            wire.Balances(6, 11, START_NS, BALANCES),
            [changed(STATED, is_complete=True)],
        ),
        (
            instruments(),
            wire.Instruments(7, (INSTRUMENT,)),
            [VenueInstrumentsListed(account=ACCOUNT, instruments=(INSTRUMENT,))],
        ),
        (tickers(), wire.Tickers(8, START_NS, (TICKER,)), []),
        (
            positions(),
            wire.Positions(9, 11, START_NS, (WIRE_POSITION,)),
            [changed(POSITIONS_STATED, is_complete=True)],
        ),
        (query(), refused(3, Code.ORDER_UNKNOWN), []),
        (place(), refused(1, Code.BALANCE), []),
    ],
)
def test_a_late_answer_states_its_facts_and_no_more(request_, message, facts):
    talk = Talk()
    talk.ask(request_)
    talk.wait(5_000)
    assert talk.hear(message) == facts
    assert talk.hear(message) == facts  # doubled


# ── the stream ───────────────────────────────────────────────────────────────────────────────────


def test_an_execution_states_fill_order_balances_in_this_order():
    assert Talk().hear(execution(11)) == [FILL, ORDER, STATED]


def test_an_execution_without_fill_or_balances():
    talk = Talk()
    bare = wire.Execution(11, START_NS, wire_order(client_id=""), None, ())
    assert talk.hear(bare) == [changed(ORDER, venue_client_id=None)]


def test_balances_changed_states_what_changed():
    stated = changed(STATED, is_movement=True)
    assert Talk().hear(wire.BalancesChanged(11, START_NS, BALANCES)) == [stated]


def test_no_event_yet_is_an_ordinal_too_and_comes_before_the_first():
    balances, positions = wire.Balances(6, 0, START_NS, ()), wire.Positions(9, 0, START_NS, ())
    (held,) = Talk().hear(balances)
    (open_positions,) = Talk().hear(positions)
    fill, order, stated = Talk().hear(execution(1))
    assert 0 < held.exchange_ordinal == open_positions.exchange_ordinal < fill.exchange_ordinal
    assert fill.exchange_ordinal == order.exchange_ordinal == stated.exchange_ordinal


def test_a_change_of_positions_is_an_event_that_states_them_and_balances():
    talk = Talk()
    moved = changed(STATED, is_movement=True)
    news = wire.PositionsChanged(11, START_NS, (WIRE_POSITION,), BALANCES)
    assert talk.hear(news) == [POSITIONS_STATED, moved]
    assert isinstance(talk.hear(execution(12))[0], VenueFill), "no gap"
    leverage = wire.PositionsChanged(13, START_NS, (WIRE_POSITION,), ())
    assert talk.hear(leverage) == [changed(POSITIONS_STATED, exchange_ordinal=14)]


def test_an_execution_of_a_perpetual_states_the_position_it_left():
    told = changed(execution(11), positions=(WIRE_POSITION,))
    _, _, positions, _ = Talk().hear(told)
    assert positions == POSITIONS_STATED


def test_asked_positions_are_complete():
    talk = Talk()
    talk.ask(positions())
    assert talk.hear(wire.Positions(9, 11, START_NS, (WIRE_POSITION,))) == [
        changed(POSITIONS_STATED, request_id=9, is_complete=True),
        answer(positions(), Outcome.DONE),
    ]


@pytest.mark.parametrize("name", ["quantity", "entry_price", "leverage", "liquidation_price"])
def test_a_position_that_is_no_number_drops_the_line(name):
    odd = changed(WIRE_POSITION, **{name: Decimal("NaN")})
    news = wire.PositionsChanged(11, START_NS, (odd,), ())
    assert Talk().hear_acts(news).disconnect is not None


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        (wire.WireOrigin.CLIENT, None),
        (wire.WireOrigin.LIQUIDATION, Reason.LIQUIDATION),
        (wire.WireOrigin.DELEVERAGING, Reason.AUTO_DELEVERAGING),
    ],
)
def test_an_order_says_who_made_it_and_whether_it_may_only_reduce(origin, reason):
    order = wire_order(origin=origin, reduce_only=origin is not wire.WireOrigin.CLIENT)
    told = venue_order(ACCOUNT, order)
    assert (told.reason, told.reduce_only) == (reason, reason is not None)


def test_what_a_fill_realized_is_told():
    assert venue_fill(ACCOUNT, wire_fill(realized=Decimal("-1.5"))).realized == Decimal("-1.5")


def test_reduce_only_is_asked_for_where_the_order_may_not_increase():
    (sent,) = Talk().ask(place(exec_inst=(ExecInst.DO_NOT_INCREASE,)))
    assert (sent.reduce_only, sent.post_only) == (True, False)


def test_instruments_changed_lists_them_all():
    assert Talk().hear(wire.InstrumentsChanged((INSTRUMENT,))) == [
        VenueInstrumentsListed(account=ACCOUNT, instruments=(INSTRUMENT,))
    ]


def test_a_dropped_frame_is_noticed_at_the_next():
    talk = Talk()
    gap = VenueStreamGap(account=ACCOUNT, expected=11, got=13)
    assert talk.hear(execution(13))[0] == gap
    assert [type(report) for report in talk.hear(execution(14))] == [
        VenueFill,
        VenueOrder,
        VenueBalancesStated,
    ]


def test_a_late_frame_and_a_doubled_one_count_and_are_no_gap():
    talk = Talk()
    assert isinstance(talk.hear(execution(12))[0], VenueStreamGap)
    late = [FILL, ORDER, STATED]
    assert talk.hear(execution(11)) == late
    assert talk.hear(execution(11)) == late
    assert not any(isinstance(report, VenueStreamGap) for report in talk.hear(execution(13)))


def test_a_fill_before_the_acknowledgement():
    talk = Talk()
    talk.ask(place())
    reports = talk.hear(execution(11), wire.Placed(1, "501", CLIENT_ID, START_NS))
    assert reports == [FILL, ORDER, STATED, answer(place(), Outcome.DONE, exchange_order_id="501")]


# ── keeping the line alive ───────────────────────────────────────────────────────────────────────


def test_a_silent_line_is_pinged_and_an_answered_ping_keeps_it():
    talk = Talk()
    assert talk.wait(2_999).send == b""
    (ping,) = sent(talk.wait(1))
    assert isinstance(ping, wire.Ping)
    assert ping.request_id < 0
    assert talk.wait(4_999).disconnect is None
    assert talk.hear(wire.Pong(ping.request_id, talk.now_ns)) == []
    assert talk.wait(2_999).send == b""
    assert len(sent(talk.wait(1))) == 1


@pytest.mark.parametrize(
    "unasked",
    [
        execution(11),
        wire.BalancesChanged(11, START_NS, BALANCES),
        wire.PositionsChanged(11, START_NS, (WIRE_POSITION,), BALANCES),
        wire.InstrumentsChanged((INSTRUMENT,)),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_stream_does_not_keep_a_line_on_which_nothing_is_answered(unasked):
    talk = Talk()
    pings = 0
    for _ in range(7):
        talk.hear(unasked)
        acts = talk.wait(1_000)
        assert acts.disconnect is None
        pings += len(sent(acts))
    assert pings == 1
    talk.hear(unasked)
    assert talk.wait(1_000).disconnect == "nothing was answered for 8000 ms, not even a ping"


def test_an_answer_to_anything_keeps_the_line():
    talk = Talk()
    talk.ask(query())
    talk.wait(3_000)
    talk.wait(4_999)
    talk.hear(refused(query().request_id, Code.ORDER_UNKNOWN))
    assert talk.wait(2_999).disconnect is None
    assert len(sent(talk.wait(1))) == 1


def test_the_start_of_a_message_answers_nothing():
    talk = Talk()
    talk.wait(3_000)
    talk.wait(4_999)
    talk.dialect.receive(frames_start(), talk.now_ns)
    assert talk.wait(1).disconnect is not None


def frames_start() -> bytes:
    return b"\x00\x00"


def test_an_exchange_that_is_busy_is_asked_for_its_time_now_and_then():
    talk = Talk(SimLimits(time_interval_ms=10_000))
    pings = []
    for request_id in range(1, 26):
        talk.ask(query(request_id))
        talk.hear(refused(request_id, Code.ORDER_UNKNOWN))
        for ping in sent(talk.wait(1_000)):
            pings.append(request_id)
            talk.hear(wire.Pong(ping.request_id, talk.now_ns))
    assert pings == [10, 20]


# ── the exchange's clock ─────────────────────────────────────────────────────────────────────────

AHEAD_NS = 3_000 * MS


def test_requests_carry_the_time_of_the_exchanges_clock():
    talk = Talk(is_logged_in=False)
    (login,) = sent(talk.dialect.opened(talk.now_ns))
    assert login.sent_ns == START_NS
    _, told = talk.hear(wire.LoggedIn(0, 10, 300, START_NS + AHEAD_NS))
    assert told == VenueClock(account=ACCOUNT, offset_ns=AHEAD_NS)
    assert [each.sent_ns for each in talk.ask(place())] == [START_NS + AHEAD_NS]
    talk.close()
    talk.now_ns += MS
    (login,) = sent(talk.dialect.opened(talk.now_ns))  # it is remembered for the next connection
    assert login.sent_ns == START_NS + AHEAD_NS + MS


def test_a_time_that_the_way_there_and_back_explains_is_no_offset():
    talk = Talk(is_logged_in=False)
    talk.dialect.opened(talk.now_ns)
    talk.wait(400)
    assert len(talk.hear(wire.LoggedIn(0, 10, 300, START_NS + 100 * MS))) == 1
    assert [each.sent_ns for each in talk.ask(place())] == [talk.now_ns]


def test_a_request_refused_for_its_time_has_the_next_ones_right():
    talk = Talk()
    for request_id in range(1, 4):
        talk.ask(cancel(request_id))
    acts = talk.hear_acts(*(refused(request_id, Code.WINDOW) for request_id in range(1, 4)))
    assert [each.outcome for each in acts.reports] == [Outcome.REFUSED] * 3
    (ping,) = sent(acts)  # one for all of them
    told = VenueClock(account=ACCOUNT, offset_ns=-AHEAD_NS)
    assert talk.hear(wire.Pong(ping.request_id, talk.now_ns - AHEAD_NS)) == [told]
    assert [each.sent_ns for each in talk.ask(cancel(4))] == [talk.now_ns - AHEAD_NS]


def test_small_changes_of_the_offset_are_not_told():
    talk = Talk()
    told = []
    for ahead_ms in (0, 99, 100, 199, 200, 101):
        (ping,) = sent(talk.wait(3_000))
        told += talk.hear(wire.Pong(ping.request_id, talk.now_ns + ahead_ms * MS))
    assert [each.offset_ns // MS for each in told] == [100, 200]


def test_an_exchange_that_does_not_say_its_time_is_asked_again_after_a_second():
    talk = Talk()
    asked = []
    for request_id, wait_ms in ((1, 0), (2, 999), (3, 1)):
        talk.wait(wait_ms)
        talk.ask(cancel(request_id))
        asked.append(len(sent(talk.hear_acts(refused(request_id, Code.WINDOW)))))
    assert asked == [1, 0, 1]


def test_a_login_refused_for_its_time_is_sent_again_with_the_exchanges():
    talk = Talk(is_logged_in=False)
    talk.dialect.opened(talk.now_ns)
    acts = talk.hear_acts(refused(0, Code.WINDOW))
    assert acts.disconnect is None
    (ping,) = sent(acts)
    (login,) = sent(talk.hear_acts(wire.Pong(ping.request_id, START_NS + AHEAD_NS)))
    assert isinstance(login, wire.Login)
    assert login.sent_ns == START_NS + AHEAD_NS
    acts = talk.hear_acts(refused(0, Code.WINDOW))
    assert acts.disconnect == "the exchange refused the login: because of WINDOW"
    assert not acts.refused_login


def test_a_login_whose_time_is_never_said_disconnects():
    talk = Talk(is_logged_in=False)
    talk.dialect.opened(talk.now_ns)
    talk.hear_acts(refused(0, Code.WINDOW))
    assert talk.wait(4_999).disconnect is None
    assert talk.wait(1).disconnect == "the login got no answer within 5000 ms"


def test_silence_after_a_ping_disconnects():
    talk = Talk()
    talk.wait(3_000)
    assert talk.wait(4_999).send == b""
    assert talk.wait(1).disconnect == "nothing was answered for 8000 ms, not even a ping"


def test_a_new_connection_begins_anew():
    talk = Talk()
    talk.ask(place())
    talk.wait(5_000)
    talk.hear(execution(11))
    talk.dialect.receive(frames_start(), talk.now_ns)
    talk.close()
    talk.now_ns += 100 * MS
    talk.dialect.opened(talk.now_ns)
    assert isinstance(talk.hear(wire.LoggedIn(0, 20, 300, talk.now_ns))[0], VenueConnected)
    assert len(talk.hear(execution(21))) == 3  # no gap
    assert talk.hear(wire.Placed(1, "501", CLIENT_ID, START_NS)) == []


def test_asking_before_login_or_twice_is_our_own_mistake():
    with pytest.raises(AssertionError):
        SimDialect(ACCOUNT, "a", "b").ask(place(), START_NS)
    talk = Talk()
    talk.ask(place())
    with pytest.raises(AssertionError):
        talk.ask(place())
    with pytest.raises(AssertionError):
        talk.ask(place(0))
