"""The control database's content, carried from one database to another: all of it at one moment, or nothing.

What a backup holds is a database of SQLite whatever the original was, at a step that the manifest's
program knows. Secrets in it stay sealed: nothing here has the key. Calls block.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection, Table, func, select, text
from sqlalchemy.engine import Row

from fairlead.control.audit import HeadFile
from fairlead.control.errors import ControlError, StoreUnusable
from fairlead.control.names import HEAD_FILE
from fairlead.control.store import POSTGRESQL, Store
from fairlead.control.tables import ATTEMPTS, AUDIT, METADATA

Advance = Callable[[int, int], None]  # done, total
_ROWS = 1_000  # carried at once


def copy_to_folder(url: str, folder: Path, advance: Advance) -> str:
    """Copy a PostgreSQL database into the database file of a folder that has none; return its place.

    Its place names no password. It is read at one moment, and may be written meanwhile. Raises ControlError.
    """
    with Store.as_it_is(folder, url) as source, source.read() as connection:
        with Store.open(folder) as target, target.append() as change:
            _carry(connection, change, advance)
        return source.place


def put_from_folder(folder: Path, url: str, advance: Advance) -> str:
    """Put the content of a folder's database file into an empty PostgreSQL database; return its place.

    Whole, or nothing. The file may be brought to the newest step. Raises ControlError.
    """
    with Store.open(folder) as source, source.read() as connection:
        _check(connection, folder)
        with Store.filling(folder, url) as change:
            _carry(connection, change, advance)
            return change.engine.url.render_as_string()


def take_out(url: str, folder: Path) -> None:
    """Leave the database empty again that was filled by `put_from_folder`. Raises ControlError."""
    with Store.as_it_is(folder, url) as store, store.append() as change:
        METADATA.drop_all(change)
        change.execute(text("DROP TABLE alembic_version"))


def check_folder(folder: Path) -> None:
    """See that the audit in a folder's database file is whole as far as that shows without a key.

    The file may be brought to the newest step. Raises ControlError.
    """
    with Store.open(folder) as store, store.read() as connection:
        _check(connection, folder)


def _check(connection: Connection, folder: Path) -> None:
    """See that the audit has all of its numbers, and the heads that were seen of it."""
    counted = select(AUDIT.c.subscription, func.count(), func.max(AUDIT.c.number))
    for name, count, last in connection.execute(counted.group_by(AUDIT.c.subscription)):
        if count != last:
            raise ControlError(f"the audit of {name} has {count} rows, the last is number {last}")
    for name, head in HeadFile(folder / HEAD_FILE).read().items():
        of_head = select(AUDIT.c.seal).where(
            AUDIT.c.subscription == name, AUDIT.c.number == head.number
        )
        seal = connection.execute(of_head).scalar_one_or_none()
        if seal is None or seal.hex() != head.seal:
            raise ControlError(
                f"row {head.number} of the audit of {name} is missing or another than was seen"
            )


def _carry(source: Connection, change: Connection, advance: Advance) -> None:
    """Have a database that has tables and nothing in them hold what the source holds."""
    counts = {
        table: source.execute(select(func.count()).select_from(table)).scalar_one()
        for table in METADATA.sorted_tables
    }
    total, done = sum(counts.values()), 0
    for table in METADATA.sorted_tables:
        change.execute(table.delete())  # the rows that every new database has
    for table in METADATA.sorted_tables:
        for rows in _pages(source, table):
            change.execute(table.insert(), [row._asdict() for row in rows])
            done += len(rows)
            advance(done, total)
        found = change.execute(select(func.count()).select_from(table)).scalar_one()
        if found != counts[table]:
            raise StoreUnusable(f"of {counts[table]} rows of {table.name} {found} were carried")
    if change.dialect.name == POSTGRESQL:
        _count_on(change)


def _pages(source: Connection, table: Table) -> Iterator[list[Row[tuple[object, ...]]]]:
    rows = source.execution_options(yield_per=_ROWS).execute(select(table))
    for page in rows.partitions():
        yield list(page)


def _count_on(change: Connection) -> None:
    """Have the server number new rows after those that came with their numbers."""
    last = change.execute(select(func.max(ATTEMPTS.c.attempt))).scalar_one()
    if last is not None:
        of_it = text("SELECT setval(pg_get_serial_sequence('attempts', 'attempt'), :last)")
        change.execute(of_it, {"last": last})
