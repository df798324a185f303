"""The control database: SQLite in the data folder unless PostgreSQL is named by its URL.

One change at a time, in this process and all others: whoever changes something holds the lock on
the one row that counts changes, so what a change has read is still so when it commits. A change is
committed whole and durably, or has not happened. Calls block: never from the event loop.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    create_engine,
    event,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from fairlead.control.errors import ControlError, StoreFull, StoreNewer, StoreUnusable
from fairlead.control.migrations import HEAD
from fairlead.control.names import DATABASE
from fairlead.control.tables import CONTROL, HEARD, METADATA
from fairlead.disk.anew import bring_to_disk
from fairlead.disk.folders import make_folder
from fairlead.disk.room import see_room

POSTGRESQL = "postgresql"
_LOCK_WAIT_S = 30.0  # for another process's change
_CONNECTIONS_MAX = 16
_CONNECT_WAIT_S = 10
_IDLE_WAIT_S = 60.0  # before PostgreSQL gives up a process that stopped in the middle of a change
_GONE_S, _PROBES = 5, 3  # a server whose machine is gone is given up after so long, so often
_CHANGE = "fairlead_change"  # execution option: the transaction takes SQLite's write lock first
_SQLITE_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_SERVER_FULL = ("53100", "58030")  # disk_full, io_error
_STEP = Table(  # as Alembic makes it
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
_MIGRATION_LOCK = 0x0FA1_121E_AD00  # PostgreSQL's advisory lock while tables are made


class Store:
    """An open control database, at the newest schema. For any thread."""

    def __init__(self, engine: Engine, place: str) -> None:
        self._engine = engine
        self.place = place
        self.told: int | None = None  # the number of the last change that this one has told

    @classmethod
    def open(cls, data: Path, url: str | None = None) -> Self:
        """Open the database, make it or bring it up to date if need be. Raises ControlError.

        `url` None: the file in the data folder `data`, readable by its owner alone.
        """
        return cls._opened(data, url, lambda store: store._bring_up_to_date())

    @classmethod
    @contextmanager
    def filling(cls, data: Path, url: str) -> Iterator[Connection]:
        """Give a connection to a database that was empty, with its tables just made.

        Committed at the end with what was filled in, unless an error leaves the block. Raises ControlError.
        """
        with cls._opened(data, url, lambda _: None) as store, store.append() as change:
            _lock_tables(change)
            if inspect(change).get_table_names():
                raise StoreUnusable(
                    f"{store.place}: has tables already; name a database, or schema, that is empty"
                )
            _make(change)
            yield change

    @classmethod
    def as_it_is(cls, data: Path, url: str | None) -> Self:
        """Open a database that is at the newest step; makes and changes nothing. Raises ControlError."""
        return cls._opened(data, url, lambda store: store._see_step())

    @classmethod
    def _opened(cls, data: Path, url: str | None, prepare: Callable[[Self], None]) -> Self:
        parsed = _sqlite_url(data) if url is None else _server_url(url)
        place = str(data / DATABASE) if url is None else parsed.render_as_string()
        try:
            if url is None:
                _make_private(data / DATABASE)
                see_room(data / DATABASE, is_writer=False)  # a change that finds none says so
            store = cls(_engine(parsed), place)
            try:
                prepare(store)
            except BaseException:
                store.close()
                raise
        except (SQLAlchemyError, OSError) as cause:
            raise _explained(place, cause) from None  # the cause may name a password
        return store

    @classmethod
    def look(cls, data: Path, url: str | None = None) -> None:
        """Raise ControlError if the database could not be used by `open`; makes and changes nothing.

        One that is not there yet, or is at an older step, can be used.
        """
        if url is None and not (data / DATABASE).exists():
            return
        parsed = _sqlite_url(data) if url is None else _server_url(url)
        place = str(data / DATABASE) if url is None else parsed.render_as_string()
        if url is None:
            try:
                see_room(data / DATABASE, is_writer=False)
            except OSError as cause:
                raise _explained(place, cause) from cause
        store = cls(_engine(parsed), place)
        try:
            with store.read() as connection:
                found = _found(connection)
                is_read_only = url is not None and (
                    connection.execute(text("SHOW default_transaction_read_only")).scalar() == "on"
                    or connection.execute(text("SELECT pg_is_in_recovery()")).scalar()
                )
        finally:
            store.close()
        if found is not None and found > HEAD:
            raise _newer(place, found)
        if is_read_only:
            raise StoreUnusable(f"{place}: takes no writes; name a server that does")

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        """Close it at the end of a `with`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database. Raises ControlError."""
        with self._explaining(), self._engine.connect() as connection:
            if connection.dialect.name == POSTGRESQL:
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def change(self, *, is_told: bool = True) -> Iterator[Connection]:
        """Give a connection whose work is committed at the end, unless an error leaves the block.

        No other change happens meanwhile. `is_told` False: of what those do not need who follow changes, for
        whom each of them is another look at all keys. Raises ControlError.
        """
        told: int | None = None
        with self._explaining(), self._changing() as connection:
            if is_told:
                connection.execute(CONTROL.update().values(revision=CONTROL.c.revision + 1))
                told = connection.execute(select(CONTROL.c.revision)).scalar_one()
            else:
                connection.execute(select(CONTROL.c.row).with_for_update())
            yield connection
        if told is not None:
            self.told = told

    def tell(self) -> None:
        """Have those look who follow changes: what goes with it has changed. Raises ControlError."""
        with self.change():
            pass

    @contextmanager
    def append(self) -> Iterator[Connection]:
        """Give a connection for what is no change, such as usage: nobody is told, all else as `change`.

        On PostgreSQL others may write meanwhile. Raises ControlError.
        """
        with self._explaining(), self._changing() as connection:
            yield connection

    def revision(self) -> int:
        """Return how many changes were told. Raises ControlError."""
        with self.read() as connection:
            revision: int = connection.execute(select(CONTROL.c.revision)).scalar_one()
            return revision

    def make_durable(self) -> None:
        """Bring to the disk what an earlier process could not: every later change comes behind it.

        PostgreSQL's server sees to that itself. Raises ControlError and OSError.
        """
        if self._engine.dialect.name != POSTGRESQL:
            with self._explaining(), self._changing():  # nobody else writes
                bring_to_disk(Path(f"{self.place}-wal"))

    def forget_deleted(self) -> None:
        """Leave nothing of what was deleted in the file of changes to come. Raises ControlError.

        SQLite keeps former pages in its WAL until that is carried over and cut off; readers are waited for,
        within bounds. PostgreSQL's server frees former rows when it vacuums.
        """
        with self._explaining(), self._engine.connect() as connection:
            if connection.dialect.name == POSTGRESQL:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.execute(text("VACUUM accounts"))
            else:
                connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            connection.execution_options(**{_CHANGE: True})
            with connection.begin():
                yield connection

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as cause:
            raise _explained(self.place, cause) from None  # a statement's parameters may be secret

    def _bring_up_to_date(self) -> None:
        with self._engine.connect() as connection:
            found = _found(connection)
        if found == HEAD:
            return
        with self._changing() as connection:
            _lock_tables(connection)
            found = _found(connection)  # another process may have been quicker
            if found is None:
                _make(connection)
            elif found != HEAD:
                migrate(connection, self.place)

    def _see_step(self) -> None:
        with self._engine.connect() as connection:
            found = _found(connection)
        if found is None:
            raise StoreUnusable(f"{self.place}: is no control database; name the one that is used")
        if found > HEAD:
            raise _newer(self.place, found)
        if found != HEAD:
            raise StoreUnusable(
                f"{self.place}: is at step {found}, this program's is {HEAD}; start this version's"
                " `fairlead up` once, or use the version that serves"
            )


# ── opening ──────────────────────────────────────────────────────────────────────────────────────


def _sqlite_url(data: Path) -> URL:
    return URL.create("sqlite", database=str((data / DATABASE).absolute()))


def _server_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreUnusable(
            "the control database's URL cannot be read; expected postgresql://USER@HOST/DATABASE"
        ) from None
    if parsed.drivername != POSTGRESQL:
        raise StoreUnusable(
            f"the control database's URL begins with {parsed.drivername}://, expected {POSTGRESQL}://"
        )
    return parsed.set(drivername=f"{POSTGRESQL}+psycopg")


def _make_private(file: Path) -> None:
    """Make an empty file that its owner alone may read; SQLite gives its WAL the same mode."""
    make_folder(file.parent)
    with suppress(FileExistsError):  # opening and closing it anew would drop SQLite's locks
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _engine(url: URL) -> Engine:
    is_server = url.get_backend_name() == POSTGRESQL
    waits = _server_waits() if is_server else {"timeout": _LOCK_WAIT_S}
    engine = create_engine(
        url,
        pool_size=_CONNECTIONS_MAX,
        max_overflow=0,
        pool_timeout=_LOCK_WAIT_S,
        pool_pre_ping=is_server,
        hide_parameters=True,
        connect_args=waits,
    )
    if is_server:
        event.listen(engine, "connect", _prepare_postgresql)
    else:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _server_waits() -> dict[str, object]:
    return {
        "connect_timeout": _CONNECT_WAIT_S,
        "keepalives_idle": _GONE_S,
        "keepalives_interval": _GONE_S,
        "keepalives_count": _PROBES,
        "tcp_user_timeout": _GONE_S * _PROBES * 1_000,
    }


def _prepare_postgresql(connection: Any, _: object) -> None:
    """Wait for nobody for ever: neither for a change of others, nor have them wait for one of ours."""
    waits = {"lock_timeout": _LOCK_WAIT_S, "idle_in_transaction_session_timeout": _IDLE_WAIT_S}
    for name, wait_s in waits.items():
        connection.execute(f"SET {name} = {round(wait_s * 1_000)}")
    connection.commit()


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Leave transactions to us; durable commits; what is deleted is overwritten."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    is_change = connection.get_execution_options().get(_CHANGE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_change else "BEGIN")


# ── the schema ───────────────────────────────────────────────────────────────────────────────────


def _found(connection: Connection) -> str | None:
    """Return the step that the database is at; None for one that is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _lock_tables(connection: Connection) -> None:
    """Have PostgreSQL let one at a time make tables."""
    if connection.dialect.name == POSTGRESQL:
        lock = {"lock": _MIGRATION_LOCK}
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), lock)


