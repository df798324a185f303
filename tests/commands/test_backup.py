"""backup and restore: of a running system under load, of a stopped one, and cut short anywhere."""

import json
import os
import shutil
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from fairlead.commands.backup import restoring
from fairlead.commands.ending import Ended, ExitCode
from fairlead.control.people.person import From, User
from fairlead.core.port import Released
from fairlead.journal.reader import JournalReader
from fairlead.journal.verify import verify
from tests import forked
from tests.commands.terminal import Run, fairlead
from tests.fix_party import FixParty
from tests.fix_party import order as fix_order
from tests.managed import managed
from tests.system import (
    ACCOUNTS,
    ANY_PORT,
    FAIRLEAD,
    QUICK,
    Ems,
    Exchange,
    Json,
    Operator,
    running,
    until,
    write_config,
)
from tests.tenanted import OWNER, control_of

EMAIL, PASSWORD = "ann@desk.example", "seven unrelated words"
RUNNING = ("--data", "data", "--config", "fairlead.toml")
SETTINGS = {**QUICK, "exchange.participants": False}
NAMES = ("SIM", "SIM/ALICE")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path / "fairlead.toml", SETTINGS, ACCOUNTS)


class Load:
    """Two desks that trade with one another until it is stopped; every order fills or rests."""

    def __init__(self, ems: Ems) -> None:
        self._ems = ems
        self._is_over = threading.Event()
        self.placed = 0
        self._threads = [threading.Thread(target=self._trade, args=(each,)) for each in range(3)]
        for thread in self._threads:
            thread.start()

    def _trade(self, thread: int) -> None:
        with closing(self._ems.api()) as api:
            number = 0
            while not self._is_over.is_set():
                number += 1
                for account, side in zip(NAMES, ("SELL", "BUY"), strict=True):
                    answer = api.place(
                        f"load-{thread}-{number}",
                        exchange_id=account,
                        side=side,
                        price=Decimal(30_000 + thread),
                        amount_order=Decimal("0.001"),
                    )
                    assert answer.status == 200, answer
                    self.placed += 1

    def reaches(self, count: int) -> None:
        until(lambda: self.placed >= count, f"{count} orders are placed", 60.0)

    def stop(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def loaded(tmp_path: Path, config: Path) -> Iterator[tuple[Ems, Load]]:
    ems = Ems(tmp_path / "data", config)
    with running(ems):
        load = Load(ems.reconciled())
        try:
            yield ems, load
        finally:
            load.stop()


def reports(folder: Path, account: str, up_to: int) -> list[Released]:
    """Every report of the account up to a sequence, with the orders as they were."""
    with JournalReader(folder) as reader:
        return reader.reports_after(account, 0, up_to)


def taken(run: Run) -> Json:
    """The manifest of a backup that was made."""
    assert (run.code, run.err) == (0, ""), run
    return run.json


def test_a_backup_under_load_holds_every_report_it_promised(
    loaded: tuple[Ems, Load], tmp_path: Path, config: Path
) -> None:
    ems, load = loaded
    load.reaches(150)
    with closing(ems.api()) as api:
        seen = {name: state["sequence"] for name, state in api.accounts().items()}
    run = fairlead(
        *("backup", "copy", "--data", "data", "--config", str(config), "--json"), folder=tmp_path
    )
    placed_by_then = load.placed
    load.reaches(placed_by_then + 50)  # it goes on
    load.stop()
    ems.kill()

    manifest = taken(run)
    promised = manifest["journal"]["sequences"]
    assert all(promised[name] >= seen[name] for name in NAMES)
    assert manifest["was_running"] is True
    assert {file["name"] for file in manifest["files"]} == {
        "journal.sqlite",
        "exchange/exchange.sqlite",
        "fairlead.toml",
        "control.sqlite",
        "audit-head.json",
        "fix.sqlite",
    }
    assert json.loads((tmp_path / "copy" / "manifest.json").read_text()) == manifest
    assert (tmp_path / "copy" / "journal.sqlite").stat().st_mode & 0o077 == 0

    restored = fairlead("restore", "copy", "--data", "elsewhere", folder=tmp_path)
    assert (restored.code, restored.err) == (0, ""), restored
    assert "all agree" in restored.out
    assert fairlead("verify", "--data", "elsewhere", folder=tmp_path).code == 0
    for name in NAMES:
        kept = reports(tmp_path / "elsewhere", name, promised[name] + 1)
        assert [each.report.sequence for each in kept] == list(range(1, promised[name] + 1))
        assert kept == reports(ems.folder, name, promised[name])

    shutil.copy(tmp_path / "data.key", tmp_path / "elsewhere.key")
    again = Ems(tmp_path / "elsewhere", tmp_path / "elsewhere" / "fairlead.toml")
    with running(again):
        agrees_with_its_exchange(again.reconciled())


def agrees_with_its_exchange(ems: Ems) -> None:
    """Every fill and balance is the exchange's: also what it did after the journal's moment."""
    with closing(ems.api()) as api, closing(ems.operator().api) as operator_api:
        operator = Operator(operator_api.url)
        fills = {(fill["account"], str(fill["trade_id"])) for fill in operator.fills()}

        def ours() -> set[tuple[str, str]]:
            public_keys = {"SIM": "desk", "SIM/ALICE": "alice"}
            return {
                (public_keys[order["exchange_id"]], fill["trade_id"])
                for order in statuses(api.history())
                for fill in order["fills"]
            }

        def statuses(rows: list[Json]) -> list[Json]:
            return [api.status(row["clientOrderId"], row["exchangeId"]).json for row in rows]

        until(lambda: ours() == fills, "our fills are the exchange's")
        for name, key in (("SIM", "desk"), ("SIM/ALICE", "alice")):
            theirs = {asset: total for asset, (total, _) in operator.balances(key).items()}
            assert {asset: row["balance"] for asset, row in api.balances(name).items()} == theirs
        operator.api.close()


# ── where the exchange is ────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def folder_of_a_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an order, keys of its own and an exchange, that nobody runs."""
    folder = tmp_path_factory.mktemp("day")
    ems = Ems(folder / "data", write_config(folder / "fairlead.toml", SETTINGS, []))
    with running(ems):
        with closing(ems.reconciled().api()) as api:
            assert api.place("rests").status == 200
        assert ems.interrupt() == 0
    return folder


@pytest.fixture
def stopped(folder_of_a_day: Path, tmp_path: Path) -> Path:
    """A copy of it, with its configuration and its key beside it."""
    shutil.copytree(folder_of_a_day, tmp_path, dirs_exist_ok=True)
    return tmp_path / "data"


def test_a_stopped_folder_comes_back_from_one_file_with_its_keys(
    stopped: Path, tmp_path: Path
) -> None:
    manifest = taken(fairlead("backup", "copy.tar", "--data", "data", "--json", folder=tmp_path))
    assert manifest["was_running"] is False
    assert manifest["exchange"]["orders"] == 1
    with tarfile.open(tmp_path / "copy.tar") as archive:
        assert archive.getnames()[0] == "manifest.json"
    assert fairlead("restore", "copy.tar", "--data", "new", folder=tmp_path).code == 0
    shutil.copy(tmp_path / "data.key", tmp_path / "new.key")
    again = Ems(tmp_path / "new", tmp_path / "fairlead.toml")
    with running(again), closing(again.reconciled().api()) as api:
        assert api.status("rests").json["status"] == "NEW"
        assert [order["client_order_id"] for order in api.wanted("/v1/orders")] == ["rests"]


def test_the_control_plane_comes_back_and_its_key_is_in_no_backup(
    stopped: Path, tmp_path: Path
) -> None:
    assert fairlead("vault", "rotate", "--data", "data", folder=tmp_path).code == 0
    key = (tmp_path / "data.key").read_bytes()
    manifest = taken(fairlead("backup", "copy", "--data", "data", "--json", folder=tmp_path))
    assert {"control.sqlite", "audit-head.json"} <= {each["name"] for each in manifest["files"]}
    assert not [
        each
        for each in (tmp_path / "copy").rglob("*")
        if each.is_file() and key.strip() in each.read_bytes()
    ]
    restored = fairlead("restore", "copy", "--data", "new", folder=tmp_path)
    assert f"put it at {tmp_path}/new.key" in restored.out
    assert "is missing" in fairlead("audit", "verify", "--data", "new", folder=tmp_path).err
    (tmp_path / "data.key").rename(tmp_path / "new.key")
    assert fairlead("audit", "verify", "--data", "new", folder=tmp_path).out.startswith(
        "2 rows: all"
    )


def test_a_running_system_comes_back_elsewhere_with_all_that_its_clients_know(
    tmp_path: Path,
) -> None:
    with managed(tmp_path / "here") as system, FixParty("", context=system.context()) as party:
        with control_of(tmp_path / "here/data") as control:
            token = control.users.first_link(OWNER, time.time_ns())
            assert token is not None
            user = control.users.accept(token, EMAIL, PASSWORD, From("", ""), time.time_ns())
            assert isinstance(user, User)
        party.address = system.ems.endpoint["fix_tls"]
        party.log_on()
        party.say("D", *fix_order("before"))
        party.report("before", "0")
        key = {"FAIRLEAD_API_KEY": system.key}
        words = ("backup", "c.tar", *RUNNING, "--json")
        files = taken(fairlead(*words, folder=system.folder, environment=key))["files"]
        assert {
            "fix.sqlite",
            "tls/ca.pem",
            "tls/server.pem",
            "tls/revoked.pem",
            "tls/ca/root.pem",
        } <= {file["name"] for file in files}
        for number in range(3):  # of which the copy knows nothing
            party.say("D", *fix_order(f"after-{number}"))
            party.report(f"after-{number}", "0")
        party.drop()
        system.ems.kill()
        with tarfile.open(system.folder / "c.tar") as archive:
            contents = {each: archive.extractfile(each) for each in archive.getnames()}
            assert not [n for n, file in contents.items() if file and b"PRIVATE KEY" in file.read()]

        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        copy = str(system.folder / "c.tar")
        assert fairlead("restore", copy, "--data", "data", folder=elsewhere).code == 0
        flags = ("--tls", ANY_PORT, "--tls-clients", ANY_PORT, "--fix-tls", ANY_PORT)
        keyless = Ems(elsewhere / "data", elsewhere / "data/fairlead.toml", *flags)
        with running(keyless):
            assert keyless.ended() == 70
            assert "data.key: the key-encryption key is missing" in keyless.log
        shutil.copy(system.folder / "data.key", elsewhere / "data.key")
        again = Ems(elsewhere / "data", elsewhere / "data/fairlead.toml", *flags)
        with running(again):
            again.ready()
            back = system._replace(ems=again)
            until(lambda: back.ask("GET", "/v1/orders").status == 200, "the key is known")
            for schema in (
                "https",
                "https_clients",
            ):  # by who was trusted, and the same certificate
                url = f"{again.endpoint[schema]}/v1/orders/status/before"
                until(lambda url=url: back.ask("GET", url).json["status"] == "NEW", "it is there")
            party.address = again.endpoint["fix_tls"]
            party.log_on()  # without a reset
            party.say("D", *fix_order("now"))
            party.report("now", "0")
            assert party.next_in > 100_000_000
            placed = back.ask("GET", "/operator/orders").json["orders"]
            assert len({each["client_id"] for each in placed}) == len(placed)
            with control_of(elsewhere / "data") as control:
                assert [each.email for each in control.users.listed()] == [EMAIL]
        verified = fairlead("audit", "verify", "--data", "data", folder=elsewhere)
        assert (verified.code, verified.err) == (0, "")


def test_an_exchange_elsewhere_is_not_in_it(tmp_path: Path, config: Path) -> None:
    exchange = Exchange(tmp_path / "exchange", config)
    with running(exchange):
        ems = Ems(tmp_path / "data", config, "--exchange-url", exchange.ready().url)
        with running(ems):
            ems.reconciled()
            run = fairlead("backup", "copy", "--data", "data", "--json", folder=tmp_path)
    assert taken(run)["exchange"] is None


def test_an_exchange_of_its_own_process_in_the_folder_copies_itself(
    tmp_path: Path, config: Path
) -> None:
    exchange = Exchange(tmp_path / "data/exchange", config, "--participants")
    with running(exchange):
        ems = Ems(tmp_path / "data", config, "--exchange-url", exchange.ready().url)
        with running(ems):
            with closing(ems.reconciled().api()) as api:
                assert api.place("rests").status == 200
            run = fairlead("backup", "copy", "--data", "data", "--json", folder=tmp_path)
    assert taken(run)["exchange"]["orders"] >= 1
    assert not list((tmp_path / "data/exchange").glob(".copy-*"))


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


def test_what_is_there_is_never_overwritten(stopped: Path, tmp_path: Path) -> None:
    taken(fairlead("backup", "copy", "--data", "data", "--json", folder=tmp_path))
    again = fairlead("backup", "copy", "--data", "data", folder=tmp_path)
    assert (again.code, again.out) == (1, "")
    assert "copy exists; give a name that is not taken" in again.err
    over = fairlead("restore", "copy", "--data", "data", folder=tmp_path)
    assert (over.code, over.out) == (1, "")
    assert "data is not empty; restore into a new folder" in over.err
    none = fairlead("backup", "other", "--data", "nowhere", folder=tmp_path)
    assert none.code == 2
    assert "journal.sqlite is missing" in none.err
    assert not (tmp_path / "other.partial").exists()


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _change(path: Path, name: str, value: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda copy: _flip(copy / "journal.sqlite"), "journal.sqlite: "),
        (lambda copy: _shorten(copy / "journal.sqlite"), "the backup is damaged, use another"),
        (lambda copy: _flip(copy / "exchange/exchange.sqlite"), "exchange/exchange.sqlite: "),
        (lambda copy: (copy / "control.sqlite").unlink(), "control.sqlite"),
        (lambda copy: (copy / "manifest.json").unlink(), "manifest.json is missing"),
        (lambda copy: _shorten(copy / "manifest.json"), "Input data was truncated"),
        (lambda copy: _change(copy / "manifest.json", "format", 2), "format 2, this program knows 1"),
        (lambda copy: _change(copy / "manifest.json", "files", []), "manifest.json: names"),
    ],
)  # fmt: skip
def test_a_damaged_backup_restores_nothing(
    stopped: Path, tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    taken(fairlead("backup", "copy", "--data", "data", "--json", folder=tmp_path))
    manifest = tmp_path / "copy/manifest.json"
    manifest.write_text(manifest.read_text().rstrip())  # so that shortening it matters
    damage(tmp_path / "copy")
    run = fairlead("restore", "copy", "--data", "new", folder=tmp_path)
    assert (run.code, run.out) == (1, "")
    assert said in run.err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("new")]


