"""Two subscriptions through lives of a system: killed while both trade, backed up, restored, in open mode."""

import fcntl
import json
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path
from threading import Event
from typing import NamedTuple

import pytest
from websockets.exceptions import InvalidStatus

from tests.commands.terminal import fairlead
from tests.system import ACCOUNTS, Api, Ems, running, until, write_config
from tests.tenanted import (
    HEADER,
    OWN,
    OWNER,
    SETTINGS,
    SHARED,
    Side,
    control_of,
    opening,
    ready,
    two_sides,
)

ORDERS_LEAST = 40  # of each, before the end
PRICES = {"local": Decimal("20000.00"), "desk": Decimal("21000.00")}


class Lived(NamedTuple):
    """What is left of a system that was killed and came back, stopped; and what it had acknowledged."""

    folder: Path
    sides: tuple[Side, Side]
    placed: dict[str, set[str]]


def trade(side: Side, thread: int, over: Event, placed: set[str]) -> None:
    """Place orders, of the same ids in both subscriptions, until the system is gone."""
    number = 0
    while not over.is_set():
        number += 1
        name = f"order-{thread}-{number}"
        try:
            answer = side.place(name, price=PRICES[side.name], amount_order=Decimal("0.001"))
        except (OSError, HTTPException):
            return
        if answer.status == 200:
            placed.add(name)


def again(lived_before: tuple[Side, Side]) -> tuple[Side, Side]:
    """Start the system anew on its folder."""
    data = lived_before[0].ems.folder
    ems = Ems(data, data.parent / "fairlead.toml")
    one, other = (side._replace(ems=ems) for side in lived_before)
    return one, other


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("lives")
    placed: dict[str, set[str]] = {"local": set(), "desk": set()}
    sides = two_sides(folder)
    with running(sides[0].ems), ThreadPoolExecutor(4) as pool:
        ready(*sides)
        over = Event()
        for thread in range(2):
            for side in sides:
                pool.submit(trade, side, thread, over, placed[side.name])
        try:
            until(lambda: min(map(len, placed.values())) >= ORDERS_LEAST, "both have traded", 60)
        finally:
            sides[0].ems.kill()
            over.set()
    sides = again(sides)
    with running(sides[0].ems):
        ready(*sides)
        check_orders(sides, placed)
        assert sides[0].ems.interrupt() == 0
    return Lived(folder, sides, placed)


def check_orders(sides: tuple[Side, Side], placed: dict[str, set[str]]) -> None:
    """Check that each has what it was told that it has, as it placed it, and the exchange has it once."""
    for side in sides:
        rows = {row["client_order_id"]: row for row in side.wanted("/v1/orders")}
        assert placed[side.name] <= rows.keys()
        assert {row["price"] for row in rows.values()} == {PRICES[side.name]}
    listed = sides[0].wanted("/operator/orders?limit=1000")["orders"]
    for login, name in (("alice", "local"), ("alice-of-desk", "desk")):
        ids = Counter(row["client_id"] for row in listed if row["account"] == login)
        assert set(ids.values()) == {1}
        assert len(ids) >= len(placed[name])


def run(folder: Path, *words: str, **environment: str) -> str:
    ended = fairlead(*words, folder=folder, environment=environment)
    assert ended.code == 0, ended
    return ended.out


def test_killed_while_both_trade_both_recover_each_its_own(lived: Lived) -> None:
    text = run(lived.folder, "verify", "--data", "data")
    assert [line.split()[0] for line in text.splitlines()] == ["local:", "desk:"]
    assert text.count("all agree") == 2
    found = json.loads(run(lived.folder, "verify", "--data", "data", "--json"))
    assert found["holds"] is True
    assert set(found["subscriptions"]) == {"desk"}
    assert found["subscriptions"]["desk"]["orders"] >= len(lived.placed["desk"])


