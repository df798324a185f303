"""What callers use is counted once each, for the day it was on, under their key and account."""

from collections import Counter

import msgspec
import pytest

from fairlead.control.addresses import read_address
from fairlead.control.key_text import hash_of
from fairlead.control.keys import Scope, Usable
from fairlead.control.usage import DAY_NS, USES_MAX, Batch, Use, Used, day_of
from fairlead.core.model import Order
from fairlead.core.replies import ChecksReply, Done, OrderReply, Refusal, Refused, Reply
from fairlead.core.requests import CancelOrder, CheckOrder, QueryBalances, Request
from fairlead.gateway import refusing
from fairlead.gateway.callers import Access
from fairlead.gateway.guard import NotAllowed
from fairlead.gateway.usage import FIX, WEBSOCKET, Usage
from tests.gateway.orders import ORDER
from tests.gateway.test_callers import (
    AT_HOME,
    KID,
    PLACE,
    SECRET,
    S,
    World,
    certificate,
    key,
)

NOON_NS = 1_795_780_800 * S
DAY, NEXT_DAY = day_of(NOON_NS), day_of(NOON_NS + DAY_NS)


class Metered(World):
    """A world whose usage has clocks that the test moves."""

    def __init__(self, **changes: object) -> None:
        self.steady_ns = 0
        super().__init__(**changes)
        self.now_ns = NOON_NS
        self.usage = Usage(lambda: self.now_ns, lambda: self.steady_ns)
        self.access = Access(lambda: self.now_ns, 1_000, self.usage)
        self.becomes(**changes)
        self.port._access = self.access  # type: ignore[attr-defined]

    def answers(self, reply: Reply) -> None:
        self.edge.script = lambda _: reply

    def taken(self) -> list[tuple[str, str, dict[str, int]]]:
        """Return day, account and what is not 0 of everything that was used since the last time."""
        batch = self.usage.take()
        self.usage.written()
        rows = [] if batch is None else batch.rows
        assert {(row.subscription, row.kid) for row in rows} <= {("local", KID)}
        names = ("requests", "orders", "websocket_ms", "fix_ms")
        return [
            (row.day, row.account, {each: n for each in names if (n := getattr(row, each))})
            for row in rows
        ]


def taken_at(order: Order, time_ns: int) -> Order:
    return msgspec.structs.replace(order, account="SIM", time_order_ns=time_ns)


NEW = taken_at(ORDER, NOON_NS)
OLD = taken_at(ORDER, NOON_NS - 1)
CANCEL = CancelOrder(account="SIM", client_order_id="one", exchange_order_id=None)
BALANCES = QueryBalances(account="")
USE = Use(KID, NOON_NS, str(AT_HOME), "rest", "")
UNKNOWN = Refused(Refusal.ACCOUNT_UNKNOWN, "there is no such account")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("request_", "reply", "account", "orders"),
    [
        (PLACE, OrderReply(NEW), "SIM", 1),
        (PLACE, OrderReply(OLD), "SIM", 0),
        (PLACE, Refused(Refusal.IN_DOUBT, "nobody knows", order=NEW), "SIM", 1),
        (PLACE, UNKNOWN, "", 0),
        (CANCEL, OrderReply(OLD), "SIM", 0),
        (CANCEL, UNKNOWN, "", 0),
        (BALANCES, Done(), "", 0),
        (CheckOrder(account="SIM", order=PLACE), ChecksReply(()), "", 0),
    ],
    ids=["new", "sent again", "in doubt", "no account", "cancel", "no such", "all", "check"],
)
async def test_a_request_counts_for_the_account_that_it_reached(
    request_: Request, reply: Reply, account: str, orders: int
) -> None:
    world = Metered()
    world.answers(reply)
    await world.port.submit(request_)
    counts = {"requests": 1} | ({"orders": orders} if orders else {})
    assert world.taken() == [(DAY, account, counts)]
    assert world.taken() == []


@pytest.mark.asyncio
async def test_what_is_refused_is_no_usage_and_counted_by_why() -> None:
    world = Metered(scopes=("read",), accounts=("SIM",), addresses=("192.0.2.0/24",))
    world.answers(Done())
    assert isinstance(await world.port.submit(PLACE), Refused)
    assert isinstance(await world.port.submit(QueryBalances(account="SIM/EVE")), Refused)
    with pytest.raises(NotAllowed):
        await world.port.story("SIM/EVE", 1)
    world.becomes(addresses=("198.51.100.0/24",))
    assert isinstance(await world.port.submit(BALANCES), Refused)
    world.becomes(expires_ns=1)
    assert isinstance(await world.port.submit(BALANCES), Refused)
    world.becomes()
    world.access.replace([])
    assert isinstance(await world.port.submit(BALANCES), Refused)
    world.access.nobody(AT_HOME, is_shown=False)
    assert world.access.refused == Counter(
        {
            refusing.SCOPE_MISSING: 1,
            refusing.ACCOUNT_NOT_ALLOWED: 2,
            refusing.IP_NOT_ALLOWED: 1,
            refusing.KEY_EXPIRED: 1,
            refusing.INVALID_KEY: 1,
            refusing.NO_KEY: 1,
        }
    )
    assert world.taken() == []


@pytest.mark.asyncio
async def test_requests_beyond_the_rate_are_refused_and_no_usage() -> None:
    world = Metered()
    world.answers(Done())
    for _ in range(1_005):
        await world.port.submit(BALANCES)
    assert world.taken() == [(DAY, "", {"requests": 1_000})]
    assert world.access.refused == Counter({refusing.RATE_EXCEEDED: 5})


