"""A key is added: the label, the code by mail, both codes in one step, as a person meets each of them."""

import re

import pytest

from tests.browser.browser import Page, Sought
from tests.browser.console import RESEND_S, Console, other_code

KEYS = "/profile/keys"
TRIES = 5
CODE_WRONG = "The code is not right, was used already, or is too old"
CHANGED = "that code is useless now"
GOOD = ("Bot1", "aB3", "Z" * 30 + "a1")
BAD = {
    "bot1": {"A–Z"},
    "BOT1": {"a–z"},
    "Botx": {"0–9"},
    "Bot 1": {"nothing else"},
    "Bøt1": {"nothing else"},
    "Ｂｏｔ１": {"A–Z", "a–z", "0–9", "nothing else"},
    "B1": {"a–z", "3 to 32 characters"},
    "Bot1" * 8 + "x": {"3 to 32 characters"},
    "": {"A–Z", "a–z", "0–9", "3 to 32 characters", "nothing else"},
}


def form_of(page: Page) -> Sought:
    return page.region("Private API key")


def nothing_was_made(page: Page) -> None:
    page.reload()
    page.text("You have no API keys yet").seen()


def test_without_a_second_factor_nothing_can_be_asked_for_and_enabling_it_returns(
    console: Console,
) -> None:
    ann = console.someone(has_factor=False)
    page = ann.at("/")
    page.way("API Management").click()  # one click from where one begins
    form = form_of(page)
    form.field("API Key Label").cannot()
    form.button("Send code").cannot()
    form.button("Add").cannot()
    page.text("Your requests come from 127.0.0.1").seen()
    assert ann.letters() == []

    page.role("button", "Enable 2FA").click()
    page.heading("Security").seen()
    factor = page.region("Two-factor authentication")
    ann.secret = factor.pattern("^([A-Z2-7]{4} )+[A-Z2-7]{1,4}$").said().replace(" ", "")
    ann.both(factor, ann.send_code(factor))
    factor.button("Enable 2FA").click()
    page.dialog("Save your recovery codes").button("I have saved them").click()
    page.at(f"/console{KEYS}")
    form.field("API Key Label").can().fill("Bot1")
    form.button("Send code").can()
    assert len(ann.letters()) == 1


def test_nobody_who_is_not_signed_in_sees_the_page(console: Console) -> None:
    page = console.window().tab(f"/console{KEYS}")
    page.heading("Sign in").seen()
    assert page.text("API Key Label").count() == 0
    assert page.run("fetch('/v1/keys').then((answer) => answer.status)") == 401


def test_the_label_is_checked_while_it_is_typed(console: Console) -> None:
    page = console.someone().at(KEYS)
    form = form_of(page)
    label = form.field("API Key Label")
    for good in GOOD:
        label.fill(good)
        form.button("Send code").can()
        assert _unmet(form) == set()
    for bad, unmet in BAD.items():
        label.fill(bad)
        form.button("Send code").cannot()
        assert _unmet(form) == unmet, bad
    label.fill("Bot1\n")  # a browser leaves the line break out of a field of one line
    assert label.value() == "Bot1"


def _unmet(form: Sought) -> set[str]:
    """Return what the checklist says is not met."""
    listed = form.role("list", "The label needs").role("listitem").each()
    items = [each.replace("\n", "") for each in listed]
    found = [re.fullmatch(r"[✓○]\s*(.+): (there|missing)", each) for each in items]
    assert None not in found, items
    return {each[1] for each in found if each is not None and each[2] == "missing"}


