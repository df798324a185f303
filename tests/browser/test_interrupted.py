"""What comes between: a session that ends, a server that is away, "Back" and what is wrong in a form."""

from tests.browser.console import PASSWORD, RESEND_S, Console
from tests.browser.keys import PATH, added, edit_of, form_of, known, row_of, saved
from tests.system import until

IDLE_S = 31 * 60
CODE_S = 10 * 60
RETRY_S = 6
ENDED = "Your session has ended"


def test_what_was_typed_is_there_again_after_the_session_has_ended(console: Console) -> None:
    ann, eve = console.someone(), console.someone()
    console.key(ann, "Bot1")
    page = ann.at(PATH, console.window(clock=True))
    form = form_of(page)
    form.field("API Key Label").fill("Bot2")
    edit = edit_of(page, "Bot1")
    edit.field("trade").check()
    edit.field("Trusted IPs only (Recommended)").check()
    edit.field("Trusted IPs").fill("192.0.2.7")
    code = ann.send_code(edit)
    edit.field("E-mail code").fill(code)
    console.ems.advance(IDLE_S)
    edit.field("Authenticator code").fill(ann.totp())
    edit.button("Save").click()
    page.role("alert").text(ENDED).seen()
    page.role("alert").text("what you have typed is kept").seen()
    assert "192.0.2.7" not in page.content()

    ann.sign_in(page).at(f"/console{PATH}")
    assert form.field("API Key Label").value() == "Bot2"
    assert edit.field("trade").is_checked()
    assert edit.field("Trusted IPs").value() == "192.0.2.7"
    assert edit.field("E-mail code").value() == ""
    page.later(RESEND_S)
    saved(ann, edit)
    assert sorted(console.keys_of(ann)[0]["scopes"]) == ["read", "trade"]

    form.field("API Key Label").fill("Bot3")
    console.ems.advance(IDLE_S)
    form.button("Send code").click()
    page.role("alert").text(ENDED).seen()
    eve.sign_in(page).at(f"/console{PATH}")
    form.field("API Key Label").can()
    assert form.field("API Key Label").value() == ""  # it is another one's


def test_a_dialog_is_open_again_after_the_session_has_ended(console: Console) -> None:
    ben = console.someone()
    console.key(ben, "Bot1")
    page = ben.at(PATH)
    row_of(page, "Bot1").button("Rotate").click()
    dialog = page.dialog("Rotate Bot1")
    dialog.field("Label of the new key").fill("Bot2")
    dialog.field("Overlap in hours").fill("7")
    console.ems.advance(IDLE_S)
    dialog.button("Send code").click()
    page.role("alert").text(ENDED).seen()
    assert page.role("dialog").count() == 0
    ben.sign_in(page)
    dialog.seen()
    assert dialog.field("Label of the new key").value() == "Bot2"
    assert dialog.field("Overlap in hours").value() == "7"
    page.key("Escape")
    dialog.gone()
    page.button("Sign out").click()
    page.heading("Sign in").seen()
    ben.sign_in(page)
    row_of(page, "Bot1").button("Rotate").click()
    assert dialog.field("Label of the new key").value() == ""  # it was not wanted


def test_a_code_that_is_too_old_is_said_to_be(console: Console) -> None:
    cas = console.someone()
    page = cas.at(PATH, console.window(clock=True))
    form = form_of(page)
    form.field("API Key Label").fill("Bot1")
    cas.both(form, cas.send_code(form))
    form.text("Good for another 10 min").seen()
    page.later(CODE_S - RESEND_S)
    form.pattern("Good for another [0-9]+ s").seen()
    form.button("Add").can()
    page.later(RESEND_S)
    form.role("alert").text("The code that was sent is too old now").seen()
    form.button("Add").cannot()
    form.button("Send code").can()
    assert form.field("API Key Label").value() == "Bot1"


