"""People on the page: the first, the second factor, forgotten passwords, sessions, others; wrong ways too."""

import re
from urllib.parse import quote

from fairlead.control.people import one_time
from tests.browser.console import PASSWORD, Console, other_code
from tests.system import until

ANN = "ann@desk.example"
NOT_RIGHT = "The e-mail address or the password is not right"
KEPT = "!*'()~"  # what encodeURIComponent leaves as it is, of what quote() does not


def test_the_first_user_comes_by_the_owners_link(console: Console) -> None:
    page = console.window().tab("/console/users")
    page.heading("Create the first user").seen()
    page.field("One-time token").fill("flt_" + "A" * 43)
    page.field("E-mail").fill(ANN)
    page.field("Password").fill(PASSWORD)
    page.field("Password again").fill(PASSWORD)
    page.button("Create user").click()
    page.role("alert").text("The link is not known, was used, or is too old").seen()

    token = console.run("users", "link", "--json").json["token"]
    page.go("about:blank")  # a fragment alone loads nothing
    page.go(f"/console/first-user#{token}").at("/console/first-user")
    assert token not in page.url
    page.field("E-mail").fill(ANN)
    for password, again, wrong in (
        (PASSWORD, PASSWORD + "s", "the two passwords are not the same"),
        ("password123", "password123", "is one that everybody tries first"),
        ("fairlead1", "fairlead1", "is one that everybody tries first"),
    ):
        page.field("Password").fill(password)
        page.field("Password again").fill(again)
        page.button("Create user").click()
        page.role("alert").text(wrong).seen()
    for field in ("Password", "Password again"):
        page.field(field).fill("seven w")
    page.button("Create user").click()
    assert page.run("document.querySelector('input:invalid').validity.tooShort") is True
    for field in ("Password", "Password again"):
        page.field(field).fill(PASSWORD)
    page.button("Create user").click()
    page.heading("Overview").seen()
    page.text(f"Signed in as {ANN}").seen()
    assert token not in page.content()

    page.button("Sign out").click()
    page.heading("Sign in").seen()
    again = console.window().tab(f"/console/first-user#{token}")
    again.field("E-mail").fill("eve@desk.example")
    again.field("Password").fill(PASSWORD)
    again.field("Password again").fill(PASSWORD)
    again.button("Create user").click()
    again.role("alert").text("The link is not known, was used, or is too old").seen()
    console.window().tab("/console/first-user").heading("This link is void").seen()


def test_a_wrong_password_says_what_an_unknown_address_says(console: Console) -> None:
    ben = console.someone(has_factor=False)
    page = console.window().tab("/console/users")
    page.heading("Sign in").seen()
    for email, password in ((ben.email, PASSWORD + "?"), ("nobody@desk.example", PASSWORD)):
        page.field("E-mail").fill(email)
        page.field("Password").fill(password)
        page.button("Sign in").click()
        page.role("alert").text(NOT_RIGHT).seen()
    ben.sign_in(page).at("/console/users")  # the deep link was kept
    page.way("Overview").click()
    page.heading("Overview").seen()
    page.button("Sign out").click()
    page.heading("Sign in").seen()
    page.back()
    page.heading("Sign in").seen()
    assert page.text(ben.email).count() == 0


def test_the_second_factor_is_enabled_by_both_codes_and_ends_other_sessions(
    console: Console,
) -> None:
    cas = console.someone(has_factor=False)
    other = cas.at("/profile/security")
    page = cas.at("/profile/security")
    factor = page.region("Two-factor authentication")
    factor.button("Enable 2FA").click()
    picture = factor.role("img", "QR code for your authenticator app").seen()
    shown = factor.pattern("^([A-Z2-7]{4} )+[A-Z2-7]{1,4}$").said().replace(" ", "")
    made = one_time.picture(one_time.totp_uri(shown, cas.email))
    svg = made.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)  # a file of its own
    assert picture.attribute("src") == f"data:image/svg+xml,{quote(svg, safe=KEPT)}"
    factor.button("Copy authenticator key").click()
    factor.text("Copied").seen()
    assert page.copied() == shown
    cas.secret = shown

    code = cas.send_code(factor)
    for wrong_code, wrong_totp in ((code, "000000"), (other_code(code), cas.totp())):
        cas.both(factor, wrong_code, wrong_totp)
        factor.button("Enable 2FA").click()
        factor.role("alert").text("the code is not right").seen()
    factor.text("not right").first().seen()
    cas.both(factor, code)
    factor.button("Enable 2FA").click()

    dialog = page.dialog("Save your recovery codes")
    codes = dialog.role("listitem").each()
    assert len(codes) == len(set(codes)) == 10
    dialog.button("Copy recovery codes").click()
    dialog.text("Copied").seen()
    assert page.copied().split() == codes
    name, text = dialog.button("Download").download()
    assert (name, text.split()) == ("fairlead-recovery-codes.txt", codes)
    page.key("Escape")
    dialog.role("alert").text("they cannot be shown again").seen()
    dialog.button("I have saved them").click()
    factor.text("On").first().seen()
    until(lambda: not page.remembers(codes[0]), "the codes are gone from the page's memory")
    page.reload()
    factor.button("Disable 2FA").seen()
    assert not [each for each in codes if each in page.content()]

    other.way("Users").click()  # its session has ended with the change
    other.heading("Sign in").seen()
    other.text("Your session has ended").seen()


