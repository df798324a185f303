"""The only place that decides: a message and a moment in, reports and questions out.

The engine is fed one batch at a time: `wants` says what of the past each message needs, `remember`
brings it, `decide` takes the messages in order, `finish` closes the batch. It does no IO, reads no
clock, and is the same in production and in the seeded world.
"""

from collections.abc import Callable, Collection, Iterable

from fairlead.core import checking, hearing, orphans, placing, presence, sessions, stating
from fairlead.core.account import Account
from fairlead.core.adopting import client_ids
from fairlead.core.cancelling import (
    cancel,
    cancel_all,
    cancel_due,
    expire_due,
)
from fairlead.core.deciding import Deciding, Effects, EngineSettings, Now
from fairlead.core.doubt import ask, ask_due, settle_due
from fairlead.core.exact import is_exact
from fairlead.core.identity import key_of_venue_client_id
from fairlead.core.model import Order, Stage
from fairlead.core.operating import answer_snapshots, query, query_order, resolve, set_mode
from fairlead.core.requests import (
    CancelAll,
    CancelOrder,
    CheckOrder,
    EndSession,
    PlaceOrder,
    QueryOrder,
    Request,
    ResolveOrder,
    SetMode,
)
from fairlead.core.timing import TimerDue, TimerKind
from fairlead.core.unit import (
    AccountRecord,
    ExchangeKey,
    Recalled,
    Restored,
    TradeKey,
    Wanted,
)
from fairlead.core.venue_messages import (
    VenueAnswer,
    VenueBalancesStated,
    VenueCancel,
    VenueClock,
    VenueConnected,
    VenueDisconnected,
    VenueFill,
    VenueFillsListed,
    VenueInstrumentsListed,
    VenueNotFound,
    VenueOpenOrdersListed,
    VenueOrder,
    VenuePlace,
    VenuePositionsStated,
    VenueReport,
    VenueRequest,
    VenueTickersStated,
)


