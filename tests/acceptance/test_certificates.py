"""Certificates as credentials of keys, by clients of others: curl, Python's ssl, a WebSocket library, FIX.

No certificate, a good one, another authority's, one that has ended, one for another use, a revoked and an
unregistered one: each on every protocol, on kept-alive connections and with an offered resumption.
"""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import aclosing, closing
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from websockets.exceptions import ConnectionClosedError, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection

from fairlead.client import (
    AsyncClient,
    Client,
    NewOrder,
    Refused,
    Settings,
    Side,
    Unreachable,
)
from fairlead.client.events import Disconnected, PositionsSnapshot
from fairlead.control.activity import uses_of
from fairlead.control.store import Store
from fairlead.control.usage import Use
from fairlead.gateway.peers import NOT_COUNTED
from fairlead.tls.authority import key_pem, new_key
from tests.certified import (
    ALERTS,
    HEADER,
    VERSIONS,
    Certified,
    asked,
    certified,
    context,
    issued,
    opened,
)
from tests.commands.terminal import fairlead
from tests.fix_party import order as fix_order
from tests.system import WAIT_S, encoded, order, until
from tests.tls.authorities import Certificate

NOBODY = {"message": "Invalid API key"}
PEM, CSR = "/v1/certificate/pem", "/v1/certificate/csr"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    with certified(tmp_path_factory.mktemp("certified")) as made:
        yield made


@pytest.fixture(scope="module")
def good(system: Certified) -> Certificate:
    return system.issue("Trade1", "good")


# ── each kind on each protocol ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("flag", VERSIONS)
def test_a_good_certificate_trades(system: Certified, good: Certificate, flag: str) -> None:
    name = f"good{flag}"
    body = ("--json", json.dumps(order(name, amount_order=0.01, price=20000)))
    code, status, answer, version = system.curl("/v1/orders", good, flag, *body)
    assert (code, status, version) == (0, "200", VERSIONS[flag]), answer
    assert json.loads(answer)["status"] in ("ROUTED", "NEW")
    kid = system.kid("Trade1")
    path = "/v1/orders/history?time_start=1970-01-01&time_end=2262-01-01"
    rows = {row["clientOrderId"]: row for row in system.api("Read1", "GET", path).json}
    assert rows[name]["apikey"] == kid


@pytest.mark.parametrize("kind", ALERTS)
@pytest.mark.parametrize("flag", VERSIONS)
def test_curl_gets_an_alert_for_every_other(system: Certified, flag: str, kind: str) -> None:
    code, _, answer, words = system.curl("/v1/orders", system.refused[kind], flag)
    assert code != 0
    assert (answer, ALERTS[kind] in words) == ("", True), words


@pytest.mark.parametrize("flag", VERSIONS)
def test_an_unregistered_one_gets_401_whatever_key_comes_with_it(
    system: Certified, flag: str
) -> None:
    """It is good to the handshake: our authority's, in date, for clients, on no list."""
    unregistered = system.refused["unregistered"]
    for more in ((), ("--header", f"{HEADER}: {system.secrets['Trade1']}")):
        code, status, answer, _ = system.curl("/v1/orders", unregistered, flag, *more)
        assert (code, status, json.loads(answer)) == (0, "401", {"message": NOT_COUNTED})


@pytest.mark.parametrize("kind", ALERTS)
def test_python_gets_an_alert_at_its_first_read(system: Certified, kind: str) -> None:
    connection = opened(system.https_clients, system.desk, system.refused[kind])
    with closing(connection), pytest.raises(ssl.SSLError, match=ALERTS[kind]):
        connection.recv(1)


def test_a_certificate_that_does_not_say_what_for_is_refused(system: Certified) -> None:
    connection = opened(system.https_clients, system.desk, system.refused["for any use"])
    with closing(connection):
        assert connection.recv(1) == b""


def test_a_good_certificate_streams_and_places(system: Certified, good: Certificate) -> None:
    with system.stream(good) as stream:
        until_message(stream, "POSITION_SNAPSHOT")
        request = order("ws-good") | {"type": "ORDER_NEW_SINGLE_REQUEST"}
        stream.send(encoded(request).decode())
        until(lambda: system.known("ws-good"), "the order is placed")


