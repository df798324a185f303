"""Margin: what the open orders and the position in a perpetual lock of the asset it is margined in.

As the simulated exchange states it (docs/reference/exchange.md). The position locks what it was
entered for, divided by the leverage. The open orders of one side, in the order in which they would
trade, are first held against the opposite position, which they reduce; what goes beyond it locks its
notional, divided by the leverage. Orders that may only reduce lock nothing. Both are rounded up.
"""

from collections.abc import Iterable
from decimal import ROUND_UP, Context, Decimal

from fairlead.core.model import ONE, ZERO, ExecInst, Order, Position, Side

MARGIN_STEP = Decimal("0.00000001")  # of the quote asset

_UP = Context(prec=120, rounding=ROUND_UP, traps=[])
_Piece = tuple[Decimal, Decimal]  # price, leaves


def initial_margin(notional: Decimal, leverage: Decimal) -> Decimal:
    """Return the margin of a notional, rounded up to `MARGIN_STEP`."""
    return _UP.divide(notional, leverage).quantize(MARGIN_STEP, context=_UP)


class OpenSide:
    """The open orders of one side that may increase: price and leaves of each, by number."""

    def __init__(self) -> None:
        self._pieces: dict[int, _Piece] = {}
        self.leaves = ZERO
        self.notional = ZERO

    def put(self, number: int, price: Decimal, leaves: Decimal) -> None:
        """Count an order with what is left of it; one with nothing left is forgotten."""
        known = self._pieces.pop(number, None)
        if known is not None:
            self.leaves -= known[1]
            self.notional -= known[0] * known[1]
        if leaves:
            self._pieces[number] = (price, leaves)
            self.leaves += leaves
            self.notional += price * leaves

    def pieces(self) -> list[_Piece]:
        """Return price and leaves of each order."""
        return list(self._pieces.values())


class Margin:
    """What one perpetual locks: its position, its open orders, its leverage."""

    def __init__(self, asset: str) -> None:
        self.asset = asset
        self.locked = ZERO  # when it was counted last; kept by the ledger
        self._quantity = ZERO
        self._entry_price = ZERO
        self._leverage = ONE
        self._sides = {Side.BUY: OpenSide(), Side.SELL: OpenSide()}

    def put_order(self, order: Order, leaves: Decimal) -> None:
        """Count an order with what may still trade of it."""
        if ExecInst.DO_NOT_INCREASE not in order.exec_inst:
            self._sides[order.side].put(order.number, order.price, leaves)

    def put_position(self, position: Position) -> None:
        """Count the position and the leverage as they are now."""
        self._quantity = position.signed_quantity
        self._entry_price = position.entry_price
        self._leverage = position.leverage

    def lock(self) -> Decimal:
        """Return what position and orders lock together."""
        entered = abs(self._quantity) * self._entry_price
        return self._of_orders(Side.BUY) + initial_margin(entered, self._leverage)

    def more(self, side: Side, price: Decimal, quantity: Decimal) -> Decimal:
        """Return what one more order would lock besides."""
        return self._of_orders(side, price, quantity) - self._of_orders(side)

    def _of_orders(self, side: Side, price: Decimal = ZERO, quantity: Decimal = ZERO) -> Decimal:
        notional = self._increasing(side, price, quantity) + self._increasing(side.opposite)
        return initial_margin(notional, self._leverage) if notional else ZERO

    def _increasing(self, side: Side, price: Decimal = ZERO, quantity: Decimal = ZERO) -> Decimal:
        """Return the notional of the orders of `side`, and one more, beyond what would reduce."""
        opened = self._sides[side]
        notional = opened.notional + price * quantity
        reducing = max(ZERO, -self._quantity if side is Side.BUY else self._quantity)
        if not reducing:
            return notional
        if opened.leaves + quantity <= reducing:
            return ZERO
        pieces = [*opened.pieces(), (price, quantity)] if quantity else opened.pieces()
        for piece_price, leaves in _as_they_trade(pieces, side):
            reduced = min(reducing, leaves)
            notional -= piece_price * reduced
            reducing -= reduced
        return notional


def _as_they_trade(pieces: Iterable[_Piece], side: Side) -> list[_Piece]:
    """Return the orders best price first."""
    return sorted(pieces, key=_price, reverse=side is Side.BUY)


def _price(piece: _Piece) -> Decimal:
    return piece[0]