class Engine:
    """Decides for every account of one process."""

    def __init__(
        self, settings: EngineSettings, restored: Restored, accounts: Collection[str]
    ) -> None:
        assert is_exact(), "call use_exact_decimals() first"
        self.deciding = Deciding(settings, restored)
        self._restored = restored
        self._here = set(accounts)
        self._wants: dict[type, Callable[..., None]] = {
            PlaceOrder: self._want_named,
            ResolveOrder: self._want_named,
            CheckOrder: self._want_checked,
            CancelOrder: self._want_cancelled,
            QueryOrder: self._want_queried,
            VenueFill: self._want_fill,
            VenueOrder: self._want_order,
            VenueAnswer: self._want_answered,
            VenueNotFound: self._want_not_found,
            VenueFillsListed: self._want_fills,
            VenueOpenOrdersListed: self._want_orders,
        }
        records = {record.account: record for record in restored.accounts}
        for name in dict.fromkeys([*records, *accounts]):
            balances = [balance for account, balance in restored.balances if account == name]
            positions = [position for account, position in restored.positions if account == name]
            record = records.get(name) or AccountRecord(name)
            self.deciding.accounts[name] = Account(
                record, settings.order_rate_per_s, balances, positions
            )

    # ── the past ─────────────────────────────────────────────────────────────────────────────────

    def wants(self, message: Request | VenueReport, wanted: Wanted) -> None:
        """Add to `wanted` what deciding `message` needs that is not in memory."""
        want = self._wants.get(type(message))
        if want is not None:
            want(message, wanted)

    def _want_named(self, request: PlaceOrder | ResolveOrder, wanted: Wanted) -> None:
        self._want_client_id(request.account, request.client_order_id, wanted)

    def _want_checked(self, request: CheckOrder, wanted: Wanted) -> None:
        self._want_named(request.order, wanted)

    def _want_cancelled(self, request: CancelOrder, wanted: Wanted) -> None:
        if request.client_order_id is not None:
            self._want_client_id(request.account, request.client_order_id, wanted)
        elif request.exchange_order_id is not None:
            wanted.exchange_keys.add(ExchangeKey(request.account, request.exchange_order_id))

    def _want_queried(self, request: QueryOrder, wanted: Wanted) -> None:
        for name in [request.account] if request.account else self.deciding.accounts:
            self._want_client_id(name, request.client_order_id, wanted)

    def _want_answered(self, news: VenueAnswer, wanted: Wanted) -> None:
        request = news.request
        if type(request) is VenuePlace or type(request) is VenueCancel:
            self._want_number(request.number, wanted)

    def _want_not_found(self, news: VenueNotFound, wanted: Wanted) -> None:
        made = orphans.made_of_fills(self.deciding, news.asked)
        if made is not None:
            self._want_order(made, wanted)

    def _want_fills(self, news: VenueFillsListed, wanted: Wanted) -> None:
        for fill in news.fills:
            self._want_fill(fill, wanted)

    def _want_orders(self, news: VenueOpenOrdersListed, wanted: Wanted) -> None:
        for order in news.orders:
            self._want_order(order, wanted)

    def _want_client_id(self, account: str, client_order_id: str, wanted: Wanted) -> None:
        if self.deciding.orders.by_client_id(account, client_order_id) is None:
            wanted.client_keys.add(self.deciding.client_ids.key(account, client_order_id))

    def _want_number(self, number: int, wanted: Wanted) -> None:
        if self.deciding.orders.get(number) is None:
            wanted.numbers.add(number)

    def _want_fill(self, fill: VenueFill, wanted: Wanted) -> None:
        wanted.trades.add(TradeKey(fill.account, fill.symbol_exchange, fill.trade_id))
        if not self._is_known(fill):
            self._want_venue_ids(fill, wanted)

    def _want_order(self, order: VenueOrder, wanted: Wanted) -> None:
        if self.deciding.orphans:
            wanted.trades |= orphans.trades_of(self.deciding, order)
        if not self._is_known(order):
            self._want_venue_ids(order, wanted)
            for client_order_id in client_ids(order):
                self._want_client_id(order.account, client_order_id, wanted)

    def _is_known(self, news: VenueOrder | VenueFill) -> bool:
        """Whether the order that `news` is about is in memory."""
        held = self.deciding.orders
        if held.by_exchange_id(news.account, news.exchange_order_id, news.symbol_exchange):
            return True
        if not news.venue_client_id:
            return False
        order = held.by_venue_client_id(news.account, news.venue_client_id)
        return order is not None and order.exchange_order_id in (None, news.exchange_order_id)

    def _want_venue_ids(self, news: VenueOrder | VenueFill, wanted: Wanted) -> None:
        wanted.exchange_keys.add(ExchangeKey(news.account, news.exchange_order_id))
        if news.venue_client_id:
            key = key_of_venue_client_id(news.venue_client_id)
            if key is not None:
                wanted.client_keys.add(key)
            self._want_client_id(news.account, news.venue_client_id, wanted)

    def remember(self, recalled: Recalled) -> None:
        """Bring what `wants` asked for; call before `decide` steps of the batch."""
        self.deciding.remember(recalled)

    # ── deciding ─────────────────────────────────────────────────────────────────────────────────

    def begin(self, now: Now) -> None:
        """Start a batch at this moment."""
        self.deciding.now = now

    def restart(self, now: Now) -> None:
        """Take up what was under way when the last process ended; the batch's first step.

        An account that the journal knows and this process was not given is one that has gone.
        """
        self.begin(now)
        presence.restart(self.deciding, self._restored.orders, self._here)
        self._restored.orders.clear()

    def come(self, account: str) -> None:
        """Take an account up, new or back; in a batch of its own."""
        presence.come(self.deciding, account)

    def go(self, account: str) -> None:
        """Let an account go; in a batch of its own, and once its connection has ended."""
        presence.go(self.deciding, account)

    def request(self, request: Request, token: int) -> None:
        """Decide a client's request; its answer carries `token`."""
        decide = _REQUESTS.get(type(request), query)
        decide(self.deciding, request, token)

    def timer(self, due: TimerDue) -> None:
        """Decide what a time that has come means, if it still means anything."""
        order = self.deciding.orders.get(due.number)
        if order is not None:
            _TIMERS[due.kind](self.deciding, order)

    def hear(self, news: VenueReport) -> None:
        """Decide what an exchange said."""
        hear = _NEWS.get(type(news))
        if hear is not None:
            hear(self.deciding, self.deciding.accounts[news.account], news)

    def ask_open_questions(self) -> None:
        """Ask about what the batch's messages, all decided now, have left open."""
        orphans.ask_new(self.deciding)

    def take_requests(self) -> list[VenueRequest]:
        """Return what exchanges are to be asked, each once."""
        return self.deciding.take_requests()

    def take_sweeps(self) -> set[str]:
        """Return the accounts to reconcile soon."""
        sweeps, self.deciding.sweeps = self.deciding.sweeps, set()
        return sweeps

    def hand_over(self, request: VenuePlace) -> bool:
        """Report the order ROUTING; False if it was withdrawn and must not be sent."""
        return placing.hand_over(self.deciding, request)

    def sent(self, requests: Iterable[VenueRequest], now: Now) -> None:
        """Take note that these requests leave now, after the commit."""
        for request in requests:
            if type(request) is VenuePlace:
                placing.sent(self.deciding, request, now)

    def finish(self) -> Effects:
        """Close the batch and return what is to be committed and then done."""
        self.deciding.close()
        answer_snapshots(self.deciding)
        return self.deciding.take_effects()

    # ── for reconciliation ───────────────────────────────────────────────────────────────────────

    def account(self, name: str) -> Account:
        """Return an account that is here."""
        return self.deciding.accounts[name]

    def is_here(self, name: str) -> bool:
        """Return whether the account is one of this process now."""
        return name in self.deciding.accounts

    def is_unsettled(self, name: str) -> bool:
        """Return whether something is still owed to an order of the account, here or not."""
        return presence.is_unsettled(self.deciding, name)

    def fills_cursor(self, name: str) -> str:
        """Return up to where the account's fills are booked, here or not; empty where nothing is known."""
        return presence.fills_cursor(self.deciding, name)

    def ask_unlisted(self, account: str, listed: set[tuple[str, str]]) -> set[int]:
        """Ask about every order we think open that the exchange did not list; return the requests.

        `listed` are the orders it did list, as (its symbol, its order id).
        """
        before = self.deciding.next_request_id
        for order in list(self.deciding.orders.of_account(account)):
            is_open = order.stage in (Stage.ROUTED, Stage.WORKING) or order.in_doubt_ns is not None
            if is_open and (order.symbol_exchange, order.exchange_order_id or "") not in listed:
                ask(self.deciding, order)
        orphans.ask_again(self.deciding, account)
        return set(range(before + 1, self.deciding.next_request_id + 1))

    def has_orphans(self, account: str) -> bool:
        """Return whether fills of the account still wait for their order."""
        return orphans.has_orphans(self.deciding, account)

    def orders_of(self, account: str) -> Iterable[Order]:
        """Yield the account's orders in memory."""
        return self.deciding.orders.of_account(account)

    def order(self, number: int) -> Order | None:
        """Return an order in memory."""
        return self.deciding.orders.get(number)


