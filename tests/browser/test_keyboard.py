"""The main walk by the keyboard alone: from the sign-in to a key that may trade."""

from tests.browser.browser import Page
from tests.browser.console import Console
from tests.browser.keys import PATH, row_of

_TABS_MAX = 60


def test_a_key_is_made_and_edited_without_a_mouse(console: Console) -> None:
    ann = console.someone()
    page = console.window().tab(f"/console{PATH}")
    page.heading("Sign in").seen()
    to(page, "E-mail")
    page.type(ann.email)
    page.key("Tab")
    page.type(ann.password)
    page.key("Enter")
    page.field("Authenticator code").seen()
    to(page, "Authenticator code")
    page.type(ann.totp())
    page.key("Enter")

    page.heading("API Management").seen()
    page.has_focus("API Management")  # who hears a page hears first where it is
    to(page, "API Key Label")
    page.type("Bot1")
    before = len(ann.letters())
    to(page, "Send code")
    page.key("Enter")
    page.pattern("^Sent to ").seen()
    assert len(ann.letters()) == before + 1
    page.has_focus("E-mail code")
    page.type(ann.code())
    to(page, "Authenticator code")
    page.type(ann.totp())
    page.key("Enter")

    dialog = page.dialog("Save the secret of Bot1").seen()
    page.has_focus("Save the secret of Bot1")
    names = {tabbed(page) for _ in range(12)}
    assert {"Copy secret", "Download .env", "I have saved it"} <= names
    assert "Add" not in names  # the focus stays in the dialog
    to(page, "I have saved it")
    page.key("Space")
    dialog.gone()

    row_of(page, "Bot1").seen()
    to(page, "Edit permissions")
    page.key("Enter")
    to(page, "trade")
    page.key("Space")
    to(page, "Send code")
    page.key("Enter")
    page.has_focus("E-mail code")
    page.type(ann.code())
    to(page, "Authenticator code")
    page.type(ann.totp())
    page.key("Enter")
    page.text("The permissions of Bot1 are changed").seen()
    assert sorted(console.keys_of(ann)[0]["scopes"]) == ["read", "trade"]


def tabbed(page: Page) -> str:
    """Press Tab, and return what has the focus."""
    page.key("Tab")
    return page.focused()


def to(page: Page, name: str) -> None:
    """Press Tab until what is so named has the focus."""
    passed = []
    for _ in range(_TABS_MAX):
        if page.focused() == name:
            return
        passed.append(tabbed(page))
    raise AssertionError(f"no Tab leads to {name!r}: {passed}")
