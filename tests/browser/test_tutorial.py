"""The tutorial of the first key, word by word: its commands are run, and on the page is done what it says."""

import re
from pathlib import Path

import msgspec
import pyotp

from tests.browser.browser import Browser, Page, Window
from tests.documentation.fences import Fence, fences_of
from tests.documentation.reader import ROOT, Reader

TUTORIAL = ROOT / "docs" / "tutorial" / "first-key.md"
EMAIL, PASSWORD = "ann@desk.example", "seven unrelated words"
WITH_THE_KEY = "$ set -a; . ./Bot1.env; set +a; .venv/"


class Doing:
    """One reader: commands in a folder of their own, the page in a browser, letters by `fairlead mail`."""

    def __init__(self, reader: Reader, folder: Path, page: Page) -> None:
        self.reader = reader
        self.folder = folder
        self.page = page
        self.recovery: list[str] = []

    def code(self) -> str:
        """Return the code of the last letter."""
        shown = self.reader.run(".venv/bin/fairlead mail --last 1", "the tutorial")
        found = re.search(r"Your code: ([0-9]{8})", shown)
        assert found is not None, shown
        return found[1]

    def grant(self, form_name: str, button: str, second: str) -> None:
        """Have a code sent, and give both; a recovery code stands in for the app's next one."""
        role = "group" if form_name.startswith("Edit") else "region"
        form = self.page.role(role, form_name)
        form.button("Send code").click()
        form.pattern("^Sent to ").seen()
        form.field("E-mail code").fill(self.code())
        form.field("Authenticator code").fill(second)
        form.button(button).click()

    def run(self, fences: list[Fence]) -> None:
        """Run blocks of the page that need the key: each command in a shell that has read the file."""
        for fence in fences:
            text = fence.text.replace("$ .venv/", WITH_THE_KEY)
            self.reader.read([msgspec.structs.replace(fence, text=text, reason=None)])


def test_the_tutorial_leads_from_nothing_to_a_working_key(
    browser: Browser, windows: list[Window], tmp_path: Path
) -> None:
    fences = fences_of(TUTORIAL, ROOT)
    of_the_key = [
        each
        for each in fences
        if "test_tutorial.py" in (each.reason or "") and each.language == "console"
    ]
    with Reader(tmp_path) as reader:
        reader.read(fences)
        window = Window(browser, f"http://{reader.address}:3080")
        windows.append(window)
        doing = Doing(reader, tmp_path, window.tab("/console/"))
        _become(doing)
        _second_factor(doing)
        _make(doing)
        using, trading, taken = of_the_key
        doing.run([using])
        _let_it_trade(doing)
        doing.run([trading])
        _take_it_back(doing)
        doing.run([taken])


def _become(doing: Doing) -> None:
    page = doing.page
    shown = doing.reader.run(".venv/bin/fairlead users link", "the tutorial")
    found = re.search(r"http://\S+(/console/first-user#\S+)", shown)
    assert found is not None, shown
    page.go("about:blank")
    page.go(found[1])
    page.heading("Create the first user").seen()
    page.field("E-mail").fill(EMAIL)
    page.field("Password").fill(PASSWORD)
    page.field("Password again").fill(PASSWORD)
    page.button("Create user").click()
    page.heading("Overview").seen()


def _second_factor(doing: Doing) -> None:
    page = doing.page
    page.way("API Management").click()
    page.button("Enable 2FA").click()
    secret = page.pattern("^([A-Z2-7]{4} )+[A-Z2-7]{1,4}$").said().replace(" ", "")
    doing.grant("Two-factor authentication", "Enable 2FA", pyotp.TOTP(secret).now())
    dialog = page.dialog("Save your recovery codes")
    doing.recovery = dialog.role("listitem").each()
    dialog.button("I have saved them").click()
    page.heading("API Management").seen()


def _make(doing: Doing) -> None:
    page = doing.page
    page.field("API Key Label").fill("Bot1")
    doing.grant("Private API key", "Add", doing.recovery[0])
    dialog = page.dialog("Save the secret of Bot1").seen()
    name, text = dialog.button("Download .env").download()
    (doing.folder / name).write_text(text)
    dialog.button("I have saved it").click()


def _let_it_trade(doing: Doing) -> None:
    page = doing.page
    page.role("row", "Bot1").button("Edit permissions").click()
    page.field("trade").last().check()
    page.field("Trusted IPs only (Recommended)").check()
    page.button("Add my address").click()
    doing.grant("Edit permissions of Bot1", "Save", doing.recovery[1])
    page.text("The permissions of Bot1 are changed").seen()


def _take_it_back(doing: Doing) -> None:
    page = doing.page
    page.role("row", "Bot1").button("Disable").click()
    dialog = page.dialog("Disable Bot1?")
    dialog.field("Authenticator code").fill(doing.recovery[2])
    dialog.button("Disable").click()
    dialog.gone()
    page.role("row", "Bot1").text("disabled").seen()
