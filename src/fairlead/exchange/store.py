"""The exchange's own store: one SQLite file, so that killing any process does not reset it.

Every batch of handled requests is one row of the log, committed before its answers go out; the tables
follow in bulk, and before anybody reads them. Open orders live in memory and are loaded at start; closed
ones only here, found by number or by client id.
"""

import sqlite3
import threading
from pathlib import Path

import msgspec

from fairlead.exchange import client_ids
from fairlead.exchange import store_rows as rows
from fairlead.exchange.ledger import Changes
from fairlead.exchange.matching import Matching
from fairlead.exchange.store_file import StoreError, open_file
from fairlead.exchange.store_log import Log, entry_of
from fairlead.venues.sim_messages import OrderState, WireFill, WireOrder

PAGE_ROWS = 500  # rows read at once by whoever reads everything
APPLY_ROWS = 256  # of the log, of orders or of fills, that are not in the tables yet
COPY_PAGES = 64  # copied at once: for so long the exchange may have to wait
_COPY_WAIT_S = 0.001  # while a transaction is open

_SELECT_ORDERS = (
    "SELECT number, account, body FROM orders WHERE number > ?1"
    " AND (?2 IS NULL OR account = ?2) ORDER BY number LIMIT ?3"
)
_SELECT_OPEN = (
    "SELECT number, account, body FROM orders WHERE open = 1 AND number > ?1"
    " AND (?2 IS NULL OR account = ?2) ORDER BY number LIMIT ?3"
)


