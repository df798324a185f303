"""Any conversation: whatever is lost, doubled, late or out of order, in the end we agree with the exchange.

A small exchange accepts, fills, cancels and forgets; what it says reaches the engine in any order, twice
or never, and the process may end, and the account go and come back, at any moment. In the end the exchange
answers every question and lists every fill, and then its orders, fills and balances are ours.
"""

from decimal import Decimal
from itertools import pairwise

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairlead.core.model import ExecInst, Origin, Side
from fairlead.core.reports import Cause, OrderReport
from fairlead.core.requests import EndSession
from fairlead.core.venue_messages import (
    Outcome,
    VenueAnswer,
    VenueCancel,
    VenueConnected,
    VenueFill,
    VenueFillsListed,
    VenueOrder,
    VenueOrderState,
    VenuePlace,
    VenueQuery,
    VenueReport,
)
from tests.core.conversation import Conversation, started
from tests.core.test_order import MAY_BECOME
from tests.core.words import ABILITIES, D


class SmallExchange:
    """What the exchange has: orders by client id, every fill, and what it bought for us."""

    def __init__(self) -> None:
        self.orders: dict[str, VenueOrder] = {}
        self.fills: list[VenueFill] = []
        self.placed: list[str] = []
        self.bought = Decimal(0)
        self.paid = Decimal(0)
        self.event = 0

    def arrives(self, place: VenuePlace) -> VenueAnswer | None:
        """Take a new order; None when it had it: a client id is used once."""
        self.placed.append(place.venue_client_id)
        assert place.venue_client_id not in self.orders, "placed twice"
        number = len(self.orders) + 1
        self.orders[place.venue_client_id] = VenueOrder(
            account="SIM", exchange_order_id=f"X{number}", venue_client_id=place.venue_client_id,
            symbol_exchange=place.symbol_exchange, side=place.side, price=place.price,
            quantity=place.quantity, quantity_filled=D(0), time_in_force=place.time_in_force,
            expire_time_ns=None, state=VenueOrderState.OPEN, time_ns=0,
        )  # fmt: skip
        return _answer(place, Outcome.DONE, exchange_order_id=f"X{number}")

    def fill(self, client_id: str, quantity: Decimal) -> list[VenueReport]:
        """Execute part of an order; return what the stream says."""
        order = self.orders.get(client_id)
        if order is None or order.state is not VenueOrderState.OPEN:
            return []
        self.event += 1
        quantity = min(quantity, order.quantity - order.quantity_filled)
        filled = order.quantity_filled + quantity
        is_over = filled == order.quantity
        order = self.orders[client_id] = msgspec.structs.replace(
            order,
            quantity_filled=filled,
            state=VenueOrderState.FILLED if is_over else VenueOrderState.OPEN,
        )
        fill = VenueFill(
            account="SIM", exchange_order_id=order.exchange_order_id, venue_client_id=client_id,
            symbol_exchange=order.symbol_exchange, side=order.side,
            trade_id=f"t{len(self.fills) + 1}", price=order.price, quantity=quantity, fee=D(0),
            fee_asset_exchange="USDT", liquidity="MAKER", time_ns=0, exchange_ordinal=self.event,
        )  # fmt: skip
        self.fills.append(fill)
        self.bought += quantity
        self.paid += quantity * order.price
        return [fill, order]

    def cancel(self, client_id: str) -> list[VenueReport]:
        order = self.orders.get(client_id)
        if order is None or order.state is not VenueOrderState.OPEN:
            return []
        order = msgspec.structs.replace(order, state=VenueOrderState.CANCELED)
        self.orders[client_id] = order
        return [order]


def _answer(request: VenuePlace | VenueCancel, outcome: Outcome, **fields: object) -> VenueAnswer:
    return VenueAnswer(
        account="SIM", request_id=request.request_id, request=request, outcome=outcome, **fields
    )


