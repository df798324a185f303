"""backup and restore of a control plane in PostgreSQL: into a file, another database, or not at all."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from fairlead.control.control import Control
from fairlead.control.key_changes import Wanted
from fairlead.control.keyring import Made
from tests.commands.terminal import Run, fairlead
from tests.postgresql import Server, running_server, tables_of
from tests.system import ACCOUNTS, QUICK, Ems, order, running, until, write_config
from tests.tenanted import OWNER

SETTINGS = {**QUICK, "exchange.participants": False}


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Server]:
    with running_server() as server:
        yield server


class Desk(NamedTuple):
    """A folder with a backup of a running system, whose key's secret is `secret`."""

    folder: Path
    url: str
    secret: str
    taken: Run
    without: Run

    def configured(self, name: str, url: str | None) -> str:
        settings = SETTINGS if url is None else {**SETTINGS, "control.url": url}
        return str(write_config(self.folder / f"{name}.toml", settings, ACCOUNTS))

    def restore(self, name: str, url: str | None, backup: str = "copy") -> Run:
        config = self.configured(name, url)
        where = ("--data", name, "--config", config)
        return fairlead("restore", backup, *where, folder=self.folder)

    def serves(self, name: str) -> None:
        """Have the restored folder served, and its key trade."""
        shutil.copy(self.folder / "data.key", self.folder / f"{name}.key")
        ems = Ems(self.folder / name, self.folder / f"{name}.toml")
        headers = {"X-CoinAPI-Key": self.secret, "Content-Type": "application/json"}
        with running(ems), closing(ems.ready().api()) as api:
            answer = api.request("GET", "/v1/orders/status/kept", None, headers)
            assert answer.status == 200, answer
            body = json.dumps(order("again", amount_order=0.01, price=20_000)).encode()
            placed = api.request("POST", "/v1/orders", body, headers)
            assert placed.status != 401, placed
        where = ("--data", name, "--config", f"{name}.toml")
        verified = fairlead("audit", "verify", *where, folder=self.folder)
        assert "all as written" in verified.out, verified


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, postgresql: Server) -> Desk:
    folder = tmp_path_factory.mktemp("server")
    url = postgresql.new_database()
    config = write_config(folder / "fairlead.toml", {**SETTINGS, "control.url": url}, ACCOUNTS)
    with Control.open(folder / "data", url, None, "local", time.time_ns()) as control:
        wanted = Wanted(label="Bot1", scopes=("trade",), days=1)
        made = control.keyring.create(OWNER, wanted, time.time_ns())
    assert isinstance(made, Made)
    assert made.secret is not None
    headers = {"X-CoinAPI-Key": made.secret, "Content-Type": "application/json"}
    ems = Ems(folder / "data", config)
    with running(ems), closing(ems.ready().api()) as api:
        body = json.dumps(order("kept", amount_order=0.01, price=20_000)).encode()

        def placed() -> bool:
            return api.request("POST", "/v1/orders", body, headers).status == 200

        until(placed, "the order is placed")
        at = ("copy", "--data", "data", "--config", "fairlead.toml", "--json")
        taken = fairlead("backup", *at, folder=folder)
        without = fairlead("backup", "less", "--data", "data", folder=folder)
    return Desk(folder, url, made.secret, taken, without)


def test_the_backup_holds_the_database_and_names_no_password(desk: Desk) -> None:
    assert desk.taken.code == 0, desk.taken
    manifest = desk.taken.json
    assert manifest["was_running"] is True
    assert manifest["control_from"].startswith("postgresql")
    assert {"control.sqlite", "audit-head.json"} <= {each["name"] for each in manifest["files"]}


def test_a_backup_that_would_lack_the_control_plane_is_not_made(desk: Desk) -> None:
    assert desk.without.code == 70, desk.without
    assert "the control plane is in PostgreSQL; name it by control.url" in desk.without.err
    assert not list(desk.folder.glob("less*"))


def test_it_is_restored_into_the_folder(desk: Desk) -> None:
    restored = desk.restore("file", None)
    assert restored.code == 0, restored
    assert "take control.url out of the configuration" in restored.out
    desk.serves("file")


def test_it_is_restored_into_another_database(desk: Desk, postgresql: Server) -> None:
    url = postgresql.new_database()
    restored = desk.restore("server", url)
    assert restored.code == 0, restored
    assert "the control plane is in postgresql" in restored.out
    assert not (desk.folder / "server/control.sqlite").exists()
    desk.serves("server")


def test_a_database_that_holds_something_is_left_as_it_is(desk: Desk) -> None:
    refused = desk.restore("refused", desk.url)
    assert (refused.code, refused.out) == (1, "")
    assert "has tables already; name a database, or schema, that is empty" in refused.err
    assert not list(desk.folder.glob("refused[!.]*"))
    assert tables_of(desk.url)


def test_a_server_that_is_not_there_ends_both_with_nothing_made(desk: Desk) -> None:
    url = "postgresql://fairlead:hush@127.0.0.1:1/none"
    refused = desk.restore("away", url)
    assert (refused.code, refused.out) == (1, "")
    assert "127.0.0.1" in refused.err
    at = ("--data", "data", "--config", desk.configured("away", url))
    failed = fairlead("backup", "never", *at, folder=desk.folder)
    assert failed.code == 70, failed
    assert "hush" not in failed.err + refused.err
    assert {each.name for each in desk.folder.glob("[an][we]*")} == {"away.toml"}


def test_a_backup_that_is_damaged_leaves_the_database_empty(desk: Desk, postgresql: Server) -> None:
    url = postgresql.new_database()
    shutil.copytree(desk.folder / "copy", desk.folder / "damaged")
    database = desk.folder / "damaged/control.sqlite"
    database.write_bytes(database.read_bytes()[:-4_096])
    refused = desk.restore("broken", url, "damaged")
    assert (refused.code, refused.out) == (1, "")
    assert "the backup is damaged, use another" in refused.err
    assert tables_of(url) == 0
    assert {each.name for each in desk.folder.glob("broken*")} == {"broken.toml"}