@pytest.mark.parametrize("kind", [*ALERTS, "for any use"])
def test_no_upgrade_without_a_good_certificate(system: Certified, kind: str) -> None:
    with pytest.raises((OSError, EOFError, WebSocketException)) as caught:
        system.stream(system.refused[kind])
    assert not isinstance(caught.value, InvalidStatus)  # no answer of ours, but an alert


def test_an_upgrade_with_an_unregistered_one_gets_401(system: Certified) -> None:
    with pytest.raises(InvalidStatus) as caught:
        system.stream(system.refused["unregistered"])
    assert caught.value.response.status_code == 401


@pytest.mark.parametrize("kind", ALERTS)
def test_fix_gets_an_alert_without_a_good_certificate(system: Certified, kind: str) -> None:
    connection = opened(f"https://{system.fix}", system.desk, system.refused[kind])
    with closing(connection), pytest.raises(ssl.SSLError, match=ALERTS[kind]):
        connection.recv(1)


def test_fix_with_an_unregistered_one_is_logged_out(system: Certified) -> None:
    secret = system.secrets["Trade1"]
    for fields in ((), ((554, secret),)):
        with system.party(system.refused["unregistered"]) as party:
            party.connect()
            party.say("A", (98, 0), (108, 30), *fields)
            assert party.next_of("5")[58] == "Invalid API key"


def test_a_good_certificate_trades_by_fix(system: Certified, good: Certificate) -> None:
    with system.party(good) as party:
        party.log_on()
        party.say("D", *fix_order("fix-good"))
        party.report("fix-good", "0")
        party.log_out()


def test_every_use_of_a_key_is_remembered_whatever_the_protocol(system: Certified) -> None:
    system.make_key("Used1")
    until(lambda: system.api("Used1", "GET", "/v1/orders").status == 200, "the key is known")
    certificate, kid = system.issue("Used1"), system.kid("Used1")
    with system.stream(certificate) as stream, system.party(certificate) as party:
        until_message(stream, "POSITION_SNAPSHOT")
        party.log_on()
    fingerprint = certificate.fingerprint
    expected = {
        ("rest", ""),
        ("rest", fingerprint),
        ("websocket", fingerprint),
        ("fix", fingerprint),
    }

    def uses() -> list[Use]:
        with Store.open(system.folder / "data", None) as store, store.read() as connection:
            return uses_of(connection, kid)

    until(lambda: {(use.protocol, use.certificate) for use in uses()} == expected, "all are kept")
    assert {use.address for use in uses()} == {"127.0.0.1"}
    listed = json.loads(system.command("keys", "list", "--json").out)
    (shown,) = [each for each in listed if each["kid"] == kid]
    assert shown["last_used"] is not None
    assert shown["last_address"] == "127.0.0.1"


# ── what it may, and with whom ───────────────────────────────────────────────────────────────────


def test_a_certificate_may_what_its_key_may_and_no_more(system: Certified) -> None:
    secret = system.make_key("Little1", accounts=("SIM/ALICE",))
    until(lambda: system.api("Little1", "GET", "/v1/orders").status == 200, "the key is known")
    certificate = system.issue("Little1")
    body = ("--json", json.dumps(order("not-placed", amount_order=0.01, price=20000)))
    _, status, answer, _ = system.curl("/v1/orders", certificate, *body)
    assert (status, "scope_missing" in answer) == ("403", True)
    _, status, answer, _ = system.curl("/v1/orders?exchange_id=SIM", certificate)
    assert (status, "account_not_allowed" in answer) == ("403", True)
    _, status, answer, _ = system.curl("/v1/balances", certificate)
    assert {row["exchange_id"] for row in json.loads(answer)} == {"SIM/ALICE"}
    system.command("keys", "edit", "Little1", "--address", "198.51.100.0/24")
    until(lambda: system.curl("/v1/orders", certificate)[1] == "403", "the address is refused")
    assert "ip_not_allowed" in system.curl("/v1/orders", certificate)[2]
    assert secret not in answer


