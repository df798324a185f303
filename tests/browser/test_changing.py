"""Keys that are there: permissions and addresses edited, disabled, deleted one by one and all at once."""

import re

import pytest

from tests.browser.browser import Page, Sought
from tests.browser.console import RESEND_S, Console, Someone
from tests.browser.keys import (
    PATH,
    asked,
    edit_of,
    known,
    placed,
    row_of,
    saved,
    unknown,
    use_is_told,
)
from tests.system import ACCOUNTS, until

USELESS = "that code is useless now"
DELETE_ALL = "Delete All API Key"
BAD_ADDRESSES = {
    "desk": "is no address",
    "010.0.0.1": "is no address",
    "fe80::1%eth0": "is no address",
    "192.0.2.7/24": "the network is 192.0.2.0/24",
    "0.0.0.0/0": "is every address",
    "::/0": "is every address",
    "::ffff:0.0.0.0/96": "holds every IPv4 address",
    "192.0.2.0/33": "a number from 1 to 32",
    "": "name at least one address",
    "\n".join(f"192.0.2.{each}" for each in range(33)): "at most 32",
}


def with_key(console: Console, label: str = "Bot1") -> tuple[Someone, str, Page]:
    """Return somebody with a key, its secret, and the page."""
    person = console.someone()
    secret = console.key(person, label)["secret"]
    known(console, secret)
    return person, secret, person.at(PATH)


def is_on(form: Sought) -> dict[str, bool]:
    """Return which permissions are ticked."""
    return {each: form.field(each).is_checked() for each in ("read", "trade", "withdraw", "manage")}


def test_permissions_are_changed_by_both_codes_and_the_letter_says_from_what_to_what(
    console: Console,
) -> None:
    ann, secret, page = with_key(console)
    row = row_of(page, "Bot1")
    assert [row.field(each).is_enabled() for each in ("read", "trade")] == [False, False]
    edit = edit_of(page, "Bot1")
    edit.field("read").cannot()
    edit.button("Send code").cannot()  # nothing has been changed
    edit.field("trade").check()
    edit.button("Send code").can()
    edit.field("trade").uncheck()
    edit.button("Send code").cannot()

    edit.field("trade").check()
    edit.field("Trusted IPs only (Recommended)").check()
    edit.button("Send code").cannot()
    edit.button("Add my address").click()
    assert edit.field("Trusted IPs").value() == "127.0.0.1"
    code = ann.send_code(edit)
    letter = ann.letter()
    assert letter["subject"] == "Code to change an API key"
    for fact in ("Bot1", "read → read, trade", "127.0.0.1/32"):
        assert fact in letter["text"]

    edit.field("manage").check()  # after the code was sent
    edit.role("alert").text(USELESS).seen()
    edit.button("Save").cannot()
    edit.field("manage").uncheck()
    console.ems.advance(RESEND_S)
    page.reload()
    edit = edit_of(page, "Bot1")
    assert is_on(edit) == {"read": True, "trade": False, "withdraw": False, "manage": False}
    assert placed(console, secret, "none").status == 403
    edit.field("trade").check()
    edit.field("Trusted IPs only (Recommended)").check()
    edit.button("Add my address").click()
    fresh = ann.send_code(edit)
    ann.both(edit, code)
    edit.button("Save").click()
    edit.role("alert").text("The code is not right").seen()
    ann.both(edit, fresh)
    edit.button("Save").click()
    page.text("The permissions of Bot1 are changed, from the next request on").seen()
    until(row.field("trade").is_checked, "it is shown")
    row.text("127.0.0.1/32").seen()
    until(lambda: placed(console, secret, "one").status == 200, "it may trade")


def test_cancel_restores_and_one_row_is_edited_at_a_time(console: Console) -> None:
    ben = console.someone()
    console.many_keys(ben, 2)
    page = ben.at(PATH)
    edit = edit_of(page, "Bot1")
    row_of(page, "Bot2").button("Edit permissions").cannot()
    edit.field("trade").check()
    edit.field("Only these accounts").check()
    edit.field("SIM").check()
    edit.button("Cancel").click()
    edit.gone()
    assert not row_of(page, "Bot1").field("trade").is_checked()
    row_of(page, "Bot2").button("Edit permissions").can()
    again = edit_of(page, "Bot1")
    assert is_on(again) == {"read": True, "trade": False, "withdraw": False, "manage": False}
    assert again.field("All accounts").is_checked()
    assert [each["version"] for each in console.keys_of(ben)] == [1, 1]


