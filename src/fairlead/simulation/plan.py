"""What kind of world a seed makes: how many accounts, how bad the network, which faults, which crashes."""

from decimal import Decimal
from random import Random

import msgspec

from fairlead.core.deciding import EngineSettings
from fairlead.core.model import Side
from fairlead.edge.edge import EdgeSettings
from fairlead.edge.limits import Limits
from fairlead.edge.reconcile import ReconcileSettings
from fairlead.exchange.faults import FaultName
from fairlead.exchange.settings import PERPETUAL_BTC_USDT, PerpetualSettings
from fairlead.exchange.settings import Settings as ExchangeSettings
from fairlead.gateway.feed import FeedSettings
from fairlead.gateway.fixapi.settings import FixSettings
from fairlead.gateway.websocket.hub import WebSocketSettings
from fairlead.simulation.clients import ClientSettings
from fairlead.simulation.crashes import CrashSettings
from fairlead.simulation.gate import StreamSettings
from fairlead.simulation.network import Weather
from fairlead.venues.link import LinkLimits
from fairlead.venues.sim_limits import SimLimits

REQUEST_WINDOW_MS = 300
ACCOUNTS = ("SIM", "SIM/ALICE", "SIM/BOB")

_FIX_JUMP_MS_MAX = 60_000
_STARTING_BALANCES = (
    (("BTC", Decimal(100)), ("ETH", Decimal(2000)), ("USDT", Decimal(10_000_000))),
    (("BTC", Decimal(1)), ("ETH", Decimal(20)), ("USDT", Decimal(40_000))),
    (("BTC", Decimal("0.2")), ("ETH", Decimal(5)), ("USDT", Decimal(8_000))),
)
# Little enough for some accounts to be liquidated.
_STARTING_BALANCES_MARGIN = (
    (("BTC", Decimal("0.2")), ("USDT", Decimal(8_000))),
    (("BTC", Decimal("0.01")), ("USDT", Decimal(400))),
    (("BTC", Decimal("0.01")), ("USDT", Decimal(60))),
)
_SIDES = ((Side.BUY, Side.SELL), (Side.BUY,) * 5 + (Side.SELL,), (Side.BUY,) + (Side.SELL,) * 5)


class WorldPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a world that is decided before it begins. Times in ms.

    `fault_wait_ms` between two faults at the exchange (None: it behaves); `exchange_kills` how often
    it is killed and started again; `commit_us_max` how long a commit in a thread takes (None: all are
    inline); `clock_jumps` how often Fairlead's wall clock jumps, by at most
    `clock_jump_ms_max`; `strangers` orders and deposits at the exchange that are not ours; `marks` how
    often the mark prices of perpetuals are moved, in worlds that have some; `streams` who keeps one.
    `goings` how often an account goes or logs in anew, for at most `away_ms_max`; `late` the accounts that
    are not there from the beginning; `suspensions` how often one is suspended, for at most
    `suspended_ms_max`.
    """

    seed: int
    accounts: tuple[str, ...]
    clients: int
    duration_ms: int
    client: ClientSettings
    weather: Weather
    crashes: CrashSettings
    faults: tuple[FaultName, ...]
    fault_wait_ms: int | None
    exchange_kills: int
    commit_us_max: int | None
    clock_jumps: int
    clock_jump_ms_max: int
    strangers: bool
    marks: int
    has_participants: bool
    has_followers: bool
    exchange: ExchangeSettings
    edge: EdgeSettings
    link: LinkLimits
    dialect: SimLimits
    streams: StreamSettings | None = None
    goings: int = 0
    away_ms_max: int = 0
    late: tuple[str, ...] = ()
    suspensions: int = 0
    suspended_ms_max: int = 0


def plan(seed: int) -> WorldPlan:
    """Return the world of a seed. Most have a few kinds of trouble; some none, some all."""
    random = Random(f"plan {seed}")

    def troubled(per_cent: int) -> bool:
        return random.randrange(100) < per_cent

    faults: tuple[FaultName, ...] = ()
    if troubled(80):
        names = list(FaultName)
        count = random.choice([1, 2, 4, len(names)])
        faults = tuple(random.sample(names, count))
    world_plan = WorldPlan(
        seed=seed,
        accounts=ACCOUNTS[: random.choice([1, 1, 2, 2, 3])],
        clients=random.randrange(1, 4),
        duration_ms=random.choice([2_000, 4_000, 6_000]),
        client=ClientSettings(
            pause_ms_max=random.choice([40, 100, 300]),
            worth_max=random.choice([300, 1_000, 10_000]),
            expiry_ms_max=random.choice([50, 1_000, 3_000]),
        ),
        weather=_weather(random, troubled(60)),
        crashes=CrashSettings(
            most=random.randrange(1, 7) if troubled(70) else 0,
            commits=random.choice([5, 30, 100]),
            tidy_one_in=random.choice([5, 50]),
        ),
        faults=faults,
        fault_wait_ms=random.choice([20, 100, 400]) if faults else None,
        exchange_kills=random.randrange(1, 3) if troubled(15) else 0,
        commit_us_max=random.choice([500, 5_000]) if troubled(50) else None,
        clock_jumps=random.randrange(1, 4) if troubled(15) else 0,
        clock_jump_ms_max=random.choice([100, 900, 3_600_000]),
        strangers=troubled(40),
        marks=0,
        has_participants=troubled(60),
        has_followers=troubled(20),
        exchange=ExchangeSettings(
            request_window_ms=REQUEST_WINDOW_MS,
            starting_balances=random.choice(_STARTING_BALANCES),
            requests_per_second=random.choice([20_000, 20_000, 100]),
        ),
        edge=_edge(random),
        link=LinkLimits(
            connect_timeout_ms=random.choice([100, 400]),
            retry_first_ms=random.choice([1, 20]),
            retry_max_ms=500,
            due_interval_ms=random.choice([20, 20, 250]),
            refused_login_ms=500,
        ),
        dialect=SimLimits(
            answer_timeout_ms=random.choice([100, 100, 2_000]),
            ping_idle_ms=random.choice([300, 1_000]),
            pong_timeout_ms=500,
        ),
    )
    # Of their own, so that worlds without them stay the same.
    random = Random(f"perpetuals {seed}")
    if troubled(35):
        world_plan = with_perpetuals(world_plan, random)
    random = Random(f"sessions {seed}")
    if troubled(40):
        world_plan = with_sessions(world_plan, random)
    random = Random(f"streams {seed}")
    if troubled(30):
        world_plan = with_streams(world_plan, random)
    random = Random(f"goings {seed}")
    if troubled(35):
        world_plan = with_goings(world_plan, random)
    random = Random(f"suspensions {seed}")
    return with_suspensions(world_plan, random) if troubled(30) else world_plan


def with_suspensions(world_plan: WorldPlan, random: Random) -> WorldPlan:
    """Return the world with accounts whose login is about to become another, over and over."""
    return msgspec.structs.replace(
        world_plan,
        suspensions=random.choice([2, 10, 40]),
        suspended_ms_max=random.choice([5, 100, 600]),
    )


def with_perpetuals(world_plan: WorldPlan, random: Random) -> WorldPlan:
    """Return the world with a perpetual, in which much is owed and prices move."""
    change = msgspec.structs.replace
    exchange, edge = world_plan.exchange, world_plan.edge
    perpetuals = PerpetualSettings(
        leverage=Decimal(random.choice([3, 10, 25, 50])),
        funding_interval_ms=random.choice([400, 1_500]),
        mark_spread_max=Decimal(random.choice(["0.05", "0.5"])),
    )
    # The spot market of the same assets gives the index; most orders are in the perpetual.
    instruments = (*exchange.instruments, PERPETUAL_BTC_USDT)
    traded = (exchange.instruments[0], PERPETUAL_BTC_USDT, PERPETUAL_BTC_USDT)
    return change(
        world_plan,
        accounts=ACCOUNTS[: random.choice([1, 2, 3])],
        clients=3,
        duration_ms=random.choice([4_000, 8_000]),
        has_participants=bool(random.randrange(2)),
        marks=random.choice([0, 10, 30]),
        client=change(
            world_plan.client,
            instruments=traded,
            sides=random.choice(_SIDES),
            worth_max=random.choice([300, 1_000, 5_000]),
        ),
        exchange=change(
            exchange,
            instruments=instruments,
            perpetuals=perpetuals,
            starting_balances=random.choice(_STARTING_BALANCES_MARGIN),
        ),
        edge=change(edge, reconcile=change(edge.reconcile, tickers_ms=1_000)),
    )


def with_sessions(world_plan: WorldPlan, random: Random) -> WorldPlan:
    """Return the world with clients who keep connections, and hang up seldom or often."""
    client = world_plan.client
    hang_up = ("hang_up", random.choice([2, 6, 15]))
    changed = msgspec.structs.replace(client, has_sessions=True, weights=(*client.weights, hang_up))
    return msgspec.structs.replace(world_plan, client=changed)


def with_streams(world_plan: WorldPlan, random: Random) -> WorldPlan:
    """Return the world with clients by WebSocket and FIX, who are slow, drop and come back."""
    websocket_clients, fix_clients = random.choice([(1, 0), (2, 0), (0, 1), (0, 2), (1, 1)])
    if world_plan.clock_jumps and world_plan.clock_jump_ms_max > _FIX_JUMP_MS_MAX:
        websocket_clients, fix_clients = 1, 0  # FIX refuses who tells another time
    streams = StreamSettings(
        websocket_clients=websocket_clients,
        fix_clients=fix_clients,
        pause_ms_max=random.choice([40, 150]),
        weather=_weather(random, random.randrange(100) < 60),
        buffer_bytes=random.choice([2_000, 20_000, 65_536]),
        store_crashes=random.choice([0, 0, 1, 3]) if fix_clients else 0,
        feed=FeedSettings(
            ring_reports=random.choice([1, 8, 100, 4_096]),
            wake_most=random.choice([1, 64]),
        ),
        websocket=WebSocketSettings(
            requests_max=random.choice([2, 1_000]),
            slow_client_ms=random.choice([200, 600, 10_000]),
            resume_reports_max=random.choice([20, 200, 100_000]),
            ping_interval_s=random.choice([1.0, 60.0]),
            close_timeout_s=0.3,
        ),
        fix=FixSettings(
            logon_timeout_s=2.0,
            slow_client_s=random.choice([0.3, 1.0, 2.0]),
            in_flight_max=random.choice([2, 2_000]),
        ),
    )
    return msgspec.structs.replace(world_plan, streams=streams)


def with_goings(world_plan: WorldPlan, random: Random) -> WorldPlan:
    """Return the world with accounts that go, come back, come late and log in anew."""
    accounts = world_plan.accounts
    late = random.sample(accounts, random.randrange(len(accounts))) if random.randrange(2) else []
    change, streams = msgspec.structs.replace, world_plan.streams
    if streams is not None:  # how soon clients by WebSocket hear of it
        info_ms = random.choice([20, 100, 1_000])
        streams = change(streams, websocket=change(streams.websocket, server_info_ms=info_ms))
    return change(
        world_plan,
        streams=streams,
        goings=random.choice([1, 3, 8, 20]),
        away_ms_max=random.choice([20, 300, 2_000]),
        late=tuple(late),
    )


def _weather(random: Random, is_bad: bool) -> Weather:
    latency_max_us = random.choice([200, 2_000, 20_000])
    if not is_bad:
        return Weather(latency_min_us=50, latency_max_us=latency_max_us, split=100)
    return Weather(
        latency_min_us=50,
        latency_max_us=latency_max_us,
        split=random.choice([0, 100, 900]),
        stall=random.choice([0, 5, 30]),
        stall_max_ms=random.choice([100, 320, 1_500]),
        cut=random.choice([0, 100, 500]),
        half_dead=random.choice([0, 0, 0, 100]),
        strand=random.choice([0, 30, 150]),
        strand_max_ms=random.choice([REQUEST_WINDOW_MS - 10, REQUEST_WINDOW_MS - 10, 1_300]),
        trouble_bytes_max=random.choice([2_000, 10_000, 40_000]),
        refused=random.choice([0, 200]),
        unanswered=random.choice([0, 0, 100]),
    )


def _edge(random: Random) -> EdgeSettings:
    if not random.randrange(10):
        return EdgeSettings(reconcile=ReconcileSettings(tickers_ms=0))
    return EdgeSettings(
        engine=EngineSettings(
            order_answer_timeout_ms=random.choice([200, 1_000, 5_000]),
            ask_delay_ms=random.choice([20, 20, 250]),
            ask_delay_longest_ms=2_000,
            cancel_delay_ms=random.choice([50, 500]),
            cancel_delay_longest_ms=2_000,
            settle_delay_ms=random.choice([20, 500]),
            settle_delay_longest_ms=2_000,
            settle_deadline_ms=3_000,
        ),
        reconcile=ReconcileSettings(
            interval_ms=random.choice([500, 3_000]),
            retry_ms=200,
            gap_ms=random.choice([20, 250]),
            tickers_ms=0,
        ),
        limits=Limits(threaded_orders_least=random.choice([0, 1, 4]), threaded_sync_least_us=0),
        requests_per_s=random.choice([10_000, 10_000, 90]),
        cancel_reserve=random.choice([1, 20]),
    )