def test_the_same_identity_twice_is_fine_and_two_are_none(
    system: Certified, good: Certificate
) -> None:
    own, others = system.secrets["Trade1"], system.secrets["Manage1"]
    for secret, expected in ((own, "200"), (others, "401"), ("nonsense", "401")):
        _, status, answer, _ = system.curl("/v1/orders", good, "--header", f"{HEADER}: {secret}")
        assert status == expected
        _, status, answer, _ = system.curl(f"/v1/orders?apikey={secret}", good)
        assert status == expected
        if expected == "401":
            assert json.loads(answer) == NOBODY
    with system.stream(good, **{HEADER: own}) as stream:
        until_message(stream, "SERVER_INFO")
    with pytest.raises(InvalidStatus):
        system.stream(good, **{HEADER: others})
    kid = system.kid("Manage1")
    for fields in (((554, others),), ((553, kid),), ((554, "nonsense"),)):
        with system.party(good) as party:
            party.connect()
            party.say("A", (98, 0), (108, 30), *fields)
            assert party.next_of("5")[58] == "Invalid API key"
    with system.party(good) as party:
        party.log_on((554, own), is_reset=True)
        party.log_out()


def test_two_certificates_of_two_keys_share_a_comp_id(system: Certified, good: Certificate) -> None:
    other = system.issue("Manage1", "other")
    with system.party(good) as first, system.party(other) as second:
        first.log_on(is_reset=True)
        second.log_on()
        first.say("D", *fix_order("share-1"))
        first.report("share-1", "0")
        second.log_out()
        first.log_out()


def test_a_fix_session_goes_on_under_a_new_certificate_of_the_same_key(system: Certified) -> None:
    system.make_key("Renews1")
    with system.party(system.issue("Renews1", "before")) as before:
        before.log_on()
        before.log_out()
        number = before.next_out
    with system.party(system.issue("Renews1", "after")) as after:
        after.next_out, after.next_in = number, before.next_in
        after.log_on()
        after.synchronise()
        after.log_out()


# ── what happens to a certificate after its handshake ────────────────────────────────────────────


@pytest.mark.parametrize(
    ("label", "act"),
    [
        ("Leaver1", ("certificates", "revoke")),
        ("Leaver2", ("keys", "revoke")),
        ("Leaver3", ("keys", "disable")),
    ],
)
def test_what_is_open_ends_with_certificate_or_key(
    system: Certified, good: Certificate, label: str, act: tuple[str, str]
) -> None:
    """On a kept-alive connection, a WebSocket and a live FIX session; nobody else's is touched."""
    system.make_key(label, "trade")
    leaver = system.issue(label)
    with (
        closing(opened(system.https_clients, system.desk, leaver)) as kept,
        closing(opened(system.https_clients, system.desk, good)) as other,
        system.stream(leaver) as stream,
        system.party(leaver) as leaving,
        system.party(good) as staying,
    ):
        assert asked(kept) == asked(other) == b"HTTP/1.1 200 OK"
        leaving.log_on()
        staying.log_on(is_reset=True)
        until_message(stream, "POSITION_SNAPSHOT")
        system.command(*act, leaver.fingerprint if act[0] == "certificates" else label)
        with pytest.raises(ConnectionClosedError) as closed:
            until_message(stream, "the end")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
        assert leaving.next_of("5")[58] in (NOT_COUNTED, "the key does not allow this any more")
        leaving.say("D", *fix_order(f"late-{label}"))
        leaving.log_out()
        until(lambda: _is_closed(kept), "the kept connection is closed")
        assert asked(other) == b"HTTP/1.1 200 OK"
        staying.say("D", *fix_order(f"stays-{label}"))
        staying.report(f"stays-{label}", "0")
        staying.log_out()
    assert not system.known(f"late-{label}")
    until(lambda: _is_out(system, leaver, act), "the certificate is refused")


def _is_out(system: Certified, certificate: Certificate, act: tuple[str, str]) -> bool:
    """Whether a revoked one is refused by the handshake; one whose key is disabled is not listed."""
    code, status, _, words = system.curl("/v1/orders", certificate)
    return status == "401" if act[1] == "disable" else "certificate revoked" in words and code != 0


def _is_closed(connection: ssl.SSLSocket) -> bool:
    try:
        line = asked(connection)
    except OSError:
        return True
    assert line in (b"", b"HTTP/1.1 200 OK", b"HTTP/1.1 401 Unauthorized"), line
    return line == b""


