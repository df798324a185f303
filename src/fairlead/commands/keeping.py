"""vault rotate, audit verify, audit list: keeping the control plane's secrets and their record."""

import json
import os
import pwd
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from fairlead.commands import show
from fairlead.commands.counting import wait_until_it_counts
from fairlead.commands.ending import Ended, ExitCode, said
from fairlead.config import Config, ConfigError
from fairlead.config.loading import read
from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.errors import ControlError, SubscriptionUnknown
from fairlead.control.keys import Denied
from fairlead.control.rotation import rotate
from fairlead.core.requests import LOCAL

_Result = TypeVar("_Result")
_SHOWN = ("actor", "address", "factor", "action", "target", "outcome")
_COLUMNS = show.columns("number#", "time", "who", "from", "factor", "action", "what", "outcome")


def rotate_vault(config_file: Path | None, flags: Mapping[str, object], *, as_json: bool) -> None:
    """Turn the key-encryption key over. Raises Ended."""
    with opened(config_file, flags) as control:
        rotated = rotate(control, owner(), time.time_ns())
        if as_json:
            show.out(json.dumps(msgspec.structs.asdict(rotated)))
            return
        show.out(
            f"{rotated.data_keys} data keys are locked by key {rotated.key_name} now, which is new"
        )
        show.out(control.keeper.said_after_rotation(rotated.key_name))


def verify_audit(
    config_file: Path | None, flags: Mapping[str, object], subscription: str, *, as_json: bool
) -> None:
    """Say whether every row of the audit is there as it was written. Raises Ended."""
    with opened(config_file, flags, subscription) as control:
        found = control.audit.verify()
    if as_json:
        show.out(json.dumps({"holds": found.holds, **msgspec.structs.asdict(found)}))
    else:
        for difference in found.differences:
            show.out(difference)
        show.out(f"{found.rows} rows: {'all as written' if found.holds else 'not as written'}")
    if not found.holds:
        raise Ended(ExitCode.REFUSED, "the audit is not as it was written")


def list_audit(
    config_file: Path | None,
    flags: Mapping[str, object],
    subscription: str,
    count: int,
    *,
    as_json: bool,
) -> None:
    """Print the last rows of the audit. Raises Ended."""
    with opened(config_file, flags, subscription) as control:
        rows = [row._asdict() for row in control.audit.last(count)]
    if as_json:
        for row in rows:
            show.out(json.dumps(row | {"seal": row["seal"].hex()}))
        return
    table = [
        [str(row["number"]), _time(row["time_ns"]), *(row[name] for name in _SHOWN)] for row in rows
    ]
    show.table(_COLUMNS, table, "nothing has happened yet")


@contextmanager
def opened(
    config_file: Path | None, flags: Mapping[str, object], subscription: str = LOCAL
) -> Iterator[Control]:
    """Give the control plane that the settings name, as a subscription has it.

    When it is left a system that runs acts by what was changed. Raises Ended, also for its errors.
    """
    config = configured(config_file, flags)
    try:
        with open_control(config) as control:
            try:
                yield control if subscription == LOCAL else control.of(subscription)
            finally:
                is_shared = config.control.url is not None
                wait_until_it_counts(control.store, config.data, is_shared=is_shared)
    except SubscriptionUnknown as error:
        raise Ended(ExitCode.REFUSED, str(error)) from None
    except (ControlError, OSError) as error:
        raise Ended(ExitCode.FATAL, said(error)) from None


def configured(config_file: Path | None, flags: Mapping[str, object]) -> Config:
    """Return the settings. Raises Ended."""
    try:
        return read(config_file, os.environ, flags)
    except ConfigError as error:
        raise Ended(ExitCode.USAGE, "\n".join(error.findings)) from None


def open_control(config: Config) -> Control:
    """Open the control plane of a configuration. Raises ControlError and OSError."""
    chosen = config.control
    url = None if chosen.url is None else chosen.url.text
    return Control.open(config.data, url, chosen.key_file, LOCAL, time.time_ns())


def granted(result: _Result | Denied) -> _Result:
    """Return what was done. Raises Ended with why it was not."""
    if isinstance(result, Denied):
        raise Ended(ExitCode.REFUSED, f"{result.code}: {result.message}")
    return result


def owner() -> Actor:
    """Return who runs the command: a user of this machine who can read the key."""
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = str(number)
    return Actor(f"{name} of the machine", "local", "machine")


def _time(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S}"
