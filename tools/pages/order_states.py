"""The page on the order state machine: picture, table, shown status."""

from fairlead.core.model import Stage
from fairlead.core.order import MOVES, Verdict, status_of
from tools.pages.text import NOTE, row, table

_BEFORE_WORKING = (Stage.RECEIVED, Stage.ROUTING, Stage.ROUTED)


def order_states() -> str:
    """Return the page."""
    columns = [stage for stage in Stage if stage is not Stage.RECEIVED]
    lines = [
        "# Order states",
        "",
        NOTE,
        "",
        "Where an order's life has got to is its *stage*. News may move it only as `core/order.py` says.",
        "",
        "![The stages of an order and what may follow which; the table below says the same]"
        "(order-states.svg)",
        "",
        "A dot: this stage may be followed by that end. An order first seen at the exchange begins as",
        "WORKING.",
        "",
        "## News of a stage",
        "",
        "An order in (row) hears that it is (column). *stale*: true but old, ignored. *revive*: it was",
        "thought never to have reached the exchange and had; it is in doubt again, an alarm names it, its",
        "remainder is cancelled. A dash: forbidden, nothing changes.",
        "",
        row(["", *columns]),
        row(["---"] * (len(columns) + 1)),
        *(row([f"**{each}**", *(_cell(each, column) for column in columns)]) for each in Stage),
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
        *table(
            ["stage", "nothing filled", "partly filled", "cancel pending"],
            (
                [
                    stage,
                    status_of(stage, False, False),
                    status_of(stage, True, False),
                    status_of(stage, False, True),
                ]
                for stage in Stage
            ),
        ),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _cell(row: Stage, column: Stage) -> str:
    return {Verdict.ILLEGAL: "–"}.get(MOVES[row, column], MOVES[row, column].value)
