"""Route × scopes × protocol, generated from the tables, against one server; and that each check is needed.

What the tables say is compared with what REST, WebSocket and FIX do for a key of every set of scopes.
"""

import itertools
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import ClassVar, NamedTuple

import pytest
from websockets.sync.client import ClientConnection, connect

from fairlead.control.control import Control
from fairlead.control.key_changes import Wanted
from fairlead.control.keyring import Made
from fairlead.core.requests import (
    CancelAll,
    CancelOrder,
    PlaceOrder,
    QueryAccounts,
    QueryOrder,
    Request,
)
from fairlead.gateway.answers import Answer, Call
from fairlead.gateway.console import meanings
from fairlead.gateway.console import openapi as people
from fairlead.gateway.gate import MOUNTED, PUBLIC, ROUTES, UPGRADE, undeclared
from fairlead.gateway.guard import SCOPES
from fairlead.gateway.management.api import ManagementApi
from fairlead.gateway.management.words import EXAMPLES
from fairlead.gateway.routing import Methods
from fairlead.gateway.server import gateway_app
from fairlead.gateway.websocket.requests import REQUESTS, Reject, read
from tests.acceptance.test_authentication import SETTINGS, until_message
from tests.control.conftest import OWNER
from tests.fix_party import FixParty, mass_cancel
from tests.fix_party import cancel as fix_cancel
from tests.fix_party import order as fix_order
from tests.system import ACCOUNTS, FAIRLEAD, Api, Ems, encoded, order, running, until, write_config

# read is in every set.
SETS = [
    ("read", *more)
    for count in range(4)
    for more in itertools.combinations(("trade", "withdraw", "manage"), count)
]
# What each message of FIX asks of the port; that there is no other is told by the server itself.
FIX: dict[str, type[Request]] = {
    "D": PlaceOrder,
    "F": CancelOrder,
    "q": CancelAll,
    "H": QueryOrder,
    "AF": QueryAccounts,
}
UNGUARDED = """
from fairlead.gateway.guard import GuardedPort
GuardedPort._refusal = lambda self, request: None
from fairlead.cli import main
main()
"""


class Cell(NamedTuple):
    """One thing that a key of some scopes did by one protocol."""

    protocol: str
    what: str
    scopes: tuple[str, ...]


