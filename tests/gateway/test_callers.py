"""Who may do what: one decision, at the port, for every request and every kind of limit."""

from collections.abc import Iterator
from typing import get_args

import msgspec
import pytest

from fairlead.control.addresses import read_address
from fairlead.control.certificate import Certificate
from fairlead.control.key_text import hash_of, new_secret
from fairlead.control.keys import ApiKey, Rights, Scope, State, Usable
from fairlead.core.model import AccountMode, Side, TimeInForce
from fairlead.core.port import HistoryRow
from fairlead.core.replies import (
    AttentionReply,
    BalancesReply,
    Done,
    InstrumentsReply,
    OrderReply,
    OrdersReply,
    PositionsReply,
    Refusal,
    Refused,
    Reply,
)
from fairlead.core.requests import (
    CancelAll,
    CancelOrder,
    CheckOrder,
    EndSession,
    PlaceOrder,
    QueryAttention,
    QueryBalances,
    QueryInstruments,
    QueryOrder,
    QueryOrders,
    QueryPositions,
    Request,
    Resolution,
    ResolveOrder,
    SetMode,
)
from fairlead.gateway.callers import Access, Caller, agreed
from fairlead.gateway.guard import SCOPES, Doors, GuardedPort, NotAllowed
from fairlead.gateway.usage import FIX, WEBSOCKET
from tests.gateway.orders import ORDER
from tests.gateway.scripted_edge import ScriptedEdge

S = 1_000_000_000
KID = "flk_" + "A" * 22
SECRET = new_secret()
HOME = "192.0.2.7"
AT_HOME = read_address(HOME)


def key(**changes: object) -> ApiKey:
    rights = {
        name: changes.pop(name) for name in ("scopes", "accounts", "addresses") if name in changes
    }
    made = ApiKey(
        kid=KID,
        subscription="local",
        label="Bot1",
        stored_state=State.ACTIVE,
        rights=Rights(**{"scopes": tuple(Scope), **rights}),  # type: ignore[arg-type]
        created_ns=0,
        expires_ns=None,
        version=1,
    )
    return msgspec.structs.replace(made, **changes)


class World:
    """An access with one key, whose clock stands still, and an edge that says what it was asked."""

    def __init__(self, **changes: object) -> None:
        self.now_ns = 100 * S
        self.access = Access(lambda: self.now_ns, requests_per_s=10)
        self.edge = ScriptedEdge()
        self.edge.script = lambda _: Done()
        self.becomes(**changes)
        self.caller = Caller("local", KID, read_address(HOME))
        self.port = Doors({"local": self.edge}, self.access).of(self.caller)

    def becomes(self, **changes: object) -> None:
        self.access.replace([Usable(key(**changes), hash_of(SECRET))])

    def decides(self, scope: Scope | None = Scope.READ, account: str = "") -> str | None:
        """Return the code of the refusal, None if there is none."""
        refused = self.access.refusal(self.caller, scope, account)
        return None if refused is None else refused.message.partition(":")[0]


# ── who ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_secret_proves_its_key() -> None:
    assert World().access.identify(SECRET, AT_HOME) == Caller("local", KID, AT_HOME)


@pytest.mark.parametrize(
    "wrong",
    [new_secret(), "", KID, SECRET[:-1], SECRET.lower(), SECRET + " ", "é" * 57, "x" * 1_000_000],
    ids=["nobody's", "empty", "kid", "short", "lower", "space", "not-ascii", "long"],
)
def test_anything_else_proves_nobody(wrong: str) -> None:
    assert World().access.identify(wrong, AT_HOME) is None


def test_a_key_that_is_not_usable_any_more_proves_nobody_and_may_nothing() -> None:
    world = World()
    world.access.replace([])
    assert world.access.identify(SECRET, AT_HOME) is None
    assert world.decides() == "Invalid API key"


FINGERPRINT = "ab" * 32


def certificate(**changes: object) -> Certificate:
    made = Certificate(
        fingerprint=FINGERPRINT,
        subscription="local",
        kid=KID,
        serial="1",
        created_ns=0,
        not_after_ns=200 * S,
        revoked_ns=None,
    )
    return msgspec.structs.replace(made, **changes)


def certified(world: World, **changes: object) -> Caller | None:
    """Register a certificate and return whom it proves."""
    held = certificate(**changes)
    world.access.replace([Usable(key(), hash_of(SECRET))], {held.fingerprint: held})
    return world.access.identify_certificate(FINGERPRINT, AT_HOME)