def test_back_closes_a_dialog_and_not_the_page(console: Console) -> None:
    dan = console.someone()
    console.key(dan, "Bot1")
    page = dan.at("/users")
    page.way("API Management").click()
    for button, title in (
        ("Activity", "Activity of Bot1"),
        ("Rotate", "Rotate Bot1"),
        ("Delete", "Delete Bot1?"),
        ("Certificates", "Certificates of Bot1"),
    ):
        row_of(page, "Bot1").button(button).click()
        page.dialog(title).seen()
        page.back()
        page.dialog(title).gone()
        page.at(f"/console{PATH}")
    row_of(page, "Bot1").button("Disable").click()
    dialog = page.dialog("Disable Bot1?")
    dialog.button("Cancel").click()
    dialog.gone()
    page.without_dialog()
    page.back()  # nothing of the dialogs is left in the history
    page.at("/console/users")


def test_back_asks_before_a_secret_is_gone(console: Console) -> None:
    eli = console.someone()
    page = eli.at("/")
    page.way("API Management").click()
    dialog = added(eli, page, "Bot1")
    secret = dialog.pattern("^fl_live_").first().said()
    page.back()
    dialog.role("alert").text("nothing brings it back").seen()
    page.back()
    dialog.gone()
    page.at(f"/console{PATH}")
    assert secret not in page.content()
    known(console, secret)


def test_the_page_comes_back_with_the_server(console: Console) -> None:
    flo = console.someone()
    console.key(flo, "Bot1")
    window = console.window(clock=True)
    page = flo.at("/", window)
    window.cut("/v1/")
    page.way("API Management").click()
    page.heading("API Management").seen()
    page.role("alert").text("The server cannot be reached").seen()
    form = form_of(page)
    form.field("API Key Label").fill("Bot2")
    form.button("Send code").click()
    form.role("alert").text("The server did not answer, so it is not known").seen()
    window.mend()
    page.later(RETRY_S)
    row_of(page, "Bot1").seen()
    assert form.field("API Key Label").value() == "Bot2"

    window.cut("/v1/")
    page.reload()
    page.heading("Not available").seen()
    page.role("alert").text("The server cannot be reached").seen()
    page.button("Try again").click()
    page.heading("Not available").seen()
    window.mend()
    page.later(RETRY_S)
    row_of(page, "Bot1").seen()


def test_no_answer_leaves_an_empty_page(console: Console) -> None:
    ian = console.someone()
    window = console.window()
    page = ian.at("/users", window)
    window.spoil("/v1/keys", "<html>a proxy's page")
    page.way("API Management").click()
    page.role("alert").text("The answer cannot be read").seen()
    window.mend()
    page.button("Try again").click()
    page.text("You have no API keys yet").seen()
    window.spoil("/v1/keys", '[{"of": "another version"}]')
    page.reload()
    page.heading("Something went wrong").seen()
    assert window.troubles() != []  # the browser's console says why
    window.mend()
    page.button("Load again").click()
    page.text("You have no API keys yet").seen()


def test_the_first_field_that_is_wrong_gets_the_focus(console: Console) -> None:
    gil = console.someone()
    console.key(gil, "Bot1")
    page = gil.at("/profile/security")
    password = page.region("Password")
    password.field("Current password").fill("not the password")
    password.field("New password").fill(PASSWORD)
    password.field("New password again").fill(PASSWORD + "s")
    password.button("Change password").click()
    password.role("alert").text("The two passwords are not the same").seen()
    page.has_focus("New password again")
    password.field("New password again").fill(PASSWORD)
    password.field("Authenticator code").fill("000000")
    password.button("Change password").click()
    page.has_focus("Current password")
    password.role("alert").text("The present password").seen()

    page.way("API Management").click()
    form = form_of(page)
    form.field("API Key Label").fill("bOT1")
    console.ems.advance(RESEND_S)
    form.button("Send code").click()
    form.role("alert").text("bOT1").seen()
    page.has_focus("API Key Label")


def test_keys_are_sorted(console: Console) -> None:
    hal = console.someone()
    console.many_keys(hal, 2)
    page = hal.at(PATH)
    table = page.role("table", "List of API keys")
    row_of(page, "Bot2").seen()
    assert [each.split()[0] for each in table.role("row").each()[1:]] == ["Bot2", "Bot1"]
    page.field("Sort by").choose("Label A–Z")
    until(
        lambda: [each.split()[0] for each in table.role("row").each()[1:]] == ["Bot1", "Bot2"],
        "they are in the order of their labels",
    )
