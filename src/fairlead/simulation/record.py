"""What is on a world's disk: all reports, and the orders that they make, read by a connection of its own.

Tells the laws what has become durable, at each reading. Must never believe what the system says of itself.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from fairlead.core.model import Order, Origin, Stage
from fairlead.core.order import IllegalChange, apply
from fairlead.core.reports import (
    AccountReport,
    AlarmReport,
    BalanceReport,
    Cause,
    OrderReport,
    PositionReport,
    Report,
)
from fairlead.simulation.disk import Observer
from fairlead.simulation.law import Law

if TYPE_CHECKING:
    from fairlead.simulation.laws import Laws


class Record:
    """All that is on the disk: the reports, and the orders they make."""

    def __init__(self, laws: "Laws") -> None:
        self._laws = laws
        self._observer: Observer | None = None
        self._forget()

    def _forget(self) -> None:
        self.reports: dict[str, list[Report]] = {}
        self.orders: dict[int, Order] = {}
        self.venue_numbers: dict[tuple[str, str], int] = {}
        self.exchange_numbers: dict[tuple[str, str], int] = {}
        self.cancels_wanted: dict[int, None] = {}
        self.resolved: dict[int, None] = {}
        self.away: set[str] = set()  # accounts that have gone, durably

    def reopen(self, folder: Path) -> None:
        """Read another disk from its beginning."""
        self.close()
        self._forget()
        self._observer = Observer(folder)
        self._read(is_new=False)

    def refresh(self) -> None:
        """Read what was added."""
        self._read(is_new=True)

    def close(self) -> None:
        """Read no more."""
        if self._observer is not None:
            self._observer.close()
            self._observer = None

    def is_loaded(self, account: str) -> bool:
        """Whether the account's balances were ever heard."""
        return any(isinstance(report, BalanceReport) for report in self.reports.get(account, ()))

    def _read(self, *, is_new: bool) -> None:
        assert self._observer is not None
        for reports in self._observer.new_reports():
            for report in reports:
                self._add(report, is_new=is_new)

    def _add(self, report: Report, *, is_new: bool) -> None:
        kept = self.reports.setdefault(report.account, [])
        if report.sequence != len(kept) + 1:
            text = f"{report.account}: report {report.sequence} where {len(kept) + 1} was due"
            self._laws.breaks(Law.DENSE, text)
        kept.append(report)
        if isinstance(report, OrderReport):
            self._add_order(report, is_new=is_new)
        elif isinstance(report, AlarmReport) and is_new:
            self._laws.alarm(report)
        elif isinstance(report, AccountReport) and report.is_here is not None:
            if report.is_here:
                self.away.discard(report.account)
            else:
                self.away.add(report.account)
        elif isinstance(report, BalanceReport) and is_new:
            self._laws.balance(report)
        elif isinstance(report, PositionReport) and is_new:
            self._laws.position(report)

    def _add_order(self, report: OrderReport, *, is_new: bool) -> None:
        before = self.orders.get(report.number)
        try:
            after = self.orders[report.number] = apply(before, report)
        except IllegalChange as error:
            self._laws.breaks(Law.VIEW, str(error))
            return
        if before is None:
            self.venue_numbers[after.account, after.venue_client_id] = after.number
            if is_new:
                self._laws.opened(after)
        elif is_new:
            self._look_at_change(before, after)
            is_withdrawn = report.cause is Cause.CANCELED and before.stage is Stage.RECEIVED
            if is_withdrawn or report.cause is Cause.CANCEL_REQUESTED:
                self._laws.cancelling(before, after)
        if after.exchange_order_id is not None:
            self.exchange_numbers[after.account, after.exchange_order_id] = after.number
        if report.cause is Cause.CANCEL_REQUESTED:
            self.cancels_wanted[report.number] = None
        elif report.cause is Cause.RESOLVED:
            self.resolved[report.number] = None
            if self._laws.is_operator_fallible:
                self._laws.is_revival_allowed = True
        if is_new:
            self._laws.count(report.cause.value)

    def _look_at_change(self, before: Order, after: Order) -> None:
        is_late_fill = after.stage is Stage.FILLED and before.stage is not Stage.FILLED
        is_revived = before.stage is Stage.REJECTED
        if before.stage.is_final and after.stage is not before.stage:
            if not (is_late_fill or is_revived):
                text = f"order {after.client_order_id} was {before.stage} and is {after.stage}"
                self._laws.breaks(Law.VIEW, text)
            self._laws.count("left a final stage")
        if after.quantity_filled < before.quantity_filled:
            text = f"order {after.client_order_id}: filled fell to {after.quantity_filled}"
            self._laws.breaks(Law.VIEW, text)
        if after.quantity_filled > after.quantity:
            text = f"order {after.client_order_id}: {after.quantity_filled} of {after.quantity}"
            self._laws.breaks(Law.FILLS, text)
        if after.origin is Origin.CLIENT and before.exchange_order_id not in (
            None,
            after.exchange_order_id,
        ):
            text = f"order {after.client_order_id} changed its exchange id"
            self._laws.breaks(Law.SENT_ONCE, text)
