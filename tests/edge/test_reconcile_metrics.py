"""What Prometheus reads of sweeps and drifts."""

from decimal import Decimal

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from fairlead.core.account import Account
from fairlead.core.reconciliation import SweepCause
from fairlead.core.unit import AccountRecord
from fairlead.edge.metrics import EdgeCollector, EdgeMetrics
from fairlead.edge.reconcile_metrics import reconciliation_metrics

NS = 1_000_000_000


def scraped(*accounts: Account, now_ns: int = 0) -> list[str]:
    registry = CollectorRegistry()
    registry.register(
        EdgeCollector(
            EdgeMetrics(),
            tuple,
            lambda: reconciliation_metrics(accounts, now_ns),
            accounts=lambda: ("SIM",),
        )
    )
    return generate_latest(registry).decode().splitlines()


def test_an_account_that_was_never_swept_shows_what_it_can() -> None:
    lines = scraped(Account(AccountRecord("SIM"), 10))
    assert 'fairlead_sweeps_total{account="SIM",outcome="succeeded"} 0.0' in lines
    assert 'fairlead_drifts_staying{account="SIM"} 0.0' in lines
    assert not [line for line in lines if line.startswith("fairlead_reconciled_age_seconds{")]


def test_sweeps_their_finds_and_drifts_are_scraped_by_account() -> None:
    account = Account(AccountRecord("SIM/ALICE", reconciled_time_ns=5 * NS), 10)
    account.sweeps.started(SweepCause.PERIODIC, 5 * NS, 5 * NS)
    account.sweeps.found.fills_booked = 3
    account.sweeps.ended(None, 7 * NS)
    account.sweeps.started(SweepCause.RETRY, 8 * NS, 8 * NS)
    account.sweeps.found.orders_asked = 2
    account.sweeps.ended("fills: no answer", 8 * NS + NS // 2)
    for _ in range(3):
        account.drifts.measure(
            "USDT", Decimal("-0.5"), is_position=False, is_swept=True, sweeps_most=3
        )
    account.drifts.measure(
        "SIM_PERP_BTC_USDT", Decimal(2), is_position=True, is_swept=True, sweeps_most=3
    )
    lines = scraped(account, now_ns=65 * NS)
    for line in (
        'fairlead_sweeps_total{account="SIM/ALICE",outcome="succeeded"} 1.0',
        'fairlead_sweeps_total{account="SIM/ALICE",outcome="failed"} 1.0',
        'fairlead_sweep_seconds{account="SIM/ALICE"} 0.5',
        'fairlead_sweep_found{account="SIM/ALICE",what="orders_asked"} 2.0',
        'fairlead_sweep_found{account="SIM/ALICE",what="fills_booked"} 0.0',
        'fairlead_reconciled_age_seconds{account="SIM/ALICE"} 60.0',
        'fairlead_balance_drift{account="SIM/ALICE",asset="USDT"} -0.5',
        'fairlead_position_drift{account="SIM/ALICE",symbol="SIM_PERP_BTC_USDT"} 2.0',
        'fairlead_drifts_staying{account="SIM/ALICE"} 1.0',
    ):
        assert line in lines, line
