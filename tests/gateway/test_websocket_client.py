"""One WebSocket client without a socket: what is taken and sent when, and what is left at its end."""

import asyncio
import json
from decimal import Decimal

import pytest
from msgspec.structs import replace

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import AccountMode, Balance, ExecInst, Updater
from fairlead.core.replies import (
    Refusal,
    Refused,
    Reply,
)
from fairlead.core.reports import AccountReport, BalanceReport
from fairlead.core.requests import (
    CancelAll,
    EndSession,
    PlaceOrder,
    QuerySnapshot,
    Request,
)
from fairlead.gateway.answers import Call
from fairlead.gateway.rest import RestApi
from fairlead.gateway.websocket.client import Client
from fairlead.gateway.websocket.messages import frame
from fairlead.gateway.websocket.requests import REASONS
from tests.gateway.orders import ORDER, body
from tests.gateway.websocket_world import NOW_NS, Socket, World, texts

pytestmark = pytest.mark.asyncio
CANCEL_ALL = b'{"type":"ORDER_CANCEL_ALL_REQUEST","exchange_id":"SIM"}'
OPENING = [
    *("SERVER_INFO", "SYMBOLS_SNAPSHOT", "ORDER_EXEC_REPORT_SNAPSHOT"),
    *("BALANCE_SNAPSHOT", "POSITION_SNAPSHOT"),
]


@pytest.fixture(autouse=True)
def exact() -> None:
    use_exact_decimals()


async def opened(world: World, resume: dict[str, int] | None = None) -> tuple[Client, Socket]:
    socket = Socket()
    client = Client(world.hub, socket, resume or {})
    client.start()
    count = len([each for each in world.accounts.values() if each is not None])
    await socket.until(lambda: socket.types.count("POSITION_SNAPSHOT") == count)
    return client, socket


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def place(name: str) -> bytes:
    return body(client_order_id=name).replace(b"{", b'{"type": "ORDER_NEW_SINGLE_REQUEST", ', 1)


def names(asked: list[Request]) -> list[str]:
    return [each.client_order_id for each in asked if isinstance(each, PlaceOrder)]


# ── out ──────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_ready_together_leaves_in_one_write() -> None:
    world = World()
    client, socket = await opened(world)
    assert [message["type"] for message in socket.writes[0]] == OPENING
    before = len(socket.writes)
    world.release(count=20)
    await socket.until(lambda: len(socket.sequences) == 20)
    updates = [write for write in socket.writes[before:] if "SERVER_INFO" not in str(write)]
    assert len(updates) == 1
    assert socket.sequences == list(range(1, 21))
    client.ended("left")


async def test_nothing_is_fetched_while_the_socket_takes_nothing() -> None:
    world = World()
    client, socket = await opened(world)
    socket.is_writable = False
    world.release(count=500)
    await turns()
    asked = len(world.edge.pages_asked)
    world.release(count=5_000)  # more than the ring holds
    await turns()
    assert len(world.edge.pages_asked) == asked
    assert client.lag >= 0
    socket.is_writable = True
    client.writable()
    await socket.until(lambda: len(socket.sequences) == 5_500)
    assert socket.sequences == list(range(1, 5_501))
    assert world.feed.reports_from_journal >= 500
    client.ended("left")


async def test_a_busy_account_does_not_keep_the_others_waiting() -> None:
    """The socket takes one write at a time, and one account has more than enough for all of them."""
    world = World()
    world.accounts = {"SIM": 0, "SIM/ALICE": 0, "SIM/BOB": 0}
    client, socket = await opened(world)
    socket.is_narrow = True
    for name in world.accounts:
        world.release(name, count=1_000)
    await socket.until(lambda: not socket.is_writable)
    for _ in range(3):
        socket.is_writable = True
        client.writable()
    heard = {m["exchange_id"] for m in socket.messages if m["type"].endswith("_UPDATE")}
    assert heard == set(world.accounts)
    client.ended("left")


