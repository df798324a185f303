"""TLS against the running system, by clients of others: curl, Python's ssl, a WebSocket library.

No certificate, a good one, another authority's, one that has ended, one for another use, a revoked
one: each on every protocol, on kept-alive connections and with an offered resumption.
"""

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.exceptions import ConnectionClosedError, WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.commands.terminal import fairlead
from tests.fix_party import FixParty
from tests.fix_party import order as fix_order
from tests.system import ACCOUNTS, QUICK, Ems, order, running, until, write_config
from tests.tls.authorities import Certificate, Desk

VERSIONS = {"--http1.0": "1.1", "--http1.1": "1.1", "--http2": "2"}  # asked for → spoken
ALERTS = {  # how OpenSSL words the alert that a client without a good certificate gets
    "none": "certificate required",
    "another authority's": "unknown ca",
    "ended": "certificate expired",
    "for servers": "unsupported certificate",
    "revoked": "certificate revoked",
}


class Secure(NamedTuple):
    """A system with both TLS listeners, and certificates of all kinds."""

    ems: Ems
    desk: Desk
    refused: dict[str, Certificate | None]

    @property
    def https(self) -> str:
        return str(self.ems.endpoint["https"])

    @property
    def fix(self) -> str:
        return str(self.ems.endpoint["fix_tls"])

    @property
    def https_clients(self) -> str:
        return str(self.ems.endpoint["https_clients"])


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("secure")
    data = folder / "data"
    data.mkdir()
    desk = Desk(data)
    refused = {
        "none": None,
        "another authority's": desk.of_another_authority(),
        "ended": desk.expired(),
        "for servers": desk.for_servers(),
        "for any use": desk.for_any_use(),
        "revoked": desk.client("revoked"),
    }
    assert refused["revoked"] is not None
    desk.revoke(refused["revoked"])
    config = write_config(
        folder / "config.toml", QUICK | {"exchange.participants": False}, ACCOUNTS
    )
    listen = ("--tls", "--tls-clients", "--fix", "--fix-tls")
    ems = Ems(data, config, *(word for flag in listen for word in (flag, "127.0.0.1:0")))
    with running(ems):
        ems.reconciled()
        yield Secure(ems, desk, refused)


def curl(
    url: str, desk: Desk, *flags: str, certificate: Certificate | None = None
) -> tuple[int, str, str]:
    """Return the exit code, what was received, and the version spoken or curl's words."""
    shown = () if certificate is None else ("--cert", str(certificate.path))
    ended = subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--max-time", "20", "--cacert", desk.authorities),
            *("--write-out", "\n%{http_version}", *shown, *flags, url),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    body, _, version = ended.stdout.rpartition("\n")
    return ended.returncode, body, version if ended.returncode == 0 else ended.stderr


def context(desk: Desk, certificate: Certificate | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=desk.authorities)
    if certificate is not None:
        made.load_cert_chain(certificate.path)
    return made


def opened(
    url: str,
    desk: Desk,
    certificate: Certificate | None = None,
    session: ssl.SSLSession | None = None,
    made: ssl.SSLContext | None = None,
) -> ssl.SSLSocket:
    host, _, port = url.removeprefix("https://").rpartition(":")
    plain = socket.create_connection((host, int(port)), 20)
    made = made or context(desk, certificate)
    return made.wrap_socket(plain, server_hostname=host, session=session)


LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def asked(connection: ssl.SSLSocket, request: bytes = LIVE) -> bytes:
    """Send a request on an open connection and return the status line that comes back."""
    connection.sendall(request)
    return connection.recv(65_536).split(b"\r\n")[0]


def stream(url: str, desk: Desk, certificate: Certificate | None = None) -> ClientConnection:
    return connect(
        url.replace("https://", "wss://") + "/v1/ws",
        ssl=context(desk, certificate),
        open_timeout=20,
    )


# ── without client certificates ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("flag", VERSIONS)
def test_orders_are_placed_over_tls(secure: Secure, flag: str) -> None:
    body = order(f"tls{flag}", amount_order=0.01, price=20000)
    data = ("--json", json.dumps(body))
    code, answer, version = curl(f"{secure.https}/v1/orders", secure.desk, flag, *data)
    assert (code, version) == (0, VERSIONS[flag])
    assert json.loads(answer)["status"] == "NEW"
    code, answer, _ = curl(f"{secure.https}/v1/orders/status/tls{flag}", secure.desk, flag)
    assert json.loads(answer)["client_order_id"] == f"tls{flag}"


def test_the_stream_runs_over_tls(secure: Secure) -> None:
    with stream(secure.https, secure.desk) as client:
        assert json.loads(client.recv(20))["type"] == "SERVER_INFO"


