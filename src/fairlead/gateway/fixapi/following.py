"""A session's place in the reports of all accounts: pulls from the feed when the client can take more."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from fairlead.gateway.feed import Feed, Item, Subscription

BATCH = 128  # reports made into messages in one turn of the event loop, per account


class Following:
    """Calls `tell` with reports, in order per account, from `start` to `close`, unless held.

    `told` has by account the sequence of the last report that was told. `tell` returns whether it could;
    once it could not, nothing more is told of any account.
    """

    def __init__(
        self, feed: Feed, begins: Mapping[str, int], tell: Callable[[Sequence[Item]], bool]
    ) -> None:
        self.told = dict(begins)
        self._feed = feed
        self._tell = tell
        self._subscriptions: dict[str, Subscription] = {}
        self._holds: set[str] = set()
        self._hungry: dict[str, None] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Begin; what is there already is told at once."""
        for account in self.told:
            self._subscribe(account)
        for account in self.told:
            self._pull(account)

    def add(self, account: str, sequence: int) -> None:
        """Follow one more account, from behind a sequence on; it must have been started."""
        self.told[account] = sequence
        self._subscribe(account)
        asyncio.get_running_loop().call_soon(self._pull, account)

    def _subscribe(self, account: str) -> None:
        wake = partial(self._pull, account)
        self._subscriptions[account] = self._feed.subscribe(account, self.told[account], wake)

    def hold(self, why: str) -> None:
        """Tell nothing until every reason for it is let go."""
        self._holds.add(why)

    def let_go(self, why: str) -> None:
        """End one reason; go on when there is none left."""
        self._holds.discard(why)
        if not self._holds:
            hungry, self._hungry = list(self._hungry), {}
            for account in hungry:
                self._pull(account)

    def close(self) -> None:
        """Tell nothing more."""
        for subscription in self._subscriptions.values():
            subscription.close()
        self._subscriptions.clear()
        for reading in self._reading.values():
            reading.cancel()

    def _pull(self, account: str) -> None:
        subscription = self._subscriptions.get(account)
        if subscription is None or account in self._reading:
            return
        if self._holds:
            self._hungry[account] = None
            return
        items = subscription.take(BATCH)
        if items is None:
            reading = asyncio.create_task(self._read(account, subscription))
            self._reading[account] = reading
            return
        self._pass_on(account, items, subscription)
        if len(items) == BATCH:
            asyncio.get_running_loop().call_soon(self._pull, account)

    async def _read(self, account: str, subscription: Subscription) -> None:
        """Catch up from the journal, a page at a time."""
        items: Sequence[Item] = ()
        with contextlib.suppress(ConnectionError):  # the edge is stopping, and we after it
            items = await subscription.read(BATCH)
        del self._reading[account]
        if account in self._subscriptions:
            self._pass_on(account, items, subscription)
            if items:
                self._pull(account)

    def _pass_on(self, account: str, items: Sequence[Item], subscription: Subscription) -> None:
        if not items:
            return
        before, self.told[account] = self.told[account], subscription.sequence
        if not self._tell(items):
            self.told[account] = before
            self.close()
