"""The port with a guard before it: what passes has been decided for its caller, whatever the protocol.

Every protocol submits through `Doors.of(caller)`, which leads to the subscription of the caller's key and to
no other; in open mode that of `local` is open to who showed no
credential. What a key that is limited to accounts asks of all accounts, it is
answered about its own.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import msgspec

from fairlead.control.keys import Scope
from fairlead.core.port import EdgePort, HistoryRow, Listener, Prepare, Released, Snapshot
from fairlead.core.replies import (
    AccountsReply,
    AttentionReply,
    BalancesReply,
    ChecksReply,
    InstrumentsReply,
    OrderReply,
    OrdersReply,
    PositionsReply,
    ReconciliationReply,
    Refusal,
    Refused,
    Reply,
)
from fairlead.core.reports import OrderReport
from fairlead.core.requests import (
    LOCAL,
    CancelAll,
    CancelOrder,
    CheckOrder,
    EndSession,
    PlaceOrder,
    QueryAccounts,
    QueryAttention,
    QueryBalances,
    QueryInstruments,
    QueryOrder,
    QueryOrders,
    QueryPositions,
    QueryReconciliation,
    QuerySnapshot,
    Request,
    ResolveOrder,
    SetMode,
)
from fairlead.gateway.callers import Access, Caller

# What each request needs; one that is not here nobody may make. EndSession is the gateway's own word, which
# no client can say: it passes, so that orders that end with their session end with a revoked key too.
SCOPES: Mapping[type[Request], Scope] = {
    PlaceOrder: Scope.TRADE,
    CancelOrder: Scope.TRADE,
    CancelAll: Scope.TRADE,
    CheckOrder: Scope.READ,
    SetMode: Scope.MANAGE,
    ResolveOrder: Scope.MANAGE,
    QueryOrder: Scope.READ,
    QueryOrders: Scope.READ,
    QueryAttention: Scope.READ,
    QueryBalances: Scope.READ,
    QueryPositions: Scope.READ,
    QueryAccounts: Scope.READ,
    QueryReconciliation: Scope.READ,
    QueryInstruments: Scope.READ,
    QuerySnapshot: Scope.READ,
}


class NotAllowed(Exception):
    """The caller may not have this; `refused` says why. Only where no reply can say it."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.refused = refused


class Doors:
    """Gives each caller its way to the port of its subscription. `access` None: open mode, nobody is asked.

    `ports`: by subscription, those whose keys `access` has, and `local`; more may come.
    """

    def __init__(self, ports: Mapping[str, EdgePort], access: Access | None = None) -> None:
        self._ports = ports
        self.access = access

    def of(self, caller: Caller | None) -> EdgePort:
        """Return the port for a caller; without one there is no way in, unless the mode is open."""
        access = self._asking(caller)
        if access is None:
            return self._ports[LOCAL]
        assert caller is not None, "nobody passes without having said who they are"
        return GuardedPort(self._ports[caller.subscription], access, caller)

    def has(self, caller: Caller) -> bool:
        """Whether the caller's subscription is among those that are behind these doors."""
        return caller.subscription in self._ports

    def is_open_to(self, caller: Caller | None, account: str) -> bool:
        """Whether the caller may follow an account."""
        access = self._asking(caller)
        if access is None:
            return True
        assert caller is not None, "nobody passes without having said who they are"
        return access.judge(caller, Scope.READ, account) is None

    def _asking(self, caller: Caller | None) -> Access | None:
        """Return who decides about a caller, None where everybody may everything."""
        if self.access is None or (self.access.is_open and caller is None):
            return None
        return self.access