def test_the_border_holds_over_tls(secure: Secure) -> None:
    for flag in VERSIONS:
        url = f"{secure.https}/v1/orders"
        code, answer, _ = curl(url, secure.desk, flag, "--header", "Host: other.example")
        assert (code, "is not served here" in answer) == (0, True)
        code, answer, _ = curl(url, secure.desk, flag, "--header", "Origin: https://evil.example")
        assert "neither ours nor configured" in answer
        code, answer, _ = curl(url, secure.desk, flag, "--data", "x")
        assert "content-type" in answer, (flag, answer, _)


def test_a_client_that_does_not_know_the_authority_is_not_fooled(secure: Secure) -> None:
    ended = subprocess.run(["curl", "--silent", secure.https], capture_output=True, check=False)
    assert ended.returncode == 60


def test_old_versions_of_tls_are_refused(secure: Secure) -> None:
    good = secure.desk.client("old")
    for url, most in ((secure.https, "1.1"), (secure.https_clients, "1.2")):
        old = ("--tlsv1.0", "--tls-max", most, "--ciphers", "DEFAULT@SECLEVEL=0")
        code, _, words = curl(url, secure.desk, *old, certificate=good)
        assert (code, "alert protocol version" in words) == (35, True), words
    url = f"{secure.https}/health/live"
    assert curl(url, secure.desk, "--tls-max", "1.2")[0] == 0


# ── with client certificates ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("flag", VERSIONS)
def test_a_good_certificate_trades(secure: Secure, flag: str) -> None:
    good = secure.desk.client("good")
    data = ("--json", json.dumps(order(f"mtls{flag}", amount_order=0.01, price=20000)))
    url = f"{secure.https_clients}/v1/orders"
    code, answer, version = curl(url, secure.desk, flag, *data, certificate=good)
    assert (code, version) == (0, VERSIONS[flag])
    assert json.loads(answer)["status"] == "NEW"


def test_a_good_certificate_streams(secure: Secure) -> None:
    with stream(secure.https_clients, secure.desk, secure.desk.client("good")) as client:
        assert json.loads(client.recv(20))["type"] == "SERVER_INFO"


@pytest.mark.parametrize("kind", ALERTS)
@pytest.mark.parametrize("flag", VERSIONS)
def test_curl_gets_an_alert_for_every_other(secure: Secure, flag: str, kind: str) -> None:
    url = f"{secure.https_clients}/health/live"
    code, answer, words = curl(url, secure.desk, flag, certificate=secure.refused[kind])
    assert code != 0
    assert (answer, ALERTS[kind] in words) == ("", True), words


@pytest.mark.parametrize("kind", ALERTS)
def test_python_gets_an_alert_at_its_first_read(secure: Secure, kind: str) -> None:
    connection = opened(secure.https_clients, secure.desk, secure.refused[kind])
    with closing(connection), pytest.raises(ssl.SSLError, match=ALERTS[kind]):
        connection.recv(1)


@pytest.mark.parametrize("kind", [*ALERTS, "for any use"])
def test_no_upgrade_without_a_good_certificate(secure: Secure, kind: str) -> None:
    with pytest.raises((OSError, EOFError, WebSocketException)):
        stream(secure.https_clients, secure.desk, secure.refused[kind])


def test_a_certificate_that_does_not_say_what_for_is_refused(secure: Secure) -> None:
    connection = opened(secure.https_clients, secure.desk, secure.refused["for any use"])
    with closing(connection):
        assert connection.recv(1) == b""


# ── FIX ──────────────────────────────────────────────────────────────────────────────────────────


def party(secure: Secure, certificate: Certificate) -> FixParty:
    return FixParty(secure.fix, context=context(secure.desk, certificate))


def test_two_certificates_trade_by_fix_under_the_same_comp_id(secure: Secure) -> None:
    one, two = secure.desk.client("flk_one"), secure.desk.client("flk_two")
    with party(secure, one) as first, party(secure, two) as second:
        first.log_on()
        second.log_on()
        first.say("D", *fix_order("tls-fix-1"))
        second.say("D", *fix_order("tls-fix-2"))
        first.report("tls-fix-1", "0")
        second.report("tls-fix-2", "0")
        first.log_out()
        second.log_out()


def test_a_session_goes_on_under_a_new_certificate_for_the_same_key(secure: Secure) -> None:
    with party(secure, secure.desk.client("flk_renews")) as before:
        before.log_on()
        before.log_out()
        number = before.next_out
    with party(secure, secure.desk.client("flk_renews")) as after:
        after.next_out, after.next_in = number, before.next_in
        after.log_on()
        after.synchronise()
        after.log_out()


@pytest.mark.parametrize("kind", ALERTS)
def test_fix_gets_an_alert_without_a_good_certificate(secure: Secure, kind: str) -> None:
    connection = opened(f"https://{secure.fix}", secure.desk, secure.refused[kind])
    with closing(connection), pytest.raises(ssl.SSLError, match=ALERTS[kind]):
        connection.recv(1)


def test_plain_fix_is_not_spoken_on_the_tls_port(secure: Secure) -> None:
    with FixParty(secure.fix) as party, pytest.raises(AssertionError, match="the connection ended"):
        party.log_on()


