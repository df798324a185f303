"""The page on health and metrics: what a running system serves, its texts and types."""

# ruff: noqa: E501 - one row, one line

import re

from fairlead.core.requests import LOCAL
from fairlead.edge.metrics import EdgeCollector, EdgeMetrics
from fairlead.gateway.health import of_subscription, rendered
from tools.pages.text import NOTE, code, row, table
from tools.pages.worked import conversation

# Values of labels that are a closed set of ours.
_VALUES = {
    "hop": {
        "accept": "from the acceptance of an order until it is durable and handed to its connection",
        "exchange": "from the decision to send it until the exchange's answer has been decided on",
        "answer": "from a request's entry into the inbox until its reply is durable and released",
    },
    "source": {
        "ring": "from memory",
        "journal": "from the journal: after a reconnect, or by one who is behind",
    },
    "why": {
        "left": "the client closed",
        "lost": "the connection ended without a goodbye",
        "broken": "the client sent what no client may send",
        "silent": "the client did not answer a ping",
        "slow": "the client's socket accepted nothing",
        "stopping": "the server stopped",
        "unauthorized": "the client's certificate stopped to count",
    },
}

_TOP = f"""\
# Health and metrics

{NOTE}

| call | answer |
|---|---|
| `GET /health/live` | 200 `{{"status":"live"}}` as long as the process answers at all |
| `GET /health/ready` | 200 when the journal takes writes and every account is reconciled or says why not; else 503 |
| `GET /metrics` | the metrics below, in Prometheus' text format |

```json
{{"status": "ready", "journal": "writable", "accounts": [{{"exchange_id": "SIM", "state": "reconciled"}}]}}
```

Durations are in seconds. A histogram has the series `_bucket`, `_count` and `_sum`. Counters begin at 0 with
the process. `account` is empty where a number is about all accounts together.

`subscription` says whose a number is ([subscriptions](../explanation/subscriptions.md)); what has no such label is
of the process. A key is shown its own subscription's numbers and the process's. `/health/ready` names accounts to
their own keys alone: where keys are asked for, it tells others only whether everything is ready.
"""
_HELP = re.compile(r"^# HELP (\S+) (.*)$", re.MULTILINE)
_TYPE = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)
_SAMPLE = re.compile(r"^([a-z_]+)\{([^}]*)\}", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="')


def metrics() -> str:
    """Return the page."""
    scraped = conversation().metrics
    texts, types = dict(_HELP.findall(scraped)), dict(_TYPE.findall(scraped))
    labels = _labels(scraped + _planted())
    ours = [name for name in texts if name.startswith("fairlead_")]
    others = [name for name in texts if name not in ours]
    lines = [_TOP, "## Fairlead's own", ""]
    lines += _table(ours, texts, types, labels)
    for label, values in _VALUES.items():
        lines += [
            "",
            f"Values of `{label}`:",
            "",
            row([f"`{label}`", "measures" if label == "hop" else "means"]),
            row(["---"] * 2),
        ]
        lines += [row([code(value), text]) for value, text in values.items()]
    lines += ["", "## Of the process and the interpreter", ""]
    lines += _table(others, texts, types, labels)
    return "\n".join([*lines, ""])


def _table(
    names: list[str], texts: dict[str, str], types: dict[str, str], labels: dict[str, list[str]]
) -> list[str]:
    return table(
        ["metric", "type", "labels", "meaning"],
        [
            [code(name), types[name], ", ".join(map(code, labels.get(name, ()))), texts[name]]
            for name in names
        ],
    )


def _labels(scraped: str) -> dict[str, list[str]]:
    """Return the labels of each metric, as far as there is a sample."""
    found: dict[str, list[str]] = {}
    for series, inside in _SAMPLE.findall(scraped):
        name = re.sub(r"_(bucket|count|sum)$", "", series)
        names = [label for label in _LABEL.findall(inside) if label != "le"]
        if names:
            found[name] = sorted(names)
    return found


def _planted() -> str:
    """Return samples of what a quiet system has none of: alarms."""
    planted = EdgeMetrics()
    planted.alarms["SIM", "fills_missing"] = 1
    families = of_subscription(
        LOCAL, EdgeCollector(planted, lambda: (), accounts=lambda: ["SIM"]).collect()
    )
    return b"".join(map(rendered, families)).decode()
