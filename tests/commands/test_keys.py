"""keys create, list, show, edit, disable, enable, revoke: what they print, and how they end."""

from pathlib import Path

import pytest

from fairlead.control.key_text import is_kid, is_secret
from tests.commands.terminal import Run, fairlead


def run(folder: Path, *arguments: str) -> Run:
    return fairlead("keys", *arguments, "--data", "data", folder=folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one key, Bot1."""
    assert run(tmp_path, "create", "Bot1", "--scope", "trade", "--account", "SIM").code == 0
    return tmp_path


def test_a_secret_is_shown_once(tmp_path: Path) -> None:
    created = run(tmp_path, "create", "Bot1", "--test")
    assert (created.code, created.err) == (0, "")
    words = created.out.split()
    assert is_kid(words[1])
    assert is_secret(words[3])
    assert words[3].startswith("fl_test_")
    for again in (("list",), ("list", "--json"), ("show", "Bot1"), ("show", words[1], "--json")):
        assert words[3] not in run(tmp_path, *again).out


def test_a_script_reads_a_new_key_as_json(tmp_path: Path) -> None:
    flags = ("--scope", "trade", "--scope", "manage", "--address", "10.0.0.0/8", "--never-expires")
    created = run(tmp_path, "create", "Bot1", *flags, "--json").json
    assert is_secret(created.pop("secret"))
    assert created == run(tmp_path, "show", "Bot1", "--json").json
    assert created["scopes"] == ["read", "trade", "manage"]
    assert (created["addresses"], created["accounts"]) == (["10.0.0.0/8"], None)
    assert (created["expires"], created["state"], created["version"]) == (None, "active", 1)


def test_the_list_shows_every_key(folder: Path) -> None:
    lines = run(folder, "list").out.splitlines()
    assert lines[0].split() == [
        *("label", "key", "kind", "state", "scopes", "accounts"),
        "addresses",
        "expires",
        *("last", "used", "from"),
    ]
    assert lines[1].split()[-1] == "never"
    assert lines[1].split()[2:8] == ["bearer", "active", "read,", "trade", "SIM", "all"]
    (listed,) = run(folder, "list", "--json").json
    assert (listed["last_used"], listed["last_address"]) == (None, None)


def test_an_edit_changes_what_is_named(folder: Path) -> None:
    edited = run(folder, "edit", "Bot1", "--read-only", "--address", "192.0.2.7", "--json").json
    assert (edited["scopes"], edited["addresses"]) == (["read"], ["192.0.2.7/32"])
    assert edited["accounts"] == ["SIM"]
    stale = run(folder, "edit", "Bot1", "--all-accounts", "--version", "1")
    assert (stale.code, stale.err[:24]) == (1, "fairlead: version_stale:")
    assert (
        run(folder, "edit", "Bot1", "--all-accounts", "--version", "2", "--json").json["accounts"]
        is None
    )


def test_a_key_is_disabled_enabled_and_revoked(folder: Path) -> None:
    for words, state in (("disable", "disabled"), ("enable", "active"), ("revoke", "revoked")):
        assert run(folder, words, "bot1", "--json").json["state"] == state
    assert run(folder, "enable", "Bot1").code == 1
    assert "revoked" in run(folder, "list").out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("create", "bot1"), "label_invalid"),
        (("create", "BOT1a", "--scope", "withdraw"), "withdraw_requires_trusted_ips"),
        (("create", "Bot2", "--address", "0.0.0.0/0"), "address_invalid"),
        (("create", "bOT1"), "label_taken"),
        (("show", "Bot2"), "key_unknown"),
        (("edit", "Bot1", "--scope", "trade"), "nothing_changed"),
    ],
)
def test_what_is_refused_ends_with_1_and_says_why(
    folder: Path, arguments: tuple[str, ...], code: str
) -> None:
    before = run(folder, "list", "--json").json
    refused = run(folder, *arguments)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith(f"fairlead: {code}: ")
    assert run(folder, "list", "--json").json == before
