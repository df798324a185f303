"""up --demo: one order's life on one screen, told through the REST API alone.

Runs in a thread beside the serving and is a client like any other; nothing here can stop the system.
"""

import asyncio
import json
import shlex
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape

from fairlead import __version__
from fairlead.client import (
    Client,
    ClientError,
    HistoryOrder,
    NewOrder,
    OrderReport,
    Settings,
    Side,
    Status,
    calls,
    simulator,
)
from fairlead.client.numbers import NS_PER_S, time_text
from fairlead.commands import lives, show
from fairlead.commands.credentials import SECRET, client_settings
from fairlead.commands.operate import account_state
from fairlead.config import Config
from fairlead.config.loading import KEYS
from fairlead.endpoint import Endpoint

_SYMBOL = "SIM_SPOT_BTC_USDT"
_QUANTITY = "0.01"
_PRICE_WITHOUT_BOOK = Decimal(42_000)  # crosses the participants' market, which starts at 40,000
_ABOVE_BEST = Decimal("1.001")  # the market moves between looking and sending
_WAIT_S = 30.0
_BOOK_WAIT_S = 3.0
_LIFE_WAIT_S = 3.0
_POLL_S = 0.02
_EARLIER_SHOWN = 4
_EARLIER_PAGE = 1_000
_EARLIER_WINDOWS_S = (60, 600, 3_600, 86_400, 30 * 86_400, 36_500 * 86_400)


class _Sent(msgspec.Struct, frozen=True):
    """The order that was sent, the answer and how long it took, and the order's newest report."""

    order: NewOrder
    answered: Status
    answer_ns: int
    report: OrderReport


async def show_one_order(
    endpoint: Endpoint, config: Config, began_ns: int, api_key: str | None = None
) -> None:
    """Print the page; whatever goes wrong is said on it and the system keeps serving.

    `began_ns` is the steady time at which the system began to start. `api_key`: by which it is asked, where
    the environment says none.
    """
    demo = Demo(endpoint, config, began_ns, api_key)
    try:
        await asyncio.to_thread(demo.run)
    except asyncio.CancelledError:
        demo.stop()
        raise


