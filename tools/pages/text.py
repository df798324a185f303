"""Words that every generated page uses: the note on top, rows of tables."""

from collections.abc import Iterable, Sequence

NOTE = "<!-- Made by `make docs-generate`. Change the code it is made from, not this page. -->"


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table as lines."""
    return [row(heading), row(["---"] * len(heading)), *map(row, rows)]


def row(cells: Sequence[str]) -> str:
    """Return one row of a table."""
    return f"| {' | '.join(cells)} |"


def code(text: object) -> str:
    """Return `text` as code that may stand in a table."""
    return f"`{text}`".replace("|", "\\|")
