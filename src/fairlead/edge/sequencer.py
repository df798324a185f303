"""Take, recall, decide, write, sync, release: the one order of events of a process that hosts accounts.

Everything that can change an order enters through the inbox and leaves through the release. Nothing
is released before the unit that caused it is durable; if a commit fails the process must stop, for
memory is then ahead of disk. While the disk writes, what will leave is made ready.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import assert_never

from fairlead.core.deciding import Effects, Now
from fairlead.core.engine import Engine
from fairlead.core.model import Order
from fairlead.core.port import Prepare
from fairlead.core.replies import Refusal, Refused, Reply
from fairlead.core.reports import Report
from fairlead.core.requests import EndSession, Request
from fairlead.core.timing import TimerDue, TimerKind
from fairlead.core.unit import nothing_wanted
from fairlead.core.venue_messages import (
    VenueAnswer,
    VenueDisconnected,
    VenuePlace,
    VenueReport,
    VenueRequest,
)
from fairlead.edge.clock import Clock
from fairlead.edge.committer import Committer
from fairlead.edge.intake import Change, Coming, Going, Intake, Message, Relined, Submitted
from fairlead.edge.limits import Limits
from fairlead.edge.line import Line, not_sent
from fairlead.edge.metrics import EdgeMetrics
from fairlead.edge.observing import Observer
from fairlead.edge.reconcile import ORDER_NEWS
from fairlead.edge.timers import Timers
from fairlead.edge.waiting import Waiting
from fairlead.journal.journal import Journal

_TELLING_TURNS = 4  # of the loop, in which those who are told of reports write them to sockets

Listener = Callable[[Sequence[tuple[Report, Order | None]]], bool | None]
"""Hears what is released; returns whether somebody is told of it in the loop's next turns."""