def test_an_offered_resumption_becomes_a_full_handshake(system: Certified) -> None:
    """From the other listener, from the same one, and with a certificate revoked in between."""
    client = system.issue("Trade1", "resumer")
    made = context(system.desk, client)
    for url in (system.https, system.https_clients):
        with closing(opened(url, system.desk, made=made)) as first:
            assert asked(first, b"/health/live") == b"HTTP/1.1 200 OK"
            session = first.session
            assert session is None or not session.has_ticket
        again = opened(system.https_clients, system.desk, session=session, made=made)
        with closing(again):
            assert not again.session_reused
            assert asked(again) == b"HTTP/1.1 200 OK"
    system.revoke(client)
    until(lambda: _is_refused(system, made, session), "the revoked list is read again")


def _is_refused(system: Certified, made: ssl.SSLContext, session: ssl.SSLSession | None) -> bool:
    again = opened(system.https_clients, system.desk, session=session, made=made)
    with closing(again):
        try:
            asked(again)
        except ssl.SSLError as error:
            return "certificate revoked" in str(error)
    return False


def until_message(stream: ClientConnection, kind: str) -> None:
    while json.loads(stream.recv(timeout=WAIT_S))["type"] != kind:
        pass


# ── by the management API ────────────────────────────────────────────────────────────────────────


def kept(system: Certified, name: str, text: str) -> Certificate:
    """Keep what was answered as a client would, as text alone."""
    path = system.folder / f"{name}.pem"
    path.write_text(text)
    return Certificate(path, x509.load_pem_x509_certificate(text.encode()))


def test_a_key_that_may_manage_gets_one_for_itself_that_counts_at_once(system: Certified) -> None:
    answer = system.api("Manage1", "GET", PEM)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain")
    assert answer.headers["cache-control"] == "no-store"
    text = answer.body.decode()
    labels = [line[11:-5] for line in text.splitlines() if line.startswith("-----BEGIN")]
    assert labels == ["PUBLIC KEY", "PRIVATE KEY", "CERTIFICATE"]
    certificate = kept(system, "own", text)
    code, status, _, _ = system.curl("/v1/orders", certificate)
    assert (code, status) == (0, "200")
    assert system.api("Manage1", "GET", PEM).body != answer.body
    system.refused.setdefault("own", certificate)


@pytest.mark.parametrize("label", ["Read1", "Trade1"])
def test_a_key_that_may_not_manage_gets_none(system: Certified, label: str) -> None:
    before = len(system.api("Manage1", "GET", "/v1/certificates").json)
    for method, path, body in (
        ("GET", PEM, None),
        ("POST", CSR, b"{}"),
        ("DELETE", "/v1/certificates/" + "0" * 64, None),
    ):
        answer = system.api(label, method, path, body)
        assert (answer.status, "scope_missing" in str(answer.body)) == (403, True)
    assert len(system.api("Manage1", "GET", "/v1/certificates").json) == before


def test_a_head_issues_nothing(system: Certified) -> None:
    before = len(system.api("Manage1", "GET", "/v1/certificates").json)
    assert system.api("Manage1", "HEAD", PEM).status == 405
    assert len(system.api("Manage1", "GET", "/v1/certificates").json) == before


def test_a_certificate_gets_the_next_one(system: Certified) -> None:
    """Renewing needs no secret: the certificate of a key that may manage is enough."""
    first = kept(system, "first", system.api("Manage1", "GET", PEM).body.decode())
    code, status, text, _ = system.curl(PEM, first)
    assert (code, status) == (0, "200")
    assert system.curl("/v1/orders", kept(system, "next", text))[1] == "200"


def test_a_private_key_never_leaves_who_sends_a_request(system: Certified) -> None:
    key = new_key()
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")]))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    answer = system.api("Manage1", "POST", CSR, json.dumps({"csr": request.decode()}).encode())
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    text = answer.body.decode()
    assert text.count("-----BEGIN ") == 1
    certificate = kept(system, "csr", text + key_pem(key).decode())
    assert certificate.certificate.subject.rfc4514_string() != "CN=root"
    assert system.curl("/v1/orders", certificate)[1] == "200"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b"{}", "csr"),
        (b'{"csr": 1}', "csr"),
        (b'{"csr": "x"}', "csr"),
        (b'{"csr": "x", "kid": "flk_AAAAAAAAAAAAAAAAAAAAAA"}', "kid"),
        (b'{"csr": "x", "csr": "y"}', "csr"),
        (b'{"csr": "x", "scopes": ["withdraw"]}', "scopes"),
    ],
)
def test_a_wrong_request_is_named(system: Certified, body: bytes, said: str) -> None:
    before = len(system.api("Manage1", "GET", "/v1/certificates").json)
    answer = system.api("Manage1", "POST", CSR, body)
    assert answer.status == 400
    assert said in answer.json["message"]
    assert len(system.api("Manage1", "GET", "/v1/certificates").json) == before


