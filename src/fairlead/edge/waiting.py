"""Who waits for an answer: futures by token, and what each wants done before it leaves."""

import asyncio
from collections.abc import Callable, Iterable

import msgspec
import structlog

from fairlead.core.port import Prepare
from fairlead.core.replies import Reply

log = structlog.get_logger()


class _Caller(msgspec.Struct):
    future: "asyncio.Future[Reply]"
    submitted_ns: int
    prepare: Prepare | None


class Waiting:
    """The callers of one sequencer. `answered` is told, in ns, how long each has waited."""

    def __init__(self, answered: Callable[[int], None]) -> None:
        self._answered = answered
        self._callers: dict[int, _Caller] = {}
        self._last_token = 0

    def add(self, future: "asyncio.Future[Reply]", now_ns: int, prepare: Prepare | None) -> int:
        """Return the token by which the future's caller is answered; `now_ns` is of the steady clock."""
        self._last_token += 1
        self._callers[self._last_token] = _Caller(future, now_ns, prepare)
        return self._last_token

    def prepare(self, answers: Iterable[tuple[int, Reply]]) -> None:
        """Show replies that are not durable yet to those who make something ready of them."""
        for token, reply in answers:
            prepare = self._callers[token].prepare
            if prepare is None:
                continue
            try:
                prepare(reply)
            except Exception:  # one caller's own: the unit is written, and the others wait for it
                log.exception("answer_not_prepared")

    def answer(self, answers: Iterable[tuple[int, Reply]], now_ns: int) -> None:
        """Give the replies, durable now."""
        for token, reply in answers:
            caller = self._callers.pop(token)
            self._answered(now_ns - caller.submitted_ns)
            if not caller.future.done():
                caller.future.set_result(reply)

    def fail(self, error: ConnectionError) -> None:
        """Tell everybody that there will be no answer."""
        for caller in self._callers.values():
            if not caller.future.done():
                caller.future.set_exception(error)
        self._callers.clear()
