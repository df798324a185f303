"""FIX sessions and accounts that come, go and come back: what is told of them, and from where on."""

import asyncio

import pytest
from msgspec.structs import replace

from fairlead.core.model import AccountMode
from fairlead.core.port import Released
from fairlead.core.replies import (
    Refusal,
    Refused,
    Reply,
    SnapshotReply,
)
from fairlead.core.reports import AccountReport, Cause, OrderReport
from fairlead.core.requests import QueryAccounts, QuerySnapshot, Request
from fairlead.fix.store import Store
from fairlead.gateway.feed import Feed
from fairlead.gateway.fixapi.client import Client
from fairlead.gateway.fixapi.cursor import Cursor, begun
from fairlead.gateway.fixapi.desk import Desk
from fairlead.gateway.fixapi.settings import FixSettings
from tests.fix.spoken import NOW, Field, say, say_logon
from tests.gateway.fixapi.wires import Wire, turns
from tests.gateway.fixapi.world import accounts_reply, reports
from tests.gateway.orders import ORDER
from tests.gateway.scripted_edge import ScriptedEdge, usual

pytestmark = pytest.mark.asyncio
BOB = "SIM/BOB"
SETTINGS = FixSettings(comp_id="SERVER", log_messages=False)


class World:
    """An edge whose accounts come and go, and a desk before it."""

    def __init__(self, store: Store) -> None:
        self.accounts = {"SIM": 0}
        self.edge = ScriptedEdge()
        self.edge.script = self._answer
        self.feed = Feed(self.edge)
        self.desk = Desk(self.edge, self.feed, store, SETTINGS, lambda: NOW)

    def _answer(self, request: Request) -> Reply:
        match request:
            case QueryAccounts():
                return accounts_reply(self.accounts)
            case QuerySnapshot(account=account):
                if account not in self.accounts:
                    return Refused(Refusal.ACCOUNT_UNKNOWN, f"{account} is unknown")
                return SnapshotReply(self.accounts[account], (), ())
            case _:
                return usual(request)

    def come(self, account: str, sequence: int) -> None:
        """Have an account come whose last report before had the sequence before this one."""
        self.accounts[account] = sequence
        self.edge.release(
            Released(AccountReport(account, sequence, NOW, AccountMode.ACTIVE, True), None)
        )

    def release(self, account: str, count: int = 1) -> None:
        """Have reports of an account become durable."""
        for _ in range(count):
            sequence = self.accounts[account] = self.accounts[account] + 1
            order = replace(ORDER, account=account, sequence=sequence)
            report = OrderReport(account, sequence, 1, NOW, Cause.ROUTED)
            self.edge.release(Released(report, order))

    async def logged_on(self, number: int = 1, *fields: Field) -> tuple[Client, Wire]:
        wire = Wire()
        client = Client(self.desk, wire, "peer")
        client.received(say_logon(number, *fields, now_ns=NOW))
        await turns()
        assert wire.said[0][35] == "A"
        return client, wire


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


async def test_an_account_that_comes_is_told_of_from_its_first_report_on(world: World) -> None:
    _, wire = await world.logged_on()
    world.come(BOB, 1)
    world.release(BOB, 2)
    await turns()
    world.release(BOB)
    await turns()
    assert reports(wire) == [f"{BOB}:2", f"{BOB}:3", f"{BOB}:4"]


async def test_of_an_account_that_goes_nothing_more_is_told_and_all_when_it_is_back(
    world: World,
) -> None:
    world.accounts[BOB] = 3
    _, wire = await world.logged_on()
    world.release(BOB)
    last = world.accounts.pop(BOB)
    await turns()
    world.come(BOB, last + 1)
    world.release(BOB)
    await turns()
    assert reports(wire) == [f"{BOB}:4", f"{BOB}:6"]


async def test_who_logs_on_while_it_is_away_goes_on_where_he_was_when_it_is_back(
    world: World,
) -> None:
    world.accounts[BOB] = 3
    client, wire = await world.logged_on()
    world.release(BOB)
    await turns()
    client.received(say("5", 2, now_ns=NOW))
    await turns()
    world.release(BOB)  # missed, and then the account goes
    last = world.accounts.pop(BOB)
    client, wire = await world.logged_on(3)
    world.release("SIM")
    await turns()
    assert reports(wire) == ["SIM:1"]
    client.received(say("5", 4, now_ns=NOW))
    await turns()
    _, wire = await world.logged_on(5)
    world.come(BOB, last + 1)
    await turns()
    assert reports(wire) == [f"{BOB}:5"]


async def test_an_account_that_comes_while_a_logon_is_decided_is_followed(world: World) -> None:
    world.edge.gate = asyncio.Event()
    wire = Wire()
    Client(world.desk, wire, "peer").received(say_logon(now_ns=NOW))
    await turns()
    state = dict(world.accounts)
    world.come(BOB, 1)
    world.release(BOB)
    world.accounts = state  # as it was when the accounts were asked for
    world.edge.gate.set()
    await turns()
    assert reports(wire) == [f"{BOB}:2"]


@pytest.mark.parametrize("has_come", [False, True])
async def test_what_comes_while_the_session_logs_out_is_told_at_the_next_logon(
    world: World, has_come: bool
) -> None:
    client, _ = await world.logged_on()
    world.release("SIM")
    await turns()
    client.log_out("the server is stopping")
    world.release("SIM", 2)
    await turns()
    if has_come:
        world.come(BOB, 1)  # that it is followed is stored, and with it the place in the others
        world.release(BOB)
        await turns()
    world.release("SIM")
    await turns()
    client.received(say("5", 2, now_ns=NOW))
    await turns()
    _, wire = await world.logged_on(3)
    assert sorted(reports(wire)) == [f"{BOB}:2"] * has_come + ["SIM:2", "SIM:3", "SIM:4"]


async def test_a_connection_that_is_lost_meanwhile_watches_nothing_more(world: World) -> None:
    world.edge.gate = asyncio.Event()
    client = Client(world.desk, Wire(), "peer")
    client.received(say_logon(now_ns=NOW))
    client.lost()
    await turns()
    world.edge.gate.set()
    await turns()
    assert world.edge.listeners == []
    client, _ = await world.logged_on()
    assert world.edge.listeners
    client.lost()
    await turns()
    assert world.edge.listeners == []


async def test_a_mass_status_of_an_account_that_has_gone_says_so(world: World) -> None:
    world.accounts[BOB] = 3
    client, wire = await world.logged_on()
    del world.accounts[BOB]
    asked: list[Field] = [(584, "m"), (585, 7), (207, BOB)]
    client.received(say("AF", 2, *asked, now_ns=NOW))
    await turns()
    assert wire.said[-1][58] == f"{BOB} is not an account of this server"
    client.received(say("AF", 3, (584, "n"), (585, 7), now_ns=NOW))
    await turns()
    assert wire.said[-1][58] == "there are no orders"


async def test_a_cursor_keeps_what_it_knows_of_accounts_that_are_away() -> None:
    kept = Cursor({"SIM": 5, BOB: 7}, {"SIM": 2, BOB: 3})
    assert begun(kept, False, {"SIM": 9}) == Cursor({"SIM": 5, BOB: 7}, {"SIM": 2, BOB: 3})
    assert begun(kept, True, {"SIM": 9}) == Cursor({"SIM": 9}, {"SIM": 2, BOB: 3})
    assert begun(kept, False, {"SIM": 9, BOB: 6}) == Cursor({"SIM": 5, BOB: 6}, {"SIM": 2, BOB: 3})