def test_a_difference_in_one_journal_is_found_whosever_it_is(lived: Lived, tmp_path: Path) -> None:
    shutil.copytree(lived.folder / "data", tmp_path / "data")
    journal = tmp_path / "data" / "subscriptions" / "desk" / "journal.sqlite"
    content = bytearray(journal.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    journal.write_bytes(content)
    for words in (("verify",), ("doctor", "--full")):
        ended = fairlead(*words, "--data", "data", folder=tmp_path)
        assert ended.code != 0
        assert "subscriptions/desk" in ended.out + ended.err


def test_a_doctor_knows_the_folders_of_all(lived: Lived) -> None:
    ended = fairlead("doctor", "--data", "data", "--json", folder=lived.folder)
    codes = {each["code"] for each in ended.json["findings"]}
    assert not codes & {"file_unknown", "file_left_over", "file_of_another_user"}
    assert "journal of desk" in {each["check"] for each in ended.json["fine"]}


def test_a_backup_has_the_journals_of_all_and_comes_back(lived: Lived, tmp_path: Path) -> None:
    for target in ("copy", "copy.tar"):
        text = run(lived.folder, "backup", str(tmp_path / target), "--data", "data")
        assert "journal of desk as of" in text
        run(tmp_path, "restore", target, "--data", f"new-{target}")
    for target in ("copy", "copy.tar"):
        data = tmp_path / f"new-{target}"
        mine = lived.folder / "data"
        for name in ("journal.sqlite", "subscriptions/desk/journal.sqlite"):
            assert (data / name).exists()
        assert run(tmp_path, "verify", "--data", data.name) == run(
            lived.folder, "verify", "--data", mine.name
        )
    shutil.copy(lived.folder / "data.key", tmp_path / "new-copy.key")
    (tmp_path / "new-copy.key").chmod(0o400)
    ems = Ems(tmp_path / "new-copy", lived.folder / "fairlead.toml")
    restored = tuple(side._replace(ems=ems) for side in lived.sides)
    with running(ems):
        ready(*restored)
        check_orders((restored[0], restored[1]), lived.placed)


BOUNDS = {"fix.connections_max": 2, "websocket.clients_max": 2, "http.connections_max": 8}


def test_no_subscription_keeps_another_out_by_its_connections(tmp_path: Path) -> None:
    local, desk = two_sides(tmp_path, **BOUNDS)
    with running(local.ems), ExitStack() as stack:
        ready(local, desk)
        for number in range(2):
            party = stack.enter_context(local.party(f"C{number}"))
            party.log_on(local.password)
        with local.party("C2") as third:
            third.connect()
            third.say("A", (98, 0), (108, 30), local.password)
            third.wait_for_end()
        assert "fix_connection_refused" in local.ems.log
        stack.enter_context(desk.party("C0")).log_on(desk.password)

        streams = [stack.enter_context(local.stream()) for _ in range(2)]
        with pytest.raises(InvalidStatus) as refused:
            local.stream()
        assert refused.value.response.status_code == 503
        streams.append(stack.enter_context(desk.stream()))
        for stream in streams:
            opening(stream)

        kept = [
            stack.enter_context(closing(Api(local.ems.endpoint["url"])))
            for _ in range(2 * BOUNDS["http.connections_max"])
        ]
        for api in kept:  # each is kept open, and the one that was idle longest gives way
            answer = api.request("GET", "/v1/orders", None, {HEADER: local.secrets["read"]})
            assert answer.status == 200
        assert desk.place("goes-on").status == 200


@pytest.mark.parametrize(
    "name", ["subscriptions/../desk/journal.sqlite", "subscriptions/desk/other", "/etc/x"]
)
def test_a_backup_that_names_another_file_is_refused(
    lived: Lived, tmp_path: Path, name: str
) -> None:
    run(lived.folder, "backup", str(tmp_path / "copy"), "--data", "data")
    manifest = tmp_path / "copy" / "manifest.json"
    content = json.loads(manifest.read_bytes())
    of_desk = next(each for each in content["files"] if "desk" in each["name"])
    of_desk["name"] = name
    manifest.write_text(json.dumps(content))
    ended = fairlead("restore", "copy", "--data", "new", folder=tmp_path)
    assert ended.code == 1
    assert not (tmp_path / "new").exists()


def test_open_mode_is_local_and_nothing_else(lived: Lived, tmp_path: Path) -> None:
    shutil.copytree(lived.folder / "data", tmp_path / "data")
    shutil.copy(lived.folder / "data.key", tmp_path / "data.key")
    settings = SETTINGS | {"authentication": "open"}
    config = write_config(tmp_path / "fairlead.toml", settings, ACCOUNTS)
    local, desk = lived.sides
    ems = Ems(tmp_path / "data", config)
    with running(ems):
        ems.reconciled()
        with closing(Api(ems.endpoint["url"])) as api:
            assert set(api.accounts()) == {"SIM", SHARED}
            assert OWN["desk"] not in json.dumps(api.wanted("/health/ready"))
            for secret, status in ((local.secrets["read"], 200), (desk.secrets["read"], 401)):
                answer = api.request("GET", "/v1/exchanges", None, {HEADER: secret})
                assert answer.status == status
            foreign = api.request("GET", "/v1/orders", None, {HEADER: desk.secrets["read"]})
            assert foreign.status == 401
            rows = api.wanted("/v1/orders")
            names = {row["client_order_id"] for row in rows}
            assert lived.placed["local"] <= names
            assert {row["price"] for row in rows} == {PRICES["local"]}
        lock = tmp_path / "data" / "subscriptions" / "desk" / "journal.lock"
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody holds the folder


def test_a_subscription_that_cannot_be_served_keeps_nobody_else_from_it(
    lived: Lived, tmp_path: Path
) -> None:
    shutil.copytree(lived.folder / "data", tmp_path / "data")
    shutil.copy(lived.folder / "data.key", tmp_path / "data.key")
    journal = tmp_path / "data" / "subscriptions" / "desk" / "journal.sqlite"
    whole = journal.read_bytes()
    journal.write_bytes(b"something")
    config = write_config(
        tmp_path / "fairlead.toml", SETTINGS | {"fix.logon_timeout_s": 1}, ACCOUNTS
    )
    ems = Ems(tmp_path / "data", config)
    local, desk = (side._replace(ems=ems) for side in lived.sides)
    with running(ems):
        ready(local)
        assert local.place("goes-on").status == 200
        with local.party("MUTE") as party:
            party.connect()
            party.send_bytes(b"8=FIX.4.4\x019=")  # and no more: nobody knows at whose desk it is
            party.wait_for_end()
        assert "no Logon in time" in ems.log
        assert desk.ask("GET", "/v1/orders").status == 401
        with closing(Api(ems.endpoint["url"])) as api:
            assert api.get("/health/ready").status == 503
        assert local.ask("GET", "/health/ready").status == 200
        assert ems.log.count("subscription_not_served") == 1
        journal.write_bytes(whole)
        with control_of(tmp_path / "data") as control:  # what changes there has it tried at once
            control.subscriptions.create(OWNER, "another", 1)
        until(desk.is_reconciled, "the journal is whole, and desk is served")
        with closing(Api(ems.endpoint["url"])) as api:
            assert api.get("/health/ready").status == 200
