"""Signed requests against a system: by every protocol, over and over again, re-aimed, and from elsewhere."""

import asyncio
import base64
import http.client
import json
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing, closing, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from fairlead.client import AsyncClient, Client, Settings, SigningKey
from fairlead.client.events import Disconnected, PositionsSnapshot
from tests.acceptance.test_authentication import NOBODY, SETTINGS, until_message
from tests.commands.terminal import Run, fairlead
from tests.fix_party import FixParty
from tests.fix_party import order as fix_order
from tests.signing import Signer, signed
from tests.system import ACCOUNTS, Ems, encoded, order, running, until, write_config
from tests.timed import TimedEms

HOST = "localhost:3080"  # any loopback name is ours: what is signed is what is sent
LABELS = ("Hmac1", "Ed1")
PROXY = "127.0.0.2"  # trusted
STRANGER = "127.0.0.9"
OFFICE = "203.0.113.5"


class Said(NamedTuple):
    """One answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> object:
        return json.loads(self.body)


class Desk:
    """A system in a folder, and keys by label: public id, and what signs."""

    def __init__(self, folder: Path, ems: Ems) -> None:
        self.folder = folder
        self.ems = ems
        self.kids: dict[str, str] = {}
        self.signers: dict[str, Signer] = {}

    def keys(self, *arguments: str) -> Run:
        run = fairlead("keys", *arguments, "--data", "data", folder=self.folder)
        assert run.code == 0, run
        return run

    def make(self, label: str, *flags: str) -> None:
        """Make a key; one whose label begins with Ed signs by Ed25519, others by HMAC."""
        if label.startswith("Ed"):
            private = Ed25519PrivateKey.generate()
            pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            path = self.folder / f"{label}.pub"
            path.write_bytes(pem)
            flags = (*flags, "--kind", "ed25519", "--public-key", str(path))
            made = self.keys("create", label, *flags, "--json").json
            assert "secret" not in made
            self.signers[label] = private
        else:
            made = self.keys("create", label, *flags, "--kind", "hmac", "--json").json
            self.signers[label] = made["secret"]
        self.kids[label] = made["kid"]

    def sign(self, label: str, method: str, target: str, body: bytes = b"") -> dict[str, str]:
        return signed(self.kids[label], self.signers[label], method, HOST, target, body)

    def secret(self, label: str) -> str:
        secret = self.signers[label]
        assert isinstance(secret, str)
        return secret

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | list[tuple[str, str]],
        body: bytes = b"",
        *,
        is_tls: bool = False,
        source: str = "127.0.0.1",
        version: str = "HTTP/1.1",
    ) -> Said:
        """Send exactly this on a connection of its own."""
        url = self.ems.endpoint["https" if is_tls else "url"]
        _, _, port = url.rpartition(":")
        fields = list(headers.items()) if isinstance(headers, Mapping) else headers
        if body:
            fields += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        lines = [f"{method} {target} {version}", *(f"{name}: {value}" for name, value in fields)]
        with socket.create_connection(("127.0.0.1", int(port)), 20, (source, 0)) as plain:
            line: socket.socket = plain
            if is_tls:
                context = ssl.create_default_context(cafile=self.folder / "data/tls/ca.pem")
                line = context.wrap_socket(plain, server_hostname="localhost")
            with line:
                line.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
                response = http.client.HTTPResponse(line, method=method)
                response.begin()
                return Said(response.status, dict(response.getheaders()), response.read())

    def call(self, label: str, method: str, target: str, body: bytes = b"") -> Said:
        return self.send(method, target, self.sign(label, method, target, body), body)

    def known(self, client_order_id: str) -> bool:
        """Whether there is such an order."""
        return self.call("Hmac1", "GET", f"/v1/orders/status/{client_order_id}").status == 200

    def stream(self, headers: Mapping[str, str], query: str = "") -> ClientConnection:
        """Upgrade, with the Host that the headers say."""
        port = self.ems.endpoint["url"].rpartition(":")[2]
        sent = {name: value for name, value in headers.items() if name != "Host"}
        line = socket.create_connection(("127.0.0.1", int(port)))
        url = f"ws://{headers['Host']}/v1/ws{query}"
        return connect(url, sock=line, additional_headers=sent, proxy=None)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("signed")
    settings = SETTINGS | {"http.attempts_per_min": 3_000, "http.trusted_proxies": [PROXY]}
    config = write_config(folder / "fairlead.toml", settings, ACCOUNTS)
    assert fairlead("tls", "init", "--data", "data", folder=folder).code == 0
    desk = Desk(folder, Ems(folder / "data", config, "--tls", "127.0.0.1:0"))
    for label in LABELS:
        desk.make(label, "--scope", "trade")
    desk.make("Hmac2", "--account", "SIM/ALICE")
    desk.make("Office1", "--address", f"{OFFICE}/32")
    bearer = desk.keys("create", "Bearer1", "--scope", "trade", "--json").json
    desk.kids["Bearer1"], desk.signers["Bearer1"] = bearer["kid"], bearer["secret"]
    with running(desk.ems):
        desk.ems.ready()
        until(lambda: is_reconciled(desk), "every account is reconciled")
        for label in (*LABELS, "Hmac2"):
            until(lambda label=label: desk.call(label, "GET", "/v1/orders").status == 200, label)  # type: ignore[misc]
        yield desk


def is_reconciled(desk: Desk) -> bool:
    accounts = json.loads(desk.call("Hmac1", "GET", "/health/ready").body)["accounts"]
    return bool(accounts) and all(each["state"] == "reconciled" for each in accounts)


def placed(client_order_id: str) -> bytes:
    return encoded(order(client_order_id))


# ── taken ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("label", LABELS)
def test_a_signed_order_is_placed_and_carries_its_key(desk: Desk, label: str) -> None:
    answer = desk.call(label, "POST", "/v1/orders", placed(f"signed-{label}"))
    assert answer.status == 200, answer
    path = "/v1/orders/history?time_start=1970-01-01&time_end=2262-01-01"
    rows = json.loads(desk.call(label, "GET", path).body)
    (row,) = [each for each in rows if each["clientOrderId"] == f"signed-{label}"]
    assert row["apikey"] == desk.kids[label]


@pytest.mark.parametrize("flag", ["--http1.0", "--http1.1", "--http2"])
@pytest.mark.parametrize("label", LABELS)
def test_curl_signs_by_every_version_of_http(desk: Desk, label: str, flag: str) -> None:
    url = desk.ems.endpoint["https"]
    host = url.removeprefix("https://")
    name = f"curl-{label}-{flag[2:]}"
    body = placed(name)
    headers = signed(desk.kids[label], desk.signers[label], "POST", host, "/v1/orders?", body)
    headers["Content-Type"] = "application/json"
    words = ["curl", "--silent", "--cacert", "data/tls/ca.pem", flag, "--data-binary", "@-"]
    for field, value in headers.items():
        words += ["--header", f"{field}: {value}"]
    words += ["--output", "answer", "--write-out"]
    said = [
        subprocess.run(
            [*words, "%{http_code}", f"{url}{path}"],
            cwd=desk.folder,
            input=body,
            capture_output=True,
            check=True,
        ).stdout
        for path in ("/v1/orders", "/v1/orders?", "/v1/orders?")
    ]
    assert said == [b"401", b"200", b"401"]  # another target, the one that was signed, again
    assert desk.known(name)


def test_a_signed_body_in_chunks_is_taken_whole_or_not_at_all(desk: Desk) -> None:
    body = placed("in-chunks")
    headers = desk.sign("Hmac1", "POST", "/v1/orders", body)
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:20], body[20:]))
    fields = {**headers, "Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    port = int(desk.ems.endpoint["url"].rpartition(":")[2])

    def status(ending: bytes) -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        with socket.create_connection(("127.0.0.1", port), 20) as line:
            head = f"POST /v1/orders HTTP/1.1\r\n{lines}\r\n".encode()
            line.sendall(head + chunked + ending)
            return line.recv(12)

    assert status(b"1\r\n \r\n0\r\n\r\n") == b"HTTP/1.1 401"
    assert status(b"0\r\n\r\n") == b"HTTP/1.1 200"


def test_a_body_beyond_the_limit_is_refused_before_it_is_hashed(desk: Desk) -> None:
    body = b" " * 65_537
    answer = desk.call("Hmac1", "POST", "/v1/orders", body)
    assert answer.status == 400
    assert b"is longer than 65536 bytes" in answer.body


@pytest.mark.parametrize("label", LABELS)
def test_the_client_library_signs(desk: Desk, label: str) -> None:
    signer = desk.signers[label]
    if not isinstance(signer, str):
        form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        signer = signer.private_bytes(*form).decode()
    settings = Settings(signing_key=SigningKey(desk.kids[label], signer))
    assert signer not in f"{settings} {settings!r}"
    url = desk.ems.endpoint["url"]
    with Client(url, settings) as client:
        assert len(client.balances()) == 2
        assert len(client.balances("SIM/ALICE")) == 1
        client.cancel_all("SIM/ALICE")

    async def use() -> None:
        async with AsyncClient(url, settings) as client:
            assert len(await client.balances("SIM/ALICE")) == 1
            await client.cancel_all("SIM/ALICE")
            async with aclosing(client.stream("SIM/ALICE")) as events:
                async for event in events:
                    assert not isinstance(event, Disconnected)
                    if isinstance(event, PositionsSnapshot):
                        break

    asyncio.run(use())


def test_commands_sign_with_the_key_of_the_environment(desk: Desk) -> None:
    environment = {
        "FAIRLEAD_API_KEY": desk.secret("Hmac1"),
        "FAIRLEAD_API_KEY_ID": desk.kids["Hmac1"],
    }
    words = ("balances", "--data", "data", "--json")
    assert fairlead(*words, folder=desk.folder, environment=environment).code == 0
    environment.pop("FAIRLEAD_API_KEY_ID")
    assert fairlead(*words, folder=desk.folder, environment=environment).code != 0


# ── again ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("label", LABELS)
def test_a_replay_is_refused_on_every_listener(desk: Desk, label: str) -> None:
    body = placed(f"once-{label}")
    headers = desk.sign(label, "POST", "/v1/orders", body)
    assert desk.send("POST", "/v1/orders", headers, body).status == 200
    for is_tls in (False, True):
        again = desk.send("POST", "/v1/orders", headers, body, is_tls=is_tls)
        assert (again.status, again.json) == (401, NOBODY)


def test_a_replay_after_a_restart_is_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path / "fairlead.toml", SETTINGS, ACCOUNTS)
    desk = Desk(tmp_path, Ems(tmp_path / "data", config))
    desk.make("Hmac1", "--scope", "trade")
    with running(desk.ems):
        desk.ems.ready()
        until(lambda: desk.call("Hmac1", "GET", "/v1/orders").status == 200, "it is known")
        # As far in the future as is taken, so that its window is open longest.
        headers = signed(
            *(desk.kids["Hmac1"], desk.signers["Hmac1"], "GET", HOST, "/v1/balances"), age_ms=-900
        )
        assert desk.send("GET", "/v1/balances", headers).status == 200
        desk.ems.kill()
    desk.ems = Ems(tmp_path / "data", config)
    with running(desk.ems):
        desk.ems.ready()

        def is_serving() -> bool:
            assert desk.send("GET", "/v1/balances", headers).status == 401
            return desk.call("Hmac1", "GET", "/v1/orders").status == 200

        until(is_serving, "signed requests are taken again")
        assert desk.send("GET", "/v1/balances", headers).status == 401


HOUR_S = 3_600


def test_a_replay_is_refused_though_the_clock_was_put_back_before_the_restart(
    tmp_path: Path,
) -> None:
    """The first process has a clock an hour ahead; to the second it is as if it had been put back."""
    config = write_config(tmp_path / "fairlead.toml", SETTINGS, ACCOUNTS)
    first = TimedEms(tmp_path / "data", config)
    desk = Desk(tmp_path, first)
    desk.make("Hmac1", "--scope", "trade")

    def headers() -> dict[str, str]:
        words = (desk.kids["Hmac1"], desk.signers["Hmac1"], "GET", HOST, "/v1/orders")
        return signed(*words, age_ms=-HOUR_S * 1_000)

    def is_taken() -> bool:
        return desk.send("GET", "/v1/orders", headers()).status == 200

    with running(first):
        first.ready()
        first.advance(HOUR_S)
        until(is_taken, "it is known")
        taken = headers()
        assert desk.send("GET", "/v1/orders", taken).status == 200
        first.kill()
    second = TimedEms(tmp_path / "data", config)
    desk.ems = second
    with running(second):
        second.ready()
        assert "signed requests are refused" in second.log
        assert desk.call("Hmac1", "GET", "/v1/orders").status == 401
        second.advance(HOUR_S)
        assert desk.send("GET", "/v1/orders", taken).status == 401
        until(is_taken, "signed requests are taken again")
        assert desk.send("GET", "/v1/orders", taken).status == 401


# ── re-aimed ─────────────────────────────────────────────────────────────────────────────────────

AIMS: dict[str, Callable[[str, dict[str, str], bytes], tuple[str, dict[str, str], bytes]]] = {
    "path": lambda target, headers, body: ("/v1/orders/check", headers, body),
    "case": lambda target, headers, body: (target.upper(), headers, body),
    "slash": lambda target, headers, body: ("//v1/orders", headers, body),
    "percent": lambda target, headers, body: ("/v1/%6Frders", headers, body),
    "query": lambda target, headers, body: (f"{target}?a=b", headers, body),
    "empty-query": lambda target, headers, body: (f"{target}?", headers, body),
    "key-in-query": lambda target, headers, body: (f"{target}?apikey=", headers, body),
    "absolute": lambda target, headers, body: (f"http://{HOST}{target}", headers, body),
    "fragment": lambda target, headers, body: (f"{target}#a", headers, body),
    "host": lambda target, headers, body: (target, headers | {"Host": "127.0.0.1:3080"}, body),
    "port": lambda target, headers, body: (target, headers | {"Host": "localhost"}, body),
    "body": lambda target, headers, body: (target, headers, body.replace(b"0.01", b"0.02")),
    "longer": lambda target, headers, body: (target, headers, body + b" "),
    "time": lambda target, headers, body: (
        target,
        headers | {"X-Fairlead-Timestamp": str(int(headers["X-Fairlead-Timestamp"]) + 1)},
        body,
    ),
    "nonce": lambda target, headers, body: (
        target,
        headers | {"X-Fairlead-Nonce": "0123456789abcdef"},
        body,
    ),
}


@pytest.mark.parametrize("aim", AIMS)
@pytest.mark.parametrize("label", LABELS)
def test_a_re_aimed_request_is_refused_and_does_nothing(desk: Desk, label: str, aim: str) -> None:
    name = f"aimed-{label}-{aim}"
    body = placed(name)
    headers = desk.sign(label, "POST", "/v1/orders", body)
    target, changed, other = AIMS[aim]("/v1/orders", headers, body)
    answer = desk.send("POST", target, changed, other)
    assert (answer.status, answer.json) == (401, NOBODY)
    assert not desk.known(name)
    assert desk.send("POST", "/v1/orders", headers, body).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_another_method_is_refused(desk: Desk, method: str) -> None:
    headers = desk.sign("Hmac1", "POST", "/v1/orders", b"")
    assert desk.send(method, "/v1/orders", headers).status == 401


def test_another_host_that_is_not_ours_is_refused_whoever_signs(desk: Desk) -> None:
    key = (desk.kids["Hmac1"], desk.signers["Hmac1"])
    headers = signed(*key, "GET", "evil.example", "/v1/orders")
    assert desk.send("GET", "/v1/orders", headers).status == 421


def test_without_a_host_nothing_that_is_signed_is_taken(desk: Desk) -> None:
    headers = signed(desk.kids["Hmac1"], desk.signers["Hmac1"], "GET", "", "/v1/orders")
    headers.pop("Host")
    assert desk.send("GET", "/v1/orders", headers, version="HTTP/1.0").status == 401


@pytest.mark.parametrize(
    "target",
    ["//v1/orders", "/v1/%6Frders", "/v1/orders/", "/v1/./orders", "/v1/x/../orders", "/V1/orders"],
)
def test_a_spelling_of_a_path_that_is_signed_opens_nothing(desk: Desk, target: str) -> None:
    body = placed("signed-spelling")
    assert desk.call("Hmac1", "POST", target, body).status in (403, 404, 405)
    assert not desk.known("signed-spelling")


@pytest.mark.parametrize(
    "timestamp", ["", "-1", "now", "1e13", "99999999999999", "0000000000000", "１" * 13, "1 "]
)
def test_a_timestamp_that_is_none_is_refused(desk: Desk, timestamp: str) -> None:
    headers = desk.sign("Hmac1", "GET", "/v1/orders")
    sent = timestamp.encode().decode("latin-1")
    assert desk.send("GET", "/v1/orders", headers | {"X-Fairlead-Timestamp": sent}).status == 401


@pytest.mark.parametrize("age_ms", [5_500, 3_600_000, -2_000, -3_600_000])
@pytest.mark.parametrize("label", LABELS)
def test_a_skewed_clock_proves_nobody(desk: Desk, label: str, age_ms: int) -> None:
    key = (desk.kids[label], desk.signers[label])
    headers = signed(*key, "GET", HOST, "/v1/orders", age_ms=age_ms)
    answer = desk.send("GET", "/v1/orders", headers)
    assert (answer.status, answer.json) == (401, NOBODY)


# ── kinds, and several at once ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("where", ["header", "query"])
def test_the_secret_of_a_key_that_signs_proves_nobody(desk: Desk, where: str) -> None:
    secret = desk.secret("Hmac1")
    target = "/v1/orders" if where == "header" else f"/v1/orders?apikey={secret}"
    headers = {"Host": HOST} | ({"X-CoinAPI-Key": secret} if where == "header" else {})
    answer = desk.send("GET", target, headers)
    assert (answer.status, answer.json) == (401, NOBODY)


def test_the_kinds_of_keys_cannot_be_confused(desk: Desk) -> None:
    for kid, signer in (
        ("Bearer1", "Bearer1"),  # one that is sent, used to sign
        ("Hmac1", "Ed1"),
        ("Ed1", "Hmac1"),
        ("Hmac1", "Hmac2"),  # another's public id
        ("Hmac2", "Hmac1"),
    ):
        headers = signed(desk.kids[kid], desk.signers[signer], "GET", HOST, "/v1/orders")
        answer = desk.send("GET", "/v1/orders", headers)
        assert (answer.status, answer.json) == (401, NOBODY), (kid, signer)


@pytest.mark.parametrize("other", ["Bearer1", "Hmac1"])
@pytest.mark.parametrize("where", ["header", "query"])
def test_a_signature_and_a_secret_are_two_identities(desk: Desk, where: str, other: str) -> None:
    secret = desk.secret(other)
    target = "/v1/orders" if where == "header" else f"/v1/orders?apikey={secret}"
    headers = desk.sign("Hmac1", "GET", target)
    both = headers | ({"X-CoinAPI-Key": secret} if where == "header" else {})
    assert desk.send("GET", target, both).status == 401
    if where == "header":
        assert desk.send("GET", target, headers).status == 200  # its nonce is not used up


@pytest.mark.parametrize(
    "name",
    ["X-Fairlead-Key", "X-Fairlead-Timestamp", "X-Fairlead-Nonce", "X-Fairlead-Signature"],
)
def test_every_part_of_a_signature_is_there_once(desk: Desk, name: str) -> None:
    headers = desk.sign("Hmac1", "GET", "/v1/orders")
    twice = [*headers.items(), (name.lower(), headers[name])]
    missing = [pair for pair in headers.items() if pair[0] != name]
    joined = [(key, f"{text}, {text}" if key == name else text) for key, text in headers.items()]
    for fields in (twice, missing, joined):
        answer = desk.send("GET", "/v1/orders", fields)
        assert (answer.status, answer.json) == (401, NOBODY)
    assert desk.send("GET", "/v1/orders", headers).status == 200


def test_two_hosts_are_refused(desk: Desk) -> None:
    headers = desk.sign("Hmac1", "GET", "/v1/orders")
    assert desk.send("GET", "/v1/orders", [*headers.items(), ("Host", HOST)]).status == 400


def test_a_body_names_no_key_scope_or_state(desk: Desk) -> None:
    for extra in ("kid", "scopes", "state", "apikey", "caller"):
        body = encoded(order("extra") | {extra: desk.kids["Hmac2"]})
        answer = desk.call("Hmac1", "POST", "/v1/orders", body)
        assert answer.status == 400
        assert extra in answer.body.decode()
    assert not desk.known("extra")


def test_a_signed_key_has_its_limits_too(desk: Desk) -> None:
    answer = desk.call("Hmac2", "POST", "/v1/orders", placed("not-hmac2"))
    assert answer.status == 403
    assert not desk.known("not-hmac2")


# ── WebSocket ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("label", LABELS)
def test_an_upgrade_is_signed_and_cannot_be_replayed(desk: Desk, label: str) -> None:
    headers = desk.sign(label, "GET", "/v1/ws")
    with pytest.raises(InvalidStatus) as aimed:
        desk.stream(headers, "?from=1:SIM")
    with desk.stream(headers) as stream:
        until_message(stream, "POSITION_SNAPSHOT")
        request = order(f"ws-{label}") | {"type": "ORDER_NEW_SINGLE_REQUEST"}
        stream.send(encoded(request).decode())
        until_message(stream, "ORDER_EXEC_REPORT_UPDATE")
    with pytest.raises(InvalidStatus) as again:
        desk.stream(headers)
    for caught in (aimed, again):
        assert caught.value.response.status_code == 401
        assert json.loads(caught.value.response.body or b"") == NOBODY
    assert desk.known(f"ws-{label}")


def test_a_signature_of_a_request_upgrades_nothing_and_the_reverse(desk: Desk) -> None:
    with pytest.raises(InvalidStatus):
        desk.stream(desk.sign("Hmac1", "POST", "/v1/ws"))
    headers = desk.sign("Hmac1", "GET", "/v1/ws")
    with desk.stream(headers):
        assert desk.send("GET", "/v1/ws", headers).status == 401


@pytest.mark.parametrize("act", ["disable", "revoke"])
def test_a_stream_ends_with_the_key_that_signed_for_it(desk: Desk, act: str) -> None:
    label = f"Ed{act.title()}1"
    desk.make(label)
    until(lambda: desk.call(label, "GET", "/v1/orders").status == 200, "it is known")
    with desk.stream(desk.sign(label, "GET", "/v1/ws")) as stream:
        until_message(stream, "POSITION_SNAPSHOT")
        desk.keys(act, label)
        with pytest.raises(ConnectionClosed) as caught:
            until_message(stream, "the end")
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4401
    assert desk.call(label, "GET", "/v1/orders").status == 401


# ── FIX ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("label", LABELS)
def test_a_key_that_signs_logs_nobody_on_by_fix(desk: Desk, label: str) -> None:
    headers = desk.sign(label, "GET", "/")
    secret = desk.signers[label]
    passwords = [headers["X-Fairlead-Signature"]]
    if isinstance(secret, str):
        passwords += [secret, base64.b64encode(secret.encode()).decode()]
    for number, password in enumerate(passwords):
        comp_id = f"SIGNED{number}{label.upper()}"
        with FixParty(desk.ems.endpoint["fix"], comp_id=comp_id) as client:
            with pytest.raises(AssertionError, match="the connection ended"):
                client.log_on((553, desk.kids[label]), (554, password))
            assert (client.told, client.farewell) == ([], "")


# ── FIX, attacked ────────────────────────────────────────────────────────────────────────────────


def fix_party(desk: Desk, comp_id: str) -> FixParty:
    return FixParty(desk.ems.endpoint["fix"], comp_id=comp_id)


def test_a_logon_that_was_overheard_logs_nobody_on_again(desk: Desk) -> None:
    fields = ((98, 0), (108, 30), (554, desk.secret("Bearer1")))
    with fix_party(desk, "OVERHEARD") as client, fix_party(desk, "OVERHEARD") as thief:
        logon = client.message("A", 1, *fields)
        client.next_out = 2
        client.connect()
        client.send_bytes(logon)
        client.wait(lambda said: said[35] == "A", "the Logon is answered")
        thief.connect()
        thief.send_bytes(logon)  # while it is logged on
        thief.wait_for_end()
        client.log_out()
        thief.connect()
        thief.send_bytes(logon + thief.message("D", 2, *fix_order("stolen")))  # and afterwards
        thief.wait_for_end()
        assert thief.told == []
    assert not desk.known("stolen")


@pytest.mark.parametrize("number", [1, 2, 1_000])
def test_an_order_before_the_logon_is_not_taken(desk: Desk, number: int) -> None:
    with fix_party(desk, f"EARLY{number}") as client:
        client.connect()
        client.send_bytes(client.message("D", number, *fix_order(f"early-{number}")))
        client.wait_for_end()
        assert client.told == []
    assert not desk.known(f"early-{number}")


@pytest.mark.parametrize(
    "begin",
    [
        b"8=FIX.4.4\x019=999999999\x01",
        b"8=FIX.4.4\x019=99999999999999999999\x01",
        b"8=FIX.4.4\x019=-1\x01",
        b"8=FIX.4.4\x01" + b"x" * 2_000_000,
        b"x" * 2_000_000,
    ],
    ids=["giant", "beyond-64-bits", "negative", "no-length", "no-message"],
)
def test_a_giant_message_ends_a_connection_that_nobody_logged_on(desk: Desk, begin: bytes) -> None:
    with fix_party(desk, "GIANT") as client:
        client.connect()
        with suppress(ConnectionError):  # it may be gone before all is sent
            client.send_bytes(begin + b"35=A\x01" + b"x" * 100_000)
        client.wait_for_end()
        assert client.told == []


def test_a_logon_with_a_wrong_checksum_logs_nobody_on(desk: Desk) -> None:
    with fix_party(desk, "CHECKSUM") as client:
        logon = client.message("A", 1, (98, 0), (108, 30), (554, desk.secret("Bearer1")))
        wrong = b"%03d" % ((int(logon[-4:-1]) + 1) % 256)
        client.connect()
        client.send_bytes(logon[:-4] + wrong + logon[-1:])
        client.send_bytes(client.message("D", 2, *fix_order("unchecked")))
        client.wait_for_end()
        assert client.told == []
    assert not desk.known("unchecked")


# ── from where ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("source", "said", "status"),
    [
        ("127.0.0.1", OFFICE, 403),
        (PROXY, OFFICE, 200),
        (PROXY, f"127.0.0.1, {OFFICE}", 200),
        (PROXY, f"::ffff:{OFFICE}", 200),
        (PROXY, f"{OFFICE}, {PROXY}", 200),
        (PROXY, f"{OFFICE}, 198.51.100.1", 403),
        (PROXY, None, 403),
        *((PROXY, wrong, 401) for wrong in ("010.0.0.1", f"{OFFICE}%1", f"{OFFICE}:80", "x", "")),
        (PROXY, f"{OFFICE}, fe80::1%eth0", 401),
    ],
)
def test_an_address_is_that_of_the_last_hop_that_is_not_trusted(
    desk: Desk, source: str, said: str | None, status: int
) -> None:
    headers = desk.sign("Office1", "GET", "/v1/orders")
    if said is not None:
        headers["X-Forwarded-For"] = said
    answer = desk.send("GET", "/v1/orders", headers, source=source)
    assert answer.status == status, answer
    if status == 401:
        assert answer.json == NOBODY


def test_what_else_a_proxy_may_write_counts_nothing(desk: Desk) -> None:
    more = {"Forwarded": f"for={OFFICE}", "X-Real-IP": OFFICE, "X-Forwarded-Proto": "https"}
    headers = desk.sign("Office1", "GET", "/v1/orders") | more
    answer = desk.send("GET", "/v1/orders", headers, source=PROXY)
    assert answer.json == {"message": f"ip_not_allowed: the key may not be used from {PROXY}"}


def test_too_many_attempts_from_an_address_hold_up_nobody_with_a_key(desk: Desk) -> None:
    port = int(desk.ems.endpoint["url"].rpartition(":")[2])
    line = http.client.HTTPConnection("127.0.0.1", port, 20, source_address=(STRANGER, 0))
    with closing(line):
        for _ in range(50_000):
            line.request("GET", "/v1/orders", headers={"X-CoinAPI-Key": "nonsense"})
            refused = line.getresponse()
            said = refused.read()
            if refused.status != 401:
                break
            assert json.loads(said) == NOBODY
    assert refused.status == 429
    assert refused.getheader("retry-after") == "1"
    assert json.loads(said)["message"].startswith("attempts_exceeded")
    wrong = desk.send("GET", "/v1/orders", {"Host": HOST}, source=STRANGER)
    assert wrong.status in (401, 429)
    for label in LABELS:
        headers = desk.sign(label, "GET", "/v1/orders")
        assert desk.send("GET", "/v1/orders", headers, source=STRANGER).status == 200
    bearer = {"Host": HOST, "X-CoinAPI-Key": desk.secret("Bearer1")}
    assert desk.send("GET", "/v1/orders", bearer, source=STRANGER).status == 200
    assert desk.send("GET", "/v1/orders", {"Host": HOST}).status == 401  # others are not counted