def test_a_certificate_proves_its_key() -> None:
    assert certified(World()) == Caller("local", KID, read_address(HOME), FINGERPRINT)


@pytest.mark.parametrize(
    "changes",
    [{"fingerprint": "cd" * 32}, {"not_after_ns": 100 * S}, {"kid": "flk_" + "B" * 22}],
    ids=["unregistered", "ended", "key-gone"],
)
def test_any_other_certificate_proves_nobody(changes: dict[str, object]) -> None:
    assert certified(World(), **changes) is None


def test_a_certificate_is_looked_up_at_every_request() -> None:
    world = World()
    caller = certified(world)
    assert caller is not None
    world.caller = caller
    assert world.decides() is None
    world.now_ns = 200 * S
    assert world.decides() == "Invalid API key"
    world.now_ns = 100 * S
    world.access.replace([Usable(key(), hash_of(SECRET))])  # revoked; its key is as it was
    assert world.decides() == "Invalid API key"
    world.caller = Caller("local", KID, read_address(HOME))
    assert world.decides() is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"addresses": ("198.51.100.0/24",)}, "ip_not_allowed"),
        ({"expires_ns": 100 * S}, "key_expired"),
        ({"scopes": (Scope.READ,)}, "scope_missing"),
        ({"accounts": ("SIM/BOB",)}, "account_not_allowed"),
        ({}, None),
    ],
)
def test_a_certificate_has_the_limits_of_its_key(
    changes: dict[str, object], expected: str | None
) -> None:
    world = World()
    caller = certified(world)
    assert caller is not None
    world.caller = caller
    world.access.replace([Usable(key(**changes), hash_of(SECRET))], {FINGERPRINT: certificate()})
    assert world.decides(Scope.TRADE, "SIM") == expected


def test_a_connection_ends_with_its_certificate_and_no_other_does() -> None:
    world = World()
    caller = certified(world)
    assert caller is not None
    ended: list[str] = []
    world.access.watch(caller, WEBSOCKET, lambda: ended.append("certificate"))
    world.access.watch(world.caller, WEBSOCKET, lambda: ended.append("secret"))
    world.access.replace([Usable(key(), hash_of(SECRET))], {FINGERPRINT: certificate()})
    assert ended == []
    world.access.replace([Usable(key(), hash_of(SECRET))])
    assert ended == ["certificate"]


def test_credentials_that_agree_are_one_caller() -> None:
    by_certificate = Caller("local", KID, read_address(HOME), FINGERPRINT)
    by_secret = Caller("local", KID, read_address(HOME))
    other = Caller("local", "flk_" + "B" * 22, read_address(HOME))
    assert agreed([by_certificate, by_secret]) == by_certificate
    assert agreed([by_secret, by_secret]) == by_secret
    for claims in ([], [None], [by_certificate, other], [by_secret, None], [None, by_secret]):
        assert agreed(claims) is None


def test_in_open_mode_who_shows_a_credential_is_held_to_it() -> None:
    world = World()
    world.access.is_open = True
    doors = Doors({"local": world.edge}, world.access)
    assert doors.of(None) is world.edge
    assert doors.is_open_to(None, "SIM")
    assert isinstance(doors.of(world.caller), GuardedPort)
    world.becomes(accounts=("SIM",))
    assert not doors.is_open_to(world.caller, "SIM/BOB")


# ── the decision ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("needed", Scope)
@pytest.mark.parametrize("held", Scope)
def test_every_scope_opens_itself_alone(held: Scope, needed: Scope) -> None:
    expected = None if held is needed else "scope_missing"
    assert World(scopes=(held,)).decides(needed) == expected


def test_what_has_no_scope_nobody_may() -> None:
    assert World().decides(None) == "scope_missing"


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        ("", None),
        ("SIM", None),
        ("SIM/BOB", "account_not_allowed"),
        ("SIM/", "account_not_allowed"),
    ],
)
def test_a_limited_key_has_its_accounts_alone(account: str, expected: str | None) -> None:
    assert World(accounts=("SIM",)).decides(account=account) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (HOME, None),
        (f"::ffff:{HOME}", None),
        ("192.0.3.7", "ip_not_allowed"),
        ("::1", "ip_not_allowed"),
    ],
)
def test_a_limited_key_works_from_its_addresses_alone(address: str, expected: str | None) -> None:
    world = World(addresses=("192.0.2.0/24",))
    world.caller = Caller("local", KID, read_address(address))
    assert world.decides() == expected


