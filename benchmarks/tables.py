"""What a run found, as text for people and as values for programs."""

from collections.abc import Sequence

import msgspec


class Requirement(msgspec.Struct, frozen=True):
    """A bound that the system promises to keep, and the figure that says whether it does."""

    text: str
    figure: str
    holds: bool


class Section(msgspec.Struct, frozen=True):
    """One part of the table. `figures` are its numbers, by name with the unit last."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: list[str]
    requirements: list[Requirement]
    figures: dict[str, float]


def as_text(heading: list[str], sections: list[Section]) -> str:
    """Return the whole table."""
    lines = list(heading)
    for section in sections:
        lines += ["", f"── {section.title} " + "─" * (96 - len(section.title))]
        if section.rows:
            lines += _aligned([section.columns, *section.rows])
        lines += [f"  {note}" for note in section.notes]
    requirements = [each for section in sections for each in section.requirements]
    if requirements:
        lines += ["", "── required " + "─" * 88]
        rows = [(_mark(each.holds), each.text, each.figure) for each in requirements]
        lines += _aligned(rows, left=2)
    return "\n".join(lines)


def _mark(holds: bool) -> str:
    return "holds" if holds else "MISSED"


def _aligned(rows: Sequence[tuple[str, ...]], left: int = 1) -> list[str]:
    """Return the rows with columns of one width, the first `left` of them left-aligned."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "   ".join(cells).rstrip())
    return lines
