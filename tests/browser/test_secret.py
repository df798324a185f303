"""The secret of a new key: shown once, good for a real order, and nowhere to be found afterwards."""

import subprocess
from pathlib import Path

from tests.browser.browser import Page, Window
from tests.browser.console import Console, Someone
from tests.browser.keys import (
    PATH,
    added,
    asked,
    edit_of,
    known,
    placed,
    row_of,
    saved,
)
from tests.system import until

# Whatever a page can keep: its document and fields, storages, caches, history and what it has loaded.
_KEPT = """(async () => JSON.stringify([
    document.documentElement.outerHTML,
    [...document.querySelectorAll('input, textarea')].map((each) => each.value),
    Object.entries(localStorage), Object.entries(sessionStorage),
    await indexedDB.databases(), await caches.keys(),
    history.state, location.href, window.name, document.cookie, document.title,
    performance.getEntries().map((each) => each.name),
]))()"""


def holds(window: Window, page: Page, secret: str) -> bool:
    """Whether the secret can be found in anything that the browser keeps for the page."""
    kept = (page.run(_KEPT), str(window.cookies()), str(window.storage()))
    return any(secret in each for each in kept)


def test_the_secret_is_shown_once_places_a_real_order_and_is_gone(
    console: Console, tmp_path: Path
) -> None:
    ann = console.someone()
    window = console.window()
    page = ann.at(PATH, window)
    dialog = added(ann, page, "Bot1")
    shown = dialog.pattern("^fl_live_").first().said()
    kid = dialog.pattern("^flk_").first().said()
    assert holds(window, page, shown)  # what is looked for afterwards can be found
    assert page.remembers(shown)

    for what, text in (("secret", shown), ("public key", kid)):
        dialog.button(f"Copy {what}").click()
        until(lambda text=text: page.copied() == text, f"the {what} is copied")  # type: ignore[misc]
    name, text = dialog.button("Download .env").download()
    assert name == "Bot1.env"
    settings = dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))
    assert settings == {"FAIRLEAD_URL": console.url, "FAIRLEAD_API_KEY": shown}
    example = dialog.role("region", "A first request").said()
    known(console, shown)
    ran = subprocess.run(["sh", "-c", example], capture_output=True, text=True, check=True)
    assert '"exchange_id":"SIM"' in ran.stdout.replace(" ", ""), ran

    page.key("Escape")  # closing asks
    dialog.role("alert").text("nothing brings it back").seen()
    dialog.button("I have saved it").click()
    dialog.gone()
    page.run("navigator.clipboard.writeText('')")
    row_of(page, "Bot1").seen()
    assert not holds(window, page, shown)
    until(lambda: not page.remembers(shown), "the secret is gone from the page's memory")

    _nothing_brings_it_back(window, page, shown)
    _orders_need_a_permission(console, page, ann, shown)
    log = (console.ems.log_path).read_text()
    assert shown not in log + "".join(each["text"] for each in console.letters())


def _nothing_brings_it_back(window: Window, page: Page, secret: str) -> None:
    page.way("Overview").click()
    page.heading("Overview").seen()
    page.back()
    row_of(page, "Bot1").seen()
    assert not holds(window, page, secret)
    page.reload()
    row_of(page, "Bot1").seen()
    assert not holds(window, page, secret)
    second = window.tab(f"/console{PATH}")
    row_of(second, "Bot1").seen()
    assert second.role("dialog").count() == 0
    assert not holds(window, second, secret)
    second.go("/console/users")
    second.back()
    row_of(second, "Bot1").seen()
    assert not holds(window, second, secret)


def _orders_need_a_permission(console: Console, page: Page, ann: Someone, secret: str) -> None:
    refused = placed(console, secret, "too-early")
    assert (refused.status, "scope_missing" in refused.body.decode()) == (403, True)
    edit = edit_of(page, "Bot1")
    edit.field("trade").check()
    saved(ann, edit)
    page.text("The permissions of Bot1 are changed").seen()
    answer = until(
        lambda: (told := placed(console, secret, "first")).status == 200 and told, "it may trade"
    )
    assert answer.json["client_order_id"] == "first"
    assert asked(console, secret, "/v1/orders/status/first").json["status"] in ("NEW", "ROUTED")


def test_going_back_while_the_secret_is_shown_forgets_it(console: Console) -> None:
    ben = console.someone()
    window = console.window()
    page = ben.at("/", window)
    page.way("API Management").click()
    for number, leave in enumerate((page.back, page.reload), 1):
        dialog = added(ben, page, f"Bot{number}")
        secret = dialog.pattern("^fl_live_").first().said()
        console.ems.advance(61)
        if leave == page.back:  # asks, as closing does; the second time it is meant
            leave()
            dialog.role("alert").text("nothing brings it back").seen()
            assert holds(window, page, secret)
            leave()
            dialog.gone()
            page.without_dialog()
        else:
            leave()
        page.go(f"/console{PATH}")
        row_of(page, f"Bot{number}").seen()
        assert page.role("dialog").count() == 0
        assert not holds(window, page, secret)
        page.back()
        page.forward()
        row_of(page, f"Bot{number}").seen()
        assert not holds(window, page, secret)


def test_the_dialog_closes_without_saving_only_when_asked_twice(console: Console) -> None:
    cas = console.someone()
    page = cas.at(PATH)
    dialog = added(cas, page, "Bot1")
    page.key("Escape", "Escape", "Escape")
    dialog.seen()
    dialog.button("Close without saving").click()
    dialog.gone()
    row_of(page, "Bot1").seen()
