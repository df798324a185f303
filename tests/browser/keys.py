"""What the walks do with API keys on the page, and what a key is good for outside of it."""

from contextlib import closing

from tests.browser.browser import Page, Sought
from tests.browser.console import Console, Someone
from tests.system import Answer, Api, encoded, order, until

PATH = "/profile/keys"
HEADER = "X-CoinAPI-Key"


def form_of(page: Page) -> Sought:
    """Return the form of a new key."""
    return page.region("Private API key")


def row_of(page: Page, label: str) -> Sought:
    """Return a key's row."""
    return page.role("table", "List of API keys").role("row", label)


def use_is_told(page: Page, label: str) -> bool:
    """Load the page anew, and return whether it tells of a key's use: that is written every five seconds."""
    page.reload()
    return row_of(page, label).seen().text("from 127.0.0.1").count() == 1


def edit_of(page: Page, label: str) -> Sought:
    """Open "Edit permissions" of a key, and return its form."""
    row_of(page, label).button("Edit permissions").click()
    return page.role("group", f"Edit permissions of {label}")


def added(person: Someone, page: Page, label: str) -> Sought:
    """Add a key, and return the dialog that shows its secret."""
    form = form_of(page)
    form.field("API Key Label").fill(label)
    person.both(form, person.send_code(form))
    form.button("Add").click()
    return page.dialog(f"Save the secret of {label}").seen()


def saved(person: Someone, form: Sought, submit: str = "Save") -> None:
    """Have a code sent, give both, and wait until what was asked for is done."""
    person.both(form, person.send_code(form))
    form.button(submit).click()
    form.gone()


def asked(console: Console, secret: str, path: str = "/v1/balances") -> Answer:
    """Return the answer to a request with the key."""
    with closing(console.ems.api()) as api:
        return api.request("GET", path, headers={HEADER: secret})


def placed(console: Console, secret: str, client_order_id: str) -> Answer:
    """Place an order with the key."""
    with closing(Api(console.url)) as api:
        body = encoded(order(client_order_id))
        return api.request("POST", "/v1/orders", body, {HEADER: secret})


def known(console: Console, secret: str) -> None:
    """Wait until the system knows a new key."""
    until(lambda: asked(console, secret).status == 200, "the key is known")


def unknown(console: Console, secret: str) -> None:
    """Check that a key proves nobody any more: so it is once the page says what was done."""
    assert asked(console, secret).status == 401, "the key is refused"
