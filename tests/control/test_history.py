"""A database of an earlier step keeps what is in it when it is brought up to date."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import IntegrityError

import fairlead.control
from fairlead.control import store as stores
from fairlead.control.store import Store
from fairlead.control.tables import KEYS, METADATA


def at_step(data: Path, url: str | None, step: str, *statements: str) -> None:
    """Make a database as it was at that step, and put something in."""
    data.mkdir()
    engine = create_engine(stores._sqlite_url(data) if url is None else stores._server_url(url))
    config = Config()
    folder = Path(fairlead.control.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, step)
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


SUBSCRIPTION = (
    "INSERT INTO subscriptions (subscription, created_ns, data_key, key_name)"
    " VALUES ('desk', 1, '', '')"
)


def key(kid: str, state: str, secret_hash: str) -> str:
    return (
        "INSERT INTO keys (kid, subscription, label, label_folded, secret_hash, state, rights,"
        f" created_ns, expires_ns, version) VALUES ('{kid}', 'desk', 'Bot1', 'bot1',"
        f" '{secret_hash}', '{state}', '{{}}', 1, NULL, 1)"
    )


def test_keys_from_before_there_were_signatures_are_bearers(
    tmp_path: Path, database_url: str | None
) -> None:
    data = tmp_path / "data"
    keys = (key("flk_old", "revoked", "aa"), key("flk_new", "active", "bb"))
    at_step(data, database_url, "r0007", SUBSCRIPTION, *keys)
    with Store.open(data, database_url) as store:
        with store.read() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, METADATA) == []
            rows = connection.execute(select(KEYS).order_by(KEYS.c.kid)).all()
        assert [(row.kid, row.kind, row.state) for row in rows] == [
            ("flk_new", "bearer", "active"),
            ("flk_old", "bearer", "revoked"),
        ]
        for row in rows:
            assert row.secret_hash
            assert (row.sealed_secret, row.public_key) == (None, None)
        with pytest.raises(IntegrityError), store._engine.begin() as connection:
            connection.execute(text(key("flk_third", "active", "cc")))  # a label is taken still
