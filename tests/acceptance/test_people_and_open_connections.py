"""What a person takes from a key on the page ends what is open by it: REST, WebSocket, FIX, certificates.

A started system on each database, its own clock, real sockets; everything is done by a person's calls.
"""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import NamedTuple

import pytest
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from fairlead.commands.keeping import owner
from fairlead.control import tls_files
from fairlead.control.control import Control
from fairlead.control.key_changes import Wanted
from fairlead.control.keyring import Made
from fairlead.control.tables import KEYS
from fairlead.gateway.listeners import ListenerSettings
from fairlead.tls.folder import AUTHORITIES
from tests.control.conftest import DATABASES, postgresql  # noqa: F401 - fixture
from tests.fix_party import FixParty
from tests.fix_party import order as fix_order
from tests.person import Person
from tests.postgresql import Server
from tests.system import ACCOUNTS, QUICK, Answer, Api, encoded, exact, order, until, write_config
from tests.system import running as have_running
from tests.timed import TimedEms

HEADER = "X-CoinAPI-Key"
WITHIN_S = 1.0
A_MAILING = 13 * 60  # in which five codes an hour are not too many


class System(NamedTuple):
    ems: TimedEms
    ann: Person
    control: Control
    desk: str

    def ask(self, secret: str, method: str, path: str, form: object = None) -> Answer:
        with closing(Api(self.ems.endpoint["url"])) as api:
            return api.request(method, path, form and encoded(form), {HEADER: secret})

    def totp(self) -> str:
        """Return what the authenticator shows next."""
        self.ems.advance(30)
        return self.ann.totp(self.ems.now_ns())

    def states(self) -> dict[str, str]:
        """Return what is stored of the keys."""
        with self.control.store.read() as connection:
            return {row.label: row.state for row in connection.execute(KEYS.select())}


@pytest.fixture(scope="module", params=DATABASES)
def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("taken")
    data = folder / "data"
    data.mkdir()
    url = None
    if request.param == "postgresql":
        databases: Server = request.getfixturevalue("postgresql")
        url = databases.new_database()
    settings = QUICK | {"authentication": "keys"} | ({} if url is None else {"control.url": url})
    config = write_config(folder / "fairlead.toml", settings, ACCOUNTS)
    with Control.open(data, url, None, "local", time.time_ns()) as control:
        tls_files.init(control, data / "tls", (), owner(), time.time_ns())
        wanted = Wanted(label="Desk1", scopes=("trade",), days=90)
        desk = control.keyring.create(owner(), wanted, time.time_ns())
        assert isinstance(desk, Made)
        token = control.users.first_link(owner(), time.time_ns())
        ems = TimedEms(data, config, "--tls-clients", "127.0.0.1:0")
        with have_running(ems), Person(ems.ready().api()) as ann:
            assert token is not None
            ann.become(token)
            ann.enrol(ems.now_ns())
            made = System(ems, ann, control, str(desk.secret))
            until(lambda: is_reconciled(made), "every account is reconciled")
            yield made


def is_reconciled(system: System) -> bool:
    accounts = system.ask(system.desk, "GET", "/health/ready").json.get("accounts")
    return bool(accounts) and all(each["state"] == "reconciled" for each in accounts)


class Open:
    """A key that was just made, and what is open by it: a kept connection, a WebSocket, a FIX session."""

    def __init__(self, system: System, label: str) -> None:
        self._label = label
        said = system.ann.granted(system.totp(), "key.add", label=label, scopes=["trade"])
        self.kid: str = said["kid"]
        self.secret: str = said["secret"]
        assert system.ask(self.secret, "GET", "/v1/orders").status == 200, "it counts at once"
        self._api = system.ems.api()
        address = system.ems.endpoint["url"].replace("http", "ws") + "/v1/ws"
        self._stack = ExitStack()
        self.stream: ClientConnection = self._stack.enter_context(
            connect(address, additional_headers={HEADER: self.secret}, proxy=None)
        )
        for _ in ACCOUNTS:
            while exact(str(self.stream.recv(20)).encode())["type"] != "POSITION_SNAPSHOT":
                pass  # what is there already is no update
        self.party = FixParty(str(system.ems.endpoint["fix"]), comp_id=label.upper())
        self.party.now_ns = system.ems.now_ns
        self.party.log_on((554, self.secret))
        self._placed = 0

    def close(self) -> None:
        self.party.drop()
        self._stack.close()
        self._api.close()

    def place(self) -> Answer:
        """Place an order on the kept connection."""
        self._placed += 1
        form = encoded(order(f"{self._label}-{self._placed}"))
        return self._api.request("POST", "/v1/orders", form, {HEADER: self.secret})

    def place_by_stream(self, name: str) -> str:
        """Place an order on the WebSocket; return what became of it, or with what it was closed."""
        request = order(name) | {"type": "ORDER_NEW_SINGLE_REQUEST"}
        try:
            self.stream.send(encoded(request).decode())
            while True:
                message = exact(str(self.stream.recv(20)).encode())
                if message.get("client_order_id") == name and "status" in message:
                    return "placed"
                if message["type"] == "MESSAGE_REJECT":
                    return str(message["message"]).partition(":")[0]
        except ConnectionClosed:
            return closed_with(self.stream)

    def place_by_fix(self, name: str) -> str:
        """Place an order in the FIX session; return what became of it, or the message that ends it."""
        try:
            self.party.say("D", *fix_order(name))
            said = self.party.wait(
                lambda each: each[35] in "5j" or each.get(11) == name, "an answer"
            )
        except (AssertionError, OSError):
            return "gone"
        return {"8": "placed", "5": "Logout", "j": "refused"}[said[35]]


