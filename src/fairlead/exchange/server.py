"""The exchange as a whole: connections in front of one matching engine and one store.

`Exchange.connection` makes an asyncio protocol; a TCP server or an in-memory pipe moves its bytes. All
messages that came together are one batch: handled, committed in one transaction, then answered. It
reads the clock it was given, starts no thread and uses of the loop only `call_later`, so it runs under
virtual time too.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import cast

import msgspec

from fairlead.exchange.clearing import Clearing
from fairlead.exchange.conduct import Conduct, Treatment
from fairlead.exchange.connection import Connection
from fairlead.exchange.faults import Fault, FaultError, FaultName, How
from fairlead.exchange.ledger import Event
from fairlead.exchange.matching import Matching
from fairlead.exchange.misbehavior import Active, Misbehavior
from fairlead.exchange.movement import Movement
from fairlead.exchange.orders import Account
from fairlead.exchange.participants import Participants
from fairlead.exchange.session import Desk, instruments_of
from fairlead.exchange.settings import Settings
from fairlead.exchange.store import open_store
from fairlead.exchange.store_file import FILE_NAME, StoreError
from fairlead.exchange.tape import Tape, Target
from fairlead.venues.sim_messages import (
    ClientMessage,
    ExchangeMessage,
    InstrumentsChanged,
    frame,
)

_DELAY_US_MAX = 24 * 3600 * 10**6  # a timer further off than this is set again on the way
_MOVES_MAX = 100  # times a market may act before waiting clients have their turn


class Exchange:
    """One simulated exchange.

    `now_ns` is its clock, `folder` where its store is (None: in memory only), `seed` that of the
    chance in faults, `identity`: see `open_file`. `participants` and a `tape` move its prices besides
    clients. Raises StoreError if the store cannot be used. `on_failure` is called once if it cannot be
    written later; by then every connection is closed, and the process should stop.
    """

    def __init__(
        self,
        settings: Settings,
        now_ns: Callable[[], int],
        folder: Path | None = None,
        seed: int = 0,
        participants: Participants | None = None,
        tape: Tape | None = None,
        identity: str | None = None,
    ) -> None:
        self.settings = settings
        self.now_ns = now_ns
        self.folder = folder
        self.matching = Matching(settings)
        self.store = open_store(None if folder is None else folder / FILE_NAME, identity)
        self.store.restore(self.matching)
        self.desk = Desk(self.matching, self.store, settings)
        self.clearing = Clearing(self.matching, settings.perpetuals)
        self.movement = Movement(self.matching, participants, tape, self.clearing.settle_positions)
        self.misbehavior = Misbehavior(Random(seed))
        self.on_failure: Callable[[StoreError], None] = _raise
        self.connections: dict[Connection, None] = {}
        self._conduct = Conduct(self)
        self._streams: dict[Account, dict[Connection, None]] = {}
        self._outbox: list[tuple[Connection, ExchangeMessage, Treatment | None]] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._wake: asyncio.TimerHandle | None = None
        self._due_ns: int | None = 0  # when time alone brings something, as of the last release
        self._is_closed = False

    def connection(self) -> asyncio.Protocol:
        """Make the protocol of one new connection."""
        return cast(asyncio.Protocol, Connection(self))

    def start(self) -> None:
        """Begin to move by itself: expiries, the market. Needs the running loop."""
        self.catch_up(self.now_ns())
        self.release()

    def close(self) -> None:
        """Close all connections and the store."""
        if self._is_closed:
            self.store.close()
            return
        self._is_closed = True
        for timer in (*self._timers, *((self._wake,) if self._wake else ())):
            timer.cancel()
        for connection in list(self.connections):
            connection.close()
        try:
            self.desk.commit()
        finally:
            self.store.close()

    # ── one batch: handle, commit, write ─────────────────────────────────────────────────────────

    def handle(self, connection: Connection, messages: list[ClientMessage]) -> None:
        """Carry out what one connection sent, and answer once it is stored."""
        now_ns = self.now_ns()
        self.catch_up(now_ns)
        for message in messages:
            if connection not in self.connections:
                break  # a fault closed it
            try:
                if self.misbehavior.is_active:
                    self._conduct.take(connection, message, now_ns)
                else:
                    self.say(connection, self.answer(connection, message, now_ns))
            except StoreError as error:
                self._fail(error)
                return
            if self.matching.events:
                self.collect_events()
        self.release()

    def catch_up(self, now_ns: int) -> None:
        """Let happen what time alone brings up to `now_ns`: expiries, the market's moves, funding."""
        if self._due_ns is None or now_ns < self._due_ns:
            return
        due_ns = self.matching.next_expiry_ns
        if due_ns is not None and due_ns <= now_ns:
            self.matching.expire(now_ns)
        for _ in range(_MOVES_MAX):
            due_ns = self.movement.next_time_ns()
            if due_ns is None or due_ns > now_ns:
                break
            self.movement.act(now_ns)
        self.clearing.settle(now_ns)
        if self.matching.events:
            self.collect_events()

    def answer(
        self, connection: Connection, message: ClientMessage, now_ns: int
    ) -> ExchangeMessage:
        """Carry out one message and return its answer; nothing is said yet."""
        session = connection.session
        known = session.account
        answer = session.answer(message, now_ns)
        account = session.account
        if account is not known and account is not None and connection in self.connections:
            self._streams.setdefault(account, {})[connection] = None
        self.clearing.settle_positions(now_ns)
        return answer

    def say(
        self,
        connection: Connection,
        message: ExchangeMessage,
        treatment: Treatment | None = None,
    ) -> None:
        """Have `message` written to the connection with the next release."""
        self._outbox.append((connection, message, treatment))

    def say_event(self, account: Account, event: Event) -> None:
        """Have an account event written to every connection that listens."""
        for connection in self._streams.get(account, ()):
            self._outbox.append((connection, event, None))

    def collect_events(self) -> None:
        """Move what accounts must hear from the matching engine to their connections."""
        events = self.matching.ledger.take_events()
        if self.misbehavior.is_active:
            now_ns = self.now_ns()
            for account, event in events:
                self._conduct.say_event(account, event, now_ns)
        else:
            for account, event in events:
                self.say_event(account, event)

    def release(self) -> None:
        """Commit what was done and only then write what there is to say about it."""
        if self._is_closed:
            return
        self.clearing.settle(self.now_ns())
        if self.matching.events:
            self.collect_events()
        try:
            self.desk.commit()
        except StoreError as error:
            self._fail(error)
            return
        outbox, self._outbox = self._outbox, []
        written: dict[Connection, None] = {}
        last: ExchangeMessage | None = None
        data = b""
        for connection, message, treatment in outbox:
            if message is not last:
                data, last = frame(message), message
            if treatment is None:
                connection.buffer(data)
            else:
                self._conduct.mistreat(connection, data, treatment)
            written[connection] = None
        for connection in written:
            connection.flush()
        self._arm()

    def _fail(self, error: StoreError) -> None:
        """Stop for good: memory is ahead of the store, and only a restart brings them together."""
        self._is_closed = True
        self._outbox.clear()
        for connection in list(self.connections):
            connection.close()
        self.on_failure(error)

    def later(self, delay_ms: int, act: Callable[[], None]) -> None:
        """Do `act` and release what comes of it, unless the exchange is closed by then."""

        def do() -> None:
            self._timers.discard(timer)
            self.catch_up(self.now_ns())
            act()
            self.release()

        timer = asyncio.get_running_loop().call_later(delay_ms / 1_000, do)
        self._timers.add(timer)

    def _arm(self) -> None:
        """Set the timer to what is due next by time alone."""
        expiry_ns, move_ns = self.matching.next_expiry_ns, self.movement.next_time_ns()
        due_ns = move_ns if expiry_ns is None else expiry_ns
        if expiry_ns is not None and move_ns is not None:
            due_ns = min(expiry_ns, move_ns)
        funding_ns = self.clearing.next_time_ns
        if funding_ns is not None and (due_ns is None or funding_ns < due_ns):
            due_ns = funding_ns
        if due_ns == self._due_ns or self._is_closed:
            return
        if self._wake is not None:
            self._wake.cancel()
        self._wake, self._due_ns = None, due_ns
        if due_ns is not None:
            # Rounded up to the microsecond: to wake too early would only mean to wake twice.
            delay_us = -(min(self.now_ns() - due_ns, 0) // 1_000)
            delay_s = min(delay_us, _DELAY_US_MAX) / 1_000_000
            self._wake = asyncio.get_running_loop().call_later(delay_s, self._on_wake)

    def _on_wake(self) -> None:
        self.catch_up(self.now_ns())
        self._wake, self._due_ns = None, 0  # to be set anew, also if the clock was set back
        self.release()

    # ── an operator's commands; each is released before it returns ───────────────────────────────

    def add_fault(self, fault: Fault) -> Active:
        """Begin to misbehave. Raises FaultError if the command makes no sense."""
        account = None if fault.account is None else self.matching.accounts.get(fault.account)
        if fault.account is not None and (account is None or account.is_house):
            raise FaultError("account", fault.account, "the public key of an account, or none")
        if fault.symbol is not None and fault.symbol not in self.matching.markets:
            known = ", ".join(self.matching.markets)
            raise FaultError("symbol", fault.symbol, f"one of {known}")
        accounts = list(self.matching.accounts.values()) if account is None else [account]
        active = self.misbehavior.add(fault, accounts, self.now_ns())
        if fault.name is FaultName.TICK_CHANGED:
            assert fault.symbol is not None
            assert fault.tick is not None
            self.misbehavior.remove(active.fault_id)
            self.set_tick(fault.symbol, fault.tick)
            active.times, active.left = 1, 0
        elif fault.how is How.NOW:
            self.misbehavior.remove(active.fault_id)
            for connection in list(self.connections):
                if account is None or connection.session.account is account:
                    connection.close()
            active.times, active.left = 1, 0
        return active

    def set_tick(self, symbol: str, tick: Decimal) -> None:
        """Change the price tick of a market and tell every connection."""
        market = self.matching.markets[symbol]
        self.matching.set_instrument(msgspec.structs.replace(market.instrument, price_tick=tick))
        instruments = instruments_of(self.matching)
        self.movement.change_instruments(instruments)
        changed = InstrumentsChanged(instruments)
        for streams in self._streams.values():
            for connection in streams:
                self.say(connection, changed)
        self.release()

    def adjust(self, account: Account, asset: str, change: Decimal) -> bool:
        """Add to what an account holds; False, and nothing changed, if its locks forbid it."""
        now_ns = self.now_ns()
        self.catch_up(now_ns)
        is_done = self.matching.ledger.adjust(account, asset, change, now_ns)
        self.release()
        return is_done

    def set_mark(self, symbol: str, price: Decimal | None) -> None:
        """Set the mark price of a perpetual, or with None let it follow the markets again."""
        self.clearing.set_mark(self.matching.markets[symbol], price)
        self.catch_up(self.now_ns())
        self.release()

    def set_leverage(self, account: Account, symbol: str, leverage: Decimal) -> Decimal | None:
        """Set an account's leverage; None, or what more would be locked and is not available."""
        now_ns = self.now_ns()
        self.catch_up(now_ns)
        missing = self.clearing.set_leverage(
            account, self.matching.markets[symbol], leverage, now_ns
        )
        self.release()
        return missing

    def pay_funding(self, symbol: str, rate: Decimal | None) -> Decimal:
        """Pay funding now, besides the intervals; return the rate, that of now if None was given."""
        now_ns = self.now_ns()
        self.catch_up(now_ns)
        market = self.matching.markets[symbol]
        if rate is None:
            rate = self.clearing.rate(market)
        self.clearing.pay_funding(market, rate, now_ns)
        self.release()
        return rate

    def switch_participants(self, is_on: bool) -> None:
        """Let the participants act, or stop them and take their orders away."""
        now_ns = self.now_ns()
        self.catch_up(now_ns)
        self.movement.switch_participants(is_on, now_ns)
        self.release()

    def advance_tape(self, target: Target, count_max: int) -> bool:
        """Carry out at most `count_max` events of a stepped tape and release them; True at the target."""
        now_ns = self.now_ns()
        self.catch_up(now_ns)
        is_there = self.movement.advance_tape(target, count_max, now_ns)
        self.release()
        return is_there

    # ── connections ──────────────────────────────────────────────────────────────────────────────

    def opened(self, connection: Connection) -> bool:
        """Take up a new connection; False if there are too many."""
        if self._is_closed or len(self.connections) >= self.settings.connections_max:
            return False
        self.connections[connection] = None
        return True

    def closed(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self.connections.pop(connection, None)
        account = connection.session.account
        if account is not None:
            streams = self._streams.get(account, {})
            streams.pop(connection, None)
            if not streams:
                self._streams.pop(account, None)


def _raise(error: StoreError) -> None:
    raise error
