"""With the mail server dead nothing is granted and nothing half made, and revoking works as ever."""

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import pytest

from tests.browser.browser import Browser
from tests.browser.console import RESEND_S, Console, Someone, started
from tests.browser.keys import PATH, asked, edit_of, form_of, known, row_of, unknown

UNSENT = "nothing was granted"


class Mailless(NamedTuple):
    """`ann` has the key Bot1 with this secret, of the time when letters could be sent."""

    console: Console
    ann: Someone
    secret: str


@pytest.fixture(scope="module")
def mailless(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailless]:
    folder = tmp_path_factory.mktemp("mailless")
    with started(folder, browser) as console:
        ann = console.someone()
        secret = str(console.key(ann, "Bot1")["secret"])
        console.ems.interrupt()
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        server = f"127.0.0.1:{nobody.getsockname()[1]}"
        mail = {"mail.server": server, "mail.security": "none", "mail.sender": "ems@desk.example"}
        with started(folder, browser, mail) as console:
            ann.console = console
            yield Mailless(console, ann, secret)


@pytest.fixture(scope="module")
def console_of_module(mailless: Mailless) -> Console:
    return mailless.console


def test_nothing_is_granted_and_a_key_is_disabled_at_once(
    console: Console, mailless: Mailless
) -> None:
    ann, secret = mailless.ann, mailless.secret
    known(console, secret)
    page = ann.at(PATH)
    form = form_of(page)
    form.field("API Key Label").fill("Bot2")
    form.button("Send code").click()
    form.role("alert").text(UNSENT).seen()
    form.button("Add").cannot()
    edit = edit_of(page, "Bot1")
    edit.field("trade").check()
    edit.button("Send code").click()
    edit.role("alert").text(UNSENT).seen()
    edit.button("Save").cannot()
    edit.button("Cancel").click()
    row_of(page, "Bot1").button("Delete").click()
    deleting = page.dialog("Delete Bot1?")
    deleting.button("Send code").click()
    deleting.role("alert").text(UNSENT).seen()
    deleting.button("Cancel").click()
    (key,) = console.keys_of(ann)
    assert (key["label"], key["scopes"], key["state"]) == ("Bot1", ["read"], "active")
    assert asked(console, secret).status == 200

    row_of(page, "Bot1").button("Disable").click()
    dialog = page.dialog("Disable Bot1?")
    dialog.field("Authenticator code").fill("000000")
    dialog.button("Disable").click()
    dialog.role("alert").text("not right").seen()
    dialog.button("Use your password").click()
    dialog.field("Password").fill(ann.password)
    dialog.button("Disable").click()
    dialog.gone()
    unknown(console, secret)
    row_of(page, "Bot1").text("disabled").seen()

    console.ems.advance(RESEND_S)
    row_of(page, "Bot1").button("Enable").click()
    enabling = page.dialog("Enable Bot1?")
    enabling.button("Send code").click()
    enabling.role("alert").text(UNSENT).seen()
    assert console.keys_of(ann)[0]["state"] == "disabled"


def test_a_session_is_ended_all_the_same_and_nobody_is_invited(
    console: Console, mailless: Mailless
) -> None:
    ann = mailless.ann
    lost, page = ann.at("/"), ann.at("/profile/security")
    ending = (
        page.role("table", "Sessions").row("Chrome on Linux").button("End session at 127.0.0.1")
    )
    ending.first().click()
    page.text("has ended").seen()
    lost.way("Users").click()
    lost.heading("Sign in").seen()
    page.way("Users").click()
    form = page.region("Invite somebody")
    form.field("E-mail").fill("bob@desk.example")
    form.button("Send code").click()
    form.role("alert").text(UNSENT).seen()
    form.button("Invite").cannot()
    assert page.text("bob@desk.example").count() == 0
