"""Two systems on one PostgreSQL: the second is refused, and takes over when the first is gone."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.postgresql import Server, running_server
from tests.system import ACCOUNTS, QUICK, Ems, Exchange, running, until, write_config


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Server]:
    with running_server() as server:
        yield server


def test_the_second_is_refused_until_the_first_is_gone_and_then_takes_over(
    tmp_path: Path, postgresql: Server
) -> None:
    url = postgresql.new_database()
    config = write_config(tmp_path / "fairlead.toml", {**QUICK, "control.url": url}, ACCOUNTS)
    exchange = Exchange(tmp_path / "exchange", config)
    with running(exchange):
        at = ("--exchange-url", exchange.ready().url)
        first = Ems(tmp_path / "first", config, *at)
        with running(first):
            with closing(first.reconciled().api()) as api:
                assert api.place("rests").status == 200
            shutil.copy(tmp_path / "first.key", tmp_path / "second.key")
            refused = Ems(tmp_path / "second", config, *at)
            with running(refused):
                assert refused.ended() == 70
            named = f"the system on {socket.gethostname()[:40]} (127.0.0.1), process {first.pid}"
            assert named in refused.log
            assert "both log in to its accounts; stop that one" in refused.log
            assert "Traceback" not in refused.log
            with closing(first.api()) as api:
                assert api.status("rests").json["status"] == "NEW"
            first.kill()
            second = Ems(tmp_path / "second", config, *at, log_path=tmp_path / "log")
            with running(second):
                with closing(second.reconciled().api()) as api:
                    (found,) = api.wanted("/v1/orders")  # as one that it has not placed
                    assert found["price"] == 20_000
                loses_it(url, second)


def loses_it(url: str, ems: Ems) -> None:
    """Have somebody else take the lease when the server has lost the system: it stops, saying so."""
    with psycopg.connect(url, autocommit=True, application_name="fairlead elsewhere 7") as other:

        def is_taken() -> bool:
            other.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks"
                " WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
            taken = other.execute(
                "SELECT pg_try_advisory_lock(4001, ('control'::regclass::oid::bigint % 2147483647)::int)"
            ).fetchone()
            return taken == (True,)

        until(is_taken, "somebody else has the lease")
        assert ems.ended() == 70
    assert "LeaseLost" in ems.log
    assert "the system on elsewhere" in ems.log
    assert os.path.exists(ems.folder / "journal.sqlite")
