"""How the commands are spelled: the documentation names them all, and a client starts light."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from fairlead.cli import program
from tests.commands.terminal import fairlead

DOCUMENT = (
    Path(__file__).resolve().parents[2] / "docs" / "reference" / "command-line.md"
).read_text()


def spellings(command: object, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command; a group's own ones too."""
    if words:
        yield words
    if isinstance(command, TyperGroup):
        for name, each in command.commands.items():
            yield from spellings(each, (*words, name))


COMMANDS = [" ".join(words) for words in spellings(typer.main.get_command(program))]
HEAVY = ("uvicorn", "starlette", "aiohttp", "sqlite3", "structlog", "rich.console", "asyncio")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_flag_is_documented(command: str, tmp_path: Path) -> None:
    wide = {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
    run = fairlead(*command.split(), "--help", folder=tmp_path, environment=wide)
    assert run.code == 0
    assert f"`{command}" in DOCUMENT
    flags = set(re.findall(r"(?<!\S)--[a-z-]+", run.out))
    assert flags
    undocumented = [flag for flag in flags - {"--help"} if flag not in DOCUMENT]
    assert undocumented == []


def test_a_client_command_starts_without_what_only_a_server_needs() -> None:
    script = (
        "import sys; sys.argv = ['fairlead', 'orders', '--url', 'nowhere']\n"
        "from fairlead.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("arguments", [("nothing",), ("order", "buy"), ("order", "hold", "1")])
def test_a_wrong_command_line_ends_with_two(arguments: tuple[str, ...], tmp_path: Path) -> None:
    run = fairlead(*arguments, folder=tmp_path)
    assert (run.code, run.out) == (2, "")
