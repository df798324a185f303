"""Carries out what a market does: its actions become house orders, displayed levels and prints.

The market decides, the matching engine trades; this only translates between the two and remembers
which house order a market's key names.
"""

from collections.abc import Callable
from typing import assert_never

from fairlead.core.model import Instrument, TimeInForce
from fairlead.exchange.market import (
    CancelHouse,
    MarketAction,
    PlaceHouse,
    PrintTrade,
    SetBook,
)
from fairlead.exchange.matching import Matching
from fairlead.exchange.orders import Order
from fairlead.exchange.participants import Participants
from fairlead.exchange.tape import ByEvents, Tape, Target, ToEvent
from fairlead.exchange.tape_queue import TapeQueue
from fairlead.venues.sim_messages import OrderState

_KEYS_MAX = 10_000  # beyond this, keys of closed orders are swept out


class Movement:
    """The exchange's hand on its market: participants, a tape, both or neither.

    `settle` is called with the time whenever the books are at rest: after an event of the tape, after
    all that the participants do at once.
    """

    def __init__(
        self,
        matching: Matching,
        participants: Participants | None,
        tape: Tape | None,
        settle: Callable[[int], None] | None = None,
    ) -> None:
        self.participants = participants
        self.tape = tape
        self.participants_are_on = participants is not None
        self._matching = matching
        self._settle = settle
        self._queue = TapeQueue(matching)
        self._orders: dict[str, Order] = {}

    @property
    def stale_levels(self) -> int:
        """How many levels of the tape's books were removed because a newer message crossed them."""
        return self._queue.stale_levels

    def next_time_ns(self) -> int | None:
        """Return when something of the market wants to act, or None."""
        tape_ns = None if self.tape is None else self.tape.next_time_ns()
        if self.participants is None or not self.participants_are_on:
            return tape_ns
        participants_ns = self.participants.next_time_ns()
        return participants_ns if tape_ns is None else min(participants_ns, tape_ns)

    def act(self, now_ns: int) -> None:
        """Carry out what the market does up to `now_ns`."""
        if self.tape is not None:
            for action in self.tape.act(now_ns):
                self._carry_out_event(action, now_ns)
        if self.participants is not None and self.participants_are_on:
            for action in self.participants.act(now_ns):
                self._carry_out(action, now_ns)
            if self._settle is not None:
                self._settle(now_ns)
            self._sweep()

    def switch_participants(self, is_on: bool, now_ns: int) -> None:
        """Let the participants act, or stop them and take their orders out of the books."""
        self.participants_are_on = is_on
        if not is_on:
            for order in self._orders.values():
                if order.state is OrderState.OPEN:
                    self._matching.cancel(order, now_ns)
            self._orders.clear()

    def change_instruments(self, instruments: tuple[Instrument, ...]) -> None:
        """Let the participants keep other rules from now on."""
        if self.participants is not None:
            self.participants.change_instruments(instruments)

    def advance_tape(self, target: Target, count_max: int, now_ns: int) -> bool:
        """Carry out at most `count_max` events of a stepped tape; True once `target` is reached."""
        assert self.tape is not None
        if isinstance(target, ByEvents):  # of which every call would begin anew
            target = ToEvent(self.tape.position().event + target.count)
        for count, action in enumerate(self.tape.advance(target), start=1):
            self._carry_out_event(action, now_ns)
            if count >= count_max:
                return False
        return True

    def _carry_out_event(self, action: MarketAction, now_ns: int) -> None:
        self._carry_out(action, now_ns)
        if self._settle is not None:
            self._settle(now_ns)

    def _sweep(self) -> None:
        """Forget the keys of orders that are closed, once there are many."""
        if len(self._orders) > _KEYS_MAX:
            self._orders = {
                key: order for key, order in self._orders.items() if order.state is OrderState.OPEN
            }

    def _carry_out(self, action: MarketAction, now_ns: int) -> None:
        matching = self._matching
        match action:
            case PlaceHouse():
                placed = matching.place_house(
                    matching.ledger.house(_house_name(action.participant)),
                    action.symbol,
                    action.side,
                    action.price,
                    action.quantity,
                    now_ns,
                    TimeInForce.IMMEDIATE_OR_CANCEL
                    if action.immediate
                    else TimeInForce.GOOD_TILL_CANCEL,
                )
                if isinstance(placed, Order) and placed.state is OrderState.OPEN:
                    self._orders[action.key] = placed
            case CancelHouse():
                order = self._orders.pop(action.key, None)
                if order is not None and order.state is OrderState.OPEN:
                    matching.cancel(order, now_ns)
            case SetBook():
                self._queue.set_book(action, now_ns)
            case PrintTrade():
                self._queue.print_trade(action, now_ns)
            case _:
                assert_never(action)


def _house_name(participant: str) -> str:
    """`HOUSE/MAKER` → `house:maker`, which no client can log in as."""
    return "house:" + participant.removeprefix("HOUSE/").lower()
