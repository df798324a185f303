"""accounts list, set, delete: what they read and print, and what a running system makes of it."""

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands.terminal import Run, fairlead
from tests.system import FAIRLEAD, QUICK, Ems, running, until, write_config

SECRET = "hush-little-baby-do-not-say-a-word"
LOGIN = f"PublicApiKey=bob\nPrivateApiKey={SECRET}\n"


def run(folder: Path, *arguments: str) -> Run:
    return fairlead("accounts", *arguments, "--data", "data", folder=folder)


def put(folder: Path, name: str, text: str, *flags: str) -> Run:
    """Run `accounts set` with the text on standard input."""
    ended = fairlead("accounts", "set", name, "--data", "data", *flags, folder=folder, said=text)
    assert SECRET not in ended.out + ended.err
    return ended


# ── without a system ─────────────────────────────────────────────────────────────────────────────


def test_an_account_is_set_from_standard_input_or_a_file_and_shown_masked(tmp_path: Path) -> None:
    added = put(tmp_path, "SIM/BOB", LOGIN)
    assert (added.code, added.err) == (0, "")
    assert added.out == "SIM/BOB is added: PrivateApiKey=********word PublicApiKey=bob\n"
    file = tmp_path / "login"
    file.write_text("\nPrivateApiKey = short\nPublicApiKey = bob\n\n")
    updated = run(tmp_path, "set", "SIM/BOB", "--from", "login", "--json").json
    assert updated == run(tmp_path, "list", "--json").json[0]
    assert updated == {
        "exchange_id": "SIM/BOB",
        "parameters": [
            {"key": "PrivateApiKey", "value": "********"},
            {"key": "PublicApiKey", "value": "bob"},
        ],
        "version": 2,
    }
    assert "PublicApiKey=bob" in run(tmp_path, "list").out


def test_deleted_are_all_that_are_named_or_none(tmp_path: Path) -> None:
    assert run(tmp_path, "list").out == "there are no accounts; `fairlead accounts set` adds one\n"
    for name in ("A", "B", "C"):
        assert put(tmp_path, f"SIM/{name}", LOGIN.replace("bob", name)).code == 0
    refused = run(tmp_path, "delete", "SIM/A", "SIM/X")
    assert refused.code == 1
    assert 'account_unknown: there is no account "SIM/X"; nothing was deleted' in refused.err
    gone = run(tmp_path, "delete", "SIM/A", "SIM/B")
    assert gone.out.splitlines() == [
        f"SIM/{name} is deleted, its credentials erased; open orders stay at the exchange"
        for name in "AB"
    ]
    assert run(tmp_path, "delete", "--all", "--json").json == ["SIM/C"]
    assert run(tmp_path, "delete", "--all").out == "there are no accounts\n"
    none = run(tmp_path, "delete")
    assert (none.code, none.out) == (2, "")
    assert "give the accounts to delete, or --all" in none.err


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", 1, "PrivateApiKey: is missing, SIM needs PrivateApiKey and PublicApiKey"),
        (LOGIN + "PassPhrase=x", 1, "PassPhrase: is no parameter of SIM"),
        (LOGIN.replace(SECRET, "********word"), 1, "PrivateApiKey: is a masked value"),
        (LOGIN + f"{SECRET}\n", 2, "standard input: line 3 has no =; expected PublicApiKey=…"),
        ("x=" + "y" * 65_536, 2, "standard input: is longer than 65536 bytes"),
    ],
    ids=["nothing", "unknown", "masked", "no-pair", "long"],
)
def test_what_is_wrong_is_said_without_a_secret(
    tmp_path: Path, text: str, code: int, said: str
) -> None:
    ended = put(tmp_path, "SIM/BOB", text)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert run(tmp_path, "list", "--json").json == []


def test_a_name_a_file_or_an_option_that_is_wrong_is_said(tmp_path: Path) -> None:
    assert 'exchange_id_invalid: "sim" is not an exchange id' in put(tmp_path, "sim", LOGIN).err
    missing = run(tmp_path, "set", "SIM", "--from", "nowhere")
    assert (missing.code, missing.err.partition(";")[0]) == (
        2,
        "fairlead: nowhere: No such file or directory",
    )
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert "binary: is not UTF-8" in run(tmp_path, "set", "SIM", "--from", "binary").err
    before = fairlead("accounts", "--json", "list", folder=tmp_path)
    assert (before.code, "give options after accounts list" in before.err) == (2, True)


def test_a_terminal_is_not_read_since_it_shows_what_is_typed(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        ended = subprocess.run(
            [FAIRLEAD, "accounts", "set", "SIM", "--data", "data"],
            cwd=tmp_path,
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert ended.returncode == 2
    assert "by a pipe or by --from FILE" in ended.stderr


# ── with a system ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def ems(tmp_path: Path) -> Iterator[Ems]:
    config = write_config(tmp_path / "fairlead.toml", QUICK | {"exchange.participants": False}, [])
    system = Ems(tmp_path / "data", config)
    with running(system):
        yield system.reconciled()


def test_a_running_system_follows_and_has_a_login_changed_by_itself_alone(
    ems: Ems, tmp_path: Path
) -> None:
    states = run(tmp_path)
    assert "SIM" in states.out
    assert put(tmp_path, "SIM/BOB", LOGIN).code == 0
    with closing(ems.api()) as api:
        until(lambda: api.place("rests", exchange_id="SIM/BOB").status == 200, "it trades")
        refused = put(tmp_path, "SIM/BOB", LOGIN.replace("bob", "rob"))
        assert refused.code == 1
        assert "which the system that runs must allow: POST /v1/accounts" in refused.err
        assert put(tmp_path, "SIM/BOB", LOGIN).code == 0  # the same is no other
        assert run(tmp_path, "delete", "SIM/BOB").code == 0
        until(lambda: api.place("late", exchange_id="SIM/BOB").status == 490, "it is gone")
    assert ems.interrupt() == 0
    # Nobody runs it now, and an order of the former login is unsettled still.
    unsettled = put(tmp_path, "SIM/BOB", LOGIN.replace("bob", "rob"))
    assert unsettled.code == 1
    assert "orders_unsettled: the login of SIM/BOB cannot change" in unsettled.err
    assert put(tmp_path, "SIM", LOGIN.replace("bob", "rob")).code == 0  # SIM has none
    kept = json.loads(run(tmp_path, "list", "--json").out)
    assert [each["exchange_id"] for each in kept] == ["SIM"]