class World:
    """The conversation with the small exchange, and what is still on its way to the engine."""

    def __init__(self) -> None:
        self.talk = started()
        self.exchange = SmallExchange()
        self.on_the_way: list[VenueReport] = []
        self.unanswered: list[VenuePlace] = []
        self.count = 0
        self.sessions: dict[int, str] = {}  # by number, of orders with CANCEL_ON_DISCONNECT
        self.must_end: set[int] = set()
        self.asked_to_cancel: set[int] = set()
        self.is_gone = False

    def step(self, kind: str, pick: int) -> None:
        getattr(self, f"_{kind}")(pick)
        if self.is_gone:
            self.on_the_way.clear()  # nobody listens
        self._take_sent()

    def _go(self, pick: int) -> None:
        """The account goes: what was sent may arrive, and is not answered."""
        if self.is_gone:
            return
        for place in self.unanswered[: pick % 3]:
            self.exchange.arrives(place)
        self.unanswered.clear()
        self.talk.go()
        self.is_gone = True

    def _come(self, pick: int) -> None:
        if self.is_gone:
            self.is_gone = False
            self.talk.come()
            self.talk.connects()
            self._state(pick)

    def _take_sent(self) -> None:
        for request in self.talk.sent:
            if isinstance(request, VenuePlace):
                self.unanswered.append(request)
            elif isinstance(request, VenueCancel):
                self.on_the_way += self.exchange.cancel(request.venue_client_id)
        self.talk.sent.clear()

    def _place(self, pick: int) -> None:
        if self.is_gone:
            assert self.talk.place("refused").refusal == "ACCOUNT_UNKNOWN"
            return
        self.count += 1
        session, exec_inst = f"s{pick % 2}" if pick % 5 else "", ()
        if session and pick % 3:
            exec_inst = (ExecInst.CANCEL_ON_DISCONNECT,)
            self.sessions[self.count] = session
        quantity = D(1 + pick % 3)
        self.talk.place(f"o{self.count}", quantity=quantity, session=session, exec_inst=exec_inst)

    def _place_again(self, pick: int) -> None:
        if self.count:
            number = 1 + pick % self.count
            order = self.talk.order(f"o{number}")
            session = f"s{pick % 2}"  # not always the one that placed it
            self.talk.place(
                f"o{number}", quantity=order.quantity, session=session, exec_inst=order.exec_inst
            )

    def _cancel(self, pick: int) -> None:
        if self.count and not self.is_gone:
            number = 1 + pick % self.count
            self.asked_to_cancel.add(number)
            self.talk.cancel(f"o{number}")

    def _cancel_all(self, pick: int) -> None:
        if not self.is_gone:
            self.asked_to_cancel.update(range(1, self.count + 1))
            self.talk.cancel_all()

    def _end_session(self, pick: int) -> None:
        session = f"s{pick % 2}"
        self.must_end |= {number for number, name in self.sessions.items() if name == session}
        self.talk.say(EndSession(account="SIM", session=session))

    def _arrive(self, pick: int) -> None:
        """An order reaches the exchange; its answer may be lost (3), or refuse it (4)."""
        if not self.unanswered:
            return
        place = self.unanswered.pop(pick % len(self.unanswered))
        if pick % 5 == 4:
            self.on_the_way.append(_answer(place, Outcome.REFUSED, text="no"))
            return
        answer = self.exchange.arrives(place)
        assert answer is not None
        if pick % 5 == 3:
            answer = _answer(place, Outcome.UNKNOWN)
        self.on_the_way += [answer, self.exchange.orders[place.venue_client_id]]

    def _vanish(self, pick: int) -> None:
        """An order is lost on its way, and so is its answer."""
        if self.unanswered:
            place = self.unanswered.pop(pick % len(self.unanswered))
            self.on_the_way.append(_answer(place, Outcome.UNKNOWN))

    def _fill(self, pick: int) -> None:
        ids = list(self.exchange.orders)
        if ids:
            self.on_the_way += self.exchange.fill(ids[pick % len(ids)], D(1 + pick % 2) / 2)

    def _end(self, pick: int) -> None:
        ids = list(self.exchange.orders)
        if ids:
            self.on_the_way += self.exchange.cancel(ids[pick % len(ids)])

    def _hear(self, pick: int) -> None:
        if self.on_the_way:
            self.talk.hear(self.on_the_way.pop(pick % len(self.on_the_way)))

    def _hear_twice(self, pick: int) -> None:
        if self.on_the_way:
            self.talk.hear(self.on_the_way[pick % len(self.on_the_way)])

    def _lose(self, pick: int) -> None:
        if self.on_the_way:
            news = self.on_the_way.pop(pick % len(self.on_the_way))
            if isinstance(news, VenueAnswer):
                self.talk.hear(_answer(news.request, Outcome.UNKNOWN))

    def _wait(self, pick: int) -> None:
        self.talk.wait(str(pick))

    def _restart(self, pick: int) -> None:
        """The process ends: what was on its way is not heard, unsent orders never arrive."""
        self.must_end |= set(self.sessions)
        self.talk = self.talk.restart(accounts=() if self.is_gone else ("SIM",))
        self.unanswered.clear()
        self.on_the_way.clear()
        if not self.is_gone:
            self.talk.connects()
            self._state(pick)

    def _state(self, pick: int) -> None:
        """The exchange states its balances, which contain every fill so far."""
        if self.is_gone:
            return
        self.talk.states_balances(
            ordinal=self.exchange.event,
            USDT=str(100_000 - self.exchange.paid),
            BTC=str(1_000 + self.exchange.bought),
        )

    # ── the end ──────────────────────────────────────────────────────────────────────────────────

    def agree(self) -> None:
        """Let everything be said, every question be answered and every fill be listed."""
        self._come(0)
        self._take_sent()
        for place in self.unanswered:
            self.on_the_way.append(_answer(place, Outcome.UNKNOWN))
        for news in self.on_the_way:
            self.talk.hear(news)
        for _ in range(6):
            self.talk.hear(VenueConnected(account="SIM", abilities=ABILITIES))
            self._answer_everything()
            page = VenueFillsListed(
                account="SIM", fills=tuple(self.exchange.fills), cursor="c", is_last=True
            )
            self.talk.hear(page)
            self._state(0)
            self.talk.wait("10")
            self.talk.engine.ask_unlisted("SIM", set())
            with self.talk.together():
                pass
            self._answer_everything()

    def _answer_everything(self) -> None:
        while self.talk.sent:
            requests, self.talk.sent = self.talk.sent, []
            for request in requests:
                assert not isinstance(request, VenuePlace), "sent after the fact"
                assert isinstance(request, VenueQuery | VenueCancel)
                if isinstance(request, VenueCancel):
                    self.exchange.cancel(request.venue_client_id)
                order = self.exchange.orders.get(request.venue_client_id)
                if order is not None:
                    self.talk.hear(msgspec.structs.replace(order, asked=request))
                    self.talk.accepts(request)
                elif isinstance(request, VenueQuery):
                    self.talk.does_not_know(request)
                else:
                    self.talk.refuses(request, order_unknown=True)


