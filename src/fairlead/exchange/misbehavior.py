"""Carries out faults: which of them hits this request, this answer, this stream event.

Deterministic: faults are tried in the order they were commanded, and the only chance (`one_in`,
garbage) comes from the seeded generator. Keeps what a fault hides or remembers: hidden orders, old
lists, fills not yet told, events held back. Nothing here survives a restart. No IO, no clock.
"""

from random import Random

import msgspec

from fairlead.exchange.faults import KINDS, Fault, FaultName, How, Point, check
from fairlead.exchange.ledger import Event
from fairlead.exchange.orders import Account
from fairlead.venues.sim_messages import (
    BalancesChanged,
    Cancel,
    ClientMessage,
    ExchangeMessage,
    FillsPage,
    OpenOrders,
    Place,
    PositionsChanged,
    Query,
    RefusalCode,
    Refused,
    Stated,
    WireOrder,
)

FAULTS_MAX = 1_000


class Active(msgspec.Struct):
    """A commanded fault and what has become of it. `lists`: per account, its open orders at the time."""

    fault_id: int
    fault: Fault
    until_ns: int | None
    left: int | None
    seen: int = 0
    times: int = 0
    lists: dict[int, tuple[int, tuple[WireOrder, ...]]] = {}


class Held(msgspec.Struct):
    """A stream event that waits for `left` later ones of its account."""

    event: Event
    left: int


