"""Tables and an order's life: with colour on a terminal, plain columns in a pipe.

Takes what the REST API answered. Numbers are shown exactly, without trailing zeros.
"""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from fairlead.commands.client import Answer, Json

_STYLES = {
    "FILLED": "green",
    "CANCELED": "dim",
    "REJECTED": "red",
    "PENDING_CANCEL": "yellow",
    "HALTED": "red",
    "REDUCING": "yellow",
}


class Column(msgspec.Struct, frozen=True):
    """A column's heading; numbers stand to the right."""

    name: str
    is_number: bool = False


def out(text: str = "") -> None:
    """Write one line to stdout."""
    sys.stdout.write(text + "\n")


def is_for_people(answer: Answer, *, as_json: bool) -> bool:
    """Return whether a 200 is still to be put into words: not when JSON was asked for, then printed.

    Any other answer is printed as JSON likewise, and raised as Ended.
    """
    if as_json and answer.content is not None:
        out(answer.text)
    if not answer.is_ok:
        raise answer.ended()
    return not as_json


def flush() -> None:
    """Have what was written seen now, also in a pipe."""
    sys.stdout.flush()


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], empty: str) -> None:
    """Print rows under headings, or `empty` if there are none."""
    if not rows:
        out(empty)
    elif sys.stdout.isatty():
        _print_styled(columns, rows)
    else:
        for line in plain_table(columns, rows):
            out(line)


def plain_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table without any decoration, the headings first."""
    return ["  ".join(line).rstrip() for line in _aligned(columns, rows)]


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


def _print_styled(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print with colour and nothing cut off: what is too wide is wrapped by the terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    heading, *lines = _aligned(columns, rows)
    console.print(Text("  ".join(heading).rstrip(), style="bold"))
    for line in lines:
        cells = [Text(cell, style=_STYLES.get(cell.strip(), "")) for cell in line]
        shown = Text("  ").join(cells)
        shown.rstrip()
        console.print(shown)


# ── orders ───────────────────────────────────────────────────────────────────────────────────────

ORDER_COLUMNS = (
    Column("time"),
    Column("account"),
    Column("id"),
    Column("side"),
    Column("symbol"),
    Column("quantity", is_number=True),
    Column("price", is_number=True),
    Column("filled", is_number=True),
    Column("average", is_number=True),
    Column("status"),
    Column(""),
)


def order_row(report: Json) -> list[str]:
    """Return one row of `ORDER_COLUMNS` for an order report."""
    remark = "in doubt" if report.get("in_doubt") else report.get("error_message") or ""
    return [
        short_time(report["time_order"]),
        report["exchange_id"],
        report["client_order_id"],
        report["side"],
        report["symbol_id_coinapi"],
        number(report["amount_order"]),
        number(report["price"]),
        number(report["amount_filled"]),
        number(report["avg_px"]),
        report["status"],
        remark,
    ]


def history_row(row: Json) -> list[str]:
    """Return one row of `ORDER_COLUMNS` for a row of the history."""
    return [
        short_time(row["createdTime"]),
        row["exchangeId"],
        row["clientOrderId"],
        "BUY" if row["side"] == 1 else "SELL",
        row["symbolIdCoinapi"],
        number(row["amountOrder"]),
        number(row["price"]),
        number(row["amountFilled"]),
        number(row["avgPx"]),
        row["status"],
        row.get("errorMessageMessage") or "",
    ]


def life(report: Json) -> list[str]:
    """Return an order's life as lines: what it is, each status with its ms, each fill."""
    lines = [headline(report), *status_lines(report), *fill_lines(report)]
    if report.get("error_message"):
        lines.append(f"  {report['error_message']}")
    if report.get("in_doubt"):
        lines.append("  in doubt: the exchange has not said whether it has it")
    return lines


def headline(report: Json) -> str:
    """Return what the order is."""
    expires = f" until {report['expire_time']}" if report.get("expire_time") else ""
    instructions = "".join(f" {each}" for each in report.get("exec_inst") or ())
    return (
        f"{report['side']} {number(report['amount_order'])} {report['symbol_id_coinapi']}"
        f" at {number(report['price'])} {report['time_in_force']}{expires}{instructions}"
        f"  {report['exchange_id']} {report['client_order_id']}"
    )


def status_lines(report: Json) -> list[str]:
    """Return one line per status: its name, the ms since the order was accepted, what it means."""
    start_ns = time_ns(report["time_order"])
    meanings = {
        "RECEIVED": "durable here",
        "ROUTING": "on its way",
        "ROUTED": f"the exchange has it as {report.get('exchange_order_id')}",
        "NEW": "in the book",
    }
    return [
        f"  {status:<17}{milliseconds(time_ns(time) - start_ns):>10} ms  {meanings.get(status, '')}".rstrip()
        for status, time in report["status_history"]
    ]


def fill_lines(report: Json) -> list[str]:
    """Return one line per fill, after a few of them their number."""
    fills = report["fills"]
    lines = [
        f"  fill {number(fill['amount'])} at {number(fill['price'])}"
        f"  {fill['liquidity']}, fee {number(fill['fee'])} {fill['fee_asset']}"
        for fill in fills[:5]
    ]
    if len(fills) > 5:
        lines.append(f"  and {len(fills) - 5} more, {number(report['amount_filled'])} in all")
    return lines


# ── values ───────────────────────────────────────────────────────────────────────────────────────


def number(value: Json) -> str:
    """Return a number in full, without trailing zeros."""
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def time_ns(text: str) -> int:
    """Return UTC ns of a time as the API writes it."""
    second = datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
    fraction = text[19:].strip(".Z")
    return int(second.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9] or 0)


def short_time(text: str) -> str:
    """Return a time to the second."""
    return text[:19].replace("T", " ")


def milliseconds(duration_ns: int) -> str:
    """Return ns as ms with two places."""
    hundredths = round(Decimal(duration_ns) / 10_000)
    return f"{hundredths // 100}.{hundredths % 100:02d}"
