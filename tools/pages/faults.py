"""The page on the ways in which the simulated exchange misbehaves on command."""

from fairlead.exchange.faults import KINDS, REQUESTS, Fault, FaultName, How, Kind, Point
from tools.pages.text import NOTE, code, table

_GROUPS: tuple[tuple[str, tuple[Point, ...]], ...] = (
    ("On the way in: not carried out, or later", (Point.ARRIVAL,)),
    ("On the way out, and what is said of open orders", (Point.ANSWER,)),
    ("What happens to an order", (Point.ACCEPTED, Point.BEFORE_CANCEL)),
    ("The stream of events", (Point.STREAM,)),
    ("The rules", (Point.AT_ONCE,)),
)
_CRITERIA = (
    ("account", "the account's public key; absent: every account"),
    ("requests", "which requests, of the kinds that say so; absent: those of the kind"),
    ("symbol", "the market of the order concerned, or of the position that changed"),
    ("side", "`BUY` or `SELL` of the order concerned"),
    ("client_id_prefix", "how the order's client id at the exchange begins"),
    ("only_fills", "of the stream's events: only those with a fill"),
    ("skip", "so many that match are spared first"),
    ("one_in", "one in so many is hit, by the exchange's seed"),
    ("count", "how often at most; null: without limit; absent: as the kind says"),
    ("duration_ms", "how long at most"),
)
_TOP = f"""\
# Faults of the simulated exchange

{NOTE}

The exchange misbehaves on command, so that a program can be seen to survive it. A fault is one
`POST /operator/faults` to the exchange's operator API ([address](exchange.md#operator-api)); it is there
until it has bitten `count` times, until `duration_ms` is over, or until `DELETE /operator/faults`. At each
point the first fault that matches bites.

```json
{{"name": "answer_lost", "requests": ["place"], "count": 3}}
```
"""


def faults() -> str:
    """Return the page."""
    lines = [_TOP, "## Whom and when", "", "Every kind takes these.", ""]
    lines += table(["field", "meaning"], [[code(name), text] for name, text in _CRITERIA])
    requests = ", ".join(map(code, REQUESTS))
    lines += ["", f"Requests are {requests}.", ""]
    for title, points in _GROUPS:
        kinds = [(name, kind) for name, kind in KINDS.items() if kind.point in points]
        lines += [f"## {title}", "", *table(_HEADING, [_row(*each) for each in kinds]), ""]
    shown = {point for _, points in _GROUPS for point in points}
    assert shown == set(Point), f"tools/pages/faults.py has no group for {set(Point) - shown}"
    hows = ", ".join(code(how.value) for how in How)
    lines += [f"Values of `how`: {hows}; each kind says which it takes.", ""]
    return "\n".join(lines)


_HEADING = ["kind", "concerns", "parameters", "times", "what happens"]


def _row(name: FaultName, kind: Kind) -> list[str]:
    concerns = ", ".join(kind.requests) or {Point.AT_ONCE: "the market"}.get(kind.point, "events")
    parameters = ", ".join(map(_parameter, sorted(kind.parameters)))
    count = "until it ends" if kind.count is None else str(kind.count)
    return [code(name.value), concerns, parameters, count, kind.text]


def _parameter(name: str) -> str:
    """Return a parameter with its default, where it has one."""
    default = Fault.__struct_defaults__[Fault.__struct_fields__.index(name) - 1]
    known = default is not None and default is not False
    return f"{code(name)} ({default})" if known else code(name)
