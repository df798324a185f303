"""A connection without a socket, and time for what goes over it."""

import asyncio

from tests.fix.spoken import heard

Said = dict[int, str]


class Wire:
    """Takes what is written."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self._is_closing = False

    def write(self, data: bytes) -> None:
        self.said += heard(data)

    def close(self) -> None:
        self._is_closing = True

    def abort(self) -> None:
        self._is_closing = True

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
