"""What an earlier process could not sync is on the disk before a start builds on it."""

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.disk.failing import failing_disk
from tests.system import ACCOUNTS, QUICK, Ems, running, write_config

ROOT = Path(__file__).parents[2]
STORES = ("journal.sqlite", "fix.sqlite", "control.sqlite")

# Commits to each store, says so, waits for a word, has another commit of each fail, and dies.
FAILS = textwrap.dedent(
    """
    import os, sys
    from pathlib import Path
    from fairlead.control.errors import StoreFull
    from fairlead.control.store import Store as ControlStore
    from fairlead.fix.settings import Batch, Changes, SessionKey
    from fairlead.fix.store import Store as FixStore, StoreError
    from fairlead.journal import CommitFailed, Journal
    from tests.journal.bookkeeper import Bookkeeper

    data = Path(sys.argv[1])
    journal, fix, control = Journal.open(data), FixStore.open(data), ControlStore.open(data)
    key = SessionKey("FIXT.1.1", "US", "THEM", "somebody")

    def commit_orders():
        books = Bookkeeper(journal)
        for _ in range(50):
            books.open(f"order {books.next_number}")
        books.commit()

    def begin_session(number):
        changes = Changes(key, True, number, number, (), b"cursor" * 3000, False)
        fix.commit([Batch(changes, b"", False)])

    commit_orders()
    begin_session(1)
    control.tell()
    print("committed", flush=True)
    sys.stdin.readline()
    failed = []
    try:
        commit_orders()
    except CommitFailed:
        failed.append("journal")
    try:
        begin_session(2)
    except StoreError:
        failed.append("fix")
    try:
        with control.change() as change:
            change.exec_driver_sql("CREATE TABLE large (bytes)")
            change.exec_driver_sql("INSERT INTO large VALUES (zeroblob(50000))")
    except StoreFull:
        failed.append("control")
    print(*failed, flush=True)
    os._exit(0)
    """
)


def wals(folder: Path) -> dict[str, bytes]:
    """The WALs that are there, by name."""
    found = {name: folder / "data" / f"{name}-wal" for name in STORES}
    return {name: path.read_bytes() for name, path in found.items() if path.exists()}


def test_a_start_writes_anew_what_an_earlier_process_could_not_sync(tmp_path: Path) -> None:
    """Else it finds that on no disk, commits behind it, and loses all of it with the power."""
    config = write_config(tmp_path / "config.toml", QUICK, ACCOUNTS[:1])
    first = Ems(tmp_path / "data", config, "--no-participants")
    with running(first):
        first.reconciled()
        assert first.interrupt() == 0
    with failing_disk(tmp_path) as disk:
        shutil.copytree(first.folder, disk.folder / "data")
        shutil.copy(tmp_path / "data.key", disk.folder)
        command = [sys.executable, "-c", FAILS, str(disk.folder / "data")]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as failing:
            assert failing.stdin is not None
            assert failing.stdout is not None
            assert failing.stdout.readline() == "committed\n"
            disk.fail()
            failing.stdin.write("go on\n")
            failing.stdin.close()
            assert failing.stdout.readline() == "journal fix control\n"
        disk.mend()
        seen = wals(disk.folder)
        with disk.without_power(tmp_path) as left:
            on_disk = wals(left)
            assert [name for name in STORES if on_disk[name] == seen[name]] == []
        second = Ems(disk.folder / "data", config, "--no-participants")
        with running(second):
            second.reconciled()
            with disk.without_power(tmp_path) as left:
                on_disk = wals(left)
            lost = [name for name in STORES if not on_disk[name].startswith(seen[name])]
            assert lost == []
