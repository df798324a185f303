"""Positions of one account: the exchange's statements, moved on by our fills.

A statement says a position as of an event of the exchange; a fill after that event moves it, one before
it is already inside. Must never learn anything but from fills and statements.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from fairlead.core.exact import average
from fairlead.core.model import ONE, ZERO, Fill, Order, Position, Side, Updater


def moved(
    quantity: Decimal, entry_price: Decimal, change: Decimal, price: Decimal
) -> tuple[Decimal, Decimal]:
    """Return (quantity, entry price) after `change` at `price`; short quantities are negative.

    What is added averages the entry price, what is taken away leaves it, and what is turned around or
    begun has entered at `price`. A flat position's entry price is 0.
    """
    after = quantity + change
    if not after:
        return ZERO, ZERO
    if quantity and (quantity > ZERO) is (change > ZERO):
        return after, average(abs(quantity) * entry_price + abs(change) * price, abs(after))
    if quantity and (quantity > ZERO) is (after > ZERO):
        return after, entry_price
    return after, price


class Positions:
    """The positions by our symbol. `changed` names those moved since last taken."""

    def __init__(self, positions: Iterable[Position] = ()) -> None:
        self._positions = {position.symbol: position for position in positions}
        self._after_statement: dict[str, list[tuple[int, Decimal, Decimal]]] = {}
        self.changed: set[str] = set()

    def open(self) -> tuple[Position, ...]:
        """Return the positions that are not flat, by symbol."""
        positions = (self._positions[symbol] for symbol in sorted(self._positions))
        return tuple(position for position in positions if position.quantity)

    def all(self) -> tuple[Position, ...]:
        """Return every position there is or ever was, by symbol."""
        return tuple(self._positions[symbol] for symbol in sorted(self._positions))

    def signed_quantity(self, symbol: str) -> Decimal:
        """Return what is held of the symbol, negative when short, 0 when nothing is."""
        position = self._positions.get(symbol)
        return ZERO if position is None else position.signed_quantity

    def get(self, symbol: str) -> Position | None:
        """Return the position in the symbol, also if it is flat; None where nothing was ever heard."""
        return self._positions.get(symbol)

    def take_changed(self) -> list[Position]:
        """Return the positions that moved since this was last called, by symbol."""
        changed = [self._positions[symbol] for symbol in sorted(self.changed)]
        self.changed.clear()
        return changed

    def session_started(self) -> None:
        """Forget how far the exchange's statements reached: a new session may count anew."""
        self._after_statement.clear()
        for symbol, position in self._positions.items():
            self._positions[symbol] = msgspec.structs.replace(position, exchange_ordinal=0)

    def fill_booked(self, order: Order, fill: Fill, now_ns: int) -> None:
        """Move the position of a perpetual by an execution, where no statement has yet."""
        change = fill.quantity if order.side is Side.BUY else -fill.quantity
        position = self._positions.get(order.symbol)
        ordinal = fill.exchange_ordinal
        if position is None:
            position = _flat(order, now_ns)
        elif 0 < ordinal <= position.exchange_ordinal:
            return  # the statement we hold already contains this fill
        if ordinal:
            later = self._after_statement.setdefault(order.symbol, [])
            later.append((ordinal, change, fill.price))
        self._positions[order.symbol] = _after(position, change, fill.price, now_ns)
        self.changed.add(order.symbol)

    def stated(self, stated: Position) -> Decimal | None:
        """Take the exchange's word as of `stated.exchange_ordinal`, unless a later one was heard.

        Of the fills heard before, those after that event are added; without one (0) the word is taken as
        it is. That a market was never entered is nothing to report. Returns how far its quantity is
        from ours as of the same event; None where the two cannot be compared: no statement of this
        session came before, or this one is old news.
        """
        symbol, ordinal = stated.symbol, stated.exchange_ordinal
        before = self._positions.get(symbol)
        if before is not None and 0 < ordinal < before.exchange_ordinal:
            return None
        later = [each for each in self._after_statement.get(symbol, ()) if each[0] > ordinal > 0]
        if later:
            self._after_statement[symbol] = later
        else:
            self._after_statement.pop(symbol, None)
        position = stated
        for _, change, price in later:
            position = _after(position, change, price, stated.time_ns)
        self._positions[symbol] = position
        is_news = bool(position.quantity) if before is None else _differs(before, position)
        if is_news:
            self.changed.add(symbol)
        if before is None or not (ordinal and before.exchange_ordinal):
            return None
        return position.signed_quantity - before.signed_quantity


def flattened(position: Position, exchange_ordinal: int, now_ns: int) -> Position:
    """Return the position as flat, for a statement of all positions that does not name it."""
    return msgspec.structs.replace(
        position,
        side=Side.BUY,
        quantity=ZERO,
        entry_price=ZERO,
        unrealized=ZERO,
        liquidation_price=None,
        updated_by=Updater.EXCHANGE,
        time_ns=now_ns,
        exchange_ordinal=exchange_ordinal,
    )


def _after(position: Position, change: Decimal, price: Decimal, now_ns: int) -> Position:
    """Return the position after an execution; where it would be liquidated is not known then."""
    quantity, entry_price = moved(
        position.signed_quantity, position.entry_price, change, price
    )  # fmt: skip
    mark_price = position.mark_price
    return msgspec.structs.replace(
        position,
        side=Side.SELL if quantity < ZERO else Side.BUY,
        quantity=abs(quantity),
        entry_price=entry_price,
        unrealized=(mark_price - entry_price) * quantity if mark_price else ZERO,
        liquidation_price=None,
        updated_by=Updater.BALANCE_MANAGER,
        time_ns=now_ns,
    )


def _flat(order: Order, now_ns: int) -> Position:
    return Position(
        symbol=order.symbol,
        symbol_exchange=order.symbol_exchange,
        quote=order.quote,
        side=Side.BUY,
        quantity=ZERO,
        entry_price=ZERO,
        mark_price=ZERO,
        unrealized=ZERO,
        leverage=ONE,
        is_cross=True,
        liquidation_price=None,
        updated_by=Updater.BALANCE_MANAGER,
        time_ns=now_ns,
    )


def _differs(before: Position, after: Position) -> bool:
    """Whether anything changed but who said it last, when, and as of which event."""
    same = msgspec.structs.replace(
        after,
        updated_by=before.updated_by,
        time_ns=before.time_ns,
        exchange_ordinal=before.exchange_ordinal,
    )
    return same != before
