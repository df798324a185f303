"""TLS against the running system, by clients of others: curl, Python's ssl, a WebSocket library.

No certificate, a good one, another authority's, one that has ended, one for another use, a revoked
one: each on every protocol, on kept-alive connections and with an offered resumption.
"""

import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.certified import context, opened
from tests.commands.terminal import fairlead
from tests.system import ACCOUNTS, QUICK, Ems, order, running, write_config
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
        max_queue=None,
    )


# ── without client certificates ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("flag", VERSIONS)
def test_orders_are_placed_over_tls(secure: Secure, flag: str) -> None:
    body = order(f"tls{flag}", amount_order=0.01, price=20000)
    data = ("--json", json.dumps(body))
    code, answer, version = curl(f"{secure.https}/v1/orders", secure.desk, flag, *data)
    assert (code, version) == (0, VERSIONS[flag])
    assert json.loads(answer)["status"] in ("ROUTED", "NEW")
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
    assert serial() != before


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