class Misbehavior:
    """The faults of one exchange. `is_active` is False while everything is as it should be."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._faults: dict[int, Active] = {}
        self._commands = 0
        self._hidden: dict[int, int] = {}  # order number → until
        self._untold: dict[int, list[tuple[int, int]]] = {}  # account → (fill ordinal, until)
        self._held: dict[int, list[Held]] = {}  # by account
        self.is_active = False

    # ── commands ─────────────────────────────────────────────────────────────────────────────────

    def add(self, fault: Fault, accounts: list[Account], now_ns: int) -> Active:
        """Command a fault. `accounts` are those whose present lists it may have to remember.

        Raises FaultError if it makes no sense.
        """
        check(fault)
        self._sweep(now_ns)
        while len(self._faults) >= FAULTS_MAX:
            del self._faults[next(iter(self._faults))]
        self._commands += 1
        kind = KINDS[fault.name]
        left = kind.count if isinstance(fault.count, msgspec.UnsetType) else fault.count
        until_ns = None if fault.duration_ms is None else now_ns + fault.duration_ms * 10**6
        active = Active(self._commands, fault, until_ns, left)
        if fault.name is FaultName.STALE_OPEN_ORDERS:
            active.lists = {
                account.number: (
                    account.events,
                    tuple(order.wire() for order in account.open_orders.values()),
                )
                for account in accounts
            }
        self._faults[active.fault_id] = active
        self.is_active = True
        return active

    def remove(self, fault_id: int) -> bool:
        """End a fault; False if there is none of this number."""
        return self._faults.pop(fault_id, None) is not None

    def clear(self) -> None:
        """End every fault, and show again what they hid."""
        self._faults.clear()
        self._hidden.clear()
        self._untold.clear()

    def listed(self, now_ns: int) -> list[Active]:
        """Return the faults that can still bite, oldest first."""
        self._sweep(now_ns)
        return list(self._faults.values())

    # ── what hits ────────────────────────────────────────────────────────────────────────────────

    def hit_request(
        self,
        point: Point,
        public_key: str | None,
        message: ClientMessage,
        now_ns: int,
        is_refused: bool = False,
        name: FaultName | None = None,
    ) -> Active | None:
        """Return the first fault (of this name) that bites this request at this point; count it."""
        request = str(message.__struct_config__.tag)
        for active in self._at(point, now_ns):
            fault = active.fault
            requests = fault.requests or KINDS[fault.name].requests
            if request not in requests or fault.account not in (None, public_key):
                continue
            if is_refused and fault.name in _NEEDS_SUCCESS:
                continue
            if name is not None and fault.name is not name:
                continue
            if _matches_message(fault, message) and self._bites(active):
                return active
        return None

    def hit_event(self, account: Account, event: Event, now_ns: int) -> Active | None:
        """Return the fault that bites this stream event, and count it."""
        for active in self._at(Point.STREAM, now_ns):
            fault = active.fault
            if fault.account not in (None, account.public_key):
                continue
            if _matches_event(fault, event) and self._bites(active):
                return active
        return None

    def _at(self, point: Point, now_ns: int) -> list[Active]:
        if not self._faults:
            return []
        return [
            active
            for active in self._faults.values()
            if _point(active.fault) is point
            and (active.until_ns is None or now_ns < active.until_ns)
        ]

    def _bites(self, active: Active) -> bool:
        active.seen += 1
        if active.seen <= active.fault.skip:
            return False
        if active.fault.one_in > 1 and self._random.randrange(active.fault.one_in):
            return False
        active.times += 1
        if active.left is not None:
            active.left -= 1
            if active.left == 0:
                del self._faults[active.fault_id]
        return True

    # ── what is hidden or remembered ─────────────────────────────────────────────────────────────

    def hide_order(self, number: int, until_ns: int) -> None:
        """Keep an order out of answers until then."""
        self._hidden[number] = until_ns
        self.is_active = True

    def hide_fill(self, account: Account, ordinal: int, until_ns: int) -> None:
        """Keep a fill, and so all later ones, out of pages of fills until then."""
        self._untold.setdefault(account.number, []).append((ordinal, until_ns))
        self.is_active = True

    def altered(
        self, answer: ExchangeMessage, message: ClientMessage, account: Account, now_ns: int
    ) -> ExchangeMessage:
        """Return `answer` without what is hidden now."""
        if isinstance(answer, Stated) and isinstance(message, Query):
            if self._is_hidden(answer.order, now_ns):
                text = f"no order with client id {message.client_id!r}"
                return Refused(answer.request_id, RefusalCode.ORDER_UNKNOWN, text, None)
        elif isinstance(answer, OpenOrders):
            orders = tuple(order for order in answer.orders if not self._is_hidden(order, now_ns))
            return OpenOrders(answer.request_id, answer.event, orders)
        elif isinstance(answer, FillsPage):
            return self._without_untold(answer, account, now_ns)
        return answer

    def stale(self, active: Active, answer: OpenOrders, account: Account) -> OpenOrders:
        """Return the list as it was when the fault was commanded."""
        event, orders = active.lists.get(account.number, (0, ()))
        return OpenOrders(
            answer.request_id, answer.event if active.fault.is_current else event, orders
        )

    def _is_hidden(self, order: WireOrder, now_ns: int) -> bool:
        return now_ns < self._hidden.get(int(order.exchange_order_id), 0)

    def _without_untold(self, page: FillsPage, account: Account, now_ns: int) -> FillsPage:
        untold = [
            ordinal
            for ordinal, until_ns in self._untold.get(account.number, ())
            if now_ns < until_ns
        ]
        if not untold:
            return page
        first = min(untold)
        fills = tuple(fill for fill in page.fills if fill.ordinal < first)
        return FillsPage(page.request_id, fills, page.is_last or len(fills) < len(page.fills))

    # ── events held back ─────────────────────────────────────────────────────────────────────────

    def hold(self, account: Account, event: Event, frames: int) -> None:
        """Keep an event back until `frames` later ones of the account were released."""
        self._held.setdefault(account.number, []).append(Held(event, frames))

    def passed(self, account: Account) -> list[Event]:
        """Count one event that went out; return those held ones that follow it now."""
        held = self._held.get(account.number)
        if not held:
            return []
        for each in held:
            each.left -= 1
        return self._take_held(account, [each for each in held if each.left <= 0])

    def overdue(self, account: Account, event: Event) -> list[Event]:
        """Give up waiting for later events: return `event` if it is still held."""
        held = self._held.get(account.number, [])
        return self._take_held(account, [each for each in held if each.event is event])

    def _take_held(self, account: Account, taken: list[Held]) -> list[Event]:
        rest = [each for each in self._held.get(account.number, []) if each not in taken]
        if rest:
            self._held[account.number] = rest
        else:
            self._held.pop(account.number, None)
        return [each.event for each in taken]

    def garbage(self, size: int) -> bytes:
        """Return a whole frame of `size` random bytes that is no message of the dialect."""
        # 0xc1 is the one byte that never begins a msgpack value.
        return size.to_bytes(4, "big") + b"\xc1" + self._random.randbytes(size - 1)

    def _sweep(self, now_ns: int) -> None:
        """Forget what is over."""
        self._faults = {
            number: active
            for number, active in self._faults.items()
            if active.until_ns is None or now_ns < active.until_ns
        }
        self._hidden = {number: until for number, until in self._hidden.items() if now_ns < until}
        self._untold = {
            number: kept
            for number, untold in self._untold.items()
            if (kept := [each for each in untold if now_ns < each[1]])
        }
        self.is_active = bool(self._faults or self._hidden or self._untold or self._held)


_NEEDS_SUCCESS = frozenset({FaultName.ACCEPTED_THEN_SILENCE, FaultName.ERROR_AFTER_ACCEPTING})


def _point(fault: Fault) -> Point:
    if fault.how is How.ON_REQUEST:
        return Point.ARRIVAL
    return KINDS[fault.name].point


def _matches_message(fault: Fault, message: ClientMessage) -> bool:
    if isinstance(message, Place):
        return (
            fault.symbol in (None, message.symbol)
            and fault.side in (None, message.side)
            and message.client_id.startswith(fault.client_id_prefix)
        )
    if isinstance(message, Cancel | Query):
        return fault.symbol in (None, message.symbol) and message.client_id.startswith(
            fault.client_id_prefix
        )
    return not fault.client_id_prefix and fault.symbol is None and fault.side is None


def _matches_event(fault: Fault, event: Event) -> bool:
    if isinstance(event, BalancesChanged | PositionsChanged):
        if fault.client_id_prefix or fault.side is not None or fault.only_fills:
            return False
        positions = event.positions if isinstance(event, PositionsChanged) else ()
        return fault.symbol is None or any(each.symbol == fault.symbol for each in positions)
    order = event.order
    return (
        fault.symbol in (None, order.symbol)
        and fault.side in (None, order.side)
        and order.client_id.startswith(fault.client_id_prefix)
        and (not fault.only_fills or event.fill is not None)
    )
