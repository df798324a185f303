"""A conversation in which the account is swept as in production; the exchange answers what it asks."""

from fairlead.core.timing import TimerDue, TimerKind
from fairlead.core.venue_messages import (
    VenueBalances,
    VenueConnected,
    VenueFill,
    VenueFillsListed,
    VenueFillsSince,
    VenueInstruments,
    VenueInstrumentsListed,
    VenueOpenOrders,
    VenueOpenOrdersListed,
    VenueOrder,
    VenueReport,
    VenueRequest,
)
from fairlead.edge.reconcile import Reconciler, ReconcileSettings
from fairlead.edge.timers import Timers
from tests.core.conversation import Conversation
from tests.core.words import BTC_USDT, ETH_BTC


class Reconciling(Conversation):
    """`reconciler` sweeps the account SIM."""

    reconciler: Reconciler | None = None

    def __init__(
        self,
        *arguments: object,
        sweeping: ReconcileSettings = ReconcileSettings(tickers_ms=0),  # noqa: B008 - frozen
        **changes: object,
    ) -> None:
        super().__init__(*arguments, **changes)
        self.reconciler = Reconciler("SIM", self.engine, sweeping)

    # ── the exchange ─────────────────────────────────────────────────────────────────────────────

    def appears(self) -> None:
        """Connect, and leave it to the test to answer the sweep."""
        self.hear(VenueConnected(account="SIM", abilities=self.abilities))

    def lists_instruments(self) -> None:
        request = self.next_sent(VenueInstruments)
        with self.together():
            self.hear(
                VenueInstrumentsListed(
                    account="SIM", request_id=request.request_id, instruments=(BTC_USDT, ETH_BTC)
                )
            )
            self.accepts(request)

    def lists_open(self, *orders: VenueOrder) -> None:
        request = self.next_sent(VenueOpenOrders)
        with self.together():
            self.hear(
                VenueOpenOrdersListed(account="SIM", request_id=request.request_id, orders=orders)
            )
            self.accepts(request)

    def lists_fills(self, cursor: str, *fills: VenueFill, is_last: bool = True) -> VenueFillsSince:
        request = self.next_sent(VenueFillsSince)
        with self.together():
            self.hear(
                VenueFillsListed(
                    account="SIM",
                    request_id=request.request_id,
                    fills=fills,
                    cursor=cursor,
                    is_last=is_last,
                )
            )
            self.accepts(request)
        return request

    def states_all_balances(self, *, ordinal: int = 0, **totals: str) -> None:
        request = self.next_sent(VenueBalances)
        with self.together():
            totals = totals or {"USDT": "100000", "BTC": "1000"}
            self.states_balances(ordinal=ordinal, **totals)
            self.accepts(request)

    def sweeps_quietly(self, *open_orders: VenueOrder, cursor: str = "c1") -> None:
        """Answer a whole sweep in which nothing is new."""
        self.lists_instruments()
        self.lists_open(*open_orders)
        self.lists_fills(cursor)
        self.states_all_balances()

    # ── as the sequencer does ────────────────────────────────────────────────────────────────────

    def _heard(self, news: VenueReport) -> None:
        if self.reconciler is not None:
            self.reconciler.heard(news, self.now)

    def _swept(self, accounts: set[str]) -> list[VenueRequest]:
        super()._swept(accounts)
        if self.reconciler is None:
            return []
        if accounts:
            self.reconciler.want(self.now)
        timers = Timers()
        self.reconciler.arm(timers)
        if self.reconciler.due_ns is not None and len(timers):
            timer = TimerDue(account="SIM", kind=TimerKind.SWEEP)
            self.set_timer(self.reconciler.due_ns, timer)
        return self.reconciler.take_requests()

    def _time(self, timer: TimerDue) -> None:
        if timer.kind is TimerKind.SWEEP:
            assert self.reconciler is not None
            self.reconciler.due(self.now)
        else:
            super()._time(timer)
