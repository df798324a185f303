"""Writes the pages of docs/reference that are made from code: `make docs-generate`.

Each page is a function without IO that returns its text; a test compares it with the file.
"""

from collections.abc import Callable
from pathlib import Path

from fairlead.core.model import Stage
from fairlead.core.order import MOVES, Verdict, status_of

ROOT = Path(__file__).resolve().parents[1]
_NOTE = "<!-- Made by `make docs-generate`. Change the code it is made from, not this page. -->"
_BEFORE_WORKING = (Stage.RECEIVED, Stage.ROUTING, Stage.ROUTED)


def order_states() -> str:
    """Return the page on the order state machine: diagram, table, shown status."""
    columns = [stage for stage in Stage if stage is not Stage.RECEIVED]
    lines = [
        "# Order states",
        "",
        _NOTE,
        "",
        "Where an order's life has got to is its *stage*. News may move it only as `core/order.py` says.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> RECEIVED: placed here",
        "    [*] --> WORKING: first seen at the exchange",
        *_arrows(),
        *(f"    {stage} --> [*]" for stage in Stage if stage.is_final),
        "```",
        "",
        "## News of a stage",
        "",
        "An order in (row) hears that it is (column). *stale*: true but old, ignored. *revive*: it was",
        "thought never to have reached the exchange and had; it is in doubt again, an alarm names it, its",
        "remainder is cancelled. A dash: forbidden, nothing changes.",
        "",
        _row(["", *columns]),
        _row(["---"] * (len(columns) + 1)),
        *(_row([f"**{row}**", *(_cell(row, column) for column in columns)]) for row in Stage),
        "",
        "## Fills",
        "",
        "A fill is a fact and counts from any stage. The last one makes the order FILLED wherever it was;",
        f"an earlier one makes {', '.join(_BEFORE_WORKING)} WORKING and leaves the other stages as they are.",
        "",
        "## The status that clients see",
        "",
        "Computed from the stage, from whether anything is filled, and from whether a cancel is pending.",
        "",
        _row(["stage", "nothing filled", "partly filled", "cancel pending"]),
        _row(["---"] * 4),
        *(
            _row([
                stage,
                status_of(stage, False, False),
                status_of(stage, True, False),
                status_of(stage, False, True),
            ])
            for stage in Stage
        ),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _arrows() -> list[str]:
    """Return the diagram's arrows: what news moves, then what only a fill moves."""
    arrows = [
        f"    {row} --> {column}"
        for (row, column), verdict in MOVES.items()
        if verdict is Verdict.MOVE and column is not Stage.FILLED
    ]
    arrows += [
        f"    {row} --> FILLED: last fill" for row in Stage if row is not Stage.FILLED
    ]  # fmt: skip
    revived = [column for row, column in MOVES if MOVES[row, column] is Verdict.REVIVE]
    arrows += [
        f"    REJECTED --> {stage}: it had reached the exchange"
        for stage in revived
        if stage.is_final
    ]  # fmt: skip
    return arrows


def _cell(row: Stage, column: Stage) -> str:
    return {Verdict.ILLEGAL: "–"}.get(MOVES[row, column], MOVES[row, column].value)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/order-states.md": order_states,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
