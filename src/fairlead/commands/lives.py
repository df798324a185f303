"""Orders in words: a row of a table, an order's life, its whole story, its dry run."""

from decimal import Decimal

from fairlead.client.numbers import time_ns
from fairlead.client.shapes import (
    Checks,
    Fill,
    HistoryOrder,
    OrderReport,
    Story,
    StoryReport,
)
from fairlead.commands import show
from fairlead.commands.show import number

ORDER_COLUMNS = show.columns(
    *("time", "account", "id", "side", "symbol", "quantity#", "price#", "filled#", "average#"),
    *("status", ""),
)
FILL_COLUMNS = show.columns(
    *("time", "account", "id", "side", "symbol", "quantity#", "price#", "fee#", "in", "liquidity"),
)
STORY_COLUMNS = show.columns("sequence#", "after ms#", "hop ms#", "why", "status", "filled#", "")
CHECK_COLUMNS = show.columns("check", "result", "answer", "")
_FILLS_SHOWN = 5
_MEANINGS = {"RECEIVED": "durable here", "ROUTING": "on its way", "NEW": "in the book"}


def order_row(report: OrderReport) -> list[str]:
    """Return one row of `ORDER_COLUMNS` for an order report."""
    remark = "in doubt" if report.in_doubt else report.error_message or ""
    return _row(report.time_order, report, remark)


def history_row(order: HistoryOrder) -> list[str]:
    """Return one row of `ORDER_COLUMNS` for an order of the history."""
    return _row(order.created_time, order, order.error_message_message or "")


def fill_row(order: OrderReport | HistoryOrder, fill: Fill) -> list[str]:
    """Return one row of `FILL_COLUMNS` for an execution of an order."""
    return [
        show.short_time(fill.time),
        order.exchange_id,
        order.client_order_id,
        order.side,
        order.symbol_id_coinapi,
        number(fill.amount),
        number(fill.price),
        number(fill.fee),
        fill.fee_asset,
        fill.liquidity,
    ]


def _row(time: str, order: OrderReport | HistoryOrder, remark: str) -> list[str]:
    return [
        show.short_time(time),
        order.exchange_id,
        order.client_order_id,
        order.side,
        order.symbol_id_coinapi,
        number(order.amount_order),
        number(order.price),
        number(order.amount_filled),
        number(order.avg_px),
        order.status,
        remark,
    ]


# ── one order ────────────────────────────────────────────────────────────────────────────────────


def life(report: OrderReport) -> list[str]:
    """Return an order's life as lines: what it is, each status with its ms, each fill."""
    return [headline(report), *status_lines(report), *fill_lines(report), *remarks(report)]


def headline(report: OrderReport) -> str:
    """Return what the order is."""
    expires = f" until {report.expire_time}" if report.expire_time else ""
    instructions = "".join(f" {each}" for each in report.exec_inst)
    return (
        f"{report.side} {number(report.amount_order)} {report.symbol_id_coinapi}"
        f" at {number(report.price)} {report.time_in_force}{expires}{instructions}"
        f"  {report.exchange_id} {report.client_order_id}"
    )


def status_lines(report: OrderReport) -> list[str]:
    """Return one line per status: its name, the ms since the order was accepted, what it means."""
    start_ns = time_ns(report.time_order)
    meanings = _MEANINGS | {"ROUTED": f"the exchange has it as {report.exchange_order_id}"}
    lines = []
    for change in report.status_history:
        after = show.milliseconds(time_ns(change.time) - start_ns)
        lines.append(f"  {change.status:<17}{after:>10} ms  {meanings.get(change.status, '')}")
    return [line.rstrip() for line in lines]


def fill_lines(report: OrderReport) -> list[str]:
    """Return one line per fill, after a few of them their number."""
    fills = report.fills
    lines = [f"  {fill_text(fill)}" for fill in fills[:_FILLS_SHOWN]]
    if len(fills) > _FILLS_SHOWN:
        untold = len(fills) - _FILLS_SHOWN
        lines.append(f"  and {untold} more, {number(report.amount_filled)} in all")
    return lines


def fill_text(fill: Fill) -> str:
    """Return one fill in words."""
    return (
        f"fill {number(fill.amount)} at {number(fill.price)}"
        f"  {fill.liquidity}, fee {number(fill.fee)} {fill.fee_asset}"
    )


def remarks(report: OrderReport) -> list[str]:
    """Return what else there is to say."""
    lines = [f"  {report.error_message}"] if report.error_message else []
    if report.in_doubt:
        lines.append("  in doubt: the exchange has not said whether it has it")
    return lines


# ── its story ────────────────────────────────────────────────────────────────────────────────────


def story(told: Story) -> tuple[list[str], show.Table]:
    """Return the lines above the table of an order's reports, and the table."""
    report = told.order
    open_amount = f", {number(report.amount_open)} open" if report.amount_open else ""
    lines = [
        headline(report),
        f"  {report.status}, {number(report.amount_filled)} filled"
        f" at {number(report.avg_px)}{open_amount}",
        f"  the exchange's id {report.exchange_order_id or '-'},"
        f" our id there {report.client_order_id_format_exchange}",
        *remarks(report),
    ]
    rows = [_story_row(each) for each in told.reports]
    return lines, show.Table(STORY_COLUMNS, rows, "no reports")


def _story_row(report: StoryReport) -> list[str]:
    return [
        str(report.sequence),
        show.milliseconds(report.after_ns),
        show.milliseconds(report.hop_ns),
        report.cause,
        report.status,
        number(report.amount_filled),
        "; ".join(_brought(report)),
    ]


def _brought(report: StoryReport) -> list[str]:
    """Return what a report brought besides the status."""
    brought = []
    if report.exchange_order_id is not None:
        brought.append(f"the exchange's id {report.exchange_order_id}")
    if report.fill is not None:
        brought.append(f"{fill_text(report.fill)}, trade {report.fill.trade_id}")
    if report.amount_closed not in (None, Decimal(0)):
        brought.append(f"closed with {number(report.amount_closed)} filled")
    if report.error_message is not None:
        brought.append(report.error_message)
    elif report.reason is not None:
        brought.append(report.reason)
    if report.attention is not None:
        brought.append(report.attention)
    if report.in_doubt:
        brought.append("in doubt")
    return brought


# ── its dry run ──────────────────────────────────────────────────────────────────────────────────


def checks(made: Checks) -> show.Table:
    """Return every check as a table."""
    rows = [
        [each.check, each.result, str(each.answer_status or ""), each.message or ""]
        for each in made.checks
    ]
    return show.Table(CHECK_COLUMNS, rows, "no checks")
