"""What the clients of one gateway share: the accounts as they stand, worths, SERVER_INFO, counts.

While there are clients it asks the edge how the accounts are, several times a second, and tells every
client each second and when something changed; a few clients in each turn of the event loop.
"""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Literal, Protocol, get_args

import msgspec

from fairlead.core.port import EdgePort
from fairlead.core.rates import Rate
from fairlead.core.reconciliation import Reconciliation
from fairlead.core.replies import BalancesReply, ReconciliationReply, SnapshotReply
from fairlead.core.requests import LOCAL, QueryBalances, QueryReconciliation
from fairlead.gateway.callers import Access
from fairlead.gateway.feed import Feed
from fairlead.gateway.guard import Doors
from fairlead.gateway.lasting import lasting
from fairlead.gateway.websocket.messages import Messages, Server

_TOLD_MOST = 64  # clients in one turn of the event loop
_LOOKS = 4  # in the time between two SERVER_INFO
_MS = 1_000_000  # ns
_NO_RATES: Mapping[str, Rate] = {}


class WebSocketSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the WebSocket API.

    `clients_max`: of one subscription; a further upgrade gets 503. `message_bytes_max`: a longer
    message closes the connection (1009). `requests_max`: of one client, not answered yet; over it, its
    socket is not read.
    `slow_client_ms`: a socket that accepts nothing for so long is closed (4008). `resume_reports_max`: a
    client that missed more gets snapshots. `ping_interval_s`: one ping each; unanswered when the next is
    due, the client is dropped. `close_timeout_s`: for a client to take leave.
    """

    clients_max: int = 1_000
    message_bytes_max: int = 65_536
    requests_max: int = 1_000
    slow_client_ms: int = 10_000
    resume_reports_max: int = 100_000
    server_info_ms: int = 1_000
    ping_interval_s: float = 60.0
    close_timeout_s: float = 2.0


Why = Literal["left", "lost", "broken", "silent", "slow", "stopping", "unauthorized"]
WHYS: tuple[Why, ...] = get_args(Why)  # a client is gone


class Told(Protocol):
    """A client as the hub knows it."""

    @property
    def lag(self) -> int:
        """How many reports it is behind."""
        ...

    def tell(self, infos: Mapping[str, bytes]) -> None:
        """Send SERVER_INFO, by account, if the socket takes it."""
        ...

    def see(self, accounts: Mapping[str, Reconciliation]) -> None:
        """Take note of how the accounts are; some may be new, or ready now."""
        ...


class Hub:
    """One for each gateway. `now_ns` is the wall clock, `new_token` makes names of sessions."""

    def __init__(
        self,
        port: EdgePort,
        feed: Feed,
        server: Server,
        now_ns: Callable[[], int],
        new_token: Callable[[], str],
        settings: WebSocketSettings,
        *,
        omit_nulls: bool = False,
        access: Access | None = None,
        subscription: str = LOCAL,
    ) -> None:
        """`subscription`: whose port this is."""
        self.port = port  # for what all clients share; each client asks through its own door
        self.doors = Doors({subscription: port}, access)
        self.feed = feed
        self.settings = settings
        self.new_token = new_token
        self.messages = Messages(server, now_ns, self.rate, omit_nulls=omit_nulls)
        self.clients: dict[Told, None] = {}
        self.accounts: dict[str, Reconciliation] = {}
        self.ended: Counter[Why] = Counter()
        self.requests = 0
        self.rejects = 0
        self.messages_sent = 0
        self._now_ns = now_ns
        self._rates: dict[str, dict[str, Rate]] = {}
        self._rates_ns = 0
        self._looking: asyncio.Task[None] | None = None
        self._first_look: asyncio.Task[bool] | None = None
        self._farewells: set[asyncio.Task[None]] = set()
        self._rendering = asyncio.Lock()
        self._orders: dict[str, tuple[int, bytes]] = {}

    # ── clients ──────────────────────────────────────────────────────────────────────────────────

    def join(self, client: Told) -> None:
        """Have a client told from now on."""
        self.clients[client] = None
        if self._looking is None:
            self._looking = lasting(self._look_on())

    def leave(self, client: Told, why: Why) -> None:
        """Tell a client nothing more."""
        if client in self.clients:
            del self.clients[client]
            self.ended[why] += 1
        if not self.clients and self._looking is not None:
            self._looking.cancel()
            self._looking = self._first_look = None
            self._orders.clear()

    def await_farewell(self, farewell: "asyncio.Task[None]") -> None:
        """Let `stop` wait for what a client's end still causes."""
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    async def stop(self) -> None:
        """Wait for what ended clients leave to be done."""
        while self._farewells:
            await asyncio.wait(self._farewells)

    def rate(self, account: str, asset: str) -> Rate | None:
        """Return what an asset of the account is worth, as far as was known at the last look."""
        rate = self._rates.get(account, _NO_RATES).get(asset)
        if rate is None or not rate.age_ns:  # a dollar is always worth a dollar
            return rate
        return Rate(rate.usd, rate.age_ns + max(0, self._now_ns() - self._rates_ns))

    def infos(self, *, is_running: bool) -> dict[str, bytes]:
        """Return SERVER_INFO by account, as of the last look."""
        return {
            name: self.messages.server_info(state, is_running=is_running)
            for name, state in self.accounts.items()
        }

    async def orders(self, account: str, snapshot: SnapshotReply) -> bytes:
        """Return ORDER_EXEC_REPORT_SNAPSHOT: one at a time, and once for all who come meanwhile.

        Many clients that come back at once then take no more of the process than one does.
        """
        async with self._rendering:
            known = self._orders.get(account)
            if known is None or known[0] != snapshot.sequence:
                frame = await self.messages.orders(account, snapshot)
                known = self._orders[account] = (snapshot.sequence, frame)
            return known[1]

    # ── how the accounts are ─────────────────────────────────────────────────────────────────────

    async def know_accounts(self) -> None:
        """Have `accounts` known; after that they are kept up to date while there are clients.

        Raises ConnectionError when the edge has stopped.
        """
        if self._first_look is None:
            self._first_look = asyncio.create_task(self.look())
        await asyncio.shield(self._first_look)

    async def look(self) -> bool:
        """Ask how the accounts are; whether something but their sequence is different now.

        Raises ConnectionError when the edge has stopped.
        """
        reply = await self.port.submit(QueryReconciliation(account=""))
        balances = await self.port.submit(QueryBalances(account=""))
        if isinstance(balances, BalancesReply):  # else it is overloaded: what was known stands
            self._rates, self._rates_ns = balances.rates, balances.time_ns
        if not isinstance(reply, ReconciliationReply):
            return False
        before, self.accounts = self.accounts, {each.account: each for each in reply.accounts}
        return [_shown(each) for each in before.values()] != [
            _shown(each) for each in self.accounts.values()
        ]

    async def _look_on(self) -> None:
        """Look several times a second; tell the clients each second, and of a change at once."""
        pause_s = self.settings.server_info_ms / _LOOKS / 1_000
        count = 0
        with contextlib.suppress(ConnectionError):  # the edge has stopped, and so will we
            while True:
                await asyncio.sleep(pause_s)
                count += 1
                if await self.look() or count % _LOOKS == 0:
                    await self._tell()

    async def _tell(self) -> None:
        infos = self.infos(is_running=True)
        clients = deque(self.clients)
        while clients:
            for _ in range(min(len(clients), _TOLD_MOST)):
                client = clients.popleft()
                if client in self.clients:
                    client.tell(infos)
                    client.see(self.accounts)
            await asyncio.sleep(0)


def _shown(stands: Reconciliation) -> tuple[object, ...]:
    return (stands.account, stands.connected, stands.reconciled, stands.trouble)
