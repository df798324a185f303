"""How subscriptions are called, and where in the data folder each keeps what is its own."""

import re
from collections.abc import Iterator
from pathlib import Path

from fairlead.core.requests import LOCAL

SUBSCRIPTIONS_FOLDER = "subscriptions"
NAME = "[a-z0-9][a-z0-9-]{0,31}"
is_name = re.compile(NAME).fullmatch


def folder_of(data: Path, subscription: str) -> Path:
    """Return its folder; that of `local` is the data folder itself."""
    return data if subscription == LOCAL else data / SUBSCRIPTIONS_FOLDER / subscription


def folders(data: Path) -> Iterator[tuple[str, Path]]:
    """Yield by name the folders that there are, `local` first, the others if they have been opened once."""
    yield LOCAL, data
    try:
        found = sorted((data / SUBSCRIPTIONS_FOLDER).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from ((each.name, each) for each in found if is_name(each.name) and each.is_dir())
