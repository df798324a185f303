"""A system with two subscriptions that have an account and whatever else they can in common."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from websockets.sync.client import ClientConnection, connect

from fairlead.control import tls_files
from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.key_changes import Wanted
from fairlead.control.keyring import Made
from fairlead.control.subscriptions import Subscription
from tests.fix_party import FixParty
from tests.system import (
    ACCOUNTS,
    ANY_PORT,
    QUICK,
    Answer,
    Api,
    Ems,
    Json,
    encoded,
    exact,
    order,
    until,
    write_config,
)

HEADER = "X-CoinAPI-Key"
SETTINGS = {**QUICK, "exchange.participants": False, "authentication": "keys"}
SHARED = "SIM/ALICE"  # the account name that both have
OWN = {"local": "SIM", "desk": "SIM/CAROL"}  # and one that is theirs alone
LOGINS = {SHARED: "alice-of-desk", "SIM/CAROL": "carol"}
SCOPES = ("read", "trade", "manage")
HISTORY = "/v1/orders/history?time_start=1970-01-01&time_end=2262-01-01"
OWNER = Actor("test", "local", "machine")


class Side(NamedTuple):
    """One subscription of a running system, and the secrets of its keys by scope."""

    name: str
    ems: Ems
    secrets: Mapping[str, str]

    def ask(
        self, method: str, path: str, body: object = None, scope: str = "manage", **headers: str
    ) -> Answer:
        """Ask on a connection of its own."""
        sent = {HEADER: self.secrets[scope], **headers}
        with closing(Api(self.ems.endpoint["url"])) as api:
            return api.request(method, path, None if body is None else encoded(body), sent)

    def wanted(self, path: str) -> Json:
        """Return the content of a 200."""
        answer = self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.json

    def place(self, client_order_id: str, **changes: object) -> Answer:
        changes = {"exchange_id": SHARED} | changes
        return self.ask("POST", "/v1/orders", order(client_order_id, **changes), "trade")

    def cancel(self, client_order_id: str, account: str = SHARED) -> Answer:
        body = {"exchange_id": account, "client_order_id": client_order_id}
        return self.ask("POST", "/v1/orders/cancel", body, "trade")

    def status(self, client_order_id: str) -> Json:
        return self.wanted(f"/v1/orders/status/{client_order_id}?exchange_id=SIM%2FALICE")

    def has(self, client_order_id: str) -> bool:
        return self.ask("GET", f"/v1/orders/status/{client_order_id}").status == 200

    def is_reconciled(self) -> bool:
        """Whether its keys are known and all its accounts take orders."""
        answer = self.ask("GET", "/v1/operator/accounts")
        return answer.status == 200 and all(each["reconciled"] for each in answer.json)

    def stream(self, query: str = "") -> ClientConnection:
        url = self.ems.endpoint["url"].replace("http", "ws") + "/v1/ws" + query
        return connect(
            url,
            additional_headers={HEADER: self.secrets["trade"]},
            proxy=None,
            max_size=None,
            max_queue=None,
        )

    def party(self, comp_id: str = "SAME") -> FixParty:
        return FixParty(self.ems.endpoint["fix"], comp_id=comp_id)

    @property
    def password(self) -> tuple[int, str]:
        return (554, self.secrets["trade"])


def opening(stream: ClientConnection) -> dict[str, dict[str, Json]]:
    """Read what a stream of two accounts begins with; return it by account and type."""
    seen: dict[str, dict[str, Json]] = {}
    while len(seen) < 2 or not all("POSITION_SNAPSHOT" in each for each in seen.values()):
        message = exact(str(stream.recv(timeout=20)).encode())
        seen.setdefault(message["exchange_id"], {}).setdefault(message["type"], message)
    return seen


def updates(stream: ClientConnection, last: str, status: str) -> list[Json]:
    """Read up to the report that an order, `last`, has this status; return the updates till then."""
    heard = []
    while True:
        message = exact(str(stream.recv(timeout=20)).encode())
        if message["type"].endswith("_UPDATE"):
            heard.append(message)
        if message.get("client_order_id") == last and message.get("status") == status:
            return heard


def grant(control: Control, scopes: Sequence[str] = SCOPES) -> dict[str, str]:
    """Make a key for each scope, of the same labels in every subscription; return their secrets."""
    secrets = {}
    for scope in scopes:
        wanted = Wanted(label=f"{scope.title()}1", scopes=(scope,), days=1)
        made = control.keyring.create(OWNER, wanted, time.time_ns())
        assert isinstance(made, Made), made
        assert made.secret is not None
        secrets[scope] = made.secret
    return secrets


def subscribe(control: Control, name: str, logins: Mapping[str, str]) -> Control:
    """Make a subscription with accounts; return the control plane as it has it."""
    assert isinstance(control.subscriptions.create(OWNER, name, time.time_ns()), Subscription)
    own = control.of(name)
    for account, login in logins.items():
        parameters = [("PublicApiKey", login), ("PrivateApiKey", f"{login}-secret")]
        own.accounts.put(OWNER, account, parameters, time.time_ns(), may_change_login=False)
    return own


@contextmanager
def control_of(data: Path) -> Iterator[Control]:
    """Give the control plane of a data folder, which may be running."""
    data.mkdir(parents=True, exist_ok=True)
    with Control.open(data, None, None, "local", time.time_ns()) as control:
        yield control


def two_sides(folder: Path, **settings: object) -> tuple[Side, Side]:
    """Prepare a system and return its sides, `local` and `desk`; it is not waited for."""
    with control_of(folder / "data") as control:
        tls_files.init(control, folder / "data" / "tls", (), OWNER, time.time_ns())
        secrets = {"local": grant(control)}
        secrets["desk"] = grant(subscribe(control, "desk", LOGINS))
    config = write_config(folder / "fairlead.toml", SETTINGS | settings, ACCOUNTS)
    ems = Ems(folder / "data", config, "--tls-clients", ANY_PORT, "--fix-tls", ANY_PORT)
    return Side("local", ems, secrets["local"]), Side("desk", ems, secrets["desk"])


def ready(*sides: Side) -> None:
    """Wait until all accounts of all sides take orders."""
    for side in sides:
        side.ems.ready()
        until(side.is_reconciled, f"the accounts of {side.name} are reconciled")
