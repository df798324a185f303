"""usage: what keys have used, by day and account, read from the control database."""

import json
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

from fairlead.commands import show
from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.keeping import opened
from fairlead.control.control import Control
from fairlead.control.keys import Denied
from fairlead.control.usage import UsageAsked, Used, day_of, first_day
from fairlead.control.usage_book import UsageBook

_ROWS_MAX = 1_000_000
_COLUMNS = show.columns(
    "day", "key", "account", "requests#", "orders#", "websocket s#", "FIX s#"
)  # fmt: skip


class Asked(NamedTuple):
    """What the flags say; None: not given."""

    key: str | None
    account: str | None
    first: str | None
    last: str | None


def usage(
    config_file: Path | None,
    flags: Mapping[str, object],
    subscription: str,
    asked: Asked,
    *,
    as_json: bool,
) -> None:
    """Print the usage, the newest day first. Raises Ended."""
    last = _day("--to", asked.last) or date.fromisoformat(day_of(time.time_ns()))
    first = _day("--from", asked.first) or first_day(last)
    if first > last:
        raise Ended(ExitCode.USAGE, f"--from {first} is after --to {last}")
    with opened(config_file, flags, subscription) as control:
        wanted = UsageAsked(
            subscription=control.audit.subscription,
            day_first=f"{first}",
            day_last=f"{last}",
            kid=None if asked.key is None else _kid(control, asked.key),
            accounts=None if asked.account is None else frozenset({asked.account}),
        )
        rows = UsageBook(control.store).read(wanted, _ROWS_MAX)
        labels = {key.kid: key.label for key in control.keyring.listed()}
    if as_json:
        show.out(json.dumps([_shown(row, labels) for row in rows]))
        return
    empty = f"nothing was used from {first} to {last}"
    show.table(_COLUMNS, [_cells(row, labels) for row in rows], empty)


def _day(flag: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Ended(ExitCode.USAGE, f"{flag} {text} is not a day such as 2026-11-27") from None


def _kid(control: Control, name: str) -> str:
    found = control.keyring.find(name)
    if isinstance(found, Denied):
        raise Ended(ExitCode.REFUSED, f"{found.code}: {found.message}")
    return found.kid


def _shown(row: Used, labels: Mapping[str, str]) -> dict[str, object]:
    return {
        "day": row.day,
        "key": row.kid,
        "label": labels.get(row.kid),
        "account": row.account or None,
        "requests": row.requests,
        "orders": row.orders,
        "connected_websocket_ms": row.websocket_ms,
        "connected_fix_ms": row.fix_ms,
    }


def _cells(row: Used, labels: Mapping[str, str]) -> list[str]:
    label = labels.get(row.kid, row.kid)
    counts = (str(row.requests), str(row.orders))
    times = (f"{row.websocket_ms / 1000:.1f}", f"{row.fix_ms / 1000:.1f}")
    return [row.day, label, row.account or "-", *counts, *times]
