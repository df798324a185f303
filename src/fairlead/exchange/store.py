"""The exchange's own store: one SQLite file, so that killing any process does not reset it.

WAL with `synchronous=NORMAL`: what was committed survives `kill -9`, not a power loss. Every batch of
handled requests is one transaction, committed before its answers go out. Open orders live in memory
and are loaded at start; closed ones only here, found by number or by client id. A file that is
foreign, newer or torn is refused with `StoreError` and never written.
"""

import sqlite3
import threading
from decimal import Decimal
from pathlib import Path

import msgspec

from fairlead.core.model import Instrument
from fairlead.exchange import client_ids
from fairlead.exchange.book import Market
from fairlead.exchange.ledger import Changes
from fairlead.exchange.matching import Matching
from fairlead.exchange.orders import Account, Holding
from fairlead.exchange.perpetual import PerpetualBooking
from fairlead.venues.sim_messages import OrderState, WireFill, WireOrder

FILE_NAME = "exchange.sqlite"
APPLICATION_ID = 0x46_4C_53_58  # "FLSX"
SCHEMA_VERSION = 2  # 2: positions, perpetuals; what 1 wrote is read as it is
CACHE_KIB = 4_096
CHECKPOINT_PAGES = 4_000
CHECKED_BYTES = 16 * 1024 * 1024  # a file up to this size is checked whole at start
TRADES = 0  # the newest trade id of each market
INSTRUMENTS = -(2**62)
PERPETUALS = INSTRUMENTS + 1  # marks and times of funding
PAGE_ROWS = 500  # rows read at once by whoever reads everything
COPY_PAGES = 64  # copied at once: for so long the exchange may have to wait
_COPY_WAIT_S = 0.001  # while a transaction is open

_SCHEMA = (
    """
CREATE TABLE orders (
    number INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    open INTEGER NOT NULL,
    body BLOB NOT NULL
)
""",
    "CREATE INDEX open_orders ON orders (number) WHERE open = 1",
    """
CREATE TABLE fills (
    account INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (account, ordinal)
) WITHOUT ROWID
""",
    # By account number; TRADES, INSTRUMENTS and PERPETUALS are no account's.
    "CREATE TABLE states (number INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE client_id_runs (last_number INTEGER PRIMARY KEY)",
    client_ids.SCHEMA,
)

_SELECT_ORDERS = (
    "SELECT number, account, body FROM orders WHERE number > ?1"
    " AND (?2 IS NULL OR account = ?2) ORDER BY number LIMIT ?3"
)
_SELECT_OPEN = (
    "SELECT number, account, body FROM orders WHERE open = 1 AND number > ?1"
    " AND (?2 IS NULL OR account = ?2) ORDER BY number LIMIT ?3"
)


class StoreError(Exception):
    """The file cannot be this exchange's store; the message says why and what would be right."""


class _StoredPosition(msgspec.Struct, frozen=True, array_like=True):
    symbol: str
    quantity: Decimal
    cost: Decimal
    leverage: Decimal


class _StoredPerpetual(msgspec.Struct, frozen=True, array_like=True):
    mark: Decimal | None
    mark_set: Decimal | None
    price_last: Decimal | None
    funding_time_ns: int | None


class _StoredAccount(msgspec.Struct, frozen=True, array_like=True):
    public_key: str
    private_key_hash: bytes
    is_house: bool
    events: int
    fills: int
    holdings: tuple[tuple[str, Decimal], ...]
    positions: tuple[_StoredPosition, ...] = ()


_encode = msgspec.msgpack.Encoder(decimal_format="string").encode
_decode_order = msgspec.msgpack.Decoder(WireOrder).decode
_decode_fill = msgspec.msgpack.Decoder(WireFill).decode
_decode_account = msgspec.msgpack.Decoder(_StoredAccount).decode
_decode_trades = msgspec.msgpack.Decoder(dict[str, int]).decode
_decode_perpetuals = msgspec.msgpack.Decoder(dict[str, _StoredPerpetual]).decode
_decode_instruments = msgspec.msgpack.Decoder(tuple[Instrument, ...]).decode


