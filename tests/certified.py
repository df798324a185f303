"""A system that asks for keys, with certificates of the control plane, and those that must not be taken."""

import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from websockets.sync.client import ClientConnection, connect

from fairlead.commands.keeping import owner
from fairlead.control import tls_files
from fairlead.control.certificates import Made
from fairlead.control.control import Control
from fairlead.control.key_changes import Wanted
from fairlead.control.keyring import Made as MadeKey
from fairlead.control.keys import ApiKey
from fairlead.tls.authority import Authority
from tests.commands.terminal import Run, fairlead
from tests.fix_party import FixParty
from tests.system import ACCOUNTS, QUICK, Answer, Api, Ems, running, until, write_config
from tests.tls.authorities import Certificate, Desk

HEADER = "X-CoinAPI-Key"
ALERTS = {  # how OpenSSL words the alert that a client without a good certificate gets
    "none": "certificate required",
    "another authority's": "unknown ca",
    "ended": "certificate expired",
    "for servers": "unsupported certificate",
    "revoked": "certificate revoked",
}
VERSIONS = {"--http1.0": "1.1", "--http1.1": "1.1", "--http2": "2"}  # asked for → spoken


def authority_in(data: Path) -> Authority:
    """Have the control plane of a data folder issue, and return by whom."""
    with Control.open(data, None, None, "local", time.time_ns()) as control:
        tls_files.init(control, data / "tls", (), owner(), time.time_ns())
        with control.store.read() as connection:
            authority = control.authorities.current(connection)
    assert authority is not None
    return authority


def issued(folder: Path, label: str, name: str = "") -> Certificate:
    """Have the machine's owner issue a certificate for a key of the system in `folder`."""
    path = folder / f"{name or label}.pem"
    with Control.open(folder / "data", None, None, "local", time.time_ns()) as control:
        made = control.certificates.issue(owner(), label, time.time_ns())
    assert isinstance(made, Made), made
    path.write_text(made.text, encoding="ascii")
    return Certificate(path, x509.load_pem_x509_certificate(path.read_bytes()))


