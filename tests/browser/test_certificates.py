"""Client certificates of a key, from the request to a real order over TLS, and to the end of one."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from fairlead.tls.authority import key_pem, new_key
from fairlead.tls.folder import AUTHORITIES
from tests.browser.browser import Browser, Page, Sought
from tests.browser.console import RESEND_S, Console, Someone, other_code, started
from tests.browser.keys import PATH, known, row_of
from tests.commands.terminal import fairlead
from tests.system import encoded, order, until

TITLE = "Certificates of Bot1"
LISTED = re.compile(r"\b[0-9a-f]{16}…")


@pytest.fixture(scope="module")
def console_of_module(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("certificates")
    made = fairlead("tls", "init", "--data", "data", folder=folder)
    assert made.code == 0, made
    with started(folder, browser, {}, "--tls-clients", "127.0.0.1:0") as console:
        yield console


def requested() -> tuple[str, str]:
    """Return a request for a certificate and its private key, both PEM, as `openssl req` makes them."""
    key = new_key()
    unsigned = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = unsigned.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return request.decode(), key_pem(key).decode()


def curl(console: Console, certificate: Path, client_order_id: str) -> tuple[int, str]:
    """Place an order with the certificate alone; return curl's exit code and the HTTP status."""
    body = encoded(order(client_order_id)).decode()
    done = subprocess.run(
        [
            *("curl", "--silent", "--max-time", "20", "--output", "/dev/null"),
            *("--cacert", str(console.ems.folder / "tls" / AUTHORITIES)),
            *("--write-out", "%{http_code}", "--cert", str(certificate), "--json", body),
            f"{console.ems.endpoint['https_clients']}/v1/orders",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def issued(person: Someone, dialog: Sought, page: Page, totp: str) -> Sought:
    """Have a certificate issued, and return the dialog that shows it."""
    person.both(dialog, person.send_code(dialog), totp)
    dialog.button("Issue certificate").click()
    return page.dialog("Save the certificate of Bot1").seen()


def test_a_certificate_is_issued_places_an_order_over_tls_and_is_revoked(
    console: Console, tmp_path: Path
) -> None:
    ann = console.someone()
    secret = console.key(ann, "Bot1", scopes=["read", "trade"])["secret"]
    known(console, secret)
    page = ann.at(PATH)
    row_of(page, "Bot1").button("Certificates").click()
    dialog = page.dialog(TITLE)
    dialog.text("It has no certificate yet").seen()

    # With a request: the private key stays with whoever made it.
    request, private = requested()
    field = dialog.field("Certificate signing request (optional)")
    field.fill("none")
    dialog.button("Send code").click()
    dialog.role("alert").text("csr: ").seen()
    field.fill(request)
    code = ann.send_code(dialog)
    ann.both(dialog, other_code(code), ann.recovery[0])
    dialog.button("Issue certificate").click()
    dialog.role("alert").text("The code is not right").seen()
    ann.both(dialog, code, ann.recovery[0])
    dialog.button("Issue certificate").click()
    shown = page.dialog("Save the certificate of Bot1").seen()
    text = shown.role("region", "Certificate").said()
    assert "PRIVATE KEY" not in text
    name, downloaded = shown.button("Download .pem").download()
    assert (name, downloaded.split()) == ("Bot1.pem", text.split())
    shown.button("Copy certificate").click()
    until(lambda: page.copied() == downloaded, "the certificate is copied")
    own = tmp_path / "own.pem"
    own.write_text(downloaded + private)
    shown.button("I have saved it").click()
    page.text("A certificate for Bot1 is issued").seen()
    until(lambda: curl(console, own, "own") == (0, "200"), "it places an order")

    # Without one: the private key is shown this once.
    console.ems.advance(RESEND_S)
    page.reload()
    row_of(page, "Bot1").button("Certificates").click()
    shown = issued(ann, dialog, page, ann.recovery[1])
    made = tmp_path / "made.pem"
    made.write_text(shown.button("Download .pem").download()[1])
    assert shown.role("alert").count() == 0  # nobody has wanted to close it
    secret_part = made.read_text().split("PRIVATE KEY-----")[1].split()[0]
    assert page.remembers(secret_part)
    page.key("Escape")  # closing asks
    shown.role("alert").text("it cannot be shown again").seen()
    shown.button("I have saved it").click()
    shown.gone()
    assert secret_part not in page.content()
    until(lambda: not page.remembers(secret_part), "the private key is gone from the page's memory")
    until(lambda: curl(console, made, "made") == (0, "200"), "it places an order")

    _revoked(console, ann, page, own)
    assert curl(console, made, "made-still") == (0, "200")  # the other one counts as before


def _revoked(console: Console, ann: Someone, page: Page, own: Path) -> None:
    """Revoke the certificate in `own`, in the list, and see that it proves nobody from then on."""
    fingerprint = (
        x509.load_pem_x509_certificate(own.read_bytes()).fingerprint(hashes.SHA256()).hex()
    )
    row_of(page, "Bot1").button("Certificates").click()
    dialog = page.dialog(TITLE)
    dialog.button(f"Revoke certificate {fingerprint[:16]}…").click()
    asking = page.dialog("Revoke a certificate of Bot1?")
    asking.text(fingerprint).seen()
    asking.button("Cancel").click()
    dialog.button(f"Revoke certificate {fingerprint[:16]}…").click()
    asking.button("Use your password").click()
    asking.field("Password").fill("not the password")
    asking.button("Revoke").click()
    asking.role("alert").text("is not right or was used").seen()
    asking.field("Password").fill(ann.password)
    before = len(ann.letters())
    asking.button("Revoke").click()
    dialog.text("The certificate is revoked").seen()
    assert len(ann.letters()) == before  # it needs no mail
    states = {LISTED.findall(each)[0][:16]: each for each in dialog.role("row").each()[1:]}
    assert "revoked" in states[fingerprint[:16]]
    assert sorted("active" in each for each in states.values()) == [False, True]
    assert dialog.button(f"Revoke certificate {fingerprint[:16]}…").count() == 0
    exit_code, status = curl(console, own, "too-late")
    assert status in ("401", "000"), (exit_code, status)  # by us, or by an alert in the handshake
    dialog.button("Cancel").click()


def test_a_disabled_key_is_given_no_certificate(console: Console) -> None:
    ben = console.someone()
    console.key(ben, "Bot1")
    page = ben.at(PATH)
    row_of(page, "Bot1").button("Disable").click()
    dialog = page.dialog("Disable Bot1?")
    dialog.button("Use your password").click()
    dialog.field("Password").fill(ben.password)
    dialog.button("Disable").click()
    row_of(page, "Bot1").text("disabled").seen()
    row_of(page, "Bot1").button("Certificates").click()
    dialog = page.dialog(TITLE)
    dialog.text("only an active one is given a certificate").seen()
    assert dialog.button("Issue certificate").count() == 0
    dialog.button("Close").click()
    dialog.gone()
