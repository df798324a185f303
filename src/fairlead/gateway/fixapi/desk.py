"""What all FIX connections share: the store, who is logged on, and the one commit per turn of the loop.

Whatever sessions say during a turn is committed in one transaction and only then written. Must never
look into a message.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from fairlead.core.port import EdgePort
from fairlead.core.replies import Reply
from fairlead.core.requests import LOCAL
from fairlead.fix.numbers import Trace
from fairlead.fix.session import Session
from fairlead.fix.settings import Batch, SessionKey
from fairlead.fix.store import Store, StoreError
from fairlead.gateway.callers import Access
from fairlead.gateway.feed import Feed
from fairlead.gateway.fixapi.keeping import Kept
from fairlead.gateway.fixapi.metrics import FixMetrics
from fairlead.gateway.fixapi.settings import FixSettings
from fairlead.gateway.fixapi.telling import Reports
from fairlead.gateway.guard import Doors

log = structlog.get_logger()
_TRANSIENT = "transient:"

Work = Coroutine[Any, Any, None]
Answer = asyncio.Future[Reply]


class Line(Protocol):
    """What a desk needs of a connection."""

    session: Session

    def write(self, batch: Batch) -> None:
        """Send what is durable; close after the last of it."""
        ...

    def abort(self) -> None:
        """Cut the connection off."""
        ...


class Desk:
    """For one event loop. `now_ns` is the wall clock."""

    def __init__(
        self,
        port: EdgePort,
        feed: Feed,
        store: Store,
        settings: FixSettings,
        now_ns: Callable[[], int],
        access: Access | None = None,
        kept: Kept | None = None,
        subscription: str = LOCAL,
    ) -> None:
        """`kept`: where every message is kept for people. `subscription`: whose port this is."""
        self.doors = Doors({subscription: port}, access)
        self.feed = feed
        self.store = store
        self.settings = settings
        self.metrics = FixMetrics()
        self.reports = Reports()
        self.now_ns = now_ns
        self.kept = kept
        self.live: dict[SessionKey, Line] = {}
        self._session_settings = settings.session()
        self._changed: dict[Line, None] = {}
        self._unfinished: set[asyncio.Future[Any]] = set()
        self._transients = 0
        self._ids = 0
        self._born_ns = now_ns()
        for key in list(store.keys()):
            if key.identity.startswith(_TRANSIENT):
                store.forget(key)  # its process was killed

    def new_session(self, trace: Trace | None) -> Session:
        """Return the session of a new connection; `trace` hears every message that comes."""
        return Session(self._session_settings, self.now_ns(), trace)

    def new_id(self, prefix: str) -> str:
        """Return an id that no message has had, in this process or an earlier one."""
        self._ids += 1
        return f"{prefix}{self._born_ns:x}.{self._ids}"

    def transient(self, key: SessionKey) -> SessionKey:
        """Return the key of a second session beside the live one of `key`; it lives as long as its line."""
        self._transients += 1
        return SessionKey(
            key.begin_string, key.comp_id, key.sub_id, f"{_TRANSIENT}{self._transients}"
        )

    def left(self, key: SessionKey) -> None:
        """Take note that a session has ended and said its last word."""
        self.live.pop(key, None)
        if key.identity.startswith(_TRANSIENT):
            self.store.forget(key)

    # ── what takes longer ────────────────────────────────────────────────────────────────────────

    def start(self, work: Work, done: Callable[[], None] | None = None) -> None:
        """Have `work` done beside everything else; `done` is called when it is."""

        def ended(task: asyncio.Task[None]) -> None:
            self._unfinished.discard(task)
            task.result()  # raises what went wrong
            if done is not None:
                done()

        task = asyncio.ensure_future(work)
        self._unfinished.add(task)
        task.add_done_callback(ended)

    def await_answer(self, answer: Answer, then: Callable[[Answer], None]) -> None:
        """Have `then` called when there is an answer, which calls `answered`.

        A task for each order would take longer.
        """
        self._unfinished.add(answer)
        answer.add_done_callback(then)

    def answered(self, answer: Answer) -> None:
        """Wait for an answer no longer."""
        self._unfinished.discard(answer)

    async def finish(self) -> None:
        """Wait until all work is done, within the time that there is for stopping."""
        if self._unfinished:
            await asyncio.wait(self._unfinished, timeout=self.settings.stop_timeout_s)

    # ── what is said ─────────────────────────────────────────────────────────────────────────────

    def changed(self, line: Line) -> None:
        """Have what a session said committed and written before the turn of the loop is over."""
        if not self._changed:
            asyncio.get_running_loop().call_soon(self.flush)
        self._changed[line] = None

    def flush(self) -> None:
        """Commit what was said since the last time, then write it."""
        lines, self._changed = list(self._changed), {}
        batches = [line.session.flush() for line in lines]
        try:
            self.store.commit(batches)
        except StoreError:
            # The sessions are ahead of the store: what they said must not leave.
            log.exception("fix_store_failed", connections=len(lines))
            for line in lines:
                line.abort()
            return
        for line, batch in zip(lines, batches, strict=True):
            if batch.data or batch.is_last:
                line.write(batch)
            if batch.changes is not None:
                for sent in batch.changes.sent:
                    self.metrics.sent[sent.msg_type] += 1
