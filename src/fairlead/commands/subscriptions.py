"""subscriptions create, list: made by the machine's owner."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from fairlead.commands import show
from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.keeping import opened, owner
from fairlead.control.keys import Denied
from fairlead.control.subscriptions import Subscription

_COLUMNS = show.columns("subscription", "created")


def create(
    config_file: Path | None, flags: Mapping[str, object], name: str, *, as_json: bool
) -> None:
    """Make a subscription and print it. Raises Ended."""
    with opened(config_file, flags) as control:
        made = control.subscriptions.create(owner(), name, time.time_ns())
    if isinstance(made, Denied):
        raise Ended(ExitCode.REFUSED, f"{made.code}: {made.message}")
    if as_json:
        show.out(json.dumps(_shown(made)))
        return
    show.out(f"subscription {name} is made; it has no keys and no accounts yet:")
    show.out(f"fairlead keys create LABEL --subscription {name}")


def listed(config_file: Path | None, flags: Mapping[str, object], *, as_json: bool) -> None:
    """Print every subscription. Raises Ended."""
    with opened(config_file, flags) as control:
        found = [_shown(each) for each in control.subscriptions.listed()]
    if as_json:
        show.out(json.dumps(found))
        return
    rows = [[each["subscription"], show.short_time(each["created"])] for each in found]
    show.table(_COLUMNS, rows, "there are no subscriptions")


def _shown(subscription: Subscription) -> dict[str, str]:
    created = datetime.fromtimestamp(subscription.created_ns // 1_000_000_000, UTC)
    return {"subscription": subscription.name, "created": f"{created:%Y-%m-%dT%H:%M:%SZ}"}
