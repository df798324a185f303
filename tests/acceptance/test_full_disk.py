"""A start on a full disk says so, whatever its blocks: SQLite would die of it without a word."""

import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

from tests import forked
from tests.disk.full import disk_of_small_blocks, fill, make_room
from tests.system import ACCOUNTS, FAIRLEAD, QUICK, Ems, running, write_config

EXIT_FATAL = 70
NO_ROOM = "its disk is full, opening it takes"


def fairlead(*arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run(
        [FAIRLEAD, *arguments], folder=Path.cwd(), environment=os.environ, timeout_s=30
    )


def test_a_start_on_a_full_disk_names_the_cause(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.toml", QUICK, ACCOUNTS[:1])
    first = Ems(tmp_path / "data", config, "--no-participants")
    with running(first):
        first.reconciled()
        with closing(first.api()) as api:
            assert api.place("before").status == 200
        assert first.interrupt() == 0
    with disk_of_small_blocks(tmp_path) as folder:
        data = folder / "data"
        shutil.copytree(first.folder, data)
        shutil.copy(tmp_path / "data.key", folder)
        fill(folder)
        refused = fairlead(
            *("up", "--data", str(data), "--listen", "127.0.0.1:0", "--fix", "127.0.0.1:0")
        )
        assert (refused.returncode, NO_ROOM in refused.stderr) == (EXIT_FATAL, True), refused
        assert f"fairlead: {data / 'journal.sqlite'}: " in refused.stderr
        for command in (("verify",), ("keys", "list"), ("doctor",)):
            looked = fairlead(*command, "--data", str(data))
            assert looked.returncode >= 0, (command, looked)
        refused = fairlead("exchange", "--data", str(data / "exchange"))
        assert (refused.returncode, NO_ROOM in refused.stderr) == (EXIT_FATAL, True), refused
        make_room(folder)
        second = Ems(data, config, "--no-participants", log_path=tmp_path / "second.log")
        with running(second):
            second.reconciled()
            with closing(second.api()) as api:
                assert api.status("before").json["status"] == "NEW"
            assert second.interrupt() == 0


def test_a_running_system_can_be_looked_at_while_its_disk_is_full(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.toml", QUICK, ACCOUNTS[:1])
    with disk_of_small_blocks(tmp_path) as folder:
        ems = Ems(folder / "data", config, "--no-participants", log_path=tmp_path / "ems.log")
        with running(ems):
            ems.reconciled()
            fill(folder)
            looked = fairlead("verify", "--data", str(folder / "data"))
            assert looked.returncode == 0, looked