def test_own_ones_are_listed_and_all_for_who_may_manage(
    system: Certified, good: Certificate
) -> None:
    trade = system.kid("Trade1")
    own = system.api("Trade1", "GET", "/v1/certificates").json
    assert {row["key"] for row in own} == {trade}
    everybodys = system.api("Manage1", "GET", "/v1/certificates").json
    assert {row["key"] for row in everybodys} > {trade}
    (row,) = [row for row in own if row["fingerprint"] == good.fingerprint]
    assert (row["state"], row["time_revoked"]) == ("active", None)
    assert row["serial"] == f"{good.certificate.serial_number:032x}"
    assert "PRIVATE" not in str(everybodys)


def test_revoking_by_the_api_counts_when_it_is_answered(system: Certified) -> None:
    certificate = system.issue("Trade1", "revoked-by-api")
    path = f"/v1/certificates/{certificate.fingerprint}"
    with closing(opened(system.https_clients, system.desk, certificate)) as open_one:
        assert asked(open_one) == b"HTTP/1.1 200 OK"
        assert system.api("Manage1", "DELETE", path).status == 200
        try:
            assert asked(open_one) in (b"HTTP/1.1 401 Unauthorized", b"")
        except OSError:
            assert True  # it was quicker
    assert system.api("Manage1", "DELETE", path).status == 200
    rows = system.api("Manage1", "GET", "/v1/certificates").json
    (row,) = [each for each in rows if each["fingerprint"] == certificate.fingerprint]
    assert row["state"] == "revoked"
    crl = x509.load_pem_x509_crl(system.api("Read1", "GET", "/v1/certificate/crl").body)
    number = certificate.certificate.serial_number
    assert crl.get_revoked_certificate_by_serial_number(number) is not None


@pytest.mark.parametrize("name", ["", "0" * 64, "%00", "..", "%FF", "a" * 5_000, "'"])
def test_what_is_not_there_is_404(system: Certified, name: str) -> None:
    answer = system.api("Manage1", "DELETE", f"/v1/certificates/{name}")
    assert answer.status == 404


def test_the_authority_is_what_the_listener_trusts(system: Certified) -> None:
    answer = system.api("Read1", "GET", "/v1/certificate/ca")
    assert answer.body == system.desk.authorities.read_bytes()
    for path in ("/v1/certificate/ca", "/v1/certificate/crl", "/v1/certificates"):
        system.secrets["nobody"] = "nonsense"
        assert system.api("nobody", "GET", path).json == NOBODY


# ── by the client library ────────────────────────────────────────────────────────────────────────


def settings_of(system: Certified, certificate: Certificate | None) -> Settings:
    shown = None if certificate is None else str(certificate.path)
    return Settings(ca_file=str(system.desk.authorities), certificate=shown)


def new_order(name: str) -> NewOrder:
    return NewOrder(
        exchange_id="SIM",
        symbol_id_coinapi="SIM_SPOT_BTC_USDT",
        side=Side.BUY,
        amount_order=Decimal("0.01"),
        price=Decimal(20_000),
        client_order_id=name,
    )


def test_the_client_library_trades_over_https_with_a_certificate(
    system: Certified, good: Certificate
) -> None:
    with Client(system.https_clients, settings_of(system, good)) as client:
        assert client.place(new_order("lib-sync")).status in ("ROUTED", "NEW")
        assert client.status("lib-sync").client_order_id == "lib-sync"
    with Client(system.https, settings_of(system, None)) as plain, pytest.raises(Refused):
        plain.balances()  # over TLS, and without a credential
    for kind in ("none", "revoked", "ended"):
        settings = settings_of(system, system.refused[kind])
        with Client(system.https_clients, settings) as client, pytest.raises(Unreachable):
            client.balances()
    with Client(system.https_clients) as stranger, pytest.raises(Unreachable):
        stranger.balances()  # it does not trust our authority