def _make(connection: Connection) -> None:
    """Make the tables as they are declared, without going through their history, which takes 0.2 s."""
    METADATA.create_all(connection, checkfirst=False)
    connection.execute(CONTROL.insert().values(row=1, revision=0))
    connection.execute(HEARD.insert().values(row=1, revision=0))
    _STEP.create(connection)
    connection.execute(_STEP.insert().values(version_num=HEAD))


def migrate(connection: Connection, place: str) -> None:
    """Bring the tables to the newest step, within the transaction that is open. Raises StoreNewer."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    folder = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    found = _found(connection)
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise _newer(place, found) from None


def _newer(place: str, found: str | None) -> StoreNewer:
    return StoreNewer(
        f"{place}: is at step {found}, this program knows steps up to {HEAD};"
        " use the version of Fairlead that wrote it, or a later one"
    )


def _explained(place: str, cause: SQLAlchemyError | OSError) -> ControlError:
    """Return the error without statements and parameters: they may hold secrets."""
    if isinstance(cause, OSError):
        return StoreUnusable(f"{place}: {cause.strerror}; it must be readable and writable")
    origin = cause.orig if isinstance(cause, DBAPIError) else cause
    said = getattr(origin, "diag", None)  # PostgreSQL's further words show what was to be stored
    words = " ".join(str(getattr(said, "message_primary", None) or origin).split())
    if _is_full(origin):
        text = f"{place}: {words}; its disk is full, or fails: nothing can be changed until there is room"
        return StoreFull(text)
    return StoreUnusable(f"{place}: {words}; it must be a control database that can be written")


def _is_full(origin: object) -> bool:
    """Whether it is the disk that keeps something from being written."""
    if isinstance(origin, sqlite3.Error):
        return getattr(origin, "sqlite_errorcode", 0) & 0xFF in _SQLITE_FULL
    return getattr(origin, "sqlstate", None) in _SERVER_FULL