def test_a_live_fix_session_is_logged_out_when_its_certificate_is_revoked(secure: Secure) -> None:
    leaver, stayer = secure.desk.client("fix_leaver"), secure.desk.client("fix_stayer")
    with party(secure, leaver) as leaving, party(secure, stayer) as staying:
        leaving.log_on()
        staying.log_on()
        secure.desk.revoke(leaver)
        goodbye = leaving.next_of("5")
        assert "certificate" in goodbye[58]
        leaving.say("D", *fix_order("tls-fix-late"))
        leaving.log_out()
        staying.say("D", *fix_order("tls-fix-stays"))
        staying.report("tls-fix-stays", "0")
        staying.log_out()
    api = secure.ems.api()
    assert api.status("tls-fix-late").status == 404
    api.close()


# ── what happens to a certificate after its handshake ────────────────────────────────────────────


def test_a_certificate_revoked_since_does_not_count_on_a_kept_connection(secure: Secure) -> None:
    leaver, stayer = secure.desk.client("leaver"), secure.desk.client("stayer")
    with (
        closing(opened(secure.https_clients, secure.desk, leaver)) as kept,
        closing(opened(secure.https_clients, secure.desk, stayer)) as other,
        stream(secure.https_clients, secure.desk, leaver) as following,
    ):
        assert asked(kept) == b"HTTP/1.1 200 OK"
        run = fairlead(
            "tls", "revoke", str(leaver.path), "--data", str(secure.ems.folder), folder=Path()
        )
        assert (run.code, run.err) == (0, "")
        with pytest.raises(ConnectionClosedError) as closed:
            for _ in iter(lambda: following.recv(20), None):
                pass
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
        until(lambda: _is_closed(kept), "the kept connection is closed")
        assert asked(other) == b"HTTP/1.1 200 OK"
    url = f"{secure.https_clients}/health/live"
    assert curl(url, secure.desk, certificate=stayer)[0] == 0
    code, _, words = curl(url, secure.desk, certificate=leaver)
    assert (code != 0, "certificate revoked" in words) == (True, True)


def _is_closed(connection: ssl.SSLSocket) -> bool:
    try:
        line = asked(connection)
    except OSError:
        return True
    assert line in (b"", b"HTTP/1.1 200 OK", b"HTTP/1.1 401 Unauthorized"), line
    return line == b""


def test_an_offered_resumption_becomes_a_full_handshake(secure: Secure) -> None:
    """From the other listener, from the same one, and with a certificate revoked in between."""
    client = secure.desk.client("resumer")
    made = context(secure.desk, client)
    for url in (secure.https, secure.https_clients):
        with closing(opened(url, secure.desk, made=made)) as first:
            assert asked(first) == b"HTTP/1.1 200 OK"
            session = first.session
            assert session is None or not session.has_ticket
        with closing(
            opened(secure.https_clients, secure.desk, session=session, made=made)
        ) as again:
            assert not again.session_reused
            assert asked(again) == b"HTTP/1.1 200 OK"
    secure.desk.revoke(client)
    until(lambda: _is_refused(secure, made, session), "the revoked list is read again")


def _is_refused(secure: Secure, made: ssl.SSLContext, session: ssl.SSLSession | None) -> bool:
    with closing(opened(secure.https_clients, secure.desk, session=session, made=made)) as again:
        try:
            asked(again)
        except ssl.SSLError as error:
            return "certificate revoked" in str(error)
    return False


def test_a_renewed_server_certificate_is_shown_without_a_restart(secure: Secure) -> None:
    def serial() -> object:
        with closing(opened(secure.https, secure.desk)) as connection:
            shown = connection.getpeercert()
            assert shown is not None
            return shown["serialNumber"]

    before = serial()
    folder = str(secure.ems.folder)
    run = fairlead("tls", "init", "--name", "new.example", "--data", folder, folder=Path())
    assert run.code == 0
    until(lambda: serial() != before, "the new certificate is shown")


# ── starting ─────────────────────────────────────────────────────────────────────────────────────


def test_without_certificates_it_says_how_to_make_them(tmp_path: Path) -> None:
    run = fairlead("up", "--listen", "127.0.0.1:0", "--tls", "127.0.0.1:0", folder=tmp_path)
    assert run.code == 70
    assert run.err.splitlines()[-1] == (
        "fairlead: data/tls/server.pem is missing: `fairlead tls init` makes one, or name yours in [tls]"
    )


def test_an_address_that_is_taken_is_named(secure: Secure, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    Desk(data)
    taken = secure.https.removeprefix("https://")
    run = fairlead("up", "--listen", "127.0.0.1:0", "--tls", taken, folder=tmp_path)
    assert run.code == 70
    assert run.err.splitlines()[-1] == (
        f"fairlead: cannot listen on {taken} for TLS: Address already in use"
    )