def test_looking_whether_something_would_be_allowed_is_no_refusal() -> None:
    world = Metered(accounts=("SIM",))
    assert world.access.judge(world.caller, None, "SIM/EVE") is not None
    world.access.end_the_uncovered()
    assert world.access.identify("nonsense", AT_HOME) is None
    assert world.access.refused == Counter()


@pytest.mark.asyncio
async def test_usage_stands_on_the_day_it_was_on() -> None:
    world = Metered()
    world.answers(Done())
    await world.port.submit(BALANCES)
    first = world.usage.take()
    world.now_ns += DAY_NS  # nothing could be written meanwhile
    await world.port.submit(BALANCES)
    assert world.usage.take() is first
    world.usage.written()
    # What was counted before the clock was looked at belongs to the day before.
    assert world.taken() == [(DAY, "", {"requests": 1})]
    await world.port.submit(BALANCES)
    assert world.taken() == [(NEXT_DAY, "", {"requests": 1})]


@pytest.mark.asyncio
async def test_a_batch_stays_the_same_until_it_is_written() -> None:
    world = Metered()
    world.answers(Done())
    await world.port.submit(BALANCES)
    row = Used(subscription="local", day=DAY, kid=KID, account="", requests=1)
    for _ in range(3):
        await world.port.submit(BALANCES)
        assert world.usage.take() == Batch(1, (msgspec.structs.replace(row, requests=2),), (USE,))
    world.usage.written()
    assert world.usage.take() == Batch(2, (msgspec.structs.replace(row, requests=2),), ())


@pytest.mark.asyncio
async def test_a_changed_key_goes_on_counting() -> None:
    world = Metered()
    world.answers(Done())
    await world.port.submit(BALANCES)
    world.becomes(label="Bot2")
    await world.port.submit(BALANCES)
    world.access.replace([])
    assert world.taken() == [(DAY, "", {"requests": 2})]


def test_the_time_of_each_connection_counts_until_it_ends() -> None:
    world = Metered()
    ends = [world.access.watch(world.caller, each, lambda: None) for each in (WEBSOCKET, FIX)]
    ends.append(world.access.watch(world.caller, WEBSOCKET, lambda: None))
    world.steady_ns += 1_500_400_000
    assert world.taken() == [(DAY, "", {"websocket_ms": 3_000, "fix_ms": 1_500})]
    ends[0]()
    ends[0]()
    world.steady_ns += 600_000
    assert world.taken() == [(DAY, "", {"websocket_ms": 1, "fix_ms": 1})]
    world.access.replace([])  # the connections are told to end, and say when they have
    world.steady_ns += 1_000_000
    for end in ends:
        end()
    world.steady_ns += S
    assert world.taken() == [(DAY, "", {"websocket_ms": 1, "fix_ms": 1})]
    assert world.taken() == []


# ── where keys are used ──────────────────────────────────────────────────────────────────────────

MINUTE = 60 * S


def uses_taken(world: Metered) -> list[tuple[int, str, str, str]]:
    """Return seconds since noon, address, protocol and certificate of the uses since the last time."""
    batch = world.usage.take()
    world.usage.written()
    found: list[Use] = [] if batch is None else sorted(batch.uses, key=lambda use: use.time_ns)
    return [
        ((use.time_ns - NOON_NS) // S, use.address, use.protocol, use.certificate) for use in found
    ]


def test_a_use_is_what_was_let_through_and_no_refusal() -> None:
    world = Metered(scopes=["read"])
    assert world.access.refusal(world.caller, Scope.TRADE, "") is not None
    assert world.access.judge(world.caller, Scope.READ, "") is None  # as open connections are
    assert uses_taken(world) == []
    assert world.access.refusal(world.caller, Scope.READ, "") is None
    assert uses_taken(world) == [(0, str(AT_HOME), "rest", "")]
    assert uses_taken(world) == []


def test_uses_of_one_minute_are_one_for_each_address_protocol_and_certificate() -> None:
    world = Metered()
    near, far = world.caller, read_address("2001:db8::1")
    replace = msgspec.structs.replace
    others = (
        replace(near, address=far), replace(near, protocol="fix"), replace(near, certificate="ab"),
    )  # fmt: skip
    certified = certificate(fingerprint="ab", not_after_ns=2 * NOON_NS)
    world.access.replace([Usable(key(), hash_of(SECRET))], {"ab": certified})
    for second in (1, 2, 59, 60):
        world.now_ns = NOON_NS + second * S
        for each in (replace(near), near, *others):
            assert world.access.refusal(each, Scope.READ, "") is None
    places = [
        (str(AT_HOME), "rest", ""), (str(far), "rest", ""), (str(AT_HOME), "fix", ""),
        (str(AT_HOME), "rest", "ab"),
    ]  # fmt: skip
    found = uses_taken(world)
    assert sorted(found) == sorted((second, *place) for second in (59, 60) for place in places)


def test_of_many_places_the_last_are_remembered_while_nothing_can_be_written() -> None:
    world = Metered()
    assert world.access.refusal(world.caller, Scope.READ, "") is None
    assert world.usage.take() is not None  # and that does not get written
    for at in range(1, USES_MAX + 4):
        world.now_ns = NOON_NS + at * S
        caller = msgspec.structs.replace(world.caller, address=read_address(f"10.0.0.{at}"))
        assert world.access.refusal(caller, Scope.READ, "") is None
        world.usage.take()
    world.usage.written()
    assert [use[1] for use in uses_taken(world)] == [
        f"10.0.0.{at}" for at in range(4, USES_MAX + 4)
    ]