class World:
    """A system, and the secret of a key of every set of scopes."""

    def __init__(self, folder: Path, command: tuple[str, ...]) -> None:
        config = write_config(folder / "fairlead.toml", SETTINGS, ACCOUNTS)
        self.secrets: dict[tuple[str, ...], str] = {}
        with Control.open(folder / "data", None, None, "local", time.time_ns()) as control:
            for number, scopes in enumerate(SETS):
                wanted = Wanted(
                    label=f"Set{number}", scopes=scopes, addresses=["127.0.0.0/8"], days=1
                )
                made = control.keyring.create(OWNER, wanted, time.time_ns())
                assert isinstance(made, Made)
                assert made.secret is not None
                self.secrets[scopes] = made.secret
        self.ems = Ems(folder / "data", config, command=command)

    def ready(self) -> None:
        self.ems.ready()
        secret = self.secrets[SETS[0]]
        with closing(self.ems.api()) as api:

            def is_reconciled() -> bool:
                answer = api.request("GET", "/health/ready", None, {"X-CoinAPI-Key": secret})
                accounts = answer.json["accounts"]
                return bool(accounts) and all(each["state"] == "reconciled" for each in accounts)

            until(is_reconciled, "every account is reconciled")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("guarded"), (FAIRLEAD,))
    with running(world.ems):
        world.ready()
        yield world


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The same system without the check at the port."""
    world = World(tmp_path_factory.mktemp("unguarded"), (sys.executable, "-c", UNGUARDED))
    with running(world.ems):
        world.ready()
        yield world


# ── what the tables say ──────────────────────────────────────────────────────────────────────────

ROWS = [
    (path.decode() + ("x" if path.endswith(b"/") else ""), method, needed)
    for path, methods in [*ROUTES.items(), (b"/operator/faults", {"GET": MOUNTED})]
    for method, needed in methods.items()
]


def expected_rest() -> dict[Cell, bool]:
    """Return whether each cell is refused for its scope."""
    return {
        Cell("REST", f"{method} {path}", scopes): needed is not PUBLIC and needed not in scopes
        for path, method, needed in ROWS
        for scopes in SETS
    }


def expected_websocket() -> dict[Cell, bool]:
    cells = {Cell("WebSocket", "upgrade", scopes): UPGRADE not in scopes for scopes in SETS}
    for kind in REQUESTS:
        asked = read(websocket_message(kind, "x"))
        assert not isinstance(asked, Reject), asked
        for scopes in SETS:
            cells[Cell("WebSocket", kind, scopes)] = SCOPES[type(asked)] not in scopes
    return cells


def expected_fix() -> dict[Cell, bool]:
    return {
        Cell("FIX", msg_type, scopes): SCOPES[request] not in scopes
        for msg_type, request in FIX.items()
        for scopes in SETS
    }


def test_no_key_makes_the_call_of_a_person_whatever_its_scopes(guarded: World) -> None:
    of_people = [
        each
        for each in people.OPERATIONS
        if each.callers in (people.READING, people.CHANGING)
        and each.path != "/v1/auth/sign-out"  # 401: nobody is in
    ]
    assert len(of_people) > len(people.OPERATIONS) / 2
    with closing(Api(guarded.ems.endpoint["url"])) as api:
        for operation, scopes in itertools.product(of_people, SETS):
            path = operation.path.format_map(EXAMPLES | meanings.EXAMPLES)
            method = operation.method.upper()
            answer = api.request(
                method, path, encoded({}), {"X-CoinAPI-Key": guarded.secrets[scopes]}
            )
            cell = Cell("REST", f"{method} {path}", scopes)
            assert (answer.status, answer.json["code"]) == (403, "session_needed"), cell


# ── what the server does ─────────────────────────────────────────────────────────────────────────


def done_by_rest(world: World) -> dict[Cell, bool]:
    """Ask for every route; what takes accounts away comes last."""
    refused = {}
    with closing(Api(world.ems.endpoint["url"])) as api:
        rows = sorted(ROWS, key=lambda row: row[1] == "DELETE")
        for (path, method, needed), scopes in itertools.product(rows, SETS):
            body = None if method == "GET" else b"{}"
            answer = api.request(method, path, body, {"X-CoinAPI-Key": world.secrets[scopes]})
            assert answer.status != 401, answer
            refused[Cell("REST", f"{method} {path}", scopes)] = answer.status == 403
            if answer.status == 403:
                assert answer.json["message"] == f"scope_missing: the key needs scope {needed}"
    return refused


def websocket_message(kind: str, name: str) -> bytes:
    fields: dict[str, object] = {"exchange_id": "SIM"}
    if kind == "ORDER_NEW_SINGLE_REQUEST":
        fields = order(name)
    elif kind == "ORDER_CANCEL_SINGLE_REQUEST":
        fields["client_order_id"] = name
    else:
        assert kind == "ORDER_CANCEL_ALL_REQUEST", f"say here how {kind} is sent"
    return encoded(fields | {"type": kind})


def done_by_websocket(world: World) -> dict[Cell, bool]:
    url = world.ems.endpoint["url"].replace("http", "ws") + "/v1/ws"
    refused = {}
    for number, scopes in enumerate(SETS):
        headers = {"X-CoinAPI-Key": world.secrets[scopes]}
        one, two = f"ws-{number}-one", f"ws-{number}-two"
        with connect(url, additional_headers=headers, proxy=None) as stream:
            refused[Cell("WebSocket", "upgrade", scopes)] = False
            for _ in ACCOUNTS:  # what an opening holds is not told again
                until_message(stream, "POSITION_SNAPSHOT")
            for kind, name, is_ending in (
                ("ORDER_NEW_SINGLE_REQUEST", one, False),
                ("ORDER_NEW_SINGLE_REQUEST", two, False),
                ("ORDER_CANCEL_SINGLE_REQUEST", one, True),
                ("ORDER_CANCEL_ALL_REQUEST", two, True),
            ):
                stream.send(websocket_message(kind, name).decode())
                reject = answered(stream, name, is_ending=is_ending)
                assert reject is None or reject.startswith("scope_missing: "), reject
                refused[Cell("WebSocket", kind, scopes)] = reject is not None
    return refused


def answered(stream: ClientConnection, name: str, *, is_ending: bool) -> str | None:
    """Wait until an order shows what was done; return the text of the reject that came instead."""
    while True:
        said = json.loads(stream.recv(timeout=20))
        if said["type"] == "MESSAGE_REJECT":
            text: str = said["message"]
            return text
        is_ours = said["type"] == "ORDER_EXEC_REPORT_UPDATE" and said["client_order_id"] == name
        if is_ours and (said["status"] == "CANCELED" or not is_ending):
            return None


def done_by_fix(world: World) -> dict[Cell, bool]:
    refused = {}
    for number, scopes in enumerate(SETS):
        name = f"fix-{number}"
        with FixParty(world.ems.endpoint["fix"], comp_id=f"SET{number}") as party:
            party.log_on((554, world.secrets[scopes]))
            for msg_type, fields in (
                ("D", fix_order(name)),
                ("H", ((11, name), (207, "SIM"), (54, "1"), (55, "BTC/USDT"))),
                ("AF", ((584, f"{name}-m"), (585, 7))),
                ("F", fix_cancel(f"{name}-c", name)),
                ("q", mass_cancel(f"{name}-q")),
            ):
                said = party.say(msg_type, *fields)
                answer = party.wait(
                    lambda told, said=said, name=name: (
                        told.get(45) == str(said)  # type: ignore[misc]
                        or told.get(11, "").startswith(name)
                        or told.get(584) == f"{name}-m"
                        or told.get(912) == "Y"
                    ),
                    f"{msg_type} is answered",
                )
                is_refused = answer[35] == "j"
                assert not is_refused or answer[58].startswith("scope_missing: "), answer
                refused[Cell("FIX", msg_type, scopes)] = is_refused
                party.synchronise()
                party.forget()
            party.log_out()
    return refused


def differences(expected: dict[Cell, bool], done: dict[Cell, bool]) -> set[Cell]:
    """Return where the server did otherwise than the table says, or did nothing."""
    assert expected.keys() == done.keys()
    return {cell for cell, is_refused in expected.items() if done[cell] is not is_refused}


# ── compared ─────────────────────────────────────────────────────────────────────────────────────


def test_by_websocket_every_message_needs_the_scope_of_its_request(guarded: World) -> None:
    assert differences(expected_websocket(), done_by_websocket(guarded)) == set()


def test_by_fix_every_message_needs_the_scope_of_its_request(guarded: World) -> None:
    assert differences(expected_fix(), done_by_fix(guarded)) == set()


def test_there_is_no_message_of_fix_but_those_of_the_matrix(guarded: World) -> None:
    with FixParty(guarded.ems.endpoint["fix"], comp_id="WHICH") as party:
        party.log_on((554, guarded.secrets[SETS[-1]]))
        party.say("G", *fix_order("amended"), (41, "x"))
        text = party.next_of("j")[58]
        party.log_out()
    assert text == f"MsgType (35) G is not supported; {', '.join(FIX)} are"


def test_by_rest_every_route_needs_the_scope_of_its_row(guarded: World) -> None:
    expected = expected_rest()
    assert len(expected) > 200
    assert differences(expected, done_by_rest(guarded)) == set()


def test_without_the_check_at_the_port_websocket_and_fix_let_everybody_do_everything(
    unguarded: World,
) -> None:
    for expected, done in (
        (expected_websocket(), done_by_websocket(unguarded)),
        (expected_fix(), done_by_fix(unguarded)),
    ):
        refused = {cell for cell, is_refused in expected.items() if is_refused}
        assert refused
        assert differences(expected, done) == refused
    # The gate before the routes is a check of its own.
    assert differences(expected_rest(), done_by_rest(unguarded)) == set()


# ── what is not declared ─────────────────────────────────────────────────────────────────────────


def test_a_route_without_a_scope_is_found_before_anything_is_served() -> None:
    served = [(path, method) for path, methods in ROUTES.items() for method in methods]
    assert undeclared(served) == []
    for path, method in ((b"/v1/new", "GET"), (b"/v1/orders", "DELETE"), (b"/v1/orders/", "GET")):
        assert undeclared([*served, (path, method)]) == [(path, method)]


def test_a_gateway_with_a_route_that_is_not_declared_is_not_built() -> None:
    async def nothing(_: Call) -> Answer:
        raise AssertionError("nothing is served")

    class New:
        routes: ClassVar[dict[bytes, Methods]] = {b"/v1/new": {"GET": nothing}}
        prefixes = ()

    with pytest.raises(AssertionError, match=r"routes without a scope .*/v1/new"):
        gateway_app({}, (), None, None, management=ManagementApi(New()))  # type: ignore[arg-type]
