"""Counts and logs what was released: for people and for Prometheus, never for deciding.

Every change of an order is a log event with the order's ids at level debug; the ones a person should
see are at info, alarms at warning. So is what keeps an account from its exchange.
"""

import logging
from collections.abc import Sequence

import structlog

from fairlead.core.account import RECONCILING, Account
from fairlead.core.deciding import Now
from fairlead.core.model import Order
from fairlead.core.reports import AlarmReport, Cause, OrderReport, Report
from fairlead.edge.metrics import EdgeMetrics

_FOR_PEOPLE = frozenset({
    Cause.REJECTED, Cause.IN_DOUBT, Cause.DOUBT_ENDED, Cause.ADOPTED, Cause.REVIVED,
    Cause.RESOLVED, Cause.ATTENTION,
})  # fmt: skip


class Observer:
    """Sees each durable report once, in order."""

    def __init__(self, metrics: EdgeMetrics) -> None:
        self._metrics = metrics
        self._log = structlog.get_logger()
        # Where nobody set the log up, its default would print every change of every order.
        self._is_debugging: bool = structlog.is_configured() and self._log.is_enabled_for(
            logging.DEBUG
        )
        self._failing: set[str] = set()  # accounts of which it was logged that sweeps fail

    def see(self, released: Sequence[tuple[Report, Order | None]], now: Now) -> None:
        """Count and log what a batch released."""
        for report, order in released:
            if type(report) is OrderReport:
                assert order is not None
                self._see_order(report, order, now)
            elif type(report) is AlarmReport:
                self._metrics.alarms[report.account, report.code] += 1
                self._log.warning(
                    "alarm",
                    code=report.code,
                    exchange_id=report.account,
                    order_number=report.number,
                    text=report.text,
                )

    def see_standing(self, account: Account) -> None:
        """Log how an account stands with its exchange now; of sweeps that fail in a row, the first."""
        trouble = account.trouble
        if account.is_connected and trouble not in (None, RECONCILING):
            log = self._log.debug if account.name in self._failing else self._log.warning
            self._failing.add(account.name)
            log("account not reconciled", exchange_id=account.name, text=trouble)
            return
        self._failing.discard(account.name)
        if not account.is_connected:
            self._log.warning("account disconnected", exchange_id=account.name, text=trouble)
        elif trouble is None:
            self._log.info("account reconciled", exchange_id=account.name)
        else:
            self._log.info("account connected", exchange_id=account.name)

    def _see_order(self, report: OrderReport, order: Order, now: Now) -> None:
        cause = report.cause
        if cause is Cause.ROUTING:
            self._metrics.hops["accept"].add(max(0, now.utc_ns - order.time_order_ns))
        elif cause is Cause.ROUTED:
            routing_ns = order.status_history[-2][1] if len(order.status_history) > 1 else 0
            self._metrics.hops["exchange"].add(max(0, report.time_ns - routing_ns))
        if report.opened is not None and report.stage is not None:
            self._metrics.orders_ended[order.status_history[0][0], ""] += 1
        if report.stage is not None or report.fill is not None or report.opened is not None:
            key = (order.status_history[-1][0], order.reason or "")
            self._metrics.orders_ended[key] += 1
        if cause in _FOR_PEOPLE:
            self._log.info("order", **_fields(report, order))
        elif self._is_debugging:
            self._log.debug("order", **_fields(report, order))


def _fields(report: OrderReport, order: Order) -> dict[str, object]:
    return {
        "cause": report.cause,
        "exchange_id": order.account,
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id,
        "order_number": order.number,
        "sequence": order.sequence,
        "status": order.status_history[-1][0],
        "amount_filled": str(order.quantity_filled),
        "error_message": order.error_message,
    }
