"""The code blocks of a Markdown page, and what the page says to the test about each.

```console            commands after `$ `, their output under each
```sh                 a script; a `text` or `json` block after it is its output
```python             a program; the same
```toml title="x"     a file to be written under that name (any language)
<!-- not run: why -->   in the line before a block: it is shown only, for this reason
"""

import re
import shlex
from pathlib import Path

import msgspec

RUNNABLE = ("console", "sh", "python")
SHOWN = ("text", "json", "toml", "yaml", "ini")  # outputs and files: never run
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL
)
_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->\s*\Z", re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
PROMPT = "$ "
INTERRUPT = "^C"


class Fence(msgspec.Struct, frozen=True):
    """One block. `place` is page and line, `reason` why it is not run, `title` the file it is."""

    language: str
    text: str
    place: str
    title: str | None = None
    reason: str | None = None


class Step(msgspec.Struct, frozen=True):
    """One command of a block (or Ctrl-C) and what it prints."""

    command: str
    output: tuple[str, ...]


def fences_of(page: Path, root: Path) -> list[Fence]:
    """Return the blocks of a page, in order."""
    whole = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(whole):
        language, _, rest = match["info"].strip().partition(" ")
        title, reason = _TITLE.search(rest), _NOT_RUN.search(whole[: match.start()])
        line = whole.count("\n", 0, match.start()) + 1
        text = re.sub(f"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        found.append(
            Fence(
                language,
                text,
                f"{page.relative_to(root)}:{line}",
                title[1] if title else None,
                reason[1] if reason else None,
            )
        )
    return found


def steps_of(fence: Fence) -> list[Step]:
    """Return the commands of a `console` block; a command goes on while a quote is open."""
    steps: list[Step] = []
    lines = fence.text.splitlines()
    while lines:
        line = lines.pop(0)
        if line == INTERRUPT:
            steps.append(Step(INTERRUPT, ()))
        elif line.startswith(PROMPT):
            command = line.removeprefix(PROMPT)
            while lines and _goes_on(command):
                command += "\n" + lines.pop(0)
            steps.append(Step(command, ()))
        else:
            assert steps, f"{fence.place}: output before a command: {line}"
            steps[-1] = Step(steps[-1].command, (*steps[-1].output, line))
    return steps


def _goes_on(command: str) -> bool:
    if command.endswith("\\"):
        return True
    try:
        shlex.split(command)
    except ValueError:
        return True
    return False