def test_accounts_are_chosen_from_those_that_there_are(console: Console) -> None:
    joy, _, page = with_key(console)
    edit = edit_of(page, "Bot1")
    edit.field("Only these accounts").check()
    chosen = edit.role("group", "Accounts")
    assert len(chosen.role("checkbox").each()) == len(ACCOUNTS)
    edit.role("alert").text("Name at least one account").seen()
    edit.button("Send code").cannot()
    chosen.role("checkbox", "SIM").focus()
    page.key("Space")  # the keyboard does
    assert chosen.role("checkbox", "SIM").is_checked()
    saved(joy, edit)
    row_of(page, "Bot1").text("SIM").seen()
    (key,) = console.keys_of(joy)
    assert key["accounts"] == ["SIM"]


def test_accounts_are_typed_where_they_cannot_be_listed(console: Console) -> None:
    kim, _, page = with_key(console)
    page.window.cut("/v1/me/accounts")
    edit = edit_of(page, "Bot1")
    edit.field("Only these accounts").check()
    edit.text("Your accounts cannot be listed").seen()
    edit.field("Accounts").fill("SIM, SIM/LATER")
    saved(kim, edit)
    (key,) = console.keys_of(kim)
    assert key["accounts"] == ["SIM", "SIM/LATER"]
    page.window.mend()
    again = edit_of(page, "Bot1")
    again.role("checkbox", "SIM/LATER").seen()  # although there is none of this name
    again.text("is not there any more").seen()


def test_a_key_can_be_made_to_end_never(console: Console) -> None:
    leo, _, page = with_key(console)
    edit = edit_of(page, "Bot1")
    edit.field("Expires").choose("Never expires (not recommended)")
    saved(leo, edit)
    assert re.search("Expires: .* → never", leo.letter()["text"])
    (key,) = console.keys_of(leo)
    assert key["expires"] is None
    again = edit_of(page, "Bot1")
    options = again.field("Expires").said()
    assert "As it is (never)" in options
    assert "Never expires" not in options


def test_addresses_are_looked_at_while_they_are_typed(console: Console) -> None:
    cas, _, page = with_key(console)
    edit = edit_of(page, "Bot1")
    assert edit.field("All IP addresses (Not recommended)").is_checked()
    edit.field("Trusted IPs only (Recommended)").check()
    field = edit.field("Trusted IPs")
    for bad, why in BAD_ADDRESSES.items():
        field.fill(bad)
        edit.role("alert").text(why).seen()
        edit.button("Send code").cannot()
    field.fill("192.0.2.0/24, 2001:db8::/32\n::ffff:198.51.100.7")
    saved(cas, edit)
    row = row_of(page, "Bot1")
    for each in ("192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32"):
        row.text(each).seen()


def test_withdraw_needs_trusted_addresses_and_says_that_nothing_uses_it(console: Console) -> None:
    dan, secret, page = with_key(console)
    edit = edit_of(page, "Bot1")
    edit.text("no endpoint uses it yet").seen()
    edit.field("withdraw").check()
    edit.role("alert").text("needs trusted IPs").seen()
    edit.button("Send code").cannot()
    edit.field("Trusted IPs only (Recommended)").check()
    edit.field("Trusted IPs").fill("198.51.100.0/24")
    saved(dan, edit)
    refused = until(
        lambda: (told := asked(console, secret)).status == 403 and told,
        "it counts from there alone",
    )
    assert b"ip_not_allowed" in refused.body
    assert b"127.0.0.1" in refused.body


def test_what_was_changed_elsewhere_meanwhile_is_not_overwritten(console: Console) -> None:
    eli, _, page = with_key(console)
    other = page.window.tab(f"/console{PATH}")
    stale = edit_of(other, "Bot1")
    stale.field("manage").check()
    edit = edit_of(page, "Bot1")
    edit.field("trade").check()
    saved(eli, edit)
    console.ems.advance(RESEND_S)
    stale.button("Send code").click()
    stale.role("alert").text("Key Bot1 was changed meanwhile").seen()
    stale.button("Cancel").click()
    until(lambda: row_of(other, "Bot1").field("trade").is_checked(), "it is shown as it is")
    assert is_on(edit_of(other, "Bot1"))["trade"]
    (key,) = console.keys_of(eli)
    assert sorted(key["scopes"]) == ["read", "trade"]


def test_a_key_is_disabled_at_once_and_enabled_by_both_codes(console: Console) -> None:
    flo, secret, page = with_key(console)
    row = row_of(page, "Bot1")
    before = len(flo.letters())
    disabled(flo, page, "Bot1")
    row.text("disabled").seen()
    unknown(console, secret)
    assert len(flo.letters()) == before
    row.button("Enable").click()
    dialog = page.dialog("Enable Bot1?")
    flo.both(dialog, flo.send_code(dialog), "000000")
    dialog.button("Enable").click()
    dialog.role("alert").text("The code is not right").seen()
    flo.both(dialog, flo.code())
    dialog.button("Enable").click()
    dialog.gone()
    row.text("active").seen()
    known(console, secret)


