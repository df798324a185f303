"""A data folder, or a file of it, that is deleted, moved or replaced beneath a running system stops it."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from tests.system import ACCOUNTS, QUICK, Ems, Exchange, running, until, write_config
from tests.tenanted import control_of, subscribe

EXIT_FATAL = 70


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path / "config.toml", QUICK, ACCOUNTS[:1])


def started(folder: Path, config: Path) -> Ems:
    return Ems(folder, config, "--no-participants")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def stops_for(ems: Ems, path: Path) -> bool:
    """Whether it ends by itself, and says that this file is the cause."""
    assert ems.ended() == EXIT_FATAL, ems.log
    assert "Traceback" not in ems.log, ems.log
    return f"fairlead: stopped: FileGone: {path}: was deleted, moved or replaced" in ems.log


@pytest.mark.parametrize(
    "name",
    [
        "journal.lock",
        "journal.sqlite",
        "journal.sqlite-wal",
        "fix.lock",
        "fix.sqlite",
        "control.sqlite",
        "exchange/exchange.sqlite",
    ],
)
def test_a_deleted_file_stops_the_system(tmp_path: Path, config: Path, name: str) -> None:
    ems = started(tmp_path / "data", config)
    with running(ems):
        ems.reconciled()
        (ems.folder / name).unlink()
        assert stops_for(ems, ems.folder / name)


def test_a_deleted_folder_stops_the_system_and_is_not_made_again(
    tmp_path: Path, config: Path
) -> None:
    ems = started(tmp_path / "data", config)
    with running(ems):
        ems.reconciled()
        shutil.rmtree(ems.folder)
        assert ems.ended() == EXIT_FATAL, ems.log
    assert "was deleted, moved or replaced while it was open" in ems.log
    assert not ems.folder.exists()


def test_a_moved_folder_has_every_order_once_it_is_back(tmp_path: Path, config: Path) -> None:
    folder = tmp_path / "data"
    first = started(folder, config)
    with running(first):
        first.reconciled()
        with closing(first.api()) as api:
            assert api.place("before").status == 200
            folder.rename(tmp_path / "moved")
            answer = api.place("after")  # nobody has noticed yet, or it is on the point of ending
        assert first.ended() == EXIT_FATAL, first.log
    (tmp_path / "moved").rename(folder)
    second = started(folder, config)
    with running(second):
        second.reconciled()
        with closing(second.api()) as api:
            assert api.status("before").json["status"] == "NEW"
            if answer.status == 200:
                assert api.status("after").json["status"] == "NEW"
        assert second.interrupt() == 0


def test_the_folder_that_takes_its_place_is_left_as_it_is(tmp_path: Path, config: Path) -> None:
    """It is what the next start goes by: a backup that somebody restored, or a folder of another system."""
    folder = tmp_path / "data"
    ems = started(folder, config)
    with running(ems):
        ems.reconciled()
        with closing(ems.api()) as api:
            assert api.place("before").status == 200
        shutil.copytree(folder, tmp_path / "copy")
        folder.rename(tmp_path / "moved")
        (tmp_path / "copy").rename(folder)
        before = contents(folder)
        assert ems.ended() == EXIT_FATAL, ems.log
        assert contents(folder) == before


def test_the_folder_of_any_subscription_counts(tmp_path: Path) -> None:
    config = write_config(
        tmp_path / "config.toml", {**QUICK, "authentication": "keys"}, ACCOUNTS[:1]
    )
    ems = started(tmp_path / "data", config)
    with running(ems):
        ems.ready()
        with control_of(ems.folder) as control:
            subscribe(control, "north", {})
        until(lambda: "subscription_served" in ems.log, "it is served beside the first")
        journal = ems.folder / "subscriptions" / "north" / "journal.sqlite"
        journal.unlink()
        assert stops_for(ems, journal)


def test_an_exchange_in_a_process_of_its_own_stops_too(tmp_path: Path, config: Path) -> None:
    exchange = Exchange(tmp_path / "exchange", config, "--no-participants")
    with running(exchange):
        exchange.ready()
        store = exchange.folder / "exchange.sqlite"
        store.unlink()
        assert exchange.ended() == EXIT_FATAL, exchange.log
    assert f"fairlead: {store}: was deleted, moved or replaced" in exchange.log
