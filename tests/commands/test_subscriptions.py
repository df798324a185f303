"""subscriptions create, list, and --subscription: what they print, and how they end."""

from pathlib import Path

import pytest

from tests.commands.terminal import Run, fairlead


def run(folder: Path, *arguments: str) -> Run:
    return fairlead(*arguments, "--data", "data", folder=folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a subscription, desk."""
    assert run(tmp_path, "subscriptions", "create", "desk").code == 0
    return tmp_path


def test_a_new_one_says_what_it_lacks_and_is_listed(tmp_path: Path) -> None:
    made = run(tmp_path, "subscriptions", "create", "desk-2", "--json")
    assert (made.code, made.json["subscription"]) == (0, "desk-2")
    listed = run(tmp_path, "subscriptions", "list", "--json").json
    assert [each["subscription"] for each in listed] == ["local", "desk-2"]
    assert listed[1] == made.json
    lines = run(tmp_path, "subscriptions", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["subscription", "local", "desk-2"]


def test_people_are_told_what_to_do_next(tmp_path: Path) -> None:
    made = run(tmp_path, "subscriptions", "create", "desk")
    command = made.out.splitlines()[-1].replace("LABEL", "Bot1").split()[1:]
    assert run(tmp_path, *command).code == 0


@pytest.mark.parametrize(
    ("name", "code"), [("desk", "subscription_taken"), ("Desk", "subscription_invalid")]
)
def test_what_cannot_be_made_is_refused(folder: Path, name: str, code: str) -> None:
    refused = run(folder, "subscriptions", "create", name)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith(f"fairlead: {code}: ")


def test_keys_and_audit_are_of_the_subscription_that_is_named(folder: Path) -> None:
    desks = ("--subscription", "desk")
    run(folder, "keys", "create", "Bot1", *desks)
    run(folder, "keys", "create", "Bot1", "--scope", "trade")
    for flags, scopes in ((desks, ["read"]), ((), ["read", "trade"])):
        assert run(folder, "keys", "show", "Bot1", "--json", *flags).json["scopes"] == scopes
        assert len(run(folder, "keys", "list", "--json", *flags).json) == 1
        assert run(folder, "audit", "verify", *flags).code == 0
    run(folder, "keys", "revoke", "Bot1", *desks)
    assert run(folder, "keys", "show", "Bot1", "--json").json["state"] == "active"
    assert "subscription.create" not in run(folder, "audit", "list", *desks).out
    assert "key.revoke" not in run(folder, "audit", "list").out


@pytest.mark.parametrize(
    "words", [("keys", "list"), ("keys", "create", "Bot1"), ("audit", "list"), ("audit", "verify")]
)
def test_one_that_is_not_there_is_refused_and_not_made(
    folder: Path, words: tuple[str, ...]
) -> None:
    refused = run(folder, *words, "--subscription", "des")
    assert refused.code == 1
    assert "there is no subscription 'des'; there is local, desk" in refused.err
    assert len(run(folder, "subscriptions", "list", "--json").json) == 2
