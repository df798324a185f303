"""config show: every setting, its value, and where that comes from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from fairlead.commands import show
from fairlead.commands.ending import Ended, ExitCode
from fairlead.config.loading import salvage
from fairlead.config.origins import DEFAULT, FlagError, flags_of, origins

_COLUMNS = (show.Column("setting"), show.Column("value"), show.Column("from"))


def show_config(
    config_file: Path | None,
    environment: Mapping[str, str],
    arguments: Sequence[str],
    *,
    is_changed_only: bool,
    as_json: bool,
) -> None:
    """Print every setting as `fairlead up` with these arguments would have it. Raises Ended."""
    try:
        flags = flags_of(arguments)
    except FlagError as error:
        raise Ended(ExitCode.USAGE, str(error)) from None
    _, wrong = salvage(config_file, environment, flags)
    if wrong:
        raise Ended(ExitCode.USAGE, "\n".join(wrong))
    found = [
        each
        for each in origins(config_file, environment, flags)
        if not (is_changed_only and each.source == DEFAULT)
    ]
    if as_json:
        show.out(json.dumps([msgspec.structs.asdict(each) for each in found]))
    else:
        rows = [[each.name, each.value or "not set", each.source] for each in found]
        show.table(_COLUMNS, rows, "every setting has its default")