def test_a_key_ends_at_its_moment_and_says_when() -> None:
    world = World(expires_ns=101 * S)
    assert world.decides() is None
    world.now_ns = 101 * S
    refused = world.access.refusal(world.caller, Scope.READ, "")
    assert refused is not None
    assert refused.refusal is Refusal.UNAUTHENTICATED
    assert refused.message == "key_expired: the key expired at 1970-01-01T00:01:41Z"


def test_a_refused_address_is_named_as_it_was_seen() -> None:
    world = World(addresses=("198.51.100.1/32",))
    refused = world.access.refusal(world.caller, Scope.READ, "")
    assert refused is not None
    assert refused.message == f"ip_not_allowed: the key may not be used from {HOME}"


def test_a_narrowed_key_is_narrower_from_the_next_request_on() -> None:
    world = World()
    assert world.decides(Scope.TRADE) is None
    world.becomes(scopes=(Scope.READ,))
    assert world.decides(Scope.TRADE) == "scope_missing"


# ── the rate ─────────────────────────────────────────────────────────────────────────────────────


def test_a_key_has_its_requests_of_each_second_and_no_more() -> None:
    world = World()
    assert [world.access.charge(world.caller) for _ in range(10)] == [None] * 10
    refused = world.access.charge(world.caller)
    assert refused is not None
    assert refused.refusal is Refusal.RATE_EXCEEDED
    world.now_ns += S // 2
    charged = [world.access.charge(world.caller) for _ in range(6)]
    assert [each is None for each in charged] == [True] * 5 + [False]


def test_an_edit_of_a_key_does_not_refill_its_bucket() -> None:
    world = World()
    for _ in range(10):
        world.access.charge(world.caller)
    world.becomes(scopes=(Scope.READ,))
    assert world.access.charge(world.caller) is not None


# ── at the port ──────────────────────────────────────────────────────────────────────────────────

PLACE = PlaceOrder(
    account="SIM",
    client_order_id="one",
    symbol="SIM_SPOT_BTC_USDT",
    symbol_exchange=None,
    side=Side.BUY,
    price=ORDER.price,
    quantity=ORDER.quantity,
    time_in_force=TimeInForce.GOOD_TILL_CANCEL,
    time_in_force_text="GOOD_TILL_CANCEL",
)


def requests() -> Iterator[Request]:
    """Yield one of every kind of request that a client can make, at SIM."""
    special: dict[type, dict[str, object]] = {
        CheckOrder: {"order": PLACE},
        SetMode: {"mode": AccountMode.HALTED},
        ResolveOrder: {"client_order_id": "one", "resolution": Resolution.WORKING},
        QueryOrder: {"client_order_id": "one"},
    }
    for kind in get_args(Request):
        if kind is PlaceOrder:
            yield PLACE
        elif kind is not EndSession:
            yield kind(account="SIM", **special.get(kind, {}))


def test_every_kind_of_request_has_its_scope() -> None:
    assert set(SCOPES) | {EndSession} == set(get_args(Request))


@pytest.mark.parametrize("held", Scope)
@pytest.mark.parametrize("request_", [*requests()], ids=lambda each: type(each).__name__)
@pytest.mark.asyncio
async def test_a_request_passes_with_its_scope_alone(request_: Request, held: Scope) -> None:
    world = World(scopes=(held,))
    reply = await world.port.submit(request_)
    if held is SCOPES[type(request_)]:
        assert reply == Done()
        assert len(world.edge.asked) == 1
    else:
        assert isinstance(reply, Refused)
        assert reply.refusal is Refusal.FORBIDDEN
        assert f"needs scope {SCOPES[type(request_)]}" in reply.message
        assert world.edge.asked == []


@pytest.mark.parametrize("request_", [*requests()], ids=lambda each: type(each).__name__)
@pytest.mark.asyncio
async def test_no_request_passes_for_another_account(request_: Request) -> None:
    world = World(accounts=("SIM/BOB",))
    reply = await world.port.submit(request_)
    assert isinstance(reply, Refused)
    assert reply.message == "account_not_allowed: the key may not be used for SIM"
    assert world.edge.asked == []


@pytest.mark.asyncio
async def test_the_end_of_a_session_passes_with_a_revoked_key() -> None:
    world = World()
    world.access.replace([])
    end = EndSession(account="SIM", session="ws:1")
    assert await world.port.submit(end) == Done()
    refused = await world.port.submit(CancelAll(account="SIM"))
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.UNAUTHENTICATED


