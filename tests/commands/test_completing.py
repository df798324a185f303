"""Shell completion: what the shell is told, and what is asked of the running system."""

import subprocess
import sys
from pathlib import Path

from tests.commands.terminal import Terminal, fairlead


def completed(words: str, folder: Path, data: Path | None = None) -> list[str]:
    """What bash would offer for the last word of `words`."""
    environment = {
        "_FAIRLEAD_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    if data is not None:
        environment["FAIRLEAD_DATA"] = str(data)
    return fairlead(folder=folder, environment=environment).out.split()


def test_commands_and_flags(tmp_path: Path) -> None:
    assert completed("fairlead ba", tmp_path) == ["balances", "backup"]
    assert completed("fairlead in-doubt r", tmp_path) == ["resolve"]
    assert "--dry-run" in completed("fairlead order --d", tmp_path)


def test_accounts_markets_and_open_orders_are_asked_for(terminal: Terminal) -> None:
    folder, data = terminal.data.parent, terminal.data
    terminal.done("order", "buy", "0.01", "SIM_SPOT_BTC_USDT", "20000", "--id", "zebra-1")
    assert completed("fairlead halt S", folder, data) == ["SIM", "SIM/ALICE"]
    assert completed("fairlead order --account SIM/", folder, data) == ["SIM/ALICE"]
    assert completed("fairlead order buy 1 SIM_SPOT_B", folder, data) == ["SIM_SPOT_BTC_USDT"]
    assert completed("fairlead cancel zebra", folder, data) == ["zebra-1"]


def test_where_nobody_answers_nothing_is_offered(tmp_path: Path) -> None:
    assert completed("fairlead halt S", tmp_path) == []


def test_the_script_for_a_shell_is_printed(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("fairlead")
    in_a_shell = (
        f"'{program}' --show-completion; exit $?"  # it is the shell that asks which one it is
    )
    run = subprocess.run(
        ["bash", "-c", in_a_shell],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, "_FAIRLEAD_COMPLETE" in run.stdout) == (0, True)