async def test_two_clients_share_the_frames() -> None:
    world = World()
    world.orders = tuple(replace(ORDER, number=number) for number in range(50))
    one, first = await opened(world)
    two, second = await opened(world)
    world.release()
    await first.until(lambda: first.sequences)
    await second.until(lambda: second.sequences)
    shared = {id(each) for each in first.frames} & {id(each) for each in second.frames}
    kinds = {
        json.loads(text)["type"]
        for each in first.frames
        if id(each) in shared
        for text in texts(each)
    }
    assert {"ORDER_EXEC_REPORT_SNAPSHOT", "ORDER_EXEC_REPORT_UPDATE"} <= kinds
    (orders,) = [m for m in first.messages if m["type"] == "ORDER_EXEC_REPORT_SNAPSHOT"]
    assert len(orders["data"]) == 50
    assert list(orders) == ["type", "exchange_id", "data", "sequence", "resumed"]
    one.ended("left")
    two.ended("left")


async def test_modes_are_not_told_and_worths_are_those_of_the_last_look() -> None:
    world = World()
    client, socket = await opened(world)
    world.release_other(AccountReport("SIM", 1, NOW_NS, AccountMode.HALTED))
    usdt = Balance(
        "USDT", "USDT", Decimal(5), Decimal(1), Decimal(0), Updater.EXCHANGE, NOW_NS - 7_000_000
    )
    world.release_other(BalanceReport("SIM", 2, NOW_NS, usdt))
    await socket.until(lambda: socket.sequences)
    assert socket.sequences == [2]
    (update,) = [m for m in socket.messages if m["type"] == "BALANCE_UPDATE"]
    assert (update["available"], update["age_ms"], update["rate_usd"]) == (4, 7, None)
    client.ended("left")


async def test_an_account_opens_when_it_is_loaded_and_one_that_comes_later_opens_then() -> None:
    world = World()
    world.accounts = {"SIM": 0, "SIM/ALICE": None}
    client, socket = await opened(world)
    await socket.until(
        lambda: any(m["exchange_id"] == "SIM/ALICE" for m in socket.messages)
    )  # SERVER_INFO says why it is not there
    first = next(m for m in socket.messages if m["exchange_id"] == "SIM/ALICE")
    assert (first["type"], first["trouble"]) == ("SERVER_INFO", "not loaded")
    world.accounts["SIM/ALICE"] = 7
    world.accounts["SIM/BOB"] = 0
    await socket.until(lambda: socket.types.count("POSITION_SNAPSHOT") == 3)
    world.release("SIM/BOB")
    world.release("SIM/ALICE")
    await socket.until(lambda: len(socket.sequences) == 2)
    assert sorted(socket.sequences) == [1, 8]
    client.ended("left")


FAREWELL = ["SERVER_INFO", "ORDER_EXEC_REPORT_SNAPSHOT", "BALANCE_SNAPSHOT", "POSITION_SNAPSHOT"]


def of_account(socket: Socket, account: str) -> list[dict[str, object]]:
    return [message for message in socket.messages if message["exchange_id"] == account]


async def until_gone(socket: Socket, account: str) -> list[dict[str, object]]:
    """Wait for an account's end; return the messages of it, from its last SERVER_INFO on."""

    def is_gone() -> bool:
        return [each["type"] for each in of_account(socket, account)][-4:] == FAREWELL and (
            of_account(socket, account)[-4]["is_running"] is False
        )

    await socket.until(is_gone)
    return of_account(socket, account)[-4:]


async def test_an_account_that_goes_ends_after_its_last_report_and_opens_anew_when_it_is_back() -> (
    None
):
    world = World()
    world.accounts["SIM/BOB"] = 3
    client, socket = await opened(world, {"SIM/BOB": 3})
    world.release("SIM/BOB", 2)
    last = world.accounts.pop("SIM/BOB")
    info, *snapshots = await until_gone(socket, "SIM/BOB")
    assert (info["is_running"], info["sequence"]) == (False, last)
    assert info["trouble"] == "it is no account of this server any more"
    assert all(each["data"] == [] and each["sequence"] == last for each in snapshots)
    assert socket.sequences[-2:] == [4, 5]
    await socket.until(lambda: socket.types.count("SERVER_INFO") > 8)  # nothing more of it
    assert of_account(socket, "SIM/BOB")[-1] == snapshots[-1]
    world.accounts["SIM/BOB"] = 6
    await socket.until(lambda: of_account(socket, "SIM/BOB")[-1] != snapshots[-1])
    await socket.until(lambda: [m["type"] for m in of_account(socket, "SIM/BOB")][-5:] == OPENING)
    assert of_account(socket, "SIM/BOB")[-5]["resumed"] is False
    world.release("SIM/BOB")
    await socket.until(lambda: socket.sequences[-1] == 7)
    client.ended("left")


