"""One walk past every page and every step of the console, with a stop at each.

What is done at a stop is another's matter: `test_accessibility.py` has axe-core look, and
`python -m tests.browser.tour FOLDER` (`make screenshots`) keeps pictures for the documentation.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.browser.browser import DARK, LIGHT, Browser, Page
from tests.browser.console import PASSWORD, Console, Someone, started
from tests.browser.keys import PATH, edit_of, form_of, known, row_of, use_is_told
from tests.system import until

Stop = Callable[[str, Page], None]
ANN = "ann@desk.example"


def tour(console: Console, stop: Stop) -> None:
    """Walk, as people who come for the first time."""
    page = console.window().tab("/console/")
    ann = Someone(console, ANN)
    _become(console, page, stop)
    _secure(ann, page, stop)
    _add(ann, page, stop)
    _change(ann, page, stop)
    _return(console, ann, stop)
    _invite(ann, page, stop)


def _become(console: Console, page: Page, stop: Stop) -> None:
    page.heading("Create the first user").seen()
    stop("first-user-token", page)
    token = console.run("users", "link", "--json").json["token"]
    page.go("about:blank")
    page.go(f"/console/first-user#{token}")
    page.field("E-mail").fill(ANN)
    page.field("Password").fill("password123")
    page.field("Password again").fill("password123")
    page.button("Create user").click()
    page.role("alert").seen()
    stop("first-user", page)
    page.field("Password").fill(PASSWORD)
    page.field("Password again").fill(PASSWORD)
    page.button("Create user").click()
    page.heading("Overview").seen()
    page.text("You have none yet").seen()
    stop("overview", page)


def _secure(ann: Someone, page: Page, stop: Stop) -> None:
    page.way("Security").click()
    page.row("This session").seen()
    stop("security", page)
    page.way("API Management").click()
    page.text("Two-factor authentication comes first").seen()
    page.text("You have no API keys yet").seen()
    stop("keys-need-two-factor", page)
    page.button("Enable 2FA").click()
    factor = page.region("Two-factor authentication")
    ann.secret = factor.pattern("^([A-Z2-7]{4} )+[A-Z2-7]{1,4}$").said().replace(" ", "")
    code = ann.send_code(factor)
    ann.both(factor, code, "000000")
    factor.button("Enable 2FA").click()
    factor.role("alert").seen()
    stop("two-factor", page)
    ann.both(factor, code)
    factor.button("Enable 2FA").click()
    dialog = page.dialog("Save your recovery codes")
    dialog.button("I have saved them").seen()
    stop("recovery-codes", page)
    dialog.button("I have saved them").click()
    page.at(f"/console{PATH}")
    page.way("Security").click()
    factor.button("Disable 2FA").click()
    factor.button("Send code").seen()
    stop("two-factor-disable", page)
    factor.button("Cancel").click()


def _add(ann: Someone, page: Page, stop: Stop) -> None:
    page.way("API Management").click()
    form = form_of(page)
    form.field("API Key Label").can()
    form.field("API Key Label").fill("Bot 1")
    stop("key-label", page)
    form.field("API Key Label").fill("Bot1")
    code = ann.send_code(form)
    ann.both(form, code)
    stop("key-code", page)
    form.button("Add").click()
    dialog = page.dialog("Save the secret of Bot1").seen()
    stop("key-secret", page)
    page.key("Escape")
    dialog.role("alert").seen()
    stop("key-secret-closing", page)
    known(ann.console, dialog.pattern("^fl_live_").first().said())
    dialog.button("I have saved it").click()
    row_of(page, "Bot1").seen()
    until(lambda: use_is_told(page, "Bot1"), "the use is told")
    row_of(page, "Bot1").scroll_to()
    stop("key-list", page)


def _change(ann: Someone, page: Page, stop: Stop) -> None:
    edit = edit_of(page, "Bot1")
    edit.field("trade").check()
    edit.field("withdraw").check()
    edit.role("alert").seen()
    edit.scroll_to()
    stop("key-edit", page)
    edit.field("withdraw").uncheck()
    edit.field("Trusted IPs only (Recommended)").check()
    edit.button("Add my address").click()
    code = ann.send_code(edit)
    edit.field("manage").check()
    edit.role("alert").seen()
    edit.button("Save").scroll_to()
    stop("key-edit-useless", page)
    edit.button("Cancel").click()
    for button, dialog, name in (
        ("Activity", "Activity of Bot1", "key-activity"),
        ("Disable", "Disable Bot1?", "key-disable"),
        ("Rotate", "Rotate Bot1", "key-rotate"),
        ("Certificates", "Certificates of Bot1", "key-certificates"),
        ("Delete", "Delete Bot1?", "key-delete"),
    ):
        row_of(page, "Bot1").button(button).click()
        page.dialog(dialog).seen()
        page.text("Loading…").gone()
        stop(name, page)
        page.key("Escape")
        page.dialog(dialog).gone()
    page.button("Delete All API Key").click()
    dialog_of_all = page.dialog("Delete all API keys?").seen()
    dialog_of_all.field("Number of keys").fill("1")
    stop("key-delete-all", page)
    page.key("Escape")
    assert code in ann.letter()["text"]


def _return(console: Console, ann: Someone, stop: Stop) -> None:
    page = console.window().tab("/console/")
    page.heading("Sign in").seen()
    stop("sign-in", page)
    page.field("E-mail").fill(ann.email)
    page.field("Password").fill(ann.password)
    page.button("Sign in").click()
    page.field("Authenticator code").fill("000000")
    page.button("Go on").click()
    page.role("alert").seen()
    stop("second-factor", page)
    page.button("Use a recovery code").click()
    page.field("Recovery code").seen()
    stop("second-factor-recovery", page)
    page.button("Sign in as somebody else").click()
    page.link("Forgot your password?").click()
    page.heading("Reset your password").seen()
    stop("forgotten", page)
    page.field("E-mail").fill(ann.email)
    page.button("Send code").click()
    page.heading("Choose a new password").seen()
    stop("new-password", page)


def _invite(ann: Someone, page: Page, stop: Stop) -> None:
    page.way("Users").click()
    form = page.region("Invite somebody")
    form.field("E-mail").fill("bob@desk.example")
    ann.both(form, ann.send_code(form))
    form.button("Invite").click()
    page.text("An invitation is on its way").seen()
    stop("users", page)
    page.way("Mail").click()
    page.heading("You are invited to Fairlead").seen()
    stop("mail", page)
    token = ann.console.letters()[-1]["text"].split("#")[1].split()[0]
    other = ann.console.window().tab(f"/console/invitation#{token}")
    other.heading("Accept your invitation").seen()
    stop("invitation", other)
    other.field("Password").fill(PASSWORD)
    other.field("Password again").fill(PASSWORD)
    other.button("Accept").click()
    other.text("Signed in as bob@desk.example").seen()
    other.go("/console/invitation")
    other.field("Token").seen()
    page.way("Users").click()
    page.button("Remove bob@desk.example").click()
    page.dialog("Remove bob@desk.example?").seen()
    stop("user-remove", page)
    page.key("Escape")
    page.go("/console/nowhere")
    page.heading("No such page").seen()
    stop("not-found", page)


@contextmanager
def _system() -> Iterator[Console]:
    browser = Browser()
    try:
        with tempfile.TemporaryDirectory() as folder, started(Path(folder), browser) as console:
            yield console
    finally:
        browser.close()


def keep_pictures(folder: Path) -> None:
    """Walk, and keep each stop in both colour schemes as `NAME-light.png` and `NAME-dark.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    with _system() as console:

        def keep(name: str, page: Page) -> None:
            for scheme in (LIGHT, DARK):
                page.wears(scheme)
                page.picture(folder / f"{name}-{scheme}.png")
            page.wears(LIGHT)

        tour(console, keep)


if __name__ == "__main__":
    keep_pictures(Path(sys.argv[1]))
