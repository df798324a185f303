"""The client for ordinary code: each call waits for its answer.

Connections are kept and used again. Nothing that may change anything is ever sent twice.
"""

import http.client
import select
import time
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

from fairlead.client import calls, shapes
from fairlead.client.address import Address, words
from fairlead.client.answer import Answer, OnAnswer, answer_of
from fairlead.client.errors import ClientError, Unreachable
from fairlead.client.paging import PAGE_ORDERS, TIME_FIRST, TIME_LAST, HistoryPages
from fairlead.client.settings import Settings
from fairlead.client.waiting import (
    Ask,
    Conversation,
    Heard,
    Pause,
    place_and_wait,
    wait_until_final,
)
from fairlead.core.model import AccountMode

Result = TypeVar("Result")


class Client:
    """One running system. May be used by several threads at once; `close` it, or use `with`.

    Every call raises Unreachable when the system is not reached; one that changes something raises
    OutcomeUnknown when it was sent and no answer came; Refused is the system's own word.
    """

    def __init__(
        self, url: str, settings: Settings | None = None, on_answer: OnAnswer | None = None
    ) -> None:
        """`on_answer` hears every answer as it came.

        Raises ValueError if `url` is neither `http://HOST:PORT` nor `https://HOST:PORT`, and what
        `Settings.tls` raises.
        """
        self.address = Address.of(url)
        self._on_answer = on_answer
        self.settings = settings or Settings()
        self._tls = self.settings.tls(is_secure=self.address.is_secure)
        self._idle: list[tuple[http.client.HTTPConnection, float]] = []

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept."""
        while self._idle:
            self._idle.pop()[0].close()

    # ── one call ─────────────────────────────────────────────────────────────────────────────────

    def run(self, call: calls.Call[Result], timeout_s: float | None = None) -> Result:
        """Make any call of `fairlead.client.calls` and return what was answered. Raises ClientError."""
        return calls.result(call, self.ask(call, timeout_s))

    def ask(self, call: calls.Call[Any], timeout_s: float | None = None) -> Answer:
        """Send `call` once and return the answer as it came, also a refusal.

        `timeout_s` is how long the system may be silent. Raises Unreachable, OutcomeUnknown.
        """
        answer = self._ask(call, self.settings.timeout_s if timeout_s is None else timeout_s)
        if self._on_answer is not None:
            self._on_answer(answer)
        return answer

    def _ask(self, call: calls.Call[Any], timeout_s: float) -> Answer:
        kept = self._take()
        if kept is not None:
            try:
                return self._exchange(kept, call, timeout_s)
            except (OSError, http.client.HTTPException) as error:
                if call.changes or isinstance(error, TimeoutError):
                    raise calls.unanswered(call, words(error)) from error
        connection = self._connect()
        try:
            return self._exchange(connection, call, timeout_s)
        except (OSError, http.client.HTTPException) as error:
            raise calls.unanswered(call, words(error)) from error

    def _exchange(
        self, connection: http.client.HTTPConnection, call: calls.Call[Any], timeout_s: float
    ) -> Answer:
        headers = self.settings.headers(call.method, self.address.authority, call.path, call.body)
        is_kept = False
        try:
            connection.sock.settimeout(timeout_s)
            connection.request(call.method, call.path, call.body, headers)
            response = connection.getresponse()
            body = response.read()
            is_kept = not response.will_close
        finally:
            if not is_kept:
                connection.close()
        if is_kept:
            self._idle.append((connection, time.monotonic()))
        return answer_of(
            response.status,
            body,
            response.headers.get("x-fairlead-after"),
            response.headers.get("retry-after"),
        )

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self.address.host, self.address.port
        timeout_s = self.settings.connect_timeout_s
        connection: http.client.HTTPConnection
        if self._tls is None:
            connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
        else:
            connection = http.client.HTTPSConnection(
                host, port, timeout=timeout_s, context=self._tls
            )
        try:
            connection.connect()
        except OSError as error:
            raise Unreachable(
                f"no system answers at {self.address.url} ({words(error)})"
            ) from error
        return connection

    def _take(self) -> http.client.HTTPConnection | None:
        """Return a kept connection that the other side has not closed."""
        while True:
            try:
                connection, used_s = self._idle.pop()
            except IndexError:
                return None
            is_old = time.monotonic() - used_s > self.settings.idle_s
            if not is_old and connection.sock is not None and not _is_readable(connection):
                return connection
            connection.close()

    # ── orders ───────────────────────────────────────────────────────────────────────────────────

    def place(self, order: shapes.NewOrder) -> shapes.OrderReport:
        """Place `order` and return its report, at ROUTED or later, or REJECTED with `error_message`.

        The same order again, with the same client order id, is placed once. Raises Invalid, Conflict,
        Unavailable; OutcomeUnknown when it may have been placed, also when it is in doubt.
        """
        return self.run(calls.place(order))

    def place_and_wait(self, order: shapes.NewOrder, wait_s: float = 30.0) -> shapes.OrderReport:
        """Place `order` once and, when no answer comes, ask until it is known what became of it.

        Raises NotDone when it was certainly not placed, OutcomeUnknown with the last report when it
        is still not known after `wait_s`.
        """
        return self._hold(place_and_wait(order, wait_s, time.monotonic()))

    def wait_until_final(
        self, client_order_id: str, exchange_id: str | None = None, wait_s: float | None = None
    ) -> shapes.OrderReport:
        """Return the order's report once it is FILLED, CANCELED or REJECTED and nothing in doubt.

        Raises NotYet after `wait_s` (None: however long it takes), NotFound.
        """
        return self._hold(wait_until_final(client_order_id, exchange_id, wait_s, time.monotonic()))

    def status(self, client_order_id: str, exchange_id: str | None = None) -> shapes.OrderReport:
        """Return the order's report, open or not; the newest where several accounts have the id.

        Raises NotFound.
        """
        return self.run(calls.status(client_order_id, exchange_id))

    def check(self, order: shapes.NewOrder) -> shapes.Checks:
        """Return what every check says of `order` now, in the order a real one's are made.

        Nothing is stored or sent, and the client order id is not used up.
        """
        return self.run(calls.check(order))

    def story(self, client_order_id: str, exchange_id: str | None = None) -> shapes.Story:
        """Return the order and every report about it, with the time each took.

        Raises NotFound.
        """
        return self.run(calls.story(client_order_id, exchange_id))

    def open_orders(self, exchange_id: str | None = None) -> Iterator[shapes.OrderReport]:
        """Yield the orders that are not final, of one account or of all."""
        yield from self.run(calls.open_orders(exchange_id))

    def history(
        self,
        time_start: datetime | str = TIME_FIRST,
        time_end: datetime | str = TIME_LAST,
        exchange_id: str | None = None,
        page_orders: int = PAGE_ORDERS,
    ) -> Iterator[shapes.HistoryOrder]:
        """Yield the orders that changed from start up to end, once each, a page in memory at a time.

        Raises Invalid.
        """
        pages = HistoryPages(time_start, time_end, exchange_id, page_orders)
        while (call := pages.next_call) is not None:
            yield from pages.take(self.run(call))

    def cancel(
        self,
        exchange_id: str,
        client_order_id: str | None = None,
        exchange_order_id: str | None = None,
    ) -> shapes.OrderReport:
        """Have one order cancelled, by one of its ids; return its last report.

        A cancel may be repeated without harm. Raises NotFound, Invalid, Unavailable, OutcomeUnknown.
        """
        return self.run(calls.cancel(exchange_id, client_order_id, exchange_order_id))

    def cancel_all(self, exchange_id: str) -> shapes.CancelAll:
        """Have every order of the account cancelled that is not final.

        Raises Unavailable, OutcomeUnknown.
        """
        return self.run(calls.cancel_all(exchange_id))

    # ── accounts ─────────────────────────────────────────────────────────────────────────────────

    def balances(self, exchange_id: str | None = None) -> tuple[shapes.Balances, ...]:
        """Return what one account, or each, has. Raises Unavailable for one never loaded."""
        return self.run(calls.balances(exchange_id))

    def positions(self, exchange_id: str | None = None) -> tuple[shapes.Positions, ...]:
        """Return the positions of one account, or of each. Raises Unavailable for one never loaded."""
        return self.run(calls.positions(exchange_id))

    def instruments(self, exchange_id: str | None = None) -> tuple[shapes.Instruments, ...]:
        """Return the markets and their rules. Raises Unavailable for an account never loaded."""
        return self.run(calls.instruments(exchange_id))

    def accounts(self, exchange_id: str | None = None) -> tuple[shapes.Account, ...]:
        """Return the accounts' modes and connections. Raises Unavailable for an unknown one."""
        return self.run(calls.accounts(exchange_id))

    def reconciliation(self, exchange_id: str | None = None) -> tuple[shapes.Reconciliation, ...]:
        """Return through which trade each account is reconciled, its last sweep, and its drifts.

        Raises Unavailable for an unknown account.
        """
        return self.run(calls.reconciliation(exchange_id))

    # ── operating ────────────────────────────────────────────────────────────────────────────────

    def attention(self, exchange_id: str | None = None) -> tuple[shapes.Attention, ...]:
        """Return the orders that an operator should look at, and why."""
        return self.run(calls.attention(exchange_id))

    def resolve(
        self, exchange_id: str, client_order_id: str, resolution: shapes.Resolution
    ) -> shapes.OrderReport:
        """Declare what became of an order, having looked at the exchange.

        Raises NotFound, Invalid when it cannot be declared so, OutcomeUnknown.
        """
        return self.run(calls.resolve(exchange_id, client_order_id, resolution))

    def set_mode(self, exchange_id: str, mode: AccountMode) -> shapes.Mode:
        """Make an account active, reducing or halted. Raises Unavailable, OutcomeUnknown."""
        return self.run(calls.set_mode(exchange_id, mode))

    # ── health ───────────────────────────────────────────────────────────────────────────────────

    def live(self) -> None:
        """Return if the system answers at all."""
        self.run(calls.live())

    def ready(self) -> shapes.Health:
        """Return whether the system is ready, and what it says of its journal and accounts."""
        return self.run(calls.ready())

    def metrics(self) -> str:
        """Return the metrics in Prometheus' text format."""
        return self.run(calls.metrics())

    # ── several calls ────────────────────────────────────────────────────────────────────────────

    def _hold(self, conversation: Conversation[Result]) -> Result:
        """Make the steps of a conversation until it ends."""
        try:
            step = next(conversation)
            while True:
                step = conversation.send(self._step(step))
        except StopIteration as end:
            ended: Result = end.value
            return ended

    def _step(self, step: Ask | Pause) -> Heard:
        if isinstance(step, Pause):
            time.sleep(step.duration_s)
            return Heard(time.monotonic())
        try:
            report = self.run(step.call, self.settings.at_most(step.timeout_s))
        except ClientError as error:
            return Heard(time.monotonic(), error=error)
        return Heard(time.monotonic(), report)


def _is_readable(connection: http.client.HTTPConnection) -> bool:
    """Whether an idle connection has something to say, which can only be that it has ended."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))