def test_a_manifest_that_promises_more_is_refused(stopped: Path, tmp_path: Path) -> None:
    taken(fairlead("backup", "copy", "--data", "data", "--json", folder=tmp_path))
    manifest = tmp_path / "copy/manifest.json"
    journal = json.loads(manifest.read_text())["journal"]
    _change(manifest, "journal", {**journal, "sequences": {"SIM": 1_000_000}})
    run = fairlead("restore", "copy", "--data", "new", folder=tmp_path)
    assert run.code == 1
    assert "promised was" in run.err


# ── cut short anywhere ───────────────────────────────────────────────────────────────────────────

# The process dies, as by a power switch, just before its Nth step that makes something durable or named.
_DIES = """
import os, signal
count = {step}
def dying(step):
    def counted(*arguments, **named):
        global count
        count -= 1
        if count == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*arguments, **named)
    return counted
for name in ("fsync", "rename", "mkdir", "open"):
    setattr(os, name, dying(getattr(os, name)))
"""


def cut_short(step: int, *arguments: str, folder: Path) -> int:
    """Run a command that is killed at a step; return how it ended."""
    return forked.run(
        [FAIRLEAD, *arguments],
        folder=folder,
        environment=os.environ,
        first=_DIES.format(step=step),
        timeout_s=60,
    ).returncode