class Store:
    """The open store. `commits` counts transactions; `identity` is the exchange's, while the file lives."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.identity: str
        (self.identity,) = connection.execute("SELECT id FROM identity").fetchone()
        self._ids = client_ids.ClientIds(connection)
        self._log = Log(connection)
        self._copying = threading.Lock()
        self._is_closing = False
        self._apply()
        self._newest = (
            connection.execute("SELECT max(number) FROM orders").fetchone()[0] or 0
        )  # number of the newest stored order
        self.commits = 0
        found_rows = connection.execute(
            "SELECT number, body FROM orders WHERE number >= ? ORDER BY number",
            (self._ids.first_number,),
        )
        for number, body in found_rows:
            self._ids.add(rows.decode_order(body).client_id, number)

    def close(self) -> None:
        """Close the file; everything committed is in it. A copy under way is given up."""
        self._is_closing = True
        with self._copying:
            self._connection.close()

    def copy_into(self, path: Path) -> None:
        """Copy the store into the new file `path`, as it is when this returns.

        For a thread of its own: the connection is used a few pages at a time, and what is committed
        between them is in the copy too, since SQLite carries each page that this connection
        writes over into a copy under way. Nobody else can copy it: the file is locked for as long as it is
        open. Raises StoreError if it cannot be, or if the store is closed meanwhile.
        """
        with self._copying:
            if self._is_closing:
                raise StoreError("the exchange is closing")
            copy = sqlite3.connect(path, isolation_level=None)
            try:
                # Half a copy is thrown away: no rollback journal and no sync of its own.
                copy.execute("PRAGMA journal_mode = OFF")
                copy.execute("PRAGMA synchronous = OFF")
                self._connection.backup(
                    copy, pages=COPY_PAGES, progress=self._go_on, sleep=_COPY_WAIT_S
                )
            except sqlite3.Error as error:
                raise StoreError(f"{path} cannot be written: {error}") from error
            finally:
                copy.close()

    def _go_on(self, _status: int, _remaining: int, _total: int) -> None:
        if self._is_closing:
            raise StoreError("the exchange is closing")

    def commit(self, matching: Matching) -> None:
        """Write what changed since the last commit, as one row of the log, and forget the changes.

        What only house accounts did waits for the next change of a client's: nobody was told it.
        Raises StoreError if it could not be written; memory is ahead of the file from then on.
        """
        changes = matching.changes
        told = changes.orders or changes.instruments or changes.told
        if not (told or _has_client(changes)):
            return
        try:
            self._write(matching, changes)
        except sqlite3.Error as error:
            raise StoreError(f"the exchange's store cannot be written: {error}") from error
        self.commits += 1
        changes.clear()

    def _write(self, matching: Matching, changes: Changes) -> None:
        states = [
            (number, rows.account_body(account)) for number, account in changes.accounts.items()
        ]
        if changes.fills:
            trades = {symbol: market.trades for symbol, market in matching.markets.items()}
            states.append((rows.TRADES, rows.encode(trades)))
        if changes.instruments:
            instruments = tuple(market.instrument for market in matching.markets.values())
            states.append((rows.INSTRUMENTS, rows.encode(instruments)))
        if changes.perpetuals:
            states.append((rows.PERPETUALS, rows.perpetuals_body(matching.markets.values())))
        self._log.add(entry_of(changes, states))
        if matching.orders > self._newest:
            for number, (_, stated) in changes.orders.items():
                if number > self._newest:
                    self._ids.add(stated.client_id, number)
            self._newest = matching.orders
        if self._log.rows >= APPLY_ROWS:
            self._apply()

    def _apply(self) -> None:
        """Bring the tables up to the last commit, in one transaction. Raises StoreError."""
        if self._log.is_empty:
            return
        try:
            self._connection.execute("BEGIN")
            self._log.apply()
            self._ids.flush_if_full()
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"the exchange's store cannot be written: {error}") from error
        self._log.forget()

    def restore(self, matching: Matching) -> None:
        """Put what is stored into a new `matching`: accounts, open orders, counters, instruments.

        Raises StoreError if the file is torn or an order is open in an unknown instrument.
        """
        try:
            self._restore(matching)
        except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
            raise StoreError(f"the exchange's store is damaged: {error}") from error

    def _restore(self, matching: Matching) -> None:
        execute = self._connection.execute
        by_number = {}
        matching.restore_orders(self._newest)
        for number, body in execute("SELECT number, body FROM states").fetchall():
            if number == rows.INSTRUMENTS:
                for instrument in rows.decode_instruments(body):
                    if instrument.symbol_exchange in matching.markets:
                        rows.restore_tick(matching.markets[instrument.symbol_exchange], instrument)
            elif number == rows.PERPETUALS:
                for symbol, stored in rows.decode_perpetuals(body).items():
                    if symbol in matching.markets:
                        rows.restore_perpetual(matching.markets[symbol], stored)
            elif number == rows.TRADES:
                for symbol, trades in rows.decode_trades(body).items():
                    if symbol in matching.markets:
                        matching.markets[symbol].trades = trades
            else:
                stored_account = rows.decode_account(body)
                account = rows.restored_account(number, stored_account)
                by_number[number] = account
                matching.ledger.restore_account(account)
                for position in stored_account.positions:
                    rows.restore_position(matching.markets, account, position)
        found_rows = execute(
            "SELECT account, body FROM orders WHERE open = 1 ORDER BY number"
        ).fetchall()
        for number, body in found_rows:
            stated = rows.decode_order(body)
            if stated.symbol not in matching.markets:
                raise StoreError(
                    f"order {stated.exchange_order_id} is open in {stated.symbol}, which is not"
                    f" among the instruments {', '.join(matching.markets)}"
                )
            matching.restore_order(by_number[number], stated)

    # ── reading; everything handled must have been committed ─────────────────────────────────────

    def order(self, account: int, exchange_order_id: str) -> WireOrder | None:
        """Return the account's order with this exchange id, open or closed."""
        if not (exchange_order_id.isascii() and exchange_order_id.isdigit()):
            return None
        number = int(exchange_order_id[:18])
        body = self._log.order(number, account)
        if body is None:
            row = self._connection.execute(
                "SELECT body FROM orders WHERE number = ? AND account = ?", (number, account)
            ).fetchone()
            if row is None:
                return None
            (body,) = row
        stated = rows.decode_order(body)
        return stated if stated.exchange_order_id == exchange_order_id else None

    def order_of_client(self, account: int, client_id: str) -> WireOrder | None:
        """Return the account's newest order with this client id, open or closed."""
        for number in self._ids.numbers(client_id):
            stated = self.order(account, str(number))
            if stated is not None and stated.client_id == client_id:
                return stated
        return None

    def fills_after(self, account: int, ordinal: int, limit: int) -> list[WireFill]:
        """Return at most `limit` fills of the account with a greater ordinal, oldest first."""
        self._apply()
        found_rows = self._connection.execute(
            "SELECT body FROM fills WHERE account = ? AND ordinal > ? ORDER BY ordinal LIMIT ?",
            (account, ordinal, limit),
        )
        return [rows.decode_fill(body) for (body,) in found_rows]

    def orders_after(
        self,
        number: int,
        limit: int,
        account: int | None = None,
        state: OrderState | None = None,
        client_id: str | None = None,
    ) -> list[tuple[int, WireOrder]]:
        """Return at most `limit` (account, order) with a greater number, oldest first."""
        self._apply()
        if client_id is not None:
            return self._orders_of_client(client_id, number, limit, account, state)
        # An account with few orders among millions costs a scan; an operator can wait for it.
        select = _SELECT_OPEN if state is OrderState.OPEN else _SELECT_ORDERS
        found: list[tuple[int, WireOrder]] = []
        while len(found) < limit:
            found_rows = self._connection.execute(select, (number, account, PAGE_ROWS)).fetchall()
            if not found_rows:
                break
            number = found_rows[-1][0]
            stated = [(owner, rows.decode_order(body)) for _, owner, body in found_rows]
            found.extend(each for each in stated if state in (None, each[1].state))
        return found[:limit]

    def all_fills_after(
        self, owner: int, ordinal: int, limit: int, account: int | None = None
    ) -> list[tuple[int, WireFill]]:
        """Return at most `limit` (account, fill) behind this one, by account and ordinal."""
        self._apply()
        if account is not None:
            after = ordinal if owner == account else 0
            return (
                []
                if owner > account
                else [(account, fill) for fill in self.fills_after(account, after, limit)]
            )
        found_rows = self._connection.execute(
            "SELECT account, body FROM fills WHERE (account, ordinal) > (?, ?)"
            " ORDER BY account, ordinal LIMIT ?",
            (owner, ordinal, limit),
        )
        return [(number, rows.decode_fill(body)) for number, body in found_rows]

    def _orders_of_client(
        self,
        client_id: str,
        after: int,
        limit: int,
        account: int | None,
        state: OrderState | None,
    ) -> list[tuple[int, WireOrder]]:
        found = []
        for number in sorted(self._ids.numbers(client_id)):
            if number <= after:
                continue
            owner, body = self._connection.execute(
                "SELECT account, body FROM orders WHERE number = ?", (number,)
            ).fetchone()
            stated = rows.decode_order(body)
            if (
                stated.client_id == client_id
                and account in (None, owner)
                and state in (None, stated.state)
            ):
                found.append((owner, stated))
        return found[:limit]


def open_store(path: Path | None, identity: str | None = None) -> Store:
    """Open the store in the file `path`, made if it is not there; None keeps it in memory.

    `identity`: see `open_file`.

    Raises StoreError if the file is not a store of this version.
    """
    connection = open_file(path, identity)
    try:
        return Store(connection)
    except (sqlite3.Error, msgspec.DecodeError) as error:
        connection.close()
        raise StoreError(f"{path} cannot be used: {error}") from error
    except StoreError:
        connection.close()
        raise


def _has_client(changes: Changes) -> bool:
    return any(not account.is_house for account in changes.accounts.values())
