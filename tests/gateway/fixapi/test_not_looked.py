"""What cannot be looked at now is refused as that, and not as if there were no order."""

import pytest
from msgspec.structs import replace

from fairlead.core.replies import Refusal, Refused, Reply, SnapshotReply
from fairlead.core.reports import Cause
from fairlead.core.requests import QuerySnapshot, Request
from fairlead.gateway.fixapi import telling
from tests.fix.spoken import NOW, Field, say
from tests.gateway.fixapi.wires import turns
from tests.gateway.fixapi.world import CANCELED, OPEN, World, told
from tests.gateway.orders import ORDER

pytestmark = pytest.mark.asyncio
BOB = "SIM/BOB"
REFUSALS = {
    Refusal.OVERLOADED: "4",
    Refusal.ACCOUNT_UNAVAILABLE: "4",
    Refusal.RATE_EXCEEDED: "6",
    Refusal.FORBIDDEN: "6",
    Refusal.UNAUTHENTICATED: "6",
}
HERE: Field = (207, ORDER.account)
TIME: Field = (60, "20260101-00:00:00")
ABOUT_ORDERS: dict[str, list[Field]] = {
    "D": [
        (11, "id"), HERE, (48, "SIM_SPOT_BTC_USDT"), (22, 101), TIME, (40, 2), (54, 1), (44, "10.5"),
        (38, "0.045"), (59, 1),
    ],
    "F": [(11, "cancel"), (41, "id"), HERE, TIME],
    "H": [(11, "id"), HERE],
    "q": [(11, "cancels"), (530, 7), HERE, TIME],
}  # fmt: skip


def ask(number: int, *more: Field) -> bytes:
    """Return an OrderMassStatusRequest."""
    return say("AF", number, (584, f"m{number}"), (585, 7), *more, now_ns=NOW)


def looks(request: Request) -> Reply:
    """Answer as an account with one open order."""
    assert isinstance(request, QuerySnapshot), request
    return SnapshotReply(5, (replace(OPEN, account=request.account),), ())


@pytest.mark.parametrize("msg_type", ABOUT_ORDERS)
@pytest.mark.parametrize("refusal", telling.NOT_LOOKED)
async def test_nothing_is_said_of_an_order_that_was_not_looked_for(
    world: World, refusal: Refusal, msg_type: str
) -> None:
    client, wire = await world.log_on()
    await world.tell(Cause.WORKING, replace(OPEN, client_order_id="id"), 1)
    world.answer = lambda _: Refused(refusal, "busy, send again")
    client.received(say(msg_type, 2, *ABOUT_ORDERS[msg_type], now_ns=NOW))
    await turns()
    assert [said[35] for said in wire.said] == ["A", "8", "j"]
    said = wire.said[-1]
    assert (said[45], said[372], said[380]) == ("2", msg_type, REFUSALS[refusal])
    assert said[58] == "busy, send again"


@pytest.mark.parametrize("more", [[HERE], []], ids=["account", "all"])
@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_mass_status_that_cannot_look_says_so(
    world: World, refusal: Refusal, more: list[Field]
) -> None:
    client, wire = await world.log_on()
    world.answer = lambda _: Refused(refusal, "busy, send again")
    client.received(ask(2, *more))
    await turns()
    assert told(wire, "8") == []
    (said,) = told(wire, "j")
    assert (said[45], said[372], said[380]) == ("2", "AF", REFUSALS[refusal])
    assert said[58] == "busy, send again"


async def test_a_mass_status_of_all_accounts_is_whole_or_refused(world: World) -> None:
    world.sequences[BOB] = 0
    client, wire = await world.log_on()
    refusal = Refusal.OVERLOADED

    def answer(request: Request) -> Reply:
        return Refused(refusal, "no") if request.account == BOB else looks(request)

    world.answer = answer
    client.received(ask(2))
    await turns()
    assert [said[35] for said in wire.said] == ["A", "j"]
    refusal = Refusal.ACCOUNT_UNKNOWN  # it has gone
    client.received(ask(3))
    await turns()
    (said,) = told(wire, "8")
    assert (said[584], said[207], said[911], said[912]) == ("m3", ORDER.account, "1", "Y")


async def test_what_ended_is_told_by_the_next_mass_status_that_can_look(world: World) -> None:
    client, wire = await world.log_on()
    await world.tell(Cause.CANCELED, CANCELED, 1)
    world.answer = lambda _: Refused(Refusal.OVERLOADED, "busy")
    client.received(ask(2))
    await turns()
    world.answer = lambda _: SnapshotReply(1, (), ())
    for number in (3, 4):
        client.received(ask(number))
        await turns()
    answers = [(said[584], said[39], said[911]) for said in told(wire, "8") if 584 in said]
    assert answers == [("m3", "4", "1"), ("m4", "8", "0")]


async def test_an_account_that_was_away_at_the_logon_is_no_part_of_all(world: World) -> None:
    world.sequences[BOB] = 0
    client, _ = await world.log_on()
    client.received(say("5", 2, now_ns=NOW))
    await turns()
    del world.sequences[BOB]  # gone, or the key may not see it any more
    client, wire = await world.log_on(3)

    def answer(request: Request) -> Reply:
        return Refused(Refusal.FORBIDDEN, "no") if request.account == BOB else looks(request)

    world.answer = answer
    client.received(ask(4))
    await turns()
    assert [said[207] for said in told(wire, "8")] == [ORDER.account]
    client.received(ask(5, (207, BOB)))
    await turns()
    assert [said[380] for said in told(wire, "j")] == ["6"]