def restores(backup: Path, data: Path) -> bool:
    """Whether restore accepts the backup; then it must be whole. Leaves nothing."""
    try:
        restoring.restore(backup, data, None, as_json=True)
    except Ended as ended:
        refusal = ended
    else:
        refusal = None
    if refusal is not None:
        assert refusal.code == ExitCode.REFUSED
        assert not data.exists()
        return False
    assert reports(data, "SIM", 1_000) == reports(data.with_name("data"), "SIM", 1_000)
    shutil.rmtree(data)
    return True


@pytest.mark.parametrize("name", ["copy", "copy.tar"])
def test_a_killed_backup_leaves_nothing_that_restore_accepts(
    stopped: Path, tmp_path: Path, name: str
) -> None:
    kills = 0
    while cut_short(kills + 1, "backup", name, "--data", "data", folder=tmp_path) != 0:
        kills += 1
        assert kills < 100
        left = [path for path in tmp_path.iterdir() if path.name.startswith("copy")]
        for path in left:
            is_complete = path.name == name  # only its name was not durable yet
            assert restores(path, tmp_path / "new") == is_complete, (kills, path)
            disguise = path.rename(tmp_path / f"disguised{path.suffix}")
            restores(disguise, tmp_path / "new")  # not, or it was whole
            shutil.rmtree(disguise) if disguise.is_dir() else disguise.unlink()
    assert kills > 8
    assert fairlead("restore", name, "--data", "new", folder=tmp_path).code == 0


def test_a_killed_restore_leaves_no_data_folder(stopped: Path, tmp_path: Path) -> None:
    taken(fairlead("backup", "copy", "--data", "data", "--json", folder=tmp_path))
    kills = 0
    while cut_short(kills + 1, "restore", "copy", "--data", "new", folder=tmp_path) != 0:
        kills += 1
        assert kills < 100
        if (tmp_path / "new").exists():  # complete: only its name was not durable yet
            assert verify(tmp_path / "new").holds
            shutil.rmtree(tmp_path / "new")
        else:
            left = tmp_path / "new.restoring"
            assert restores(tmp_path / "copy", tmp_path / "new") != left.exists()
            shutil.rmtree(left, ignore_errors=True)
    assert kills > 5
