"""Which stage an order was in when its process was killed, judged from journal and exchange.

The journal is read as the kill left it, beside its folder: the restart finds the files untouched.
What the exchange has is asked of its operator API, once it has read all that the dead had sent. A
stage is given only where both leave no doubt:

    before the send          durable here (RECEIVED, or ROUTING), and never at the exchange
    between send and answer  at the exchange; its answer was not written when the process died
    between answer and       at the exchange; its answer was written before the process died,
      commit                 and the journal knows no answer

The exchange answers a request in the turn of its loop that carries it out, so an order that the
operator API shows has been answered, unless a fault held the answer back.
"""

import shutil
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from fairlead.core.exact import use_exact_decimals
from fairlead.core.identity import venue_client_id
from fairlead.core.model import Order, Stage
from fairlead.core.order import status
from fairlead.journal.reader import JournalReader
from tests.crash.load import Key, Sent, Told
from tests.system import PUBLIC_KEYS, Json, Operator

MS = 1_000_000
TURN_NS = 50 * MS  # far longer than one turn of the exchange's loop takes
FOREVER_NS = 2**63 - 1
PAGE = 1_000


class Caught(StrEnum):
    """Where a kill caught an order."""

    BEFORE_SEND = "before the send"
    BEFORE_ANSWER = "between send and answer"
    BEFORE_COMMIT = "between answer and commit"


class Held(NamedTuple):
    """How long, at least, the exchange holds back its answers to places in a symbol."""

    delay_ns: int


class Crime(NamedTuple):
    """A death: when the life began, the kill between two times (UTC ns), and what was then.

    Only orders that came in this life are judged.
    """

    born_ns: int
    before_ns: int
    after_ns: int
    answered: frozenset[str]  # exchange order ids that the operator API showed while it lived
    held: Mapping[str, Held]  # by the exchange's symbol


class Remains(NamedTuple):
    """The journal as a kill left it: the orders that changed since its process began, by key."""

    installation_id: bytes
    orders: dict[Key, Order]


def read_remains(folder: Path, copy: Path, since_ns: int) -> Remains:
    """Read a dead process's journal beside its folder, where nothing is touched.

    The WAL is copied; the file, which a reader never writes, is the same under another name.
    """
    use_exact_decimals()
    copy.mkdir()
    try:
        (copy / "journal.sqlite").hardlink_to(folder / "journal.sqlite")
        with suppress(FileNotFoundError):
            shutil.copy(folder / "journal.sqlite-wal", copy / "journal.sqlite-wal")
        connection = sqlite3.connect(f"{(copy / 'journal.sqlite').as_uri()}?mode=ro", uri=True)
        try:
            sql = "SELECT value FROM meta WHERE name = 'installation_id'"
            (installation_id,) = connection.execute(sql).fetchone()
        finally:
            connection.close()
        with JournalReader(copy) as reader:
            orders = {order_key(order): order for order in orders_since(reader, since_ns)}
        return Remains(installation_id, orders)
    finally:
        shutil.rmtree(copy)


def orders_since(reader: JournalReader, since_ns: int) -> Iterable[Order]:
    """Yield every order that changed since a time."""
    after = None
    while page := reader.history_page(since_ns, FOREVER_NS, after, PAGE):
        yield from (row.order for row in page)
        after = page[-1].cursor


def order_key(order: Order) -> Key:
    return order.account, order.client_order_id


class AtExchange:
    """The exchange's orders of our accounts, fetched as they are added; oldest kept as first seen."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._cursors = dict.fromkeys(PUBLIC_KEYS, 0)
        self.by_client_id: dict[tuple[str, str], Json] = {}  # account, the id we gave
        self.ids: set[str] = set()

    def look(self) -> None:
        """Fetch what was added. Fails when one client id stands for two orders of an account."""
        for account, public_key in PUBLIC_KEYS.items():
            after = str(self._cursors[account])
            for row in self._operator.orders(account=public_key, after=after):
                key = (account, row["client_id"])
                assert key not in self.by_client_id, f"placed twice: {key}: {row}"
                self.by_client_id[key] = row
                self.ids.add(row["exchange_order_id"])
                self._cursors[account] = int(row["exchange_order_id"])


def check_laws(
    remains: Remains, told: Iterable[tuple[Key, Told]], in_flight: Iterable[Key], seen: AtExchange
) -> None:
    """What must hold of any kill: nothing shown or sent that is not in the journal it left."""
    for key, report in told:
        order = remains.orders.get(key)
        assert order is not None, f"{key}: {report} was told and is not in the journal"
        words = f"{key}: {report} was told, the journal only has {order}"
        assert order.sequence >= report.sequence, words
        assert order.quantity_filled >= report.amount_filled, words
        statuses = tuple(each for each, _ in order.status_history)
        said = tuple(each for each, _ in report.history)
        assert statuses[: len(said)] == said, words
        if order.sequence == report.sequence:
            assert status(order) == report.status, words
            assert order.exchange_order_id == report.exchange_order_id, words
    for key in in_flight:
        sent_id = venue_client_id(remains.installation_id, *key)
        if (key[0], sent_id) in seen.by_client_id:
            order = remains.orders.get(key)
            assert order is not None, f"{key} is at the exchange and not in the journal"
            assert order.stage is not Stage.RECEIVED, f"{key} was sent before that was durable"


def judge(
    remains: Remains, in_flight: Mapping[Key, Sent], seen: AtExchange, crime: Crime
) -> dict[Key, Caught | None]:
    """Return where each order in flight was caught; None where that cannot be told, or nowhere."""
    return {key: _judge(remains.orders.get(key), key, seen, crime) for key in in_flight}


def _judge(order: Order | None, key: Key, seen: AtExchange, crime: Crime) -> Caught | None:
    if order is None or order.stage not in (Stage.RECEIVED, Stage.ROUTING):
        return None  # not durable yet, or its answer was committed already
    if order.time_order_ns < crime.born_ns:
        return None  # in doubt since an earlier kill
    row = seen.by_client_id.get((key[0], order.venue_client_id))
    if row is None:
        return Caught.BEFORE_SEND
    changed_ns = row["time_ns"]  # accepted then, or earlier
    held = crime.held.get(row["symbol"])
    if held is not None:
        is_unanswered = order.time_order_ns + held.delay_ns > crime.after_ns
        return Caught.BEFORE_ANSWER if is_unanswered else None
    if row["exchange_order_id"] in crime.answered or changed_ns + TURN_NS < crime.before_ns:
        return Caught.BEFORE_COMMIT
    return None