class Store:
    """The open store. `commits` counts transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._ids = client_ids.ClientIds(connection)
        self._copying = threading.Lock()
        self._is_closing = False
        self._newest = (
            connection.execute("SELECT max(number) FROM orders").fetchone()[0] or 0
        )  # number of the newest stored order
        self.commits = 0
        rows = connection.execute(
            "SELECT number, body FROM orders WHERE number >= ? ORDER BY number",
            (self._ids.first_number,),
        )
        for number, body in rows:
            self._ids.add(_decode_order(body).client_id, number)

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
        """Write what changed since the last commit, as one transaction, and forget the changes.

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
        execute = self._connection.execute
        executemany = self._connection.executemany
        execute("BEGIN")
        if changes.orders:
            executemany(
                "INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?)",
                [
                    (number, account, stated.state is OrderState.OPEN, _encode(stated))
                    for number, (account, stated) in changes.orders.items()
                ],
            )
            if matching.orders > self._newest:
                for number, (_, stated) in changes.orders.items():
                    if number > self._newest:
                        self._ids.add(stated.client_id, number)
                self._newest = matching.orders
                self._ids.flush_if_full()
        if changes.fills:
            executemany(
                "INSERT INTO fills VALUES (?, ?, ?)",
                [(account, fill.ordinal, _encode(fill)) for account, fill in changes.fills],
            )
        states = [(number, _account_body(account)) for number, account in changes.accounts.items()]
        if changes.fills:
            trades = {symbol: market.trades for symbol, market in matching.markets.items()}
            states.append((TRADES, _encode(trades)))
        if changes.instruments:
            instruments = tuple(market.instrument for market in matching.markets.values())
            states.append((INSTRUMENTS, _encode(instruments)))
        if changes.perpetuals:
            states.append((PERPETUALS, _perpetuals_body(matching)))
        executemany("INSERT OR REPLACE INTO states VALUES (?, ?)", states)
        execute("COMMIT")

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
            if number == INSTRUMENTS:
                for instrument in _decode_instruments(body):
                    if instrument.symbol_exchange in matching.markets:
                        matching.markets[instrument.symbol_exchange].instrument = instrument
            elif number == PERPETUALS:
                for symbol, stored in _decode_perpetuals(body).items():
                    if symbol in matching.markets:
                        _restore_perpetual(matching.markets[symbol], stored)
            elif number == TRADES:
                for symbol, trades in _decode_trades(body).items():
                    if symbol in matching.markets:
                        matching.markets[symbol].trades = trades
            else:
                stored_account = _decode_account(body)
                account = _account(number, stored_account)
                by_number[number] = account
                matching.ledger.restore_account(account)
                for position in stored_account.positions:
                    _restore_position(matching, account, position)
        rows = execute("SELECT account, body FROM orders WHERE open = 1 ORDER BY number").fetchall()
        for number, body in rows:
            stated = _decode_order(body)
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
        row = self._connection.execute(
            "SELECT body FROM orders WHERE number = ? AND account = ?", (number, account)
        ).fetchone()
        if row is None:
            return None
        stated = _decode_order(row[0])
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
        rows = self._connection.execute(
            "SELECT body FROM fills WHERE account = ? AND ordinal > ? ORDER BY ordinal LIMIT ?",
            (account, ordinal, limit),
        )
        return [_decode_fill(body) for (body,) in rows]

    def orders_after(
        self,
        number: int,
        limit: int,
        account: int | None = None,
        state: OrderState | None = None,
        client_id: str | None = None,
    ) -> list[tuple[int, WireOrder]]:
        """Return at most `limit` (account, order) with a greater number, oldest first."""
        if client_id is not None:
            return self._orders_of_client(client_id, number, limit, account, state)
        # An account with few orders among millions costs a scan; an operator can wait for it.
        select = _SELECT_OPEN if state is OrderState.OPEN else _SELECT_ORDERS
        found: list[tuple[int, WireOrder]] = []
        while len(found) < limit:
            rows = self._connection.execute(select, (number, account, PAGE_ROWS)).fetchall()
            if not rows:
                break
            number = rows[-1][0]
            stated = [(owner, _decode_order(body)) for _, owner, body in rows]
            found.extend(each for each in stated if state in (None, each[1].state))
        return found[:limit]

    def all_fills_after(
        self, owner: int, ordinal: int, limit: int, account: int | None = None
    ) -> list[tuple[int, WireFill]]:
        """Return at most `limit` (account, fill) behind this one, by account and ordinal."""
        if account is not None:
            after = ordinal if owner == account else 0
            return (
                []
                if owner > account
                else [(account, fill) for fill in self.fills_after(account, after, limit)]
            )
        rows = self._connection.execute(
            "SELECT account, body FROM fills WHERE (account, ordinal) > (?, ?)"
            " ORDER BY account, ordinal LIMIT ?",
            (owner, ordinal, limit),
        )
        return [(number, _decode_fill(body)) for number, body in rows]

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
            stated = _decode_order(body)
            if (
                stated.client_id == client_id
                and account in (None, owner)
                and state in (None, stated.state)
            ):
                found.append((owner, stated))
        return found[:limit]