KINDS = [
    "place", "place", "place_again", "cancel", "cancel_all", "arrive", "arrive", "arrive", "vanish",
    "fill", "fill", "end", "hear", "hear", "hear", "hear_twice", "lose", "wait", "state", "restart",
    "end_session", "go", "come", "come",
]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 14)), min_size=20, max_size=60))
def test_in_the_end_we_agree_with_the_exchange(steps: list[tuple[str, int]]) -> None:
    world = World()
    for kind, pick in steps:
        world.step(kind, pick)
    world.agree()
    talk, exchange = world.talk, world.exchange
    assert len(exchange.placed) == len(set(exchange.placed))
    for number in range(1, world.count + 1):
        order = talk.order(f"o{number}")
        theirs = exchange.orders.get(order.venue_client_id)
        assert order.in_doubt_ns is None
        assert order.origin is Origin.CLIENT
        if theirs is None:
            assert order.stage in ("REJECTED", "CANCELED")
            assert order.quantity_filled == 0
            continue
        assert order.exchange_order_id == theirs.exchange_order_id
        assert order.quantity_filled == theirs.quantity_filled
        is_open = theirs.state is VenueOrderState.OPEN
        assert not (is_open and number in world.must_end)
        is_wanted = number in world.must_end | world.asked_to_cancel
        assert is_wanted or not is_cancel_requested(talk, order.number)
        assert order.stage.is_final is not is_open
        assert (order.stage == "FILLED") == (theirs.state is VenueOrderState.FILLED)
        assert talk.is_in_memory(f"o{number}") is is_open
        shown = [status for status, _ in order.status_history]
        for earlier, later in pairwise(shown):
            assert later in MAY_BECOME[earlier], shown
    locked = sum(
        (order.quantity - order.quantity_filled) * order.price
        for order in exchange.orders.values()
        if order.state is VenueOrderState.OPEN
    )
    balances = {b.asset: b for b in talk.engine.account("SIM").ledger.balances()}
    assert balances["BTC"].total == 1000 + exchange.bought
    assert balances["USDT"].total == 100_000 - exchange.paid
    assert balances["USDT"].locked == locked


def is_cancel_requested(talk: Conversation, number: int) -> bool:
    """Whether this process said that it cancels the order, otherwise than because it was given up."""
    causes = [
        report.cause
        for report, _ in talk.reports
        if isinstance(report, OrderReport) and report.number == number
    ]
    return Cause.CANCEL_REQUESTED in causes and Cause.REVIVED not in causes


def test_a_world_without_trouble_needs_no_questions() -> None:
    world = World()
    for step in ("place", "arrive", "hear", "hear", "fill", "hear", "hear"):
        world.step(step, 0)
    assert [type(report) for report, _ in world.talk.reports].count(OrderReport) == 4
    assert world.talk.order("o1").side is Side.BUY
    assert isinstance(world.talk, Conversation)
