"""One connection's conversation: what each client message is answered with. No IO, no clock.

A `Desk` is what all conversations of one exchange share; a `Session` is one of them, with the account
that logged in. `answer` changes the matching engine and returns the one answer; what that did to
accounts is in `Matching.events`, and nothing may be shown before the store has committed it.
"""

import hashlib
import hmac
import re
from typing import assert_never

from fairlead.core.model import Instrument
from fairlead.exchange.margin import wire_position
from fairlead.exchange.matching import Matching
from fairlead.exchange.orders import Account, Order
from fairlead.exchange.perpetual import PerpetualBooking
from fairlead.exchange.rounding import told
from fairlead.exchange.rules import Refusal
from fairlead.exchange.settings import Settings
from fairlead.exchange.store import Store
from fairlead.venues.sim_messages import (
    FILLS_PAGE,
    AskBalances,
    AskFills,
    AskInstruments,
    AskOpenOrders,
    AskPositions,
    AskTickers,
    Balances,
    Cancel,
    ClientMessage,
    ExchangeMessage,
    FillsPage,
    Instruments,
    LoggedIn,
    Login,
    OpenOrders,
    OrderState,
    Ping,
    Place,
    Placed,
    Pong,
    Positions,
    Query,
    RefusalCode,
    Refused,
    Stated,
    Tickers,
    WireOrder,
    WirePosition,
    WireTicker,
)

KEY_LENGTH_MAX = 128
_public_key = re.compile(rf"[A-Za-z0-9._/-]{{1,{KEY_LENGTH_MAX}}}", re.ASCII).fullmatch


class Desk:
    """What the conversations share: the engine, the store, the settings."""

    def __init__(self, matching: Matching, store: Store, settings: Settings) -> None:
        self.matching = matching
        self.store = store
        self.settings = settings
        self._buckets: dict[int, RequestRate] = {}

    def commit(self) -> None:
        """Make everything handled so far survive a kill."""
        self.store.commit(self.matching)

    def rate(self, account: Account) -> "RequestRate":
        """Return the account's allowance, shared by its connections."""
        found = self._buckets.get(account.number)
        if found is None:
            found = RequestRate(self.settings.requests_per_second)
            self._buckets[account.number] = found
        return found

    def find(self, account: Account, asked: Query | Cancel) -> WireOrder | None:
        """Return the order that `asked` names, open or closed, as it is now."""
        if asked.exchange_order_id is None:
            order = account.open_by_client_id.get(asked.client_id)
        else:
            order = open_order(account, asked.exchange_order_id)
        if order is not None:
            return order.wire() if order.symbol == asked.symbol else None
        self.commit()
        if asked.exchange_order_id is None:
            found = self.store.order_of_client(account.number, asked.client_id)
        else:
            found = self.store.order(account.number, asked.exchange_order_id)
        return found if found is not None and found.symbol == asked.symbol else None


class RequestRate:
    """An allowance of `per_second` requests that refills evenly; a full second may come at once."""

    __slots__ = ("_full_ns", "_per_request_ns", "_spent_until_ns")

    def __init__(self, per_second: int) -> None:
        self._per_request_ns = 10**9 // per_second
        self._full_ns = 10**9
        self._spent_until_ns = 0

    def take(self, now_ns: int) -> int:
        """Take one request: 0, or how many ns to wait for one (and nothing is taken)."""
        if self._spent_until_ns > now_ns + self._full_ns:  # the clock was set back
            self._spent_until_ns = now_ns
        spent_until = max(self._spent_until_ns, now_ns) + self._per_request_ns
        wait_ns = spent_until - now_ns - self._full_ns
        if wait_ns > 0:
            return wait_ns
        self._spent_until_ns = spent_until
        return 0