class Certified(NamedTuple):
    """A running system. `secrets` of its keys by label; `refused`: certificates that must not be taken."""

    folder: Path
    ems: Ems
    desk: Desk
    secrets: dict[str, str]
    refused: dict[str, Certificate | None]

    @property
    def https(self) -> str:
        return str(self.ems.endpoint["https"])

    @property
    def https_clients(self) -> str:
        return str(self.ems.endpoint["https_clients"])

    @property
    def fix(self) -> str:
        return str(self.ems.endpoint["fix_tls"])

    def command(self, *words: str) -> Run:
        run = fairlead(*words, "--data", "data", folder=self.folder)
        assert run.code == 0, run
        return run

    def make_key(
        self,
        label: str,
        *scopes: str,
        accounts: tuple[str, ...] | None = None,
        addresses: tuple[str, ...] | None = None,
    ) -> str:
        """Make a key and return its secret."""
        wanted = Wanted(label=label, scopes=scopes, accounts=accounts, addresses=addresses, days=90)
        with Control.open(self.folder / "data", None, None, "local", time.time_ns()) as control:
            made = control.keyring.create(owner(), wanted, time.time_ns())
        assert isinstance(made, MadeKey), made
        assert made.secret is not None
        self.secrets[label] = made.secret
        return made.secret

    def kid(self, label: str) -> str:
        """Return the public id of a key."""
        with Control.open(self.folder / "data", None, None, "local", time.time_ns()) as control:
            found = control.keyring.find(label)
        assert isinstance(found, ApiKey), found
        return found.kid

    def issue(self, label: str, name: str = "") -> Certificate:
        """Issue a certificate for a key, and wait until the system knows it."""
        certificate = issued(self.folder, label, name)
        until(lambda: self.counts(certificate), f"the certificate of {label} is known")
        return certificate

    def counts(self, certificate: Certificate) -> bool:
        """Whether a certificate gets an answer that is not 401; no alert is had."""
        with opened(self.https_clients, self.desk, certificate) as connection:
            return b"401" not in asked(connection, b"/v1/orders")

    def revoke(self, certificate: Certificate) -> None:
        self.command("certificates", "revoke", certificate.fingerprint)

    def api(self, label: str, method: str, path: str, body: bytes | None = None) -> Answer:
        """Ask on the plain listener with the secret of a key."""
        api = Api(self.ems.endpoint["url"])
        try:
            return api.request(method, path, body, {HEADER: self.secrets[label]})
        finally:
            api.close()

    def known(self, client_order_id: str) -> bool:
        """Whether there is such an order."""
        return self.api("Manage1", "GET", f"/v1/orders/status/{client_order_id}").status == 200

    def party(self, certificate: Certificate | None) -> FixParty:
        return FixParty(self.fix, context=context(self.desk, certificate))

    def stream(self, certificate: Certificate | None, **headers: str) -> ClientConnection:
        return connect(
            self.https_clients.replace("https://", "wss://") + "/v1/ws",
            ssl=context(self.desk, certificate),
            open_timeout=20,
            proxy=None,
            max_queue=None,
            additional_headers=headers,
        )

    def curl(
        self, path: str, certificate: Certificate | None, *flags: str
    ) -> tuple[int, str, str, str]:
        """Return the exit code, status, body, and the version spoken or curl's words."""
        shown = () if certificate is None else ("--cert", str(certificate.path))
        ended = subprocess.run(
            [
                *("curl", "--silent", "--show-error", "--max-time", "20"),
                *(
                    "--cacert",
                    self.desk.authorities,
                    "--write-out",
                    "\n%{http_code} %{http_version}",
                ),
                *(*shown, *flags, self.https_clients + path),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        body, _, said = ended.stdout.rpartition("\n")
        status, _, version = said.partition(" ")
        return ended.returncode, status, body, version if ended.returncode == 0 else ended.stderr


@contextmanager
def certified(folder: Path, authentication: str = "keys") -> Iterator[Certified]:
    """Have such a system in `folder` until the end of the `with`."""
    data = folder / "data"
    data.mkdir()
    desk = Desk(data, authority_in(data))
    settings = {"exchange.participants": False, "authentication": authentication}
    config = write_config(folder / "fairlead.toml", QUICK | settings, ACCOUNTS)
    listen = ("--tls", "--tls-clients", "--fix-tls")
    ems = Ems(data, config, *(word for flag in listen for word in (flag, "127.0.0.1:0")))
    system = Certified(folder, ems, desk, {}, {})
    for scope in ("read", "trade", "manage"):
        system.make_key(f"{scope.title()}1", scope, addresses=("127.0.0.0/8",))
    system.refused.update(
        {
            "none": None,
            "another authority's": desk.of_another_authority(),
            "ended": desk.expired(),
            "for servers": desk.for_servers(),
            "for any use": desk.for_any_use(),
            "revoked": issued(folder, "Trade1", "gone"),
            "unregistered": desk.client("unregistered"),
        }
    )
    gone = system.refused["revoked"]
    assert gone is not None
    system.revoke(gone)
    with running(ems):
        ems.ready()
        until(lambda: _is_reconciled(system), "every account is reconciled")
        yield system


def _is_reconciled(system: Certified) -> bool:
    accounts = json.loads(system.api("Read1", "GET", "/health/ready").body)["accounts"]
    return bool(accounts) and all(each["state"] == "reconciled" for each in accounts)


# ── connections ──────────────────────────────────────────────────────────────────────────────────


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
    """Open a connection; a refusal comes at the first read."""
    host, _, port = url.removeprefix("https://").rpartition(":")
    plain = socket.create_connection((host, int(port)), 20)
    made = made or context(desk, certificate)
    return made.wrap_socket(plain, server_hostname=host, session=session)


def asked(connection: ssl.SSLSocket, path: bytes = b"/v1/orders", more: bytes = b"") -> bytes:
    """Ask on an open connection and return the status line that comes back."""
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (path, more))
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = connection.recv(65_536)
        if not part:
            return answer
        answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            while len(body) < int(line.partition(b":")[2]):
                body += connection.recv(65_536)
    return head.split(b"\r\n")[0]
