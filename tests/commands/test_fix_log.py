"""`fairlead fix-log`: of a running system, over a restart, of files and stdin; and how it ends."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.piped import Piped
from tests.commands.screen import Screen
from tests.commands.terminal import TIMEOUT_S, Terminal, fairlead
from tests.fix.spoken import say, say_logon
from tests.fix_party import FixParty, order
from tests.system import ACCOUNTS, FAIRLEAD, QUICK, Ems, running, write_config

NAME = "FIX.4.4:LOGGED"


@pytest.fixture
def followed(terminal: Terminal) -> Iterator[Piped]:
    with Piped("fix-log", "--follow", "--data", str(terminal.data)) as followed:
        yield followed


def test_messages_of_a_running_system_are_followed_as_they_come(
    ems: Ems, terminal: Terminal, followed: Piped
) -> None:
    made = terminal.done("keys", "create", "Logged1", "--scope", "trade", "--json").json
    known = f"{NAME}@{made['kid']}"  # once the Logon has proven whose it is
    with FixParty(ems.endpoint["fix"], comp_id="LOGGED") as party:
        party.log_on((554, made["secret"]))
        party.say("D", *order("logged-1"))
        party.report("logged-1", "0")
        party.send_bytes(b"noise\x01" + party.message("0", 99)[:-4] + b"999\x01")
        logon = followed.wait_for(f"IN   {NAME}  Logon #1 LOGGED → CoinAPI.OEML.FIX")
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  IN ", logon)
        assert "Password=***" in logon
        followed.wait_for(f"OUT  {known}  Logon #1 CoinAPI.OEML.FIX → LOGGED")
        followed.wait_for("NewOrderSingle #2 LOGGED")
        followed.wait_for(f"OUT  {known}  ExecutionReport #")
        followed.wait_for(f"IN   {known}  not a message: ignored: ")
        with FixParty(ems.endpoint["fix"], comp_id="LOGGED") as second:
            second.connect()
            again = ((98, 0), (108, 30), (11, "refused"), (554, made["secret"]))
            second.send_bytes(second.message("A", 1, *again))
            second.wait_for_end()
        followed.wait_for("ClOrdID=refused")
        followed.interrupt()
        assert followed.ended() == (0, "")
        party.log_out()
    assert not any(made["secret"] in line for line in followed.lines)


def test_a_session_and_the_last_messages_of_it(ems: Ems, terminal: Terminal) -> None:
    with FixParty(ems.endpoint["fix"], comp_id="LAST") as party:
        party.log_on()
        with Piped("fix-log", "--follow", "--data", str(terminal.data)) as followed:
            party.log_out()
            followed.wait_for("OUT  FIX.4.4:LAST  Logout #2")
    lines = terminal.done("fix-log", "--session", "LAST", "--last", "2").out.splitlines()
    assert [line.split()[2:5] for line in lines] == [
        ["IN", "FIX.4.4:LAST", "Logout"],
        ["OUT", "FIX.4.4:LAST", "Logout"],
    ]
    run = terminal.run("fix-log", "--session", "NOBODY")
    assert (run.code, run.out) == (2, "")
    assert "no session NOBODY in " in run.err
    assert "FIX.4.4:LAST" in run.err


def test_switched_off_nothing_is_kept(tmp_path: Path) -> None:
    config = write_config(
        tmp_path / "fairlead.toml", {**QUICK, "fix.log_messages": False}, ACCOUNTS
    )
    system = Ems(tmp_path / "data", config)
    with running(system), FixParty(system.reconciled().endpoint["fix"]) as party:
        party.log_on()
        party.log_out()
    run = fairlead("fix-log", "--data", "data", folder=tmp_path)
    assert (run.code, run.out) == (3, "")


def test_without_a_log_it_says_where_it_looked(tmp_path: Path) -> None:
    run = fairlead("fix-log", "--data", str(tmp_path), folder=tmp_path)
    assert (run.code, run.out) == (3, "")
    assert f"{tmp_path / 'fix-messages.log'} is missing" in run.err


# ── files and stdin ──────────────────────────────────────────────────────────────────────────────


def test_raw_fix_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "raw"
    order_bytes = say("D", 5, (11, "a"), (54, 1))
    shown = order_bytes.replace(b"\x01", b"|")
    file.write_bytes(say_logon(1, (554, "hunter2")) + b"20260921 : " + shown + b"\nrubbish\n")
    run = fairlead("fix-log", "raw", folder=tmp_path)
    logon, placed = run.out.splitlines()
    assert logon.startswith("Logon #1 CLIENT → SERVER")
    assert "hunter2" not in logon
    assert placed.startswith("NewOrderSingle #5")
    assert placed.endswith("| ClOrdID=a Side=1:Buy")


def test_as_json_each_message_is_an_object_and_as_fields_a_block(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(say("D", 5, (11, "a"), (54, 1)))
    said = json.loads(fairlead("fix-log", "raw", "--json", folder=tmp_path).out)
    assert {"tag": 54, "name": "Side", "value": "1", "meaning": "Buy"} in said["fields"]
    head, *fields = fairlead("fix-log", "raw", "--fields", folder=tmp_path).out.splitlines()
    assert head.startswith("NewOrderSingle #5")
    assert fields[-2].split() == ["54", "Side", "1", "Buy"]


def test_stdin_is_read(tmp_path: Path) -> None:
    ended = subprocess.run(
        [FAIRLEAD, "fix-log", "-"],
        input=say("0", 7),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert ended.stdout.decode().startswith("Heartbeat #7 CLIENT → SERVER")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("missing",), 2, "missing cannot be read"),
        (("empty",), 1, "empty holds no FIX message"),
        (("empty", "--follow"), 2, "FILE stands alone"),
    ],
)
def test_what_cannot_be_read_is_said(
    tmp_path: Path, arguments: tuple[str, ...], code: int, text: str
) -> None:
    (tmp_path / "empty").touch()
    run = fairlead("fix-log", *arguments, folder=tmp_path)
    assert (run.code, run.out) == (code, "")
    assert text in run.err


def test_a_closed_pipe_ends_it(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"".join(say("0", number) for number in range(1, 20_000)))
    with Piped("fix-log", str(tmp_path / "raw")) as piped:
        piped.wait_for("Heartbeat #1 ")
        piped.close_pipe()
        assert piped.ended() == (0, "")


def test_on_a_terminal_it_is_in_colour(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(say("0", 7))
    with Screen("fix-log", str(tmp_path / "raw")) as screen:
        assert "\x1b[36mHeartbeat #7" in screen.rest()
