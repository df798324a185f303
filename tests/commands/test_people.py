"""users link, invite, list, remove; mail: what they print, and how they end."""

import asyncio
import re
from pathlib import Path

import pytest

from fairlead.control.people.letters import of_invitation
from fairlead.control.people.post import Sink
from tests.commands.terminal import Run, fairlead


def run(folder: Path, *arguments: str) -> Run:
    return fairlead(*arguments, "--data", "data", folder=folder)


def test_links_and_the_list(tmp_path: Path) -> None:
    first = run(tmp_path, "users", "link")
    assert (first.code, first.err) == (0, "")
    link = first.out.split()[0]
    assert re.fullmatch(r"http://127\.0\.0\.1:3080/console/first-user#[\w-]{43}", link)
    again = run(tmp_path, "users", "link", "--json").json
    assert again["path"] == "/v1/auth/first-user"
    assert again["link"] == f"http://127.0.0.1:3080/console/first-user#{again['token']}"
    (tmp_path / "fairlead.toml").write_text('http.public_url = "https://ems.desk.example/"\n')
    flags = ("--config", "fairlead.toml", "--json")
    invited = run(tmp_path, "users", "invite", "bob@desk.example", *flags).json
    assert invited["path"] == "/v1/auth/invitation"
    assert invited["link"] == f"https://ems.desk.example/console/invitation#{invited['token']}"
    assert run(tmp_path, "users", "list").out.startswith("there are no users")
    assert run(tmp_path, "users", "list", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("users", "invite", "bob"), "email_invalid: the e-mail address is not written as one"),
        (
            ("users", "remove", "bob@desk.example"),
            "user_unknown: there is no user bob@desk.example",
        ),
    ],
)
def test_what_is_refused_says_why(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    refused = run(tmp_path, *arguments)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith(f"fairlead: {words}")


def test_mail_shows_what_would_have_been_sent(tmp_path: Path) -> None:
    assert run(tmp_path, "mail").out == "nothing has been written yet\n"
    (tmp_path / "data").mkdir()
    for name in ("ann", "bob"):
        letter = of_invitation(f"{name}@desk.example", "local", "http://page/#x")
        asyncio.run(Sink(tmp_path / "data").send(letter, 0))
    shown = run(tmp_path, "mail", "--last", "1")
    assert "to bob@desk.example" in shown.out
    assert "ann@" not in shown.out
    assert run(tmp_path, "mail", "--last", "1", "--json").json["subject"] == (
        "You are invited to Fairlead"
    )


def test_with_a_mail_server_there_is_nothing_to_show(tmp_path: Path) -> None:
    (tmp_path / "fairlead.toml").write_text('mail.server = "mail.desk.example:587"\n')
    refused = run(tmp_path, "mail", "--config", "fairlead.toml")
    assert (refused.code, refused.out) == (1, "")
    assert "mail.desk.example:587" in refused.err


def test_users_are_of_their_subscription(tmp_path: Path) -> None:
    assert run(tmp_path, "subscriptions", "create", "desk-2").code == 0
    first = run(tmp_path, "users", "link", "--subscription", "desk-2", "--json").json
    assert run(tmp_path, "users", "link", "--json").json["token"] != first["token"]
    unknown = run(tmp_path, "users", "list", "--subscription", "desk-3")
    assert (unknown.code, unknown.out) == (1, "")
