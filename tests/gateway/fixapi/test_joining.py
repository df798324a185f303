"""FIX sessions whose key gets accounts while they are up: nothing of what they do there is lost."""

import asyncio

import pytest
from msgspec.structs import replace

from fairlead.control.keys import Scope
from fairlead.core.model import Order
from fairlead.core.port import Released
from fairlead.core.replies import (
    Done,
    OrderReply,
    Refusal,
    Refused,
    Reply,
    SnapshotReply,
)
from fairlead.core.reports import Cause, OrderReport
from fairlead.core.requests import EndSession, PlaceOrder, QueryAccounts, QuerySnapshot, Request
from fairlead.fix.store import Store
from fairlead.gateway.feed import Feed
from fairlead.gateway.fixapi.client import Client
from fairlead.gateway.fixapi.desk import Desk
from fairlead.gateway.fixapi.settings import FixSettings
from tests.fix.spoken import NOW, Field, say, say_logon
from tests.gateway import test_callers as keys
from tests.gateway.fixapi.wires import Said, Wire, turns
from tests.gateway.fixapi.world import accounts_reply, reports
from tests.gateway.orders import ORDER

pytestmark = pytest.mark.asyncio
ALICE, BOB, EVE = "SIM/ALICE", "SIM/BOB", "SIM/EVE"
PLACED = replace(ORDER, in_doubt_ns=None, cancel_pending=False)


class Held(Wire):
    """A transport that says whether it is read."""

    is_read = True

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True


class World:
    """An edge with three accounts, where each order is told of at once, and a key for the first."""

    def __init__(self, store: Store) -> None:
        self.sequences = {ALICE: 10, BOB: 20, EVE: 30}
        self.keys = keys.World(accounts=(ALICE,))
        self.edge = self.keys.edge
        self.edge.script = self._answer
        self.refusal: Refused | None = None  # of the question which accounts there are
        self.store = store
        settings = FixSettings(comp_id="SERVER", log_messages=False)
        feed = Feed(self.edge)
        self.desk = Desk(self.edge, feed, store, settings, lambda: NOW, self.keys.access)

    def _answer(self, request: Request) -> Reply:
        match request:
            case QueryAccounts():
                return self.refusal or accounts_reply(self.sequences)
            case PlaceOrder(account=account, client_order_id=client_order_id):
                return OrderReply(self.release(account, client_order_id))
            case QuerySnapshot(account=account):
                order = replace(PLACED, account=account)
                return SnapshotReply(self.sequences[account], (order,), ())
            case _:
                return Done()

    def release(self, account: str, client_order_id: str = "x") -> Order:
        sequence = self.sequences[account] = self.sequences[account] + 1
        order = replace(PLACED, account=account, client_order_id=client_order_id, sequence=sequence)
        report = OrderReport(account, sequence, order.number, NOW, Cause.ROUTED)
        self.edge.release(Released(report, order))
        return order

    def allow(self, *accounts: str, **changes: object) -> None:
        """Have the key be for these accounts from now on."""
        self.keys.becomes(accounts=accounts, **changes)

    def connected(self, number: int = 1) -> tuple[Client, Held]:
        wire = Held()
        client = Client(self.desk, wire, "peer", keys.HOME)
        client.received(say_logon(number, (554, keys.SECRET), now_ns=NOW))
        return client, wire

    async def logged_on(self, number: int = 1) -> tuple[Client, Held]:
        client, wire = self.connected(number)
        await turns()
        assert wire.said[0][35] == "A"
        return client, wire


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def place(
    number: int,
    account: str,
    client_order_id: str = "x",
    *more: Field,
    is_duplicate: bool = False,
) -> bytes:
    return say(
        "D", number, (11, client_order_id), (207, account), (48, "SIM_SPOT_BTC_USDT"), (22, 101),
        (60, "20260101-00:00:00"), (40, 2), (54, 1), (44, "10.5"), (38, "0.045"), (59, 1), *more,
        now_ns=NOW, is_duplicate=is_duplicate,
    )  # fmt: skip


def last(wire: Wire) -> Said:
    return wire.said[-1]


async def test_an_order_at_an_account_that_the_key_has_got_is_told_of(world: World) -> None:
    client, wire = await world.logged_on()
    client.received(place(2, BOB))
    await turns()
    assert (last(wire)[35], last(wire)[380]) == ("j", "6")
    world.allow(ALICE, BOB)
    await turns()
    client.received(place(3, BOB, "y"))
    await turns()
    world.release(EVE)
    world.release(BOB)
    await turns()
    assert reports(wire) == [f"{BOB}:21", f"{BOB}:22"]
    client.received(say("AF", 4, (584, "m"), (585, 7), (207, BOB), now_ns=NOW))
    await turns()
    assert (last(wire)[584], last(wire)[207], last(wire)[911]) == ("m", BOB, "1")


