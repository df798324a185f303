"""A recorded market moved by hand: one BTC/USDT book, prices around 100, one client."""

from decimal import Decimal

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import Side, TimeInForce
from fairlead.exchange.market import Level, PrintTrade, SetBook
from fairlead.exchange.matching import Matching
from fairlead.exchange.orders import Order
from fairlead.exchange.rules import Refusal
from fairlead.exchange.settings import Settings
from fairlead.exchange.tape_queue import TapeQueue
from fairlead.venues.sim_messages import Execution, Place, WireFill

SYMBOL = "BTC/USDT"


class World:
    """An exchange with one client, moved by hand."""

    def __init__(self) -> None:
        use_exact_decimals()
        self.matching = Matching(Settings())
        self.queue = TapeQueue(self.matching)
        self.client = self.matching.ledger.open_account(
            "client", b"", [("BTC", Decimal(1000)), ("USDT", Decimal(100_000_000))]
        )
        self.now_ns = 0
        self.placed = 0

    def place(
        self,
        side: Side,
        price: str,
        quantity: str,
        time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCEL,
    ) -> Order:
        self.now_ns += 1
        self.placed += 1
        ticket = Place(
            0,
            self.now_ns,
            f"c{self.placed}",
            SYMBOL,
            side,
            Decimal(price),
            Decimal(quantity),
            time_in_force,
            False,
            None,
        )
        order = self.matching.place(self.client, ticket, self.now_ns)
        assert not isinstance(order, Refusal)
        return order

    def buy(self, price: str, quantity: str) -> Order:
        return self.place(Side.BUY, price, quantity)

    def take(self, side: Side, price: str, quantity: str) -> Order:
        return self.place(side, price, quantity, TimeInForce.IMMEDIATE_OR_CANCEL)

    def do(self, action: SetBook | PrintTrade) -> None:
        self.now_ns += 1
        if isinstance(action, SetBook):
            self.queue.set_book(action, self.now_ns)
        else:
            self.queue.print_trade(action, self.now_ns)

    def quote(
        self,
        bid: str | None = "100",
        bid_size: str = "2",
        ask: str | None = "101",
        ask_size: str = "2",
    ) -> None:
        self.do(
            SetBook(
                0,
                SYMBOL,
                () if bid is None else (Level(Decimal(bid), Decimal(bid_size)),),
                () if ask is None else (Level(Decimal(ask), Decimal(ask_size)),),
            )
        )

    def book(
        self,
        bids: str | None = None,
        asks: str | None = None,
        is_whole: bool = True,
        gap: str | None = None,
    ) -> None:
        """State levels, the best first: `100:2 99:1`; None: nothing is said."""
        self.do(SetBook(0, SYMBOL, _levels(bids), _levels(asks), is_whole, gap))

    def update(self, bids: str | None = None, asks: str | None = None) -> None:
        self.book(bids, asks, is_whole=False)

    def displayed(self, side: Side) -> str:
        """Return what of the tape is in the book, as `book` takes it."""
        orders = self.matching.markets[SYMBOL].book.side(side).orders()
        return " ".join(
            f"{order.price.normalize():f}:{order.leaves_quantity.normalize():f}"
            for order in orders
            if order.account.is_house
        )

    def sold(self, price: str, quantity: str) -> None:
        """Print a trade whose seller took."""
        self.do(PrintTrade(0, SYMBOL, Decimal(price), Decimal(quantity), Side.SELL))

    def bought(self, price: str, quantity: str) -> None:
        """Print a trade whose buyer took."""
        self.do(PrintTrade(0, SYMBOL, Decimal(price), Decimal(quantity), Side.BUY))

    def fills(self) -> list[WireFill]:
        return [
            event.fill
            for _, event in self.matching.events
            if isinstance(event, Execution) and event.fill is not None
        ]


def _levels(text: str | None) -> tuple[Level, ...] | None:
    if text is None:
        return None
    pairs = (each.split(":") for each in text.split())
    return tuple(Level(Decimal(price), Decimal(quantity)) for price, quantity in pairs)