def open_store(path: Path | None) -> Store:
    """Open the store in the file `path`, made if it is not there; None keeps it in memory.

    Raises StoreError if the file is not a store of this version.
    """
    connection = sqlite3.connect(
        ":memory:" if path is None else path,
        isolation_level=None,
        check_same_thread=False,
        timeout=0,
    )
    try:
        _check(connection, path)
        for pragma in (
            "locking_mode = EXCLUSIVE",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            f"cache_size = -{CACHE_KIB}",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            _create(connection)
        elif version < SCHEMA_VERSION:
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        return Store(connection)
    except sqlite3.OperationalError as error:
        connection.close()
        raise StoreError(
            f"{path} cannot be used: {error}; is another exchange running on it?"
        ) from error
    except (StoreError, sqlite3.DatabaseError, msgspec.DecodeError) as error:
        connection.close()
        raise StoreError(f"{path} cannot be used: {error}") from error


class StoreSummary(msgspec.Struct, frozen=True):
    """What a store that nobody has open holds: its schema, and the number of its newest order."""

    schema: int
    orders: int


def examine(path: Path) -> StoreSummary:
    """Look at the store in `path` without writing. Raises StoreError, also when an exchange has it open."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)
        try:
            _check(connection, path)
            (schema,) = connection.execute("PRAGMA user_version").fetchone()
            (orders,) = connection.execute("SELECT max(number) FROM orders").fetchone()
        finally:
            connection.close()
    except (StoreError, sqlite3.Error) as error:
        raise StoreError(f"{path} cannot be used: {error}") from error
    return StoreSummary(schema, orders or 0)


def _check(connection: sqlite3.Connection, path: Path | None) -> None:
    """Refuse what is not ours, before anything is written."""
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if tables == 0 and application == 0 and version == 0:
        return
    if application != APPLICATION_ID:
        raise StoreError("it is a database of another program")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"its schema version {version} is newer than {SCHEMA_VERSION}, the newest known here"
        )

    if path is not None and path.stat().st_size <= CHECKED_BYTES:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"it is damaged: {found}")


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _has_client(changes: Changes) -> bool:
    return any(not account.is_house for account in changes.accounts.values())


def _account_body(account: Account) -> bytes:
    holdings = tuple((asset, holding.total) for asset, holding in account.holdings.items())
    return _encode(
        _StoredAccount(
            account.public_key,
            account.private_key_hash,
            account.is_house,
            account.events,
            account.fills,
            holdings,
            tuple(
                _StoredPosition(symbol, each.quantity, each.cost, each.leverage)
                for symbol, each in account.positions.items()
            ),
        )
    )


def _perpetuals_body(matching: Matching) -> bytes:
    return _encode(
        {
            symbol: _StoredPerpetual(
                market.mark, market.mark_set, market.price_last, market.funding_time_ns
            )
            for symbol, market in matching.markets.items()
            if market.is_perpetual
        }
    )


def _restore_perpetual(market: Market, stored: _StoredPerpetual) -> None:
    market.mark, market.mark_set = stored.mark, stored.mark_set
    market.price_last, market.funding_time_ns = stored.price_last, stored.funding_time_ns


def _restore_position(matching: Matching, account: Account, stored: _StoredPosition) -> None:
    market = matching.markets.get(stored.symbol)
    if market is not None and isinstance(market.booking, PerpetualBooking):
        market.booking.restore(account, stored.quantity, stored.cost, stored.leverage)
    elif stored.quantity:
        raise StoreError(
            f"account {account.public_key} has a position in {stored.symbol}, which is not among the"
            f" perpetuals of {', '.join(matching.markets)}"
        )


def _account(number: int, stored: _StoredAccount) -> Account:
    account = Account(number, stored.public_key, stored.private_key_hash, stored.is_house)
    account.events = stored.events
    account.fills = stored.fills
    for asset, total in stored.holdings:
        account.holdings[asset] = Holding(asset, total)
    return account
