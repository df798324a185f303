"""Writes the pages of docs that are made from code: `make docs-generate`.

Each page is a function without IO that returns its text; a test compares it with the file.
"""

from collections.abc import Callable
from pathlib import Path

from fairlead.commands.doctor.problems import PROBLEMS
from fairlead.config.page import settings_tables
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


def configuration() -> str:
    """Return the page on the settings: how they are given, then every one of them."""
    return _CONFIGURATION.format(note=_NOTE, tables=settings_tables())


_CONFIGURATION = """\
# Configuration

{note}

Everything has a default: `fairlead up` needs no configuration. A setting is given, in rising priority, by

1. a TOML file, `--config FILE` or `FAIRLEAD_CONFIG`;
2. the environment: `FAIRLEAD_` and the setting's name in capitals, dots as `_`
   (`FAIRLEAD_ENGINE_ASK_DELAY_MS=500`); lists are separated by spaces, quantities are `BTC=100 USDT=2500.50`;
3. a flag, where the tables below name one.

An unknown or wrong setting stops the start: every one is named, with its line and what would be right.
`fairlead config show` prints every setting, its value and where that comes from; secrets are masked. Paths
in the file start from the file's folder, all others from the working directory.

```toml
data = "/var/lib/fairlead"
listen = "127.0.0.1:3080"

[[accounts]]
exchange_id = "SIM"

[[accounts]]
exchange_id = "SIM/ALICE"
[accounts.parameters]
PublicApiKey = "alice"
PrivateApiKey = "alices-secret"

[exchange]
seed = 7
starting_balances = {{ BTC = 10, USDT = "250000.50" }}

[engine]
order_answer_timeout_ms = 3000
```

## Accounts

`[[accounts]]`, `--account SIM/ALICE` (repeatable) or `FAIRLEAD_ACCOUNTS="SIM SIM/ALICE"`; without any there
is one, `SIM`. An account is an exchange (`SIM` is the only one so far) and an optional tag: a separator of
`~/.,:;!@#$%^&*-_+=` and 1 to 64 letters, digits and separators. Its parameters are what the exchange's
login asks for, all or none: SIM's are `PublicApiKey` and `PrivateApiKey`.

An account without parameters gets a pair that is made once and kept in `accounts.toml` in the data folder,
readable by its owner alone. Keep that file with the folder: the exchange knows the account by the pair.

## Open network

There is no authentication yet, so an address that is not loopback is refused, unless
`--allow-open-network` says that everybody who can reach it may trade. Host names other than `localhost` are
not looked up and count as not loopback.

## Settings

{tables}"""


def doctor() -> str:
    """Return the page on `fairlead doctor`: every problem it knows."""
    rows = [
        f"| `{code}`{' (notice)' if problem.is_notice else ''} | {problem.why} | {problem.todo} |"
        for code, problem in PROBLEMS.items()
    ]
    return _DOCTOR.format(note=_NOTE, rows="\n".join(rows))


_DOCTOR = """\
# fairlead doctor

{note}

```
fairlead doctor [--data DIR] [--config FILE] [--full] [--json]
```

Looks for what would keep a system from working as promised, running or not, and says for each problem what
was found, why it matters and what to do. It reads and measures, and changes nothing. `--full` applies every
report of the journal again, as `fairlead verify` does; without it the end of the journal is looked at, in
bounded time.

Exit code 0: no problem (there may be notices). 1: at least one problem. 2: the command line is wrong.

`--json` prints an object: `findings`, each with `code`, `found`, `why`, `todo`, `is_notice`; and `fine`, each
with `check` and `found`.

## What it looks at

- Settings, market tape, log file.
- Python, SQLite and every package against the locked versions.
- The limits of open files and of file size: those of the running process when there is one.
- Whether a time service keeps the clock, as the kernel says without any network; the clock of the exchange
  when one can be asked.
- File system, free space, inodes, and the time of a sync in the data folder.
- Who may read and write the folder, whose its files are, and what lies there.
- Who holds the folder, whether endpoint.json says so, whether the system answers and is reconciled; the
  address to listen on.
- The journal and the simulated exchange's store.

## Problems

| code | why it matters | what to do |
|---|---|---|
{rows}
"""


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/order-states.md": order_states,
    "docs/reference/configuration.md": configuration,
    "docs/operations/doctor.md": doctor,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