@pytest.mark.asyncio
async def test_the_async_client_trades_and_streams_over_https_with_a_certificate(
    system: Certified, good: Certificate
) -> None:
    async with AsyncClient(system.https_clients, settings_of(system, good)) as client:
        assert (await client.place(new_order("lib-async"))).status in ("ROUTED", "NEW")
        async with aclosing(client.stream("SIM")) as events:
            async for event in events:
                assert not isinstance(event, Disconnected), event
                if isinstance(event, PositionsSnapshot):
                    break
    stranger = AsyncClient(system.https_clients, settings_of(system, system.refused["revoked"]))
    async with stranger as client:
        with pytest.raises(Unreachable):
            await client.balances()


# ── races ────────────────────────────────────────────────────────────────────────────────────────


def test_issuing_by_eight_connections_while_the_key_is_revoked(system: Certified) -> None:
    """Every certificate that came back is refused afterwards: none outlives its key."""
    system.make_key("Racer1", "manage")
    until(lambda: system.api("Racer1", "GET", "/v1/orders").status == 200, "the key is known")
    texts: list[str] = []
    has_begun = threading.Event()

    def issue() -> None:
        for _ in range(5):
            answer = system.api("Racer1", "GET", PEM)
            if answer.status == 200:
                texts.append(answer.body.decode())
                has_begun.set()

    threads = [threading.Thread(target=issue) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert has_begun.wait(20)
    system.command("keys", "revoke", "Racer1")
    for thread in threads:
        thread.join()
    until(lambda: system.api("Racer1", "GET", "/v1/orders").status == 401, "the key is gone")
    assert texts
    for number, text in enumerate(texts):
        certificate = kept(system, f"racer{number}", text)
        until(
            lambda held=certificate: not _passes(system, held),  # type: ignore[misc]
            "it is refused",
        )


def _passes(system: Certified, certificate: Certificate) -> bool:
    code, status, _, _ = system.curl("/v1/orders", certificate)
    return code == 0 and status != "401"


def test_commands_call_over_https_with_a_certificate_by_flags_or_environment(
    system: Certified, good: Certificate
) -> None:
    asked = ("orders", "--json", "--url", system.https_clients)
    files = {"ca-file": str(system.desk.authorities), "certificate": str(good.path)}
    flags = [word for name, path in files.items() for word in (f"--{name}", path)]
    environment = {
        f"FAIRLEAD_{name.upper().replace('-', '_')}": path for name, path in files.items()
    }
    by_flags = fairlead(*asked, *flags, folder=system.folder)
    by_environment = fairlead(*asked, folder=system.folder, environment=environment)
    assert (by_flags.code, by_flags.err) == (0, "")
    assert by_environment == by_flags
    accounts = fairlead("accounts", "--url", system.https_clients, *flags, folder=system.folder)
    assert (accounts.code, "SIM" in accounts.out) == (0, True)
    # Whom the machine trusts, our authority is not among; and what is for https is not for http.
    assert fairlead(*asked, folder=system.folder).code == 3
    plain = ("orders", "--url", str(system.ems.endpoint["url"]))
    assert fairlead(*plain, *flags, folder=system.folder).code == 2
    key = {"FAIRLEAD_API_KEY": system.secrets["Read1"]}
    assert fairlead(*plain, folder=system.folder, environment=environment | key).code == 0
    gone = fairlead(*asked, "--ca-file", "nowhere.pem", folder=system.folder)
    assert gone.code == 2
    assert "Traceback" not in gone.err


# ── open mode ────────────────────────────────────────────────────────────────────────────────────


def test_in_open_mode_who_shows_a_certificate_is_held_to_it(tmp_path: Path) -> None:
    with certified(tmp_path, authentication="open") as system:
        certificate = issued(tmp_path, "Read1")
        until(lambda: system.counts(certificate), "the certificate is known")
        body = ("--json", json.dumps(order("held", amount_order=0.01, price=20000)))
        assert system.curl("/v1/orders", certificate, *body)[1] == "403"
        assert system.curl("/v1/orders", system.refused["unregistered"])[1] == "401"
        with system.party(certificate) as party:
            party.log_on()
            party.say("D", *fix_order("held-fix"))
            assert "scope_missing" in party.next_of("j")[58]
            party.log_out()
        with system.stream(certificate) as stream:
            until_message(stream, "POSITION_SNAPSHOT")
            system.revoke(certificate)
            with pytest.raises(ConnectionClosedError) as closed:
                until_message(stream, "the end")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