class Sequencer:
    """The pump. Call `start` once the links exist; `on_fatal` is told why the process must stop."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        clock: Clock,
        on_fatal: Callable[[BaseException], None],
        limits: Limits,
        syncs: Executor | None = None,
        saw: Callable[[int], None] | None = None,
    ) -> None:
        """`syncs`: one thread that waits for a slow disk while the loop goes on; None: all inline.

        `saw` is told how many orders a batch changes, before its commit.
        """
        self.metrics = EdgeMetrics()
        self.timers = Timers()
        self._observer = Observer(self.metrics)
        self._engine = engine
        self._journal = journal
        self._clock = clock
        self._on_fatal = on_fatal
        self._limits = limits
        self._saw = saw
        self._committer = Committer(journal, clock, limits, self.metrics.commit, syncs, self._fail)
        self._is_missed = False
        self._lines: dict[str, Line] = {}
        self._intake = Intake(limits)
        self._unseen: tuple[Effects, Now] | None = None  # the batch that is out, and since when
        self._rest_turns = 0  # of the loop, until the rest of it is done
        self._waiting = Waiting(self.metrics.hops["answer"].add)
        self._scheduled_ns: int | None = None
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at_ns = 0
        self._is_alone = True  # the last order decided about was the only one of its batch
        self._listeners: list[Listener] = []
        self._failure: BaseException | None = None
        self._loop = asyncio.get_running_loop()

    # ── the door in ──────────────────────────────────────────────────────────────────────────────

    def start(self, lines: Mapping[str, Line]) -> None:
        """Take up what was under way; the first batch is the restart itself."""
        self._lines = dict(lines)
        now = self._clock.now()
        try:
            self._engine.restart(now)
            self._finish_batch(now)
        except Exception as error:  # noqa: BLE001 - see _fail
            self._fail(error)
        self._catch_up()

    def submit(self, request: Request, prepare: Prepare | None = None) -> "asyncio.Future[Reply]":
        """Put a request into the inbox; the future is its durable answer.

        `prepare`: see `EdgePort.submit`. The future raises ConnectionError when the process stops first.
        """
        future: asyncio.Future[Reply] = self._loop.create_future()
        if self._failure is not None:
            future.set_exception(ConnectionError(f"the edge has stopped: {self._failure}"))
        elif self.inbox_size >= self._limits.inbox_most and type(request) is not EndSession:
            text = f"{self.inbox_size} requests are waiting; send again in a second"
            future.set_result(Refused(Refusal.OVERLOADED, text))
        else:
            now_ns = self._clock.now().steady_ns
            token = self._waiting.add(future, now_ns, prepare)
            self._intake.waiting.append(Submitted(request, token))
            self._schedule(now_ns)
        return future

    def hear(self, reports: Iterable[VenueReport]) -> None:
        """Put what an exchange said into the inbox."""
        self._intake.hear(reports)
        self._schedule()

    def come(self, account: str, line: Line) -> None:
        """Have an account taken up, new or back, behind all that waits; start its link afterwards."""
        self._change(Coming(account, line))

    def go(self, account: str) -> None:
        """Let an account go, behind all that waits; its link must have been closed."""
        self._change(Going(account))

    def reline(self, account: str, line: Line) -> None:
        """Give an account another line, behind all that waits; the link of the old one must be closed."""
        self._change(Relined(account, line))

    def is_unsettled(self, account: str) -> bool:
        """Return whether something is owed to an order of the account, or durably still is."""
        unit = self._committer.unit
        return self._engine.is_unsettled(account) or (
            unit is not None and any(order.account == account for order in unit.orders.values())
        )

    def listen(self, listener: Listener) -> None:
        """Have `listener` called with every durable (report, order as of it), in order; see `Listener`."""
        self._listeners.append(listener)

    @property
    def lines(self) -> Mapping[str, Line]:
        """Return what the accounts that are here have of their own."""
        return self._lines

    @property
    def inbox_size(self) -> int:
        """Return how many messages wait."""
        return len(self._intake.waiting)

    @property
    def is_idle(self) -> bool:
        """Return whether nothing waits to be decided, or to become durable."""
        return not self._intake.waiting and self._committer.unit is None

    async def synced(self) -> None:
        """Return when what is written now is durable; readers see it before. Raises ConnectionError."""
        await self._committer.synced()

    def now(self) -> Now:
        """Return the moment."""
        return self._clock.now()

    @property
    def failure(self) -> BaseException | None:
        """Why the pump stopped, None while it runs."""
        return self._failure

    def stop(self, cause: BaseException) -> None:
        """Stop deciding; everybody who still waits is told."""
        if self._failure is not None:
            return
        self._failure = cause
        self._unseen = None
        if self._wake is not None:
            self._wake.cancel()
        error = ConnectionError(f"the edge has stopped: {cause}")
        self._waiting.fail(error)
        self._committer.stop(error)

    def _change(self, change: Change) -> None:
        self._intake.change(change)
        self._schedule()

    # ── the pump ─────────────────────────────────────────────────────────────────────────────────

    def _schedule(self, now_ns: int | None = None) -> None:
        if self._scheduled_ns is None and self._failure is None:
            self._scheduled_ns = self._clock.now().steady_ns if now_ns is None else now_ns
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._do_rest()
        if self._failure is not None:
            return
        if self._committer.unit is not None:
            self._scheduled_ns = None
            self._is_missed = True
            return
        if self._intake.is_filling(is_alone=self._is_alone):
            self._loop.call_soon(self._pump)
            return
        now = self._clock.now()
        if self._scheduled_ns is not None:
            self.metrics.loop_lag.add(now.steady_ns - self._scheduled_ns)
            self._scheduled_ns = None
        try:
            self._engine.begin(now)
            self._decide(self._intake.take(), now)
            self._finish_batch(now)
        except Exception as error:  # noqa: BLE001 - see _fail
            self._fail(error)

    def _catch_up(self) -> None:
        """Do what nobody waits for, behind what the last batch lets out; then go on."""
        if self._rest_turns and self._unseen is not None:
            self._rest_turns -= 1
            self._loop.call_soon(self._catch_up)
            return
        self._do_rest()
        self._go_on()

    def _go_on(self) -> None:
        """Have the pump run again when there is something for it."""
        if self._committer.unit is not None:
            return
        if self._intake.waiting or self._is_missed:
            self._is_missed = False
            self._schedule()
        self._schedule_wake()

    def _fail(self, error: Exception) -> None:
        """Stop: whatever goes wrong in a batch, memory and disk may disagree."""
        self.stop(error)
        self._on_fatal(error)

    def _finish_batch(self, now: Now) -> None:
        """Commit what was decided, and let it out."""
        requests = self._requests(now)
        effects = self._engine.finish()
        decided_ns = self._clock.now().steady_ns
        self.metrics.batches += 1
        self.metrics.decide.add(decided_ns - now.steady_ns)
        orders = len(effects.unit.orders)
        if orders:
            self._is_alone = orders == 1
            if self._saw is not None:
                self._saw(orders)
        self._commit(effects, requests)

    def _decide(self, batch: list[Message] | Change, now: Now) -> None:
        if isinstance(batch, list):
            self._recall(batch)
            self.metrics.batch_messages += len(batch)
            for message in batch:
                if isinstance(message, Submitted):
                    self._engine.request(message.request, message.token)
                else:
                    self._hear(message, now)
        else:
            self._change_accounts(batch)
        for due in self.timers.take_due(now):
            if due.kind is not TimerKind.SWEEP:
                self._engine.timer(due)
            elif due.account in self._lines:
                self._lines[due.account].reconciler.due(now)

    def _recall(self, batch: list[Message]) -> None:
        wanted = nothing_wanted()
        for message in batch:
            named = message.request if isinstance(message, Submitted) else message
            self._engine.wants(named, wanted)
        if wanted:
            self._engine.remember(self._journal.recall(wanted))

    def _change_accounts(self, change: Change) -> None:
        match change:
            case Coming(account, line):
                self._engine.come(account)
                self._lines[account] = line
            case Going(account):
                self._engine.go(account)
                del self._lines[account]
            case Relined(account, line):
                waiting = self._lines[account].budget.clear()
                self._lines[account] = line
                self.hear(not_sent(request, "the login was renewed") for request in waiting)
            case _:
                assert_never(change)

    def _hear(self, news: VenueReport, now: Now) -> None:
        line = self._lines.get(news.account)
        if line is None:
            return  # of an account that has gone: its link had nothing more to say but "not sent"
        if isinstance(news, VenueAnswer) and news.retry_after_ms is not None:
            line.budget.refused(now.steady_ns, news.retry_after_ms)
            if line.reconciler.awaits(news.request_id):
                # Nothing was done, and a sweep that began anew would ask as much again: never ending
                # where an account has more open orders than the exchange takes questions at once.
                self._queue(news.request)
                return
        self._engine.hear(news)
        if type(news) in ORDER_NEWS:
            return
        line.reconciler.heard(news, now)
        account = self._engine.account(news.account)
        if account.trouble != line.trouble:
            line.trouble = account.trouble
            self._observer.see_standing(account)
        if isinstance(news, VenueDisconnected):
            self.hear(not_sent(request, "disconnected") for request in line.budget.clear())

    def _requests(self, now: Now) -> dict[str, list[VenueRequest]]:
        """Return, by account, what may be sent once this batch is durable."""
        self._engine.ask_open_questions()
        for account in self._engine.take_sweeps():
            if account in self._lines:  # else it has gone
                self._lines[account].reconciler.want(now)
        for request in self._engine.take_requests():
            self._queue(request)
        granted: dict[str, list[VenueRequest]] = {}
        for account, line in self._lines.items():
            if line.reconciler.requests:
                for request in line.reconciler.take_requests():
                    self._queue(request)
            if not line.budget.waiting:
                continue
            sendable = line.budget.take(now.steady_ns, self._hand_over)
            if sendable:
                granted[account] = sendable
        return granted

    def _hand_over(self, request: VenueRequest) -> bool:
        return not isinstance(request, VenuePlace) or self._engine.hand_over(request)

    def _queue(self, request: VenueRequest) -> None:
        if not self._lines[request.account].budget.add(request):
            self.hear([not_sent(request, "too many requests are waiting")])

    def _commit(self, effects: Effects, requests: dict[str, list[VenueRequest]]) -> None:
        unit = effects.unit
        make_ready = partial(self._make_ready, effects, requests)
        release = partial(self._release, effects, requests)
        if unit.reports or unit.accounts:
            self._committer.commit(unit, make_ready, release)
        else:
            self._set_timers(effects)
            release()

    def _make_ready(
        self, effects: Effects, requests: dict[str, list[VenueRequest]], is_next: bool
    ) -> None:
        """Do what need not wait for the disk; requests only when nothing happens before they leave."""
        self._set_timers(effects)
        self._waiting.prepare(effects.answers)
        if is_next:
            for account, sendable in requests.items():
                self._lines[account].link.prepare(sendable)

    def _set_timers(self, effects: Effects) -> None:
        for due_ns, timer in effects.timers:
            self.timers.add(due_ns, timer)
        for due_utc_ns, timer in effects.wall_timers:
            self.timers.add_wall(due_utc_ns, timer)
        for line in self._lines.values():
            if line.reconciler.due_ns != line.reconciler.armed_ns:
                line.reconciler.arm(self.timers)

    def _release(self, effects: Effects, requests: dict[str, list[VenueRequest]]) -> None:
        """Let out what the batch caused, durable now; requests take longest, so first.

        What nobody waits for is for later: the answers leave in the loop's next steps, before it.
        """
        now = self._clock.now()
        for account, sendable in requests.items():
            self._engine.sent(sendable, now)
            self._lines[account].link.send_many(sendable)
        self._waiting.answer(effects.answers, now.steady_ns)
        if effects.released:
            told = [listener(effects.released) for listener in self._listeners]
            self._rest_turns = _TELLING_TURNS if any(told) else 0
        self._unseen = (effects, now)
        self._loop.call_soon(self._catch_up)

    def _do_rest(self) -> None:
        """Do what is left of the last batch, if something is; before anything else is decided."""
        unseen, self._unseen = self._unseen, None
        if unseen is not None and self._failure is None:
            try:
                self._finish_rest(*unseen)
            except Exception as error:  # noqa: BLE001 - see _fail
                self._fail(error)

    def _finish_rest(self, effects: Effects, now: Now) -> None:
        self.timers.prune(self._is_awaited)
        if effects.released:
            self._observer.see(effects.released, now)
        self._journal.tidy_if_due()

    def _is_awaited(self, due: TimerDue) -> bool:
        return due.kind is TimerKind.SWEEP or self._engine.order(due.number) is not None

    # ── time ─────────────────────────────────────────────────────────────────────────────────────

    def _schedule_wake(self) -> None:
        """Have the pump run when the next timer is due or a waiting request may be sent."""
        if self._failure is not None:
            return
        now = self._clock.now()
        wait_ns = self.timers.wait_ns(now, self._is_awaited)
        for line in self._lines.values():
            if line.budget.waiting:
                budget_ns = line.budget.wait_ns(now.steady_ns)
                if budget_ns is not None and (wait_ns is None or budget_ns < wait_ns):
                    wait_ns = budget_ns
        if wait_ns is None:
            return
        wait_ns = max(wait_ns, self._limits.wake_least_us * 1_000)
        at_ns = now.steady_ns + wait_ns
        if self._wake is not None:
            if self._wake_at_ns <= at_ns:
                return
            self._wake.cancel()
        self._wake_at_ns = at_ns
        self._wake = self._loop.call_later(wait_ns / 1e9, self._woken)

    def _woken(self) -> None:
        self._wake = None
        self._schedule()
