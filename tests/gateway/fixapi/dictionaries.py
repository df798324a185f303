"""The stock dictionaries that QuickFIX ships, for tests that let another judge our messages.

Without QuickFIX such a test is skipped; where everything is installed (CI) it fails.
"""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest

VERSIONS = ("FIX.4.4", "FIX.5.0", "FIX.5.0SP2")
_FILES = {"FIX.4.4": "FIX44.xml", "FIX.5.0": "FIX50.xml", "FIX.5.0SP2": "FIX50SP2.xml"}


def needs_quickfix() -> Any:
    """Return the module."""
    if importlib.util.find_spec("quickfix") is None:
        reason = "QuickFIX is not installed: make env-fix"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    import quickfix

    return quickfix


def folder() -> Path:
    """Return where the stock dictionaries are."""
    return Path(sys.prefix) / "share/quickfix"


def stock(version: str) -> Path:
    """Return the stock dictionary of an application version, or of the transport FIXT.1.1."""
    return folder() / _FILES.get(version, "FIXT11.xml")


def with_contract_symbols(version: str, into: Path) -> Path:
    """Write the stock dictionary plus the value 101 of SecurityIDSource (22)."""
    text = stock(version).read_text()
    lines = [line for line in text.splitlines() if "EXCHANGE_SYMBOL" in line]
    assert lines, "the stock dictionary names the exchange's symbol"
    added = lines[0].replace("'8'", "'101'").replace("EXCHANGE_SYMBOL", "CONTRACT_SYMBOL")
    path = into / f"contract-{_FILES[version]}"
    path.write_text(text.replace(lines[0], f"{lines[0]}\n{added}", 1))
    return path