async def test_an_account_that_was_never_loaded_can_go_too() -> None:
    world = World()
    world.accounts["SIM/BOB"] = None
    client, socket = await opened(world)
    await socket.until(lambda: of_account(socket, "SIM/BOB"))
    del world.accounts["SIM/BOB"]
    await until_gone(socket, "SIM/BOB")
    client.ended("left")


async def test_a_client_that_reads_nothing_is_told_of_the_end_when_it_does() -> None:
    world = World()
    world.accounts["SIM/BOB"] = 0
    client, socket = await opened(world)
    await turns()
    socket.is_writable = False
    world.release("SIM/BOB", 3)
    del world.accounts["SIM/BOB"]
    await world.hub.look()
    client.see(world.hub.accounts)
    world.accounts["SIM/BOB"] = 5  # it is back before the client has heard that it had gone
    await world.hub.look()
    client.see(world.hub.accounts)
    socket.is_writable = True
    client.writable()
    types = [each["type"] for each in of_account(socket, "SIM/BOB")]
    assert types[-4:] == FAREWELL
    assert socket.sequences == [1, 2, 3]
    await socket.until(lambda: [m["type"] for m in of_account(socket, "SIM/BOB")][-5:] == OPENING)
    client.ended("left")


async def test_a_resumed_client_gets_what_it_missed_in_between_the_snapshots() -> None:
    world = World()
    world.release(count=5)
    usdt = Balance("USDT", "USDT", Decimal(5), Decimal(1), Decimal(0), Updater.EXCHANGE, NOW_NS)
    world.release_other(BalanceReport("SIM", 6, NOW_NS, usdt))
    client, socket = await opened(world, {"SIM": 3, "SIM/GONE": 9})
    assert [(m["type"], m["sequence"]) for m in socket.messages[:6]] == [
        ("SERVER_INFO", 6),
        ("SYMBOLS_SNAPSHOT", 6),
        ("ORDER_EXEC_REPORT_UPDATE", 4),
        ("ORDER_EXEC_REPORT_UPDATE", 5),
        ("BALANCE_SNAPSHOT", 6),
        ("POSITION_SNAPSHOT", 6),
    ]
    world.release()
    await socket.until(lambda: len(socket.sequences) == 3)
    assert socket.sequences == [4, 5, 7]
    client.ended("left")


async def test_a_socket_that_takes_little_gets_its_opening_account_by_account() -> None:
    world = World()
    world.accounts = {"SIM": 0, "SIM/ALICE": 0}
    socket = Socket()
    socket.is_writable = False
    client = Client(world.hub, socket, {})
    client.start()
    async with asyncio.timeout(10):
        while not any(isinstance(each, QuerySnapshot) for each in world.edge.asked):
            world.edge.was_asked.clear()
            await world.edge.was_asked.wait()
    await turns()
    assert [each.account for each in world.edge.asked if isinstance(each, QuerySnapshot)] == ["SIM"]
    socket.is_writable = True
    client.writable()
    await socket.until(lambda: socket.types.count("POSITION_SNAPSHOT") == 2)
    client.ended("left")


# ── in ───────────────────────────────────────────────────────────────────────────────────────────


async def test_requests_are_taken_in_order_up_to_a_limit_beyond_which_nothing_is_read() -> None:
    world = World(requests_max=3)
    client, socket = await opened(world)
    world.edge.gate = asyncio.Event()
    client.received([place(name) for name in "abcde"])
    await turns()
    assert names(world.asked) == ["a", "b", "c"]
    assert not socket.is_read
    world.edge.gate.set()
    await turns()
    assert names(world.asked) == ["a", "b", "c", "d", "e"]
    assert socket.is_read
    client.ended("left")


