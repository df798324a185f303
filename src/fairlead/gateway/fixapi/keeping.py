"""Every message of every session, kept for people: collected on the event loop, written in a thread.

Must never hold an order up: what cannot be written fast enough, or at all, is left out and said.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import structlog

from fairlead.fix import tags
from fairlead.fix.codec import decode
from fairlead.fix.log import FILE_NAME, MessageLog
from fairlead.fix.settings import SessionKey
from fairlead.gateway.fixapi.settings import FixSettings

log = structlog.get_logger()
_WAIT_S = 0.1  # a message is in the file so soon


class Kept:
    """The log of messages of one event loop. Owns `messages` and closes it."""

    def __init__(self, messages: MessageLog) -> None:
        self._messages = messages
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "fix-log-writer")
        self._timer: asyncio.TimerHandle | None = None
        self._has_failed = False

    def add(self, session: str, frames: Sequence[bytes], now_ns: int) -> None:
        """Keep messages that came, or in place of one why bytes were ignored."""
        self._messages.add_all(session, False, frames, now_ns)
        self._write_soon()

    def add_sent(self, session: str, frames: Sequence[bytes], now_ns: int) -> None:
        """Keep messages that are sent."""
        self._messages.add_all(session, True, frames, now_ns)
        self._write_soon()

    def _write_soon(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(_WAIT_S, self._write)

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._timer is not None:
            self._timer.cancel()
        self._thread.shutdown()
        try:
            self._messages.close()
        except OSError as error:
            self._failed(error)

    def _write(self) -> None:
        if self._messages.left_out:
            log.warning("fix_log_behind", messages_left_out=self._messages.left_out)
            self._messages.left_out = 0
        writing = self._thread.submit(self._messages.write, self._messages.take())
        writing.add_done_callback(self._tell_written)

    def _tell_written(self, writing: Future[None]) -> None:
        self._loop.call_soon_threadsafe(self._written, writing)

    def _written(self, writing: Future[None]) -> None:
        error = writing.exception()
        if isinstance(error, OSError):
            self._failed(error)
        elif error is not None:
            raise error
        else:
            self._has_failed = False
        self._timer = None
        if self._messages.is_waiting:
            self._timer = self._loop.call_later(_WAIT_S, self._write)

    def _failed(self, error: OSError) -> None:
        """Say it once, until a write succeeds: a full disk must not fill the log too."""
        if not self._has_failed:
            log.error("fix_log_failed", text=str(error))
        self._has_failed = True


class KeptSession:
    """What is kept of one connection. `heard`: messages that came, since `keep_heard` was called."""

    def __init__(self, kept: Kept, identity: str) -> None:
        """`identity`: what the other side is known by before its Logon is decided."""
        self.heard: list[bytes] = []
        self._kept = kept
        self._identity = identity
        self._key: SessionKey | None = None
        self._name = "-"  # until a message says more

    def keep_heard(self, key: SessionKey, now_ns: int) -> None:
        """Keep what was heard; `key` is the session's, as yet."""
        if self.heard:
            self._kept.add(self._named(key, self.heard[0]), self.heard, now_ns)
            self.heard.clear()

    def keep_ignored(self, reason: str, now_ns: int) -> None:
        """Keep why bytes were ignored."""
        self._kept.add(self._name, (f"ignored: {reason}".encode(),), now_ns)

    def keep_sent(self, key: SessionKey, frames: Sequence[bytes], now_ns: int) -> None:
        """Keep messages that are sent."""
        self._kept.add_sent(self._named(key, b""), frames, now_ns)

    def _named(self, key: SessionKey, heard: bytes) -> str:
        """Return the name under which messages are kept; before it is decided, what `heard` claims."""
        if key.comp_id and key is not self._key:
            self._key, self._name = key, name_of(key)
        elif heard and not key.comp_id:
            self._name = claimed_name(heard, self._identity)
        return self._name


def open_kept(folder: Path, settings: FixSettings) -> Kept | None:
    """Return the log in `folder`; None, and said, where it cannot be opened, or is not wanted."""
    if not settings.log_messages:
        return None
    try:
        return Kept(MessageLog(folder / FILE_NAME, settings.log_bytes_max))
    except OSError as error:
        log.warning("fix_log_failed", text=str(error))
        return None


def name_of(key: SessionKey) -> str:
    """Return a session's name in the log: `FIX.4.4:CLIENT`, with `/SUB` and `@IDENTITY` if it has them."""
    sub = f"/{key.sub_id}" if key.sub_id else ""
    identity = f"@{key.identity}" if key.identity else ""
    return quote(f"{key.begin_string}:{key.comp_id}{sub}{identity}", safe="/:@") or "-"


def claimed_name(frame: bytes, identity: str) -> str:
    """Return the name of the session that a message says it is of, before that is decided."""
    message = decode(frame)
    return name_of(
        SessionKey(
            message.begin_string,
            message.text(tags.SENDER_COMP_ID),
            message.text(tags.SENDER_SUB_ID),
            identity,
        )
    )