def test_a_code_is_sent_once_a_minute_and_five_times_an_hour(console: Console) -> None:
    ben = console.someone()
    page = ben.at(KEYS, console.window(clock=True))
    form = form_of(page)
    form.field("API Key Label").fill("Bot1")
    first = ben.send_code(form)
    form.text(f"Sent to {ben.email[0]}***@desk.example").seen()
    assert form.link("read it under Mail").attribute("href") == "/console/mail"
    form.button("Send code").cannot()
    form.pattern("again in [0-9]+ s").seen()

    letter = ben.letter()
    assert letter["subject"] == "Code to add an API key"
    for fact in (
        "Label: Bot1",
        "Permissions: read",
        "Asked for from: 127.0.0.1",
        f"Your code: {first}",
    ):
        assert fact in letter["text"]
    assert re.search(
        r"^Asked for at: 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC$", letter["text"], re.MULTILINE
    )
    assert "://" not in letter["text"]

    for count in range(2, 6):
        console.ems.advance(RESEND_S)
        page.later(RESEND_S)
        form.button("Send code").can()
        again = ben.send_code(form)
        assert len(ben.letters()) == 1 + count  # the first one was for the second factor
        assert again != first
    ben.both(form, first)  # a newer one ended it
    form.button("Add").click()
    form.text(CODE_WRONG).seen()
    console.ems.advance(RESEND_S)
    page.later(RESEND_S)
    form.button("Send code").can().click()
    form.role("alert").text("too many attempts").seen()
    form.button("Send code").cannot()
    assert len(ben.letters()) == 6
    console.ems.advance(3_600)
    page.later(3_600)
    page.text("Your session has ended").seen()
    ben.sign_in(page)
    page.text("You have no API keys yet").seen()
    form.field("API Key Label").fill("Bot1")
    ben.send_code(form)


@pytest.mark.parametrize("wrong", ["mail", "authenticator"])
def test_one_right_code_of_two_makes_nothing(console: Console, wrong: str) -> None:
    cas = console.someone()
    page = cas.at(KEYS)
    form = form_of(page)
    form.field("API Key Label").fill("Bot1")
    code = cas.send_code(form)
    for _ in range(TRIES):
        if wrong == "mail":
            cas.both(form, other_code(code))
        else:
            cas.both(form, code, "000000")
        form.button("Add").click()
        form.text(CODE_WRONG).seen()
        form.button("Add").cannot()  # the second code is to be given anew
    cas.both(form, code)
    form.button("Add").click()
    form.role("alert").text("is void").seen()
    cas.both(form, code)
    form.button("Add").cannot()
    assert console.keys_of(cas) == []
    nothing_was_made(page)


def test_a_code_is_void_after_ten_minutes(console: Console) -> None:
    dan = console.someone()
    page = dan.at(KEYS)
    form = form_of(page)
    form.field("API Key Label").fill("Bot1")
    code = dan.send_code(form)
    console.ems.advance(601)
    dan.both(form, code)
    form.button("Add").click()
    form.role("alert").text("is void").seen()
    nothing_was_made(page)


def test_what_is_changed_after_the_code_was_sent_is_said_to_make_it_useless(
    console: Console,
) -> None:
    eli = console.someone()
    page = eli.at(KEYS)
    form = form_of(page)
    form.field("API Key Label").fill("Bot1")
    eli.both(form, eli.send_code(form))
    form.button("Add").can()
    form.field("API Key Label").fill("Bot2")
    form.role("alert").text(CHANGED).seen()
    form.button("Add").cannot()
    nothing_was_made(page)


def test_a_label_is_taken_once(console: Console) -> None:
    flo = console.someone()
    console.key(flo, "Bot1")
    page = flo.at(KEYS)
    form = form_of(page)
    before = len(flo.letters())
    console.ems.advance(RESEND_S)
    form.field("API Key Label").fill("bOt1")
    form.button("Send code").click()
    form.role("alert").text("bOt1").seen()
    assert len(flo.letters()) == before


def test_the_session_ends_between_the_code_and_the_confirmation(console: Console) -> None:
    gil = console.someone()
    page = gil.at(KEYS, console.window(clock=True))
    form = form_of(page)
    form.field("API Key Label").fill("Bot1")
    code = gil.send_code(form)
    console.ems.advance(31 * 60)
    gil.both(form, code)
    form.button("Add").click()
    page.text("Your session has ended").seen()
    gil.sign_in(page).at(f"/console{KEYS}")
    page.text("You have no API keys yet").seen()
    form.field("API Key Label").fill("Bot1")
    page.later(RESEND_S)
    gil.send_code(form)  # goes on as if nothing had been
