"""How accounts stand with their exchanges, as Prometheus families; made when they are scraped."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from fairlead.core.account import Account
from fairlead.core.reconciliation import Found


def reconciliation_metrics(accounts: Sequence[Account], now_ns: int) -> Iterator[Metric]:
    """Yield the families of sweeps and drifts; `now_ns` is UTC."""
    yield from _sweeps(accounts)
    yield _ages(accounts, now_ns)
    yield from _drifts(accounts)


def _sweeps(accounts: Sequence[Account]) -> Iterator[Metric]:
    count = CounterMetricFamily(
        "fairlead_sweeps", "Reconciliations ended.", labels=["account", "outcome"]
    )
    seconds = GaugeMetricFamily(
        "fairlead_sweep_seconds", "Length of the last reconciliation.", labels=["account"]
    )
    found = GaugeMetricFamily(
        "fairlead_sweep_found",
        "What the last reconciliation brought that was not known.",
        labels=["account", "what"],
    )
    for account in accounts:
        count.add_metric([account.name, "succeeded"], account.sweeps.succeeded)
        count.add_metric([account.name, "failed"], account.sweeps.failed)
        last = account.sweeps.last
        if last is not None:
            seconds.add_metric([account.name], last.duration_ns / 1e9)
            for what in Found.__struct_fields__:
                found.add_metric([account.name, what], getattr(last.found, what))
    yield count
    yield seconds
    yield found


def _ages(accounts: Sequence[Account], now_ns: int) -> Metric:
    age = GaugeMetricFamily(
        "fairlead_reconciled_age_seconds",
        "Time since the last reconciliation that succeeded.",
        labels=["account"],
    )
    for account in accounts:
        if account.reconciled_time_ns is not None:
            age.add_metric([account.name], max(0, now_ns - account.reconciled_time_ns) / 1e9)
    return age


def _drifts(accounts: Sequence[Account]) -> Iterator[Metric]:
    balances = GaugeMetricFamily(
        "fairlead_balance_drift",
        "The exchange's last statement minus our bookkeeping as of the same event.",
        labels=["account", "asset"],
    )
    positions = GaugeMetricFamily(
        "fairlead_position_drift",
        "The same of a position's quantity; short positions are negative.",
        labels=["account", "symbol"],
    )
    staying = GaugeMetricFamily(
        "fairlead_drifts_staying",
        "Drifts that several reconciliations in a row found.",
        labels=["account"],
    )
    for account in accounts:
        drifts = account.drifts.all()
        for drift in drifts:
            family = positions if drift.is_position else balances
            family.add_metric([account.name, drift.name], float(drift.drift))
        staying.add_metric([account.name], sum(drift.stays for drift in drifts))
    yield balances
    yield positions
    yield staying