class Session:
    """The conversation of one connection; `account` is None before its login."""

    def __init__(self, desk: Desk) -> None:
        self.account: Account | None = None
        self._rate: RequestRate | None = None  # the account's
        self._desk = desk
        self._window_ns = desk.settings.request_window_ms * 10**6
        self._future_ns = desk.settings.request_future_ms * 10**6

    def answer(self, message: ClientMessage, now_ns: int) -> ExchangeMessage:
        """Carry out one message and return its answer."""
        if type(message) is Ping:
            return Pong(message.request_id, now_ns)
        refusal = self._refusal_of_time(message.sent_ns, now_ns)
        if refusal is not None:
            return refused(message, refusal)
        if type(message) is Login:
            return self._login(message, now_ns)
        account, rate = self.account, self._rate
        if account is None or rate is None:
            return refused(
                message, Refusal(RefusalCode.NOT_LOGGED_IN, "the first request must be a login")
            )
        wait_ns = rate.take(now_ns)
        if wait_ns:
            return refused(message, self._refusal_of_rate(wait_ns))
        return self._carry_out(account, message, now_ns)

    def _carry_out(self, account: Account, message: ClientMessage, now_ns: int) -> ExchangeMessage:
        matching = self._desk.matching
        match message:
            case Place():
                order = matching.place(account, message, now_ns)
                if isinstance(order, Order):
                    number = order.exchange_order_id
                    return Placed(message.request_id, number, order.client_id, now_ns)
                return refused(message, order)
            case Cancel():
                return self._cancel(account, message, now_ns)
            case Query():
                found = self._desk.find(account, message)
                if found is None:
                    return refused(message, order_unknown(message))
                return Stated(message.request_id, found)
            case AskOpenOrders():
                orders = tuple(order.wire() for order in account.open_orders.values())
                return OpenOrders(message.request_id, account.events, orders)
            case AskFills():
                return self._fills(account, message)
            case AskBalances():
                balances = tuple(holding.wire() for holding in account.holdings.values())
                return Balances(message.request_id, account.events, now_ns, balances)
            case AskPositions():
                positions = positions_of(matching, account)
                return Positions(message.request_id, account.events, now_ns, positions)
            case AskTickers():
                return Tickers(message.request_id, now_ns, tickers_of(matching))
            case AskInstruments():
                return Instruments(message.request_id, instruments_of(matching))
            case Login() | Ping():
                raise AssertionError("answered before")
            case _:
                assert_never(message)

    def _login(self, message: Login, now_ns: int) -> ExchangeMessage:
        desk = self._desk
        private_key_hash = hashlib.sha256(message.private_key.encode()).digest()
        account = desk.matching.accounts.get(message.public_key)
        if account is None:
            refusal = self._refusal_of_new(message)
            if refusal is not None:
                return refused(message, refusal)
            account = desk.matching.ledger.open_account(
                message.public_key, private_key_hash, desk.settings.starting_balances
            )
        elif account.is_house or not hmac.compare_digest(
            account.private_key_hash, private_key_hash
        ):
            return refused(
                message,
                Refusal(RefusalCode.LOGIN, "the private key is not the one of this public key"),
            )
        if self.account is not None and self.account is not account:
            return refused(
                message, Refusal(RefusalCode.LOGIN, "this connection is logged in already")
            )
        self.account, self._rate = account, desk.rate(account)
        return LoggedIn(
            message.request_id,
            account.events,
            desk.settings.request_window_ms,
            now_ns,
            desk.store.identity,
        )

    def _refusal_of_new(self, message: Login) -> Refusal | None:
        if _public_key(message.public_key) is None:
            return Refusal(
                RefusalCode.LOGIN,
                f"a public key must be 1 to {KEY_LENGTH_MAX} characters of A-Z a-z 0-9 . _ / -",
            )
        if not 1 <= len(message.private_key) <= KEY_LENGTH_MAX:
            return Refusal(
                RefusalCode.LOGIN, f"a private key must have 1 to {KEY_LENGTH_MAX} characters"
            )
        if len(self._desk.matching.accounts) >= self._desk.settings.accounts_max:
            return Refusal(
                RefusalCode.LOGIN,
                f"the exchange has {self._desk.settings.accounts_max} accounts, the most it may have",
            )
        return None

    def _cancel(self, account: Account, message: Cancel, now_ns: int) -> ExchangeMessage:
        if message.exchange_order_id is None:
            order = account.open_by_client_id.get(message.client_id)
        else:
            order = open_order(account, message.exchange_order_id)
        if order is not None and order.symbol == message.symbol:
            self._desk.matching.cancel(order, now_ns)
            return Stated(message.request_id, order.wire())
        found = self._desk.find(account, message)
        if found is None:
            return refused(message, order_unknown(message))
        assert found.state is not OrderState.OPEN
        return refused(
            message,
            Refusal(
                RefusalCode.CANCEL,
                f"order {found.exchange_order_id} is {found.state.value} with"
                f" {told(found.filled)} filled and cannot be canceled",
            ),
        )

    def _fills(self, account: Account, message: AskFills) -> ExchangeMessage:
        self._desk.commit()
        after = min(max(message.after, 0), account.fills)
        fills = self._desk.store.fills_after(account.number, after, FILLS_PAGE)
        newest = fills[-1].ordinal if fills else after
        return FillsPage(message.request_id, tuple(fills), newest >= account.fills)

    def _refusal_of_time(self, sent_ns: int, now_ns: int) -> Refusal | None:
        age_ns = now_ns - sent_ns
        if age_ns > self._window_ns:
            return Refusal(
                RefusalCode.WINDOW,
                f"the request is {age_ns // 10**6} ms old; the window is"
                f" {self._window_ns // 10**6} ms",
            )
        if -age_ns > self._future_ns:
            return Refusal(
                RefusalCode.WINDOW,
                f"the request was sent {-age_ns // 10**6} ms from now by the exchange's clock; at"
                f" most {self._future_ns // 10**6} ms are allowed",
            )
        return None

    def _refusal_of_rate(self, wait_ns: int) -> Refusal:
        return Refusal(
            RefusalCode.RATE,
            f"more than {self._desk.settings.requests_per_second} requests in a second",
            retry_after_ms=-(-wait_ns // 10**6),
        )


def refused(message: ClientMessage, refusal: Refusal) -> Refused:
    """Return the answer that `message` was refused."""
    return Refused(message.request_id, refusal.code, refusal.text, refusal.retry_after_ms)


def order_unknown(asked: Query | Cancel) -> Refusal:
    """Return the refusal of a request about an order that is not there."""
    if asked.exchange_order_id is None:
        named = f"client id {asked.client_id!r}"
    else:
        named = f"id {asked.exchange_order_id!r}"
    return Refusal(RefusalCode.ORDER_UNKNOWN, f"no order with {named} in {asked.symbol!r}")


def instruments_of(matching: Matching) -> tuple[Instrument, ...]:
    """Return the instruments as they are now."""
    return tuple(market.instrument for market in matching.markets.values())


def tickers_of(matching: Matching) -> tuple[WireTicker, ...]:
    """Return the best quotes of every market."""
    tops = ((symbol, matching.top(symbol)) for symbol in matching.markets)
    return tuple(WireTicker(symbol, top.bid, top.ask) for symbol, top in tops)


def positions_of(matching: Matching, account: Account) -> tuple[WirePosition, ...]:
    """Return the account's position in every perpetual market as it is now, flat ones too."""
    bookings = (market.booking for market in matching.markets.values())
    return tuple(
        wire_position(booking.position(account))
        for booking in bookings
        if isinstance(booking, PerpetualBooking)
    )


def open_order(account: Account, exchange_order_id: str) -> Order | None:
    """Return the account's open order with this id."""
    if not (exchange_order_id.isascii() and exchange_order_id.isdigit()):
        return None
    order = account.open_orders.get(int(exchange_order_id[:18]))
    return order if order is not None and order.exchange_order_id == exchange_order_id else None
