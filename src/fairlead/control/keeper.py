"""Changes the accounts of a subscription whose edge runs: durable first, then followed, then answered.

A login becomes another only while nothing is owed to the account's orders, and nothing can come to be: the
edge suspends it meanwhile. What is done here is done to its end, also when whoever asked for it has gone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Protocol, TypeVar

import msgspec

from fairlead.control.accounts import Accounts, Set
from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.keys import Denied
from fairlead.control.logins import Account, Pairs
from fairlead.core.replies import OrdersReply, Reply
from fairlead.core.requests import QueryOrders, Request

_Result = TypeVar("_Result")


class RunningEdge(Protocol):
    """What it asks of an edge; `edge.Edge` says what each means."""

    def submit(self, request: Request) -> Awaitable[Reply]:
        """Answer a request."""
        ...

    async def suspend(self, name: str) -> bool:
        """Let nothing come to be owed to the account's orders; False: something is."""
        ...

    def renew_login(self, name: str) -> None:
        """Have the account log in anew."""
        ...


class Deleted(msgspec.Struct, frozen=True):
    """An account that was deleted, and how many open orders it left at its exchange."""

    exchange_id: str
    open_orders: int


class AccountKeeper:
    """The accounts of one subscription, one change at a time. For the event loop."""

    def __init__(
        self,
        accounts: Accounts,
        edge: RunningEdge,
        look: Callable[[], Awaitable[None]],
        now_ns: Callable[[], int],
    ) -> None:
        """`look` has the edge follow what was changed before it is called."""
        self._accounts = accounts
        self._edge = edge
        self._look = look
        self._now_ns = now_ns
        self._changing = asyncio.Lock()
        self._works: set[asyncio.Task[object]] = set()

    async def listed(self) -> list[Account]:
        """Return the accounts by name. Raises ControlError."""
        return await _in_thread(self._accounts.listed)

    async def put(self, actor: Actor, name: str, given: Pairs) -> Set | Denied:
        """Add or update an account; when this returns it is being connected. Raises ControlError."""
        return await self._to_its_end(self._put(actor, name, given))

    async def delete(self, actor: Actor, names: Sequence[str]) -> list[Deleted] | Denied:
        """Delete accounts, all or none; when this returns they are disconnected. Raises ControlError."""
        return await self._to_its_end(self._delete(actor, names))

    async def delete_all(self, actor: Actor, among: frozenset[str] | None) -> list[Deleted]:
        """Delete every account, with `among` of those. As `delete`. Raises ControlError."""
        return await self._to_its_end(self._delete_all(actor, among))

    async def stop(self) -> None:
        """Wait for what is under way."""
        while self._works:
            await asyncio.wait(self._works)

    async def _put(self, actor: Actor, name: str, given: Pairs) -> Set | Denied:
        async with self._changing:
            accounts = self._accounts
            is_other = await _in_thread(lambda: accounts.changes_login(name, given))
            may_change = is_other and await self._edge.suspend(name)
            is_set = False
            try:
                result = await _in_thread(
                    lambda: accounts.put(
                        actor, name, given, self._now_ns(), may_change_login=may_change
                    )
                )
                is_set = isinstance(result, Set)
            finally:
                if may_change and not is_set:
                    self._edge.renew_login(name)  # with the login that it had
            await self._look()
            return result

    async def _delete(self, actor: Actor, names: Sequence[str]) -> list[Deleted] | Denied:
        async with self._changing:
            left = {name: await self._open_orders(name) for name in dict.fromkeys(names)}
            result = await _in_thread(
                lambda: self._accounts.delete(actor, names, self._now_ns(), left)
            )
            await self._look()
            if isinstance(result, Denied):
                return result
            return [Deleted(name, left[name]) for name in result]

    async def _delete_all(self, actor: Actor, among: frozenset[str] | None) -> list[Deleted]:
        async with self._changing:
            names = [each.exchange_id for each in await _in_thread(self._accounts.listed)]
            left = {name: await self._open_orders(name) for name in names}
            deleted = await _in_thread(
                lambda: self._accounts.delete_all(actor, self._now_ns(), left, among)
            )
            await self._look()
            return [Deleted(name, left.get(name, 0)) for name in deleted]

    async def _open_orders(self, name: str) -> int:
        reply = await self._edge.submit(QueryOrders(account=name))
        return len(reply.orders) if isinstance(reply, OrdersReply) else 0

    async def _to_its_end(self, work: Coroutine[object, object, _Result]) -> _Result:
        task = asyncio.get_running_loop().create_task(work)
        self._works.add(task)
        task.add_done_callback(self._works.discard)
        return await asyncio.shield(task)


class AccountKeepers:
    """One keeper for each subscription that is served, made when it is first asked for."""

    def __init__(
        self,
        control: Control,
        edge_of: Callable[[str], RunningEdge],
        look: Callable[[], Awaitable[None]],
        now_ns: Callable[[], int],
    ) -> None:
        self._control = control
        self._edge_of = edge_of
        self._look = look
        self._now_ns = now_ns
        self._keepers: dict[str, AccountKeeper] = {}

    def of(self, subscription: str) -> AccountKeeper:
        """Return what keeps the accounts of a subscription that is served."""
        keeper = self._keepers.get(subscription)
        if keeper is None:
            accounts = self._control.accounts_of(subscription)
            edge = self._edge_of(subscription)
            keeper = AccountKeeper(accounts, edge, self._look, self._now_ns)
            self._keepers[subscription] = keeper
        return keeper

    async def stop(self) -> None:
        """Wait for what is under way."""
        for keeper in self._keepers.values():
            await keeper.stop()


async def _in_thread(work: Callable[[], _Result]) -> _Result:
    return await asyncio.get_running_loop().run_in_executor(None, work)