def test_a_recovery_code_stands_in_for_the_second_factor_once(console: Console) -> None:
    ivy = console.someone()
    page = console.window().tab("/console/profile/security")

    def give(label: str, code: str) -> None:
        page.field(label).fill(code)
        page.button("Go on").click()

    def by_password() -> None:
        page.field("E-mail").fill(ivy.email)
        page.field("Password").fill(PASSWORD)
        page.button("Sign in").click()
        page.heading("Two-factor authentication").seen()

    by_password()
    give("Authenticator code", "123456")
    page.role("alert").text("the code is not right").seen()
    page.button("Use a recovery code").click()
    give("Recovery code", ivy.recovery[0])
    page.heading("Security").seen()
    page.button("Sign out").click()

    by_password()
    used = ivy.totp()
    give("Authenticator code", used)
    page.heading("Security").seen()
    page.button("Sign out").click()

    by_password()
    give("Authenticator code", used)  # of this very moment, and used
    page.role("alert").text("the code is not right").seen()
    page.button("Use a recovery code").click()
    give("Recovery code", ivy.recovery[0])
    page.role("alert").text("the code is not right").seen()
    give("Recovery code", ivy.recovery[1].lower())
    page.heading("Security").seen()


def test_a_forgotten_password_needs_the_mailed_code_and_the_second_factor(
    console: Console,
) -> None:
    dan = console.someone()
    signed_in = dan.at("/")
    before = len(console.letters())
    page = console.window().tab("/console/")
    page.link("Forgot your password?").click()
    for email in ("nobody@desk.example", dan.email):
        page.field("E-mail").fill(email)
        page.button("Send code").click()
        page.heading("Choose a new password").seen()
        page.text(f"If {email} is the address of a user, a code is on its way there").seen()
        if email != dan.email:
            page.button("Ask for another code").click()
    letters = until(lambda: console.letters()[before:], "the letter")
    assert [each["to"] for each in letters] == [dan.email]
    code, new = dan.code(), "another seven words"

    def reset(code: str, totp: str) -> None:
        page.field("E-mail code").fill(code)
        page.field("Authenticator code").fill(totp)
        page.field("New password").fill(new)
        page.field("New password again").fill(new)
        page.button("Change password").click()

    reset(code, "")
    page.role("alert").text("not right, too old, used").seen()
    reset(other_code(code), dan.totp())
    page.role("alert").text("not right, too old, used").seen()
    reset(code, dan.totp())
    page.heading("Your password is changed").seen()
    signed_in.way("Users").click()
    signed_in.heading("Sign in").seen()
    page.button("Sign in").click()
    page.field("E-mail").fill(dan.email)
    page.field("Password").fill(PASSWORD)
    page.button("Sign in").click()
    page.role("alert").text(NOT_RIGHT).seen()
    dan.password = new
    dan.sign_in(page)


def test_a_changed_password_ends_other_sessions_and_letters_repeat_the_phrase(
    console: Console,
) -> None:
    eli = console.someone(has_factor=False)
    other, page = eli.at("/"), eli.at("/profile/security")
    part = page.region("Anti-phishing phrase")
    part.button("Save phrase").cannot()
    part.field("Phrase").fill("a heron at noon")
    part.button("Save phrase").click()
    part.text("Your letters repeat it from now on").seen()

    password = page.region("Password")
    password.field("Current password").fill("not what it is")
    password.field("New password").fill("yet seven more words")
    password.field("New password again").fill("yet seven more words")
    password.button("Change password").click()
    password.role("alert").text("present password").seen()
    password.field("Current password").fill(PASSWORD)
    password.button("Change password").click()
    password.text("Your password is changed").seen()
    other.way("Users").click()
    other.text("Your session has ended").seen()

    page.region("Two-factor authentication").button("Enable 2FA").click()
    eli.send_code(page.region("Two-factor authentication"))
    assert "Your anti-phishing phrase: a heron at noon" in eli.letter()["text"]
    page.way("Mail").click()
    letter = page.role("list", "Letters").role("listitem").first()
    assert "a heron at noon" in letter.said()
    assert eli.code() in letter.said()
    last = console.run("mail", "--last", "1", "--json").json
    assert last["text"] == eli.letter()["text"]