def closed_with(stream: ClientConnection) -> str:
    """Read to the end; return the code with which the server closed it."""
    try:
        while True:
            stream.recv(20)
    except ConnectionClosed as error:
        return str(None if error.rcvd is None else error.rcvd.code)


def refused_within_a_second(place: Callable[[], str]) -> str:
    """Place until it is refused; none may be taken that was sent a second later. Returns how it was."""
    since = time.monotonic()
    while True:
        sent = time.monotonic()
        became = place()
        if became != "placed":
            return became
        assert sent - since < WITHIN_S, "an order was taken that was sent a second later"


def narrow(system: System, key: Open, **rights: object) -> None:
    whole: dict[str, object] = {"scopes": ["trade"]}
    payload = whole | rights
    system.ann.granted(system.totp(), "key.edit", kid=key.kid, version=1, **payload)


def disable(system: System, key: Open) -> None:
    path = f"/v1/keys/{key.kid}/disable"
    assert system.ann.call("POST", path, {"totp": system.totp()}).status == 200


def delete_all(system: System, key: Open) -> None:
    count = len(system.ann.call("GET", "/v1/keys").json)
    said = system.ann.granted(system.totp(), "key.delete_all", count=count)
    assert said == {"deleted": count}


def switch_factor_off(system: System, key: Open) -> None:
    system.ann.granted(system.totp(), "two_factor.disable")


# By label, what is done, and how an order is refused then by REST. Switching off comes last.
ACTS: dict[str, tuple[Callable[[System, Open], None], int, str]] = {
    "Reads1": (lambda s, k: narrow(s, k, scopes=[]), 403, "scope_missing"),
    "Moves1": (
        lambda s, k: narrow(s, k, ip_mode="trusted", addresses=["192.0.2.1"]),
        403, "ip_not_allowed",
    ),
    "Other1": (lambda s, k: narrow(s, k, accounts=["SIM/ALICE"]), 403, "account_not_allowed"),
    "Still1": (disable, 401, ""),
    "Gone1": (
        lambda s, k: s.ann.granted(s.totp(), "key.delete", kid=k.kid), 401, "",
    ),
    "None1": (delete_all, 401, ""),
    "Half1": (switch_factor_off, 401, ""),
}  # fmt: skip
STORED = {"Still1": "disabled", "Gone1": "revoked", "None1": "revoked", "Half1": "suspended"}


def test_a_certificate_ends_with_the_deleted_key_that_it_is_bound_to(system: System) -> None:
    """First of all, by recovery codes: to the machine's clock a later certificate is of the future."""
    codes = iter(system.ann.recovery_codes)
    kid = system.ann.granted(next(codes), "key.add", label="Cert1", scopes=["trade"])["kid"]
    pem = system.ann.granted(next(codes), "certificate.issue", kid=kid)["pem"]
    file = system.ems.folder / "cert.pem"
    file.write_text(pem)
    context = ssl.create_default_context(cafile=system.ems.folder / "tls" / AUTHORITIES)
    context.load_cert_chain(file)
    address = str(system.ems.endpoint["https_clients"]).replace("https", "wss") + "/v1/ws"

    def stream() -> ClientConnection:
        return connect(address, ssl=context, proxy=None, open_timeout=20)

    def is_known() -> bool:
        try:
            with stream():
                return True
        except (OSError, WebSocketException):  # by its handshake, or before the list is read by 401
            return False

    assert is_known(), "it counts at once"
    with stream() as kept:
        system.ann.granted(next(codes), "key.delete_all", count=1)
        assert closed_with(kept) == "4401"
        assert (
            ListenerSettings(system.ems.folder).judge_s < WITHIN_S
        )  # what is silent is judged as often
    assert not is_known()
    assert system.states()["Cert1"] == "revoked"


@pytest.mark.parametrize("label", ACTS)
def test_what_is_taken_from_a_key_ends_within_a_second_everywhere(
    system: System, label: str
) -> None:
    act, status, code = ACTS[label]
    system.ems.advance(A_MAILING)
    with closing(Open(system, label)) as key:
        assert key.place().status == 200
        assert key.place_by_stream(f"{label}-ws") == "placed"
        assert key.place_by_fix(f"{label}-fix") == "placed"
        act(system, key)
        names = iter(range(10_000))
        answer = key.place()  # the next request
        assert answer.status == status, answer
        assert code in str(answer.body)
        by_stream = lambda: key.place_by_stream(f"{label}-ws-{next(names)}")  # noqa: E731 - one line each
        assert refused_within_a_second(by_stream) == "4401"
        by_fix = lambda: key.place_by_fix(f"{label}-fix-{next(names)}")  # noqa: E731 - one line each
        assert refused_within_a_second(by_fix) in ("Logout", "gone")
        assert key.party.farewell == "the key does not allow this any more"
    assert system.states()[label] == STORED.get(label, "active")
    assert system.ask(system.desk, "POST", "/v1/orders", order(f"desk-{label}")).status == 200


def test_the_audit_of_all_this_verifies(system: System) -> None:
    assert system.control.audit.verify().holds
