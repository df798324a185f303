"""Tables and values: with colour on a terminal, plain columns in a pipe.

Numbers are shown exactly, without trailing zeros.
"""

import os
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from rich.text import Text

_STYLES = {
    "FILLED": "green",
    "CANCELED": "dim",
    "REJECTED": "red",
    "PENDING_CANCEL": "yellow",
    "HALTED": "red",
    "REDUCING": "yellow",
    "PASSED": "green",
    "FAILED": "red",
    "NOT_REACHED": "dim",
    "BUY": "green",
    "SELL": "red",
    "reconciled": "green",
}


class Column(msgspec.Struct, frozen=True):
    """A column's heading; numbers stand to the right."""

    name: str
    is_number: bool = False


class Table(msgspec.Struct, frozen=True):
    """Rows under headings; `empty` is what is said when there are none."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    empty: str


def columns(*names: str) -> tuple[Column, ...]:
    """Return columns by heading; one that ends in `#` holds numbers."""
    return tuple(Column(name.rstrip("#"), name.endswith("#")) for name in names)


def out(text: str = "") -> None:
    """Write one line to stdout."""
    sys.stdout.write(text + "\n")


def flush() -> None:
    """Have what was written seen now, also in a pipe."""
    sys.stdout.flush()


def write_nowhere() -> None:
    """Nobody reads the pipe any more: let what is flushed at the end go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], empty: str) -> None:
    """Print rows under headings, or `empty` if there are none."""
    print_table(Table(columns, rows, empty))


def print_table(shown: Table) -> None:
    """Print a table."""
    if not shown.rows:
        out(shown.empty)
    elif sys.stdout.isatty():
        from rich.console import Console

        console = Console(highlight=False, soft_wrap=True)  # what is too wide the terminal wraps
        for line in styled(shown):
            console.print(line)
    else:
        for text in plain_table(shown.columns, shown.rows):
            out(text)


def plain_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table without any decoration, the headings first."""
    return ["  ".join(line).rstrip() for line in _aligned(columns, rows)]


def styled(shown: Table) -> "list[Text]":
    """Return the lines of a table in colour, the headings first."""
    from rich.text import Text

    if not shown.rows:
        return [Text(shown.empty)]
    heading, *lines = _aligned(shown.columns, shown.rows)
    texts = [Text("  ".join(heading).rstrip(), style="bold")]
    for line in lines:
        text = Text("  ").join(Text(cell, style=_STYLES.get(cell.strip(), "")) for cell in line)
        text.rstrip()
        texts.append(text)
    return texts


def _aligned(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[list[str]]:
    lines = [[column.name for column in columns], *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    return [
        [
            cell.rjust(width) if column.is_number else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ]
        for line in lines
    ]


# ── values ───────────────────────────────────────────────────────────────────────────────────────


def number(value: Decimal | str | None) -> str:
    """Return a number in full, without trailing zeros; a dash where there is none."""
    if value is None:
        return "-"
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def short_time(text: str) -> str:
    """Return a time to the second."""
    return text[:19].replace("T", " ")


def age(milliseconds: int | None) -> str:
    """Return an age in the unit in which it is a small number; a dash where there is none."""
    if milliseconds is None:
        return "-"
    if milliseconds < 10_000:
        return f"{milliseconds} ms"
    seconds = milliseconds // 1_000
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds // length_s} {unit}"
    return f"{seconds} s"


def milliseconds(duration_ns: int) -> str:
    """Return ns as ms with two places."""
    hundredths = round(Decimal(duration_ns) / 10_000)
    return f"{hundredths // 100}.{hundredths % 100:02d}"