def test_a_session_is_ended_from_another_browser(console: Console) -> None:
    flo = console.someone()
    lost, page = flo.at("/"), flo.at("/profile/security")
    sessions = page.role("table", "Sessions")
    sessions.row("This session").seen()
    others = sessions.row("Chrome on Linux").button("End session at 127.0.0.1")
    others.click()
    page.text("The session at 127.0.0.1 has ended").seen()
    others.gone()
    lost.way("API Management").click()
    lost.text("Your session has ended").seen()
    flo.sign_in(lost).at("/console/profile/keys")  # and goes on where it was


def test_without_a_second_factor_nobody_is_invited_and_it_leads_back(console: Console) -> None:
    kim = console.someone(has_factor=False)
    page = kim.at("/users")
    form = page.region("Invite somebody")
    for field in ("E-mail", "E-mail code", "Authenticator code"):
        form.field(field).cannot()
    form.button("Invite").cannot()
    page.button("Enable 2FA").click()
    factor = page.region("Two-factor authentication")
    kim.secret = factor.pattern("^([A-Z2-7]{4} )+[A-Z2-7]{1,4}$").said().replace(" ", "")
    kim.both(factor, kim.send_code(factor))
    factor.button("Enable 2FA").click()
    page.dialog("Save your recovery codes").button("I have saved them").click()
    page.at("/console/users")
    form.field("E-mail").can()


def test_somebody_is_invited_comes_by_the_letter_and_is_removed(console: Console) -> None:
    gil = console.someone()
    page = gil.at("/users")
    form = page.region("Invite somebody")
    form.button("Send code").cannot()
    for email, wrong in (
        ("not an address", "the e-mail address is not written as one"),
        (gil.email, "there is a user of this e-mail address"),
    ):
        form.field("E-mail").fill(email)
        form.button("Send code").click()
        form.role("alert").text(wrong).seen()
    form.field("E-mail").fill("hal@desk.example")
    code = gil.send_code(form)
    assert "Who is invited: hal@desk.example" in gil.letter()["text"]
    form.button("Invite").cannot()
    gil.both(form, other_code(code))
    form.button("Invite").click()
    form.role("alert").text("the code is not right").seen()
    gil.both(form, code)
    form.button("Invite").click()
    page.text("An invitation is on its way to hal@desk.example").seen()

    page.way("Mail").click()
    letter = page.role("list", "Letters").role("listitem").first().said()
    found = re.search(r"http://\S+/console/invitation#(\S+)", letter)
    assert found is not None
    invited = console.window().tab(found[0].replace(console.url, ""))
    invited.at("/console/invitation")
    invited.field("Password").fill(PASSWORD)
    invited.field("Password again").fill(PASSWORD)
    invited.button("Accept").click()
    invited.text("Signed in as hal@desk.example").seen()
    invited.way("API Management").click()
    invited.heading("API Management").seen()

    page.way("Users").click()
    page.button("Remove hal@desk.example").click()
    dialog = page.dialog("Remove hal@desk.example?")
    dialog.button("Cancel").click()
    dialog.gone()
    page.button("Remove hal@desk.example").click()
    dialog.button("Remove").cannot()  # a session alone takes nobody's account away
    dialog.field("Authenticator code").fill("000000")
    dialog.button("Remove").click()
    dialog.role("alert").text("is not right or was used").seen()
    dialog.button("Use your password").click()
    dialog.field("Password").fill(gil.password)
    dialog.button("Remove").click()
    page.text("hal@desk.example is removed").seen()
    invited.way("Users").click()
    invited.heading("Sign in").seen()
    again = console.window().tab(f"/console/invitation#{found[1]}")
    again.field("Password").fill(PASSWORD)
    again.field("Password again").fill(PASSWORD)
    again.button("Accept").click()
    again.role("alert").text("The link is not known, was used, or is too old").seen()
