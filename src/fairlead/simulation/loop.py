"""An event loop under virtual time, and the processes that live and die in it.

Nothing waits: when nothing is ready, time jumps to the next thing that is due. No threads, no
sockets. A callback belongs to the `Process` in whose context it was scheduled, so that a process
can be killed at any instruction: what it had still to do is never done, what it already sent is on
its way. The order of callbacks follows from the calls alone.
"""

import asyncio
import contextvars
import inspect
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import Executor
from types import CoroutineType
from typing import Any, TypeVar, TypeVarTuple

NS = 1_000_000_000
_STANDSTILL_TURNS = 100_000
_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")

_process: contextvars.ContextVar["Process | None"] = contextvars.ContextVar(
    "fairlead_simulated_process", default=None
)


class SimulatedCrash(BaseException):
    """Unwinds the stack of a process that has just been killed; nothing may catch and go on."""


class Deadlock(Exception):
    """Nothing is due and the main task has not ended, or callbacks follow each other without end."""


class Process:
    """Something that can be killed. All it does runs in `context` or in copies of it.

    `tasks` are those that somebody still holds.
    """

    def __init__(self, name: str) -> None:
        """Begin in a copy of the caller's context."""
        self.name = name
        self.is_dead = False
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.context = contextvars.copy_context()
        self.context.run(_process.set, self)

    def __repr__(self) -> str:
        return self.name


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in order and lets time pass when there are none.

    `on_error` is given what a callback raised, if it was no `SimulatedCrash`.
    """

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, on_error: Callable[[str, BaseException | None], None]) -> None:
        super().__init__()
        self.now_ns = 0
        self._on_error = on_error
        self._selector = _Jump(self)
        self._clock_resolution = 1e-9
        # Kept: collected, they would be called an error, which only one of a living process is.
        self._dead_tasks: list[asyncio.Task[Any]] = []
        self.set_task_factory(self._make_task)

    # ── what asyncio asks of a loop ──────────────────────────────────────────────────────────────

    def time(self) -> float:
        """Return virtual seconds since the beginning."""
        return self.now_ns / NS

    def call_soon(
        self,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Run `callback` next, unless its process is dead."""
        handle = asyncio.Handle(callback, args, self, context)
        if _is_dead(context):
            _never(handle)
        else:
            self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Do the same: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run `callback` at a time, unless its process is dead by then."""
        if _is_dead(context):
            handle = asyncio.TimerHandle(when, callback, args, self, context)
            handle.cancel()
            return handle
        return super().call_at(when, callback, *args, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Give an error to whoever runs the world; the end of a killed process is none."""
        error = context.get("exception")
        if not isinstance(error, SimulatedCrash):
            self._on_error(str(context.get("message")), error)

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[*_Arguments], _Result],
        *args: *_Arguments,
    ) -> asyncio.Future[_Result]:
        """Refuse: threads have no place under virtual time."""
        raise NotImplementedError("no threads in the seeded world")

    def _make_task(
        self,
        _loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, _Result] | Generator[Any, None, _Result],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[_Result]:
        """Return a task, which its process knows."""
        task = asyncio.Task(work, loop=self, name=name, context=context)
        process = _process.get() if context is None else context.get(_process)
        if process is None:
            return task
        if process.is_dead:
            self._dead_tasks.append(task)
        else:
            process.tasks.add(task)
        return task

    def _process_events(self, event_list: list[Any]) -> None:
        """Do nothing: there are no sockets."""

    def _asyncgen_finalizer_hook(self, agen: AsyncGenerator[Any, Any]) -> None:
        """Leave a generator that nobody holds alone: its process was killed."""

    # ── what the world asks ──────────────────────────────────────────────────────────────────────

    def run(self, main: Coroutine[Any, Any, _Result]) -> _Result:
        """Run `main` to its end. Raises Deadlock if it cannot get there."""
        try:
            return self.run_until_complete(main)
        finally:
            for handle in (*self._ready, *self._scheduled):
                if not handle.cancelled():
                    _never(handle)
            self.close()

    def kill(self, process: Process) -> None:
        """End a process at this instruction: nothing it had planned will happen."""
        process.is_dead = True
        self._dead_tasks += process.tasks
        for handle in (*self._ready, *self._scheduled):
            if not handle.cancelled() and _process_of(handle) is process:
                _never(handle)


class _Jump:
    """In the place of a selector: instead of waiting, time is moved."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._turns = 0

    def select(self, timeout: float | None) -> tuple[()]:
        if timeout is None:
            raise Deadlock("nothing is ready and nothing is due: the world stands still")
        self._turns += 1
        if timeout > 0:
            self._turns = 0
            self._loop.now_ns += max(1, round(timeout * NS))
        elif self._turns > _STANDSTILL_TURNS:
            raise Deadlock(f"{self._turns} turns of the loop, and no time has passed")
        return ()

    def close(self) -> None:
        """Nothing to close."""


def _is_dead(context: contextvars.Context | None) -> bool:
    process = _process.get() if context is None else context.get(_process)
    return process is not None and process.is_dead


def _never(handle: Any) -> None:
    """Cancel a callback; if it was the first step of a task, see that Python does not wait for it."""
    task = getattr(handle._callback, "__self__", None)
    handle.cancel()
    if isinstance(task, asyncio.Task):
        coroutine = task.get_coro()
        if (
            isinstance(coroutine, CoroutineType)
            and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED
        ):
            coroutine.close()


def _process_of(handle: Any) -> Process | None:
    context: contextvars.Context = handle._context
    return context.get(_process)