class GuardedPort:
    """An `EdgePort` for one caller."""

    def __init__(self, port: EdgePort, access: Access, caller: Caller) -> None:
        self._port = port
        self._access = access
        self._caller = caller

    async def submit(self, request: Request, prepare: Prepare | None = None) -> Reply:
        """Answer the request, or refuse it; see `EdgePort.submit`."""
        if type(request) is EndSession:
            return await self._port.submit(request)
        refused = self._access.charge(self._caller) or self._refusal(request)
        if refused is not None:
            return refused
        if type(request) is PlaceOrder:
            return await self._place(request, prepare)
        reply = await self._asked(request)
        is_about_none = type(reply) is Refused or type(reply) is ChecksReply
        self._access.count(self._caller, "" if is_about_none else request.account)
        return reply

    async def _place(self, request: PlaceOrder, prepare: Prepare | None) -> Reply:
        """Place the order in the caller's name, and count it unless it is an old one sent again."""
        caller, asked_ns = self._caller, self._access.now_ns()
        placed = msgspec.structs.replace(request, caller=caller.kid)
        reply = await self._port.submit(placed, prepare)
        order = reply.order if type(reply) is OrderReply or type(reply) is Refused else None
        if order is None:
            self._access.count(caller, "")
        else:
            self._access.count(caller, order.account, int(order.time_order_ns >= asked_ns))
        return reply

    async def _asked(self, request: Request) -> Reply:
        accounts = self._access.accounts(self._caller)
        if accounts is None or request.account:
            return await self._port.submit(request)
        if type(request) is QueryOrder:
            return await self._newest(request, accounts)
        return _narrowed(await self._port.submit(request), accounts)

    async def _newest(self, request: QueryOrder, accounts: frozenset[str]) -> Reply:
        """Return the newest order of the client id at one of the accounts, or why none is found."""
        newest: OrderReply | None = None
        refused: Refused | None = None
        for account in sorted(accounts):
            reply = await self._port.submit(msgspec.structs.replace(request, account=account))
            if isinstance(reply, OrderReply):
                if newest is None or reply.order.number > newest.order.number:
                    newest = reply
            else:
                assert isinstance(reply, Refused), reply
                if refused is None or refused.refusal is Refusal.ORDER_UNKNOWN:
                    refused = reply  # else one could not look, and no other's "unknown" hides that
        answer: Reply | None = newest or refused
        assert answer is not None, "a key is limited to one account at least"
        return answer

    async def history(
        self, time_start_ns: int, time_end_ns: int, after: str | None, limit: int | None
    ) -> AsyncIterator[HistoryRow]:
        """Orders of the caller's accounts; see `EdgePort.history`. Raises NotAllowed at the first row."""
        self._check(Scope.READ, "", is_charged=True)
        accounts = self._access.accounts(self._caller)
        asked = limit if accounts is None else None
        count = 0
        async for row in self._port.history(time_start_ns, time_end_ns, after, asked):
            if accounts is None or row.order.account in accounts:
                yield row
                count += 1
                if count == limit:
                    return

    def reports(self, account: str, after_sequence: int) -> AsyncIterator[Released]:
        """See `EdgePort.reports`. Raises NotAllowed."""
        self._check(Scope.READ, account)
        return self._port.reports(account, after_sequence)

    async def reports_page(
        self, account: str, after_sequence: int, limit: int
    ) -> Sequence[Released]:
        """See `EdgePort.reports_page`. Raises NotAllowed."""
        self._check(Scope.READ, account)
        return await self._port.reports_page(account, after_sequence, limit)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have reports of the caller's accounts told; see `EdgePort.listen`. Raises NotAllowed."""
        self._check(Scope.READ, "")

        def tell(batch: Sequence[Released]) -> None:
            accounts = self._access.accounts(self._caller)
            if accounts is not None:
                batch = [each for each in batch if each.report.account in accounts]
            if batch:
                listener(batch)

        return self._port.listen(tell)

    async def story(self, account: str, number: int) -> list[OrderReport]:
        """See `EdgePort.story`. Raises NotAllowed."""
        self._check(Scope.READ, account)
        return await self._port.story(account, number)

    async def snapshot(self, account: str) -> Snapshot:
        """See `EdgePort.snapshot`. Raises NotAllowed."""
        self._check(Scope.READ, account)
        return await self._port.snapshot(account)

    def _refusal(self, request: Request) -> Refused | None:
        return self._access.refusal(self._caller, SCOPES.get(type(request)), request.account)

    def _check(self, scope: Scope, account: str, *, is_charged: bool = False) -> None:
        refused = self._access.charge(self._caller) if is_charged else None
        refused = refused or self._access.refusal(self._caller, scope, account)
        if refused is not None:
            raise NotAllowed(refused)
        if is_charged:
            self._access.count(self._caller, "")


def _narrowed(reply: Reply, accounts: frozenset[str]) -> Reply:
    """Return what an answer about all accounts says about these."""
    replace = msgspec.structs.replace
    match reply:
        case OrdersReply(orders):
            return OrdersReply(tuple(each for each in orders if each.account in accounts))
        case AttentionReply(orders):
            return AttentionReply(tuple(each for each in orders if each[0].account in accounts))
        case BalancesReply(accounts=pairs):
            return replace(reply, accounts=tuple(each for each in pairs if each[0] in accounts))
        case PositionsReply(accounts=pairs):
            return replace(reply, accounts=tuple(each for each in pairs if each[0] in accounts))
        case InstrumentsReply(pairs):
            return InstrumentsReply(tuple(each for each in pairs if each[0] in accounts))
        case AccountsReply(states):
            return AccountsReply(tuple(each for each in states if each.account in accounts))
        case ReconciliationReply(accounts=stands):
            return replace(
                reply, accounts=tuple(each for each in stands if each.account in accounts)
            )
        case Refused():
            return reply
        case _:
            raise AssertionError(f"{type(reply).__name__} answers no question about all accounts")
