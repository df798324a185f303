"""`Client` and `AsyncClient` behind one face, so that every test runs with both.

A call of the face waits for its answer; what a client yields comes as a list.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from fairlead.client import AsyncClient, Client, Settings

Item = TypeVar("Item")


class SyncCaller:
    """The client for ordinary code."""

    def __init__(self, url: str, **settings: float) -> None:
        self.client = Client(url, Settings(**settings))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)

        def call(*arguments: object, **named: object) -> Any:
            result = method(*arguments, **named)
            return list(result) if inspect.isgenerator(result) else result

        return call

    def close(self) -> None:
        self.client.close()


class AsyncCaller:
    """The client for asyncio, on an event loop of its own."""

    def __init__(self, url: str, **settings: float) -> None:
        self.client = AsyncClient(url, Settings(**settings))
        self._runner = asyncio.Runner()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)

        def call(*arguments: object, **named: object) -> Any:
            result = method(*arguments, **named)
            if inspect.isasyncgen(result):
                return self._runner.run(_listed(result))
            return self._runner.run(result)

        return call

    def close(self) -> None:
        self._runner.run(self.client.close())
        self._runner.close()


async def _listed(items: AsyncIterator[Item]) -> list[Item]:
    return [item async for item in items]


Caller = SyncCaller | AsyncCaller
MakeCaller = Callable[..., Caller]
CALLERS: dict[str, type[SyncCaller] | type[AsyncCaller]] = {
    "sync": SyncCaller,
    "async": AsyncCaller,
}