def disabled(person: Someone, page: Page, label: str) -> None:
    """Disable a key by its button and one factor."""
    row_of(page, label).button("Disable").click()
    dialog = page.dialog(f"Disable {label}?")
    dialog.field("Authenticator code").fill(person.totp())
    dialog.button("Disable").click()
    dialog.gone()


def test_a_key_is_deleted_by_both_codes_for_ever(console: Console) -> None:
    gil, secret, page = with_key(console)
    saved(gil, edit_trading(page))
    until(lambda: placed(console, secret, "left-open").status == 200, "it may trade")
    kid = console.keys_of(gil)[0]["kid"]
    row_of(page, "Bot1").button("Delete").click()
    dialog = page.dialog("Delete Bot1?")
    for fact in ("Bot1", kid, "from 127.0.0.1", "0 sessions", "1 order"):
        dialog.text(fact).first().seen()
    dialog.button("Cancel").click()
    dialog.gone()
    assert asked(console, secret).status == 200
    row_of(page, "Bot1").button("Delete").click()
    code = gil.send_code(dialog)
    gil.both(dialog, code, "000000")
    dialog.button("Delete").click()
    dialog.role("alert").text("The code is not right").seen()
    gil.both(dialog, code)
    dialog.button("Delete").click()
    page.text("Bot1 is deleted").seen()
    unknown(console, secret)
    assert [each["state"] for each in console.keys_of(gil)] in ([], ["revoked"])


def edit_trading(page: Page) -> Sought:
    """Open the form of Bot1's permissions, and tick "trade"."""
    edit = edit_of(page, "Bot1")
    edit.field("trade").check()
    return edit


def test_all_keys_are_deleted_when_their_number_was_typed(console: Console) -> None:
    hal = console.someone()
    page = hal.at(PATH)
    page.button(DELETE_ALL).cannot()
    page.text("You have no API keys yet").seen()
    secrets = console.many_keys(hal, 2)
    for secret in secrets:
        known(console, secret)
    page.reload()
    hal.sign_in(page)  # that took more than half an hour
    page.button(DELETE_ALL).click()
    dialog = page.dialog("Delete all API keys?")
    for wrong in ("", "1", "3", "two"):
        dialog.field("Number of keys").fill(wrong)
        dialog.button("Send code").cannot()
    dialog.field("Number of keys").fill("2")
    hal.both(dialog, hal.send_code(dialog))
    dialog.button(DELETE_ALL).click()
    page.text("All of your API keys are deleted").seen()
    for secret in secrets:
        unknown(console, secret)
    page.button(DELETE_ALL).cannot()


def test_the_list_says_when_and_from_where_a_key_was_used(console: Console) -> None:
    _, _, page = with_key(console)
    until(lambda: use_is_told(page, "Bot1"), "the use is told")
    row_of(page, "Bot1").button("Activity").click()
    dialog = page.dialog("Activity of Bot1")
    dialog.row("REST").text("127.0.0.1").seen()
    dialog.button("Close").click()
    dialog.gone()


def test_the_list_has_pages_and_says_what_each_key_is(console: Console) -> None:
    ivy = console.someone()
    console.many_keys(ivy, 11)
    page = ivy.at(PATH)
    row_of(page, "Bot11").seen()  # the newest comes first
    rows = page.role("table", "List of API keys").role("row").each()
    assert len(rows) == 1 + 10
    page.button("Next").click()
    row_of(page, "Bot1").seen()
    assert row_of(page, "Bot11").count() == 0
    row = row_of(page, "Bot1")
    for what in ("active", "All IP addresses", "UTC"):
        row.text(what).first().seen()
    row.button("Copy public key of Bot1").click()
    until(lambda: page.copied().startswith("flk_"), "the public key is copied")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_not_recommended_choice_has_an_amber_mark(console: Console, scheme: str) -> None:
    _, _, page = with_key(console)
    page.wears(scheme)
    edit_of(page, "Bot1")
    marks = page.run(
        "[...document.querySelectorAll('label, span')]"
        ".filter((each) => /^All IP addresses/.test(each.innerText))"
        ".map((each) => getComputedStyle(each, '::before').backgroundColor.match(/[0-9]+/g).map(Number))"
    )
    assert len(marks) == 2  # in the list, and where it is chosen
    assert all(red > green > blue for red, green, blue in marks)
