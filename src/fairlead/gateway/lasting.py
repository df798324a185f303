"""Work beside the requests that goes on until it is cancelled.

Nobody waits for such a task, so nobody would notice that it failed: certificates would not be judged any
more, or connections not accepted. So its failure is told to the event loop's handler, which stops the
process.
"""

import asyncio
from collections.abc import Coroutine


def lasting(work: Coroutine[object, object, None]) -> asyncio.Task[None]:
    """Begin `work`; the event loop's exception handler is told if it fails."""
    task = asyncio.create_task(work)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[None]) -> None:
    cause = None if task.cancelled() else task.exception()
    if cause is not None:
        text = f"{task.get_coro()} has failed"
        context = {"message": text, "exception": cause, "task": task}
        task.get_loop().call_exception_handler(context)