class Demo:
    """The page, top to bottom."""

    def __init__(
        self, endpoint: Endpoint, config: Config, began_ns: int, api_key: str | None = None
    ) -> None:
        self._endpoint = endpoint
        self._config = config
        self._began_ns = began_ns
        self._account = ""
        self._api_key = api_key
        self._client = Client(endpoint.url, self._settings(endpoint.url))
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._stopped = threading.Event()

    def _settings(self, url: str) -> Settings:
        settings = client_settings(url)
        if self._api_key is None:
            return settings
        return msgspec.structs.replace(settings, api_key=self._api_key)

    def stop(self) -> None:
        """Print no more: the system is stopping."""
        self._stopped.set()

    def run(self) -> None:
        """Print it."""
        try:
            with self._client:
                self._run()
        except ClientError as error:
            self._line(f"[yellow]The demonstration ended early: {escape(str(error))}[/]")
        self._line("")
        show.flush()

    def _run(self) -> None:
        self._line(
            f"\n[bold]Fairlead {__version__}[/]  {self._endpoint.url}"
            f"  [dim]data in {escape(str(self._config.data))}[/]\n"
        )
        show.flush()  # waiting may take long
        accounts = self._client.accounts()
        if not accounts:
            self._line("There is no account to trade with; `fairlead accounts set` adds one.")
            return
        self._account = accounts[0].exchange_id
        self._wait_until_reconciled()
        self._show_earlier()
        before = self._balances()
        sent = self._send()
        self._show_order(sent)
        self._show_balances(before, self._balances())
        self._show_next(sent)

    # ── 1: ready ─────────────────────────────────────────────────────────────────────────────────

    def _wait_until_reconciled(self) -> None:
        deadline = time.monotonic() + _WAIT_S
        while True:
            (state,) = self._client.accounts(self._account)
            if state.reconciled:
                break
            if self._is_over(deadline):
                words = account_state(state)
                self._line(f"{self._account} is not reconciled after {_WAIT_S:g} s: {words}")
                break
        waited = show.milliseconds(time.monotonic_ns() - self._began_ns)
        where = self._config.exchange_url or "the embedded simulated exchange"
        self._line(
            f"[bold]1[/]  {self._account} is reconciled with {where}, {waited} ms after start"
        )

    def _show_earlier(self) -> None:
        """Show the newest orders of earlier runs on this folder."""
        now_ns = time.time_ns()
        rows: tuple[HistoryOrder, ...] = ()
        for window_s in _EARLIER_WINDOWS_S:
            start = time_text(max(0, now_ns - window_s * NS_PER_S))
            page = self._client.run(calls.history_page(start, time_text(now_ns), _EARLIER_PAGE))
            rows = page.orders
            if len(rows) >= _EARLIER_SHOWN:
                break
        if not rows:
            self._line("   no orders yet in this folder")
            return
        newest = sorted(rows, key=lambda row: row.created_time)[-_EARLIER_SHOWN:]
        self._line("   the last orders of earlier runs in this folder:")
        columns = [column for column in lives.ORDER_COLUMNS if column.name != "account"][:-1]
        cells = [lives.history_row(row) for row in newest]
        lines = [[line[0], *line[2:-1]] for line in cells]
        for line in show.plain_table(columns, lines)[1:]:
            self._line(f"   [dim]{escape(line)}[/]")

    # ── 2: one order ─────────────────────────────────────────────────────────────────────────────

    def _send(self) -> _Sent:
        order = NewOrder(
            exchange_id=self._account,
            client_order_id=f"demo-{time.time_ns() // 1_000_000}",
            symbol_id_coinapi=_SYMBOL,
            side=Side.BUY,
            amount_order=_QUANTITY,
            price=show.number(self._price()),
        )
        began_ns = time.monotonic_ns()
        report = self._client.place(order)
        answer_ns = time.monotonic_ns() - began_ns
        return _Sent(order, report.status, answer_ns, self._followed(report))

    def _price(self) -> Decimal:
        """Return a price that buys now: a little above the best offer."""
        offer = self._best_offer()
        if offer is None:
            return _PRICE_WITHOUT_BOOK
        (listed,) = self._client.instruments(self._account)
        ticks = [row.price_precision for row in listed.data if row.symbol_id_coinapi == _SYMBOL]
        tick = ticks[0] if ticks else Decimal(1)
        return (offer * _ABOVE_BEST // tick + 1) * tick

    def _best_offer(self) -> Decimal | None:
        """Return the lowest price that somebody sells at; None if that cannot be known."""
        if self._endpoint.operator_url is None:
            return None
        deadline = time.monotonic() + (_BOOK_WAIT_S if self._config.exchange.participants else 0)
        url = self._endpoint.operator_url
        with Client(url, self._settings(url)) as operator:
            while True:
                quotes = operator.run(simulator.quotes()).quotes
                offer = {each.symbol: each.ask for each in quotes}.get(_SYMBOL)
                if offer is not None or self._is_over(deadline):
                    return offer

    def _followed(self, report: OrderReport) -> OrderReport:
        """Return the order's last report, or where it stands after some seconds."""
        deadline = time.monotonic() + _LIFE_WAIT_S
        while not report.is_final and report.status is not Status.NEW:
            if self._is_over(deadline):
                break
            report = self._client.status(report.client_order_id, report.exchange_id)
        return report

    def _show_order(self, sent: _Sent) -> None:
        report = sent.report
        self._line(
            f"\n[bold]2[/]  One order by POST /v1/orders, answered {sent.answered}"
            f" in {show.milliseconds(sent.answer_ns)} ms"
        )
        self._line(f"   {escape(lives.headline(report))}")
        for line in (*lives.status_lines(report), *lives.fill_lines(report)):
            self._line(f" {escape(line)}")
        if report.error_message:
            self._line(f"   [red]{escape(report.error_message)}[/]")
        elif report.status is Status.NEW:
            self._line("   it rests in the book: nobody sells at this price yet")

    # ── 3, 4: balances, the next order ───────────────────────────────────────────────────────────

    def _balances(self) -> dict[str, Decimal]:
        """Return what the account has of each asset."""
        (snapshot,) = self._client.balances(self._account)
        return {row.asset_id_coinapi: row.balance for row in snapshot.data}

    def _show_balances(self, before: dict[str, Decimal], after: dict[str, Decimal]) -> None:
        columns = (
            show.Column("3  balances"),
            show.Column("before", is_number=True),
            show.Column("after", is_number=True),
            show.Column("change", is_number=True),
        )
        rows = []
        for asset, total in after.items():
            change = total - before.get(asset, Decimal(0))
            if change or asset in _SYMBOL:
                was = show.number(before.get(asset, Decimal(0)))
                moved = f"+{show.number(change)}" if change > 0 else show.number(change)
                rows.append([f"   {asset}", was, show.number(total), moved])
        heading, *lines = show.plain_table(columns, rows)
        self._line(f"\n[bold]{heading}[/]")
        for line in lines:
            self._line(line)

    def _show_next(self, sent: _Sent) -> None:
        name = f"next-{time.time_ns() // 1_000_000}"
        order = msgspec.structs.replace(sent.order, client_order_id=name)
        body: dict[str, str] = json.loads(order.body())
        pairs = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in body.items()]
        parts = (pairs[:3], pairs[3:6], pairs[6:])
        text = "{\n  " + ",\n  ".join(", ".join(part) for part in parts) + "}"
        self._line("\n[bold]4[/]  The next one is yours; sent twice, it is placed once:\n")
        is_keyed = self._config.authentication == KEYS
        key = f' -H "X-CoinAPI-Key: ${SECRET}"' if is_keyed else ""
        self._line(
            f"curl -s {self._endpoint.url}/v1/orders -H 'Content-Type: application/json'{key} -d"
            f" {escape(shlex.quote(text))}\n"
        )
        program = Path(sys.argv[0])
        shown = program if len(program.parts) < 4 else program.name
        where = "" if self._config.data == Path("data") else f" --data {self._config.data}"
        self._line(f"   or: {shown} order buy {_QUANTITY} {_SYMBOL} {order.price}{where}")
        if is_keyed:
            self._line(
                f"\n   Every request needs a key here. Make one, and give it to both as {SECRET}:"
                f"\n   {shown} keys create Bot1 --scope trade{where}"
            )
        self._line(
            "\n   The management API (accounts, exchanges, endpoints) asks for a key, which you make by"
            f"\n   {shown} keys create Manager1 --scope manage{where}"
        )

    def _is_over(self, deadline: float) -> bool:
        """Wait a little; return whether that was enough."""
        return self._stopped.wait(_POLL_S) or time.monotonic() > deadline

    def _line(self, text: str) -> None:
        if not self._stopped.is_set():
            self._console.print(text)
