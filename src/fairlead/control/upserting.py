"""Insert, or change what is there: as SQLite and PostgreSQL both do it in one statement."""

from collections.abc import Sequence

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from fairlead.control.store import POSTGRESQL


def upsert(
    connection: Connection,
    table: Table,
    place: tuple[str, ...],
    names: tuple[str, ...],
    values: Sequence[dict[str, object]],
    *,
    is_added: bool,
) -> None:
    """Insert rows; where there is one in this place, add to it or replace it."""
    is_server = connection.dialect.name == POSTGRESQL
    insert = insert_postgresql(table) if is_server else insert_sqlite(table)
    told = insert.excluded
    new = {each: table.c[each] + told[each] if is_added else told[each] for each in names}
    connection.execute(insert.on_conflict_do_update(index_elements=place, set_=new), values)
