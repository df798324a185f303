"""Work that goes on until it is cancelled: its failure is told, its end is not."""

import asyncio
from typing import Any

import pytest

from fairlead.gateway.lasting import lasting

pytestmark = pytest.mark.asyncio


def told() -> "list[dict[str, Any]]":
    """Return what the event loop's handler is told from now on."""
    contexts: list[dict[str, Any]] = []
    handler = asyncio.get_running_loop().set_exception_handler
    handler(lambda _, context: contexts.append(context))
    return contexts


async def test_what_fails_is_told_to_the_loop_while_somebody_still_holds_it() -> None:
    contexts, cause = told(), RuntimeError("no more")

    async def failing() -> None:
        raise cause

    task = lasting(failing())
    await asyncio.wait([task])
    assert [each["exception"] for each in contexts] == [cause]
    assert "failing" in contexts[0]["message"]


async def test_what_is_cancelled_is_not_told() -> None:
    contexts = told()
    task = lasting(asyncio.sleep(3_600))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert contexts == []
