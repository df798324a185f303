"""What time and the second factor do to keys, as people see it: replaced, expired, suspended, brought back.

The clock goes far ahead here, so everybody is made before.
"""

from contextlib import suppress
from typing import NamedTuple

import pytest

from tests.browser.browser import Page
from tests.browser.console import HOUR_S, Console, Someone
from tests.browser.keys import PATH, asked, edit_of, form_of, known, row_of, saved, unknown
from tests.system import until

DAY_S = 24 * HOUR_S
HOURS_MAX = 12


class Cast(NamedTuple):
    """Who is made while the clock is right; each has the key Bot1, whose secret is beside."""

    ann: tuple[Someone, str]
    ben: tuple[Someone, str]
    cas: tuple[Someone, str]


@pytest.fixture(scope="module")
def cast(console_of_module: Console) -> Cast:
    made = []
    for _ in Cast._fields:
        person = console_of_module.someone()
        secret = str(console_of_module.key(person, "Bot1")["secret"])
        known(console_of_module, secret)
        made.append((person, secret))
    return Cast(*made)


def test_users_see_their_own_keys_alone(console: Console, cast: Cast) -> None:
    ann, ben = cast.ann[0], cast.ben[0]
    window = console.window()
    page = ann.at(PATH, window)
    kid = console.keys_of(ben)[0]["kid"]
    row_of(page, "Bot1").seen()
    assert kid not in page.content()
    path = f"'/v1/keys/{kid}'"
    assert page.run(f"fetch({path}).then((answer) => answer.status)") == 404
    page.button("Sign out").click()
    ben.sign_in(page).at(f"/console{PATH}")
    row_of(page, "Bot1").seen()
    assert kid in page.content()


def test_a_key_is_replaced_and_the_former_works_on_for_the_overlap(
    console: Console, cast: Cast
) -> None:
    ann, former = cast.ann
    page = ann.at(PATH)
    row_of(page, "Bot1").button("Rotate").click()
    dialog = page.dialog("Rotate Bot1")
    dialog.field("Label of the new key").fill("Bot2")
    for wrong in ("169", "-1", "1.5", ""):
        dialog.field("Overlap in hours").fill(wrong)
        dialog.button("Send code").cannot()
    dialog.field("Overlap in hours").fill("1")
    ann.both(dialog, ann.send_code(dialog))
    dialog.button("Rotate").click()
    shown = page.dialog("Save the secret of Bot2")
    secret = shown.pattern("^fl_live_").first().said()
    shown.button("I have saved it").click()
    row_of(page, "Bot2").seen()
    known(console, secret)
    assert asked(console, former).status == 200
    console.ems.advance(HOUR_S + 1)
    refused = asked(console, former)
    assert (refused.status, b"key_expired" in refused.body) == (401, True)
    assert asked(console, secret).status == 200


def test_without_the_second_factor_keys_are_suspended_until_each_is_enabled(
    console: Console, cast: Cast
) -> None:
    ben, secret = cast.ben
    page = ben.at("/profile/security")
    factor = page.region("Two-factor authentication")
    factor.button("Disable 2FA").click()
    code = ben.send_code(factor)
    ben.both(factor, code, "000000")
    factor.button("Disable 2FA").click()
    factor.role("alert").text("is not right").seen()
    ben.both(factor, code)
    factor.button("Disable 2FA").click()
    factor.button("Enable 2FA").seen()
    unknown(console, secret)
    page.way("API Management").click()
    row = row_of(page, "Bot1")
    row.text("suspended").seen()
    row.button("Enable").cannot()
    form_of(page).button("Send code").cannot()

    page.button("Enable 2FA").click()
    ben.secret = factor.pattern("^([A-Z2-7]{4} )+[A-Z2-7]{1,4}$").said().replace(" ", "")
    ben.both(factor, ben.send_code(factor))
    factor.button("Enable 2FA").click()
    page.dialog("Save your recovery codes").button("I have saved them").click()
    page.at(f"/console{PATH}")
    row.text("suspended").seen()
    assert asked(console, secret).status == 401
    row.button("Enable").click()
    dialog = page.dialog("Enable Bot1?")
    saved(ben, dialog, "Enable")
    row.text("active").seen()
    known(console, secret)


def test_a_key_expires_after_three_letters_and_is_brought_back_by_an_edit(
    console: Console, cast: Cast
) -> None:
    cas, secret = cast.cas
    letters = len(cas.letters())
    said = []
    for days in (76, 7, 6):
        console.ems.advance(days * DAY_S)
        letters += 1
        said.append(_subject(console, cas, letters))
    for letter, when in zip(said, ("in 14 days", "in 7 days", "tomorrow"), strict=True):
        assert letter == f"API key Bot1 expires {when}"
    console.ems.advance(DAY_S)
    assert b"key_expired" in asked(console, secret).body
    page = cas.at(PATH)
    row_of(page, "Bot1").text("expired").seen()
    _extended(cas, page)
    row_of(page, "Bot1").text("active").seen()
    known(console, secret)


def _subject(console: Console, person: Someone, count: int) -> str:
    """Return the subject of this person's letter of that number once it is there.

    Keys that expire are looked for every hour: the clock goes on by as much while there is none.
    """
    for _ in range(HOURS_MAX):
        with suppress(AssertionError):
            until(lambda: len(person.letters()) >= count, "the letter", timeout_s=3.0)
            break
        console.ems.advance(HOUR_S)
    return str(person.letters()[count - 1]["subject"])


def _extended(person: Someone, page: Page) -> None:
    edit = edit_of(page, "Bot1")
    edit.field("Expires").choose("30 days from now")
    saved(person, edit)