@pytest.mark.asyncio
async def test_an_order_carries_the_public_id_of_its_key() -> None:
    world = World()
    await world.port.submit(msgspec.structs.replace(PLACE, caller="somebody else"))
    assert world.edge.asked == [msgspec.structs.replace(PLACE, caller=KID)]


@pytest.mark.asyncio
async def test_one_request_too_many_is_not_passed_on() -> None:
    world = World()
    replies = [await world.port.submit(CancelOrder(account="SIM")) for _ in range(11)]
    assert replies[:10] == [Done()] * 10
    assert isinstance(replies[10], Refused)
    assert replies[10].refusal is Refusal.RATE_EXCEEDED
    assert len(world.edge.asked) == 10


MINE = msgspec.structs.replace(ORDER, account="SIM")
BOBS = msgspec.structs.replace(ORDER, account="SIM/BOB", number=ORDER.number + 1)


@pytest.mark.parametrize(
    ("request_", "whole", "narrowed"),
    [
        (QueryOrders(account=""), OrdersReply((MINE, BOBS)), OrdersReply((MINE,))),
        (
            QueryAttention(account=""),
            AttentionReply(((BOBS, "b"), (MINE, "a"))),
            AttentionReply(((MINE, "a"),)),
        ),
        (
            QueryBalances(account=""),
            BalancesReply((("SIM", ()), ("SIM/BOB", ())), 5),
            BalancesReply((("SIM", ()),), 5),
        ),
        (
            QueryPositions(account=""),
            PositionsReply((("SIM/BOB", ()), ("SIM", ())), 5),
            PositionsReply((("SIM", ()),), 5),
        ),
        (
            QueryInstruments(account=""),
            InstrumentsReply((("SIM/BOB", ()), ("SIM", ()))),
            InstrumentsReply((("SIM", ()),)),
        ),
    ],
    ids=lambda each: type(each).__name__,
)
@pytest.mark.asyncio
async def test_what_is_asked_of_all_accounts_is_answered_about_its_own(
    request_: Request, whole: Reply, narrowed: Reply
) -> None:
    world = World(accounts=("SIM",))
    world.edge.script = lambda _: whole
    assert await world.port.submit(request_) == narrowed
    world.becomes()
    assert await world.port.submit(request_) == whole


@pytest.mark.asyncio
async def test_an_id_that_others_use_too_leads_to_the_order_of_its_own_account() -> None:
    orders = {"SIM": MINE, "SIM/BOB": BOBS}
    world = World(accounts=("SIM",))

    def script(request: Request) -> Reply:
        assert request.account, "a limited key asks its accounts"
        return OrderReply(orders[request.account])

    world.edge.script = script
    question = QueryOrder(account="", client_order_id=MINE.client_order_id)
    assert await world.port.submit(question) == OrderReply(MINE)
    world.becomes(accounts=("SIM", "SIM/BOB"))
    assert await world.port.submit(question) == OrderReply(BOBS)


@pytest.mark.asyncio
@pytest.mark.parametrize("busy", ["SIM", "SIM/BOB"])
async def test_an_account_that_cannot_look_is_not_hidden_by_another_without_the_order(
    busy: str,
) -> None:
    world = World(accounts=("SIM", "SIM/BOB"))
    too_much = Refused(Refusal.OVERLOADED, "busy")
    unknown = Refused(Refusal.ORDER_UNKNOWN, "no such order", "client_order_id")
    elsewhere: Reply = unknown
    world.edge.script = lambda request: too_much if request.account == busy else elsewhere
    question = QueryOrder(account="", client_order_id="id")
    assert await world.port.submit(question) == too_much
    elsewhere = OrderReply(MINE)
    assert await world.port.submit(question) == elsewhere
    world.edge.script = lambda _: unknown
    assert await world.port.submit(question) == unknown


@pytest.mark.asyncio
async def test_history_holds_the_orders_of_its_accounts_up_to_the_limit() -> None:
    world = World(accounts=("SIM",))
    rows = [HistoryRow(each, str(at)) for at, each in enumerate((BOBS, MINE, BOBS, MINE, MINE))]
    world.edge.rows = rows
    found = [row async for row in world.port.history(0, 1, None, 2)]
    assert found == [rows[1], rows[3]]
    world.becomes()
    assert [row async for row in world.port.history(0, 1, None, 2)] == rows[:2]