async def test_refusals_that_nobody_reads_end_the_reading() -> None:
    world = World()
    client, socket = await opened(world)
    socket.is_writable = False
    client.received([b"x" * 60_000] * 100)
    assert not socket.is_read
    assert world.hub.rejects < 30  # about a megabyte
    socket.is_writable = True
    client.writable()
    assert world.hub.rejects == 100
    assert socket.is_read
    assert socket.types.count("MESSAGE_REJECT") == 100
    client.ended("left")


async def test_what_was_asked_for_before_the_end_is_still_asked_and_the_end_comes_last() -> None:
    world = World(requests_max=2)
    client, socket = await opened(world)
    world.edge.gate = asyncio.Event()
    ending = place("a").replace(b"}", b', "exec_inst": "CANCEL_ON_DISCONNECT"}')
    client.received(
        [ending, place("b"), place("c"), b'{"type":"ORDER_CANCEL_ALL_REQUEST","exchange_id":"SIM"}']
    )
    client.ended("lost")
    client.ended("lost")
    written = len(socket.writes)
    await turns()
    world.edge.gate.set()
    await world.hub.stop()
    await turns()
    assert [type(each) for each in world.asked] == [
        PlaceOrder, PlaceOrder, PlaceOrder, CancelAll, EndSession,
    ]  # fmt: skip
    placed = [each for each in world.asked if isinstance(each, PlaceOrder)]
    assert {each.session for each in placed} == {"ws:token"}
    assert placed[0].exec_inst == (ExecInst.CANCEL_ON_DISCONNECT,)
    assert world.asked[-1] == EndSession(account="SIM", session="ws:token")
    assert len(socket.writes) == written
    assert world.hub.ended == {"lost": 1}
    assert world.feed.subscribers == 0


async def test_a_stopping_edge_says_what_is_not_known() -> None:
    world = World()
    client, socket = await opened(world)

    def stopped(_: Request) -> Reply:
        raise ConnectionError("the edge has stopped")

    world.answer = stopped
    client.received([place("a"), CANCEL_ALL])
    await socket.until(lambda: socket.types.count("MESSAGE_REJECT") == 2)
    rejects = [m for m in socket.messages if m["type"] == "MESSAGE_REJECT"]
    assert rejects[0]["reject_reason"] == "EXCHANGE_RESPONSE_TIMEOUT"
    assert "whether order a was taken is unknown" in rejects[0]["message"]
    assert rejects[1]["reject_reason"] == "OTHER"
    client.ended("left")


async def test_at_the_servers_end_each_account_is_told_and_the_connection_closed() -> None:
    world = World()
    client, socket = await opened(world)
    client.stop()
    assert socket.messages[-1]["type"] == "SERVER_INFO"
    assert socket.messages[-1]["is_running"] is False
    assert socket.code == 1001
    client.ended("stopping")
    client.stop()


@pytest.mark.parametrize("refusal", list(Refusal))
async def test_refusals_have_the_reason_that_rest_gives(refusal: Refusal) -> None:
    world = World()
    world.answer = lambda _: Refused(refusal, "for a reason", "price")
    client, socket = await opened(world)
    client.received([place("a")])
    await socket.until(lambda: "MESSAGE_REJECT" in socket.types)
    (reject,) = [m for m in socket.messages if m["type"] == "MESSAGE_REJECT"]
    assert reject["reject_reason"] == REASONS[refusal]
    assert reject["rejected_message"] == place("a").decode()
    api = RestApi(world.edge, lambda: "trace")
    answer = json.loads((await api.place(Call("POST", b"/v1/orders", b"", "1.1", body()))).body)
    if "reject_reason" in answer:
        assert (reject["reject_reason"], reject["message"]) == (
            answer["reject_reason"],
            answer["message"],
        )
    elif "errors" in answer:
        assert reject["message"] == answer["errors"] == "price: for a reason"
    else:  # of callers
        assert reject["message"] == answer["message"] == "for a reason"
    client.ended("left")


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
async def test_a_frame_of_any_length_is_read_by_a_client(length: int) -> None:
    assert texts(frame(b"x" * length)) == [b"x" * length]