_REQUESTS: dict[type, Callable[..., None]] = {
    PlaceOrder: placing.place,
    CheckOrder: checking.check,
    CancelOrder: cancel,
    CancelAll: cancel_all,
    EndSession: sessions.end,
    SetMode: set_mode,
    ResolveOrder: resolve,
    QueryOrder: query_order,
}
_NEWS: dict[type, Callable[..., None]] = {
    VenueFill: hearing.fill_heard,
    VenueOrder: hearing.order_heard,
    VenueAnswer: hearing.answer_heard,
    VenueBalancesStated: stating.balances_stated,
    VenuePositionsStated: stating.positions_stated,
    VenueNotFound: hearing.not_found_heard,
    VenueConnected: stating.connected,
    VenueDisconnected: stating.disconnected,
    VenueClock: stating.clock_compared,
    VenueInstrumentsListed: stating.instruments_listed,
    VenueOpenOrdersListed: hearing.open_orders_listed,
    VenueFillsListed: hearing.fills_listed,
    VenueTickersStated: stating.tickers_stated,
}  # a stream gap is the reconciler's
_TIMERS: dict[TimerKind, Callable[[Deciding, Order], None]] = {
    TimerKind.ANSWER: placing.answer_due,
    TimerKind.ASK: ask_due,
    TimerKind.CANCEL: cancel_due,
    TimerKind.EXPIRE: expire_due,
    TimerKind.SETTLE: settle_due,
}