@pytest.mark.asyncio
async def test_what_cannot_be_answered_by_a_reply_is_refused_by_an_error() -> None:
    world = World(scopes=(Scope.TRADE,))
    port = world.port
    assert isinstance(port, GuardedPort)
    with pytest.raises(NotAllowed, match="scope_missing"):
        await port.story("SIM", 1)
    with pytest.raises(NotAllowed):
        await port.reports_page("SIM", 0, 1)
    with pytest.raises(NotAllowed):
        await anext(port.history(0, 1, None, None))
    for ask in (lambda: port.reports("SIM", 0), lambda: port.listen(lambda _: None)):
        with pytest.raises(NotAllowed):
            ask()


def test_without_a_caller_there_is_a_way_in_only_in_open_mode() -> None:
    world = World()
    assert Doors({"local": world.edge}).of(None) is world.edge
    with pytest.raises(AssertionError):
        Doors({"local": world.edge}, world.access).of(None)


@pytest.mark.asyncio
async def test_a_key_leads_to_the_port_of_its_own_subscription_and_to_no_other() -> None:
    world, foreign = World(subscription="desk"), ScriptedEdge()
    doors = Doors({"local": foreign, "desk": world.edge}, world.access)
    caller = world.access.identify(SECRET, AT_HOME)
    assert caller is not None
    assert caller.subscription == "desk"
    assert isinstance(await doors.of(caller).submit(QueryBalances(account="")), Done)
    assert foreign.asked == []
    with pytest.raises(KeyError):  # rather an error than somebody else's orders
        Doors({"local": foreign}, world.access).of(caller)


# ── connections ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({"label": "Bot2"}, False),
        ({"accounts": None}, False),
        ({"accounts": ("SIM", "SIM/BOB", "SIM/EVE")}, False),
        ({"accounts": ("SIM",)}, True),
        ({"scopes": (Scope.READ,)}, True),
        ({"addresses": ("192.0.2.0/24",)}, False),
        ({"addresses": ("198.51.100.0/24",)}, True),
        ({"expires_ns": 100 * S}, True),
    ],
)
def test_a_connection_ends_when_its_key_may_less(changes: dict[str, object], ends: bool) -> None:
    both: dict[str, object] = {"scopes": (Scope.READ, Scope.TRADE), "accounts": ("SIM", "SIM/BOB")}
    world = World(**both)
    ended: list[int] = []
    world.access.watch(world.caller, WEBSOCKET, lambda: ended.append(1))
    for _ in range(2):
        world.becomes(**(both | changes))
    assert ended == [1] * ends


@pytest.mark.parametrize("wider", [{"accounts": ("SIM", "SIM/BOB")}, {"scopes": tuple(Scope)}])
def test_a_connection_ends_when_its_key_loses_what_it_got_meanwhile(
    wider: dict[str, object],
) -> None:
    narrow: dict[str, object] = {"scopes": (Scope.READ,), "accounts": ("SIM",)}
    world = World(**narrow)
    ended: list[int] = []
    world.access.watch(world.caller, WEBSOCKET, lambda: ended.append(1))
    world.becomes(**(narrow | wider))
    assert ended == []
    world.becomes(**narrow)
    assert ended == [1]


@pytest.mark.parametrize(
    ("changes", "is_told"),
    [
        ({"accounts": None}, True),
        ({"accounts": ("SIM", "SIM/BOB")}, True),
        ({"accounts": ("SIM/BOB",)}, False),
        ({"scopes": tuple(Scope)}, False),
        ({"label": "Bot2"}, False),
        ({}, False),
    ],
)
def test_a_connection_is_told_once_that_its_key_got_accounts(
    changes: dict[str, object], is_told: bool
) -> None:
    before: dict[str, object] = {"scopes": (Scope.READ,), "accounts": ("SIM",)}
    world = World(**before)
    told: list[int] = []
    stop = world.access.watch(world.caller, FIX, lambda: None, lambda: told.append(1))
    for _ in range(2):
        world.becomes(**(before | changes))
    assert told == [1] * is_told
    stop()
    world.becomes(accounts=("SIM", "SIM/BOB", "SIM/EVE"))
    assert told == [1] * is_told


def test_a_connection_ends_with_its_key_and_at_its_moment() -> None:
    world = World(expires_ns=101 * S)
    ended: list[str] = []
    world.access.watch(world.caller, WEBSOCKET, lambda: ended.append("expired"))
    stop = world.access.watch(world.caller, WEBSOCKET, lambda: ended.append("never"))
    stop()
    world.access.end_the_uncovered()
    assert ended == []
    world.now_ns = 101 * S
    world.access.end_the_uncovered()
    assert ended == ["expired"]
    world.access.replace([])
    world.access.watch(world.caller, WEBSOCKET, lambda: ended.append("gone"))
    assert ended == ["expired", "gone"]
