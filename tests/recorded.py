"""Where the recorded market is: beside the repository, or where RECORDED_MARKET says.

It is not part of the repository; a test that needs it is skipped where it is not.
"""

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data" / "market"

TRADES = "binance-btcusdt-trades-2021-01-08.csv"
QUOTES = "binance-btcusdt-quotes-2021-01-08.csv"
DEPTH_SNAPSHOT = "binance-btcusdt-depth-snapshot.csv"
DEPTH_UPDATES = "binance-btcusdt-depth-updates.csv"
ORDERBOOK = "bybit-xrpusdt-orderbook500-2024-12-01.jsonl"


def recorded(*names: str) -> tuple[Path, ...]:
    """Return the paths of these files; skip the test if one is not there."""
    folder = Path(os.environ.get("RECORDED_MARKET", BESIDE))
    paths = tuple(folder / name for name in names)
    for path in paths:
        if not path.exists():
            pytest.skip(
                f"the recorded market {path} is not there; RECORDED_MARKET says where it is"
            )
    return paths