async def test_the_next_logon_goes_on_there(world: World) -> None:
    client, _ = await world.logged_on()
    world.allow(ALICE, BOB)
    await turns()
    client.lost()
    world.release(BOB)
    await turns()
    _, wire = await world.logged_on(2)
    assert reports(wire) == [f"{BOB}:21"]


async def test_a_key_that_may_use_all_accounts_now_is_told_of_all(world: World) -> None:
    _, wire = await world.logged_on()
    world.keys.becomes()
    await turns()
    world.release(EVE)
    world.release(BOB)
    await turns()
    assert sorted(reports(wire)) == [f"{BOB}:21", f"{EVE}:31"]


async def test_an_order_that_came_in_the_very_turn_waits_for_the_accounts(world: World) -> None:
    client, wire = await world.logged_on()
    client.received(place(2, BOB))
    world.allow(ALICE, BOB)
    await turns()
    assert [type(request) for request in world.edge.asked[-2:]] == [QueryAccounts, PlaceOrder]
    assert reports(wire) == [f"{BOB}:21"]


async def test_while_it_is_looked_nothing_is_read_and_what_comes_on_top_counts(
    world: World,
) -> None:
    client, wire = await world.logged_on()
    world.edge.gate = asyncio.Event()
    world.allow(ALICE, BOB)
    client.received(place(2, EVE))
    await turns()
    assert not wire.is_read
    world.allow(ALICE, BOB, EVE)
    await turns()
    world.edge.gate.set()
    await turns()
    assert wire.is_read
    assert reports(wire) == [f"{EVE}:31"]
    world.release(BOB)
    await turns()
    assert reports(wire) == [f"{EVE}:31", f"{BOB}:21"]


async def test_a_key_that_gets_an_account_while_the_logon_is_decided_follows_it(
    world: World,
) -> None:
    world.edge.gate = asyncio.Event()
    _, wire = world.connected()
    await turns()
    world.allow(ALICE, BOB)
    world.edge.gate.set()
    await turns()
    world.release(BOB)
    await turns()
    assert [said[35] for said in wire.said] == ["A", "8"]
    assert reports(wire) == [f"{BOB}:21"]


async def test_an_order_of_a_session_that_is_lost_meanwhile_is_asked_for_again(
    world: World,
) -> None:
    client, wire = await world.logged_on()
    world.edge.gate = asyncio.Event()
    client.received(place(2, BOB, "x", (18, "Q")))  # it would end with the session
    world.allow(ALICE, BOB)
    await turns()
    client.lost()
    world.edge.gate.set()
    await turns()
    asked = [type(request) for request in world.edge.asked]
    assert PlaceOrder not in asked
    assert EndSession in asked
    client, wire = await world.logged_on(3)
    assert (last(wire)[35], last(wire)[7]) == ("2", "2")
    client.received(place(2, BOB, is_duplicate=True))
    await turns()
    assert reports(wire) == [f"{BOB}:21"]


async def test_where_it_is_not_found_out_the_client_is_to_log_on_again(world: World) -> None:
    client, wire = await world.logged_on()
    world.refusal = Refused(Refusal.OVERLOADED, "busy")
    client.received(place(2, BOB))
    world.allow(ALICE, BOB)
    await turns()
    assert (last(wire)[35], last(wire)[58]) == (
        "5", "the key may be used for more accounts now, log on again: busy",
    )  # fmt: skip
    assert PlaceOrder not in [type(request) for request in world.edge.asked]
    world.refusal = None
    client.received(say("5", 3, now_ns=NOW))
    await turns()
    _, wire = await world.logged_on(3)
    assert last(wire)[35] == "2"


async def test_a_key_that_loses_the_account_again_ends_the_session(world: World) -> None:
    _, wire = await world.logged_on()
    world.allow(ALICE, BOB)
    await turns()
    world.allow(ALICE)
    await turns()
    world.release(BOB)
    await turns()
    assert last(wire)[35] == "5"
    assert last(wire)[58] == "the key does not allow this any more"


async def test_of_an_account_that_was_followed_before_all_is_told(world: World) -> None:
    world.allow(ALICE, BOB)
    client, _ = await world.logged_on()
    world.allow(ALICE)
    client.received(say("5", 2, now_ns=NOW))
    await turns()
    client, wire = await world.logged_on(3)
    world.release(BOB)
    await turns()
    assert reports(wire) == []
    world.allow(ALICE, BOB)
    await turns()
    assert reports(wire) == [f"{BOB}:21"]


async def test_a_key_that_changes_otherwise_asks_nothing(world: World) -> None:
    await world.logged_on()
    asked = len(world.edge.asked)
    world.allow(ALICE, label="Bot2")
    world.keys.becomes(accounts=(ALICE,), scopes=tuple(Scope), expires_ns=None)
    await turns()
    assert len(world.edge.asked) == asked
