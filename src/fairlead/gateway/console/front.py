"""Before the gate: calls of people, who are known by a session's cookie and never by an API key.

The page's own files are answered here too, to everybody. What is no such call goes on to the gate, whose
callers are keys and never people. Every change needs the CSRF token that only our own page can know; Origin
and Host have been looked at by the border.
"""

import asyncio
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead.control.control import Control
from fairlead.control.errors import ControlError, StoreFull
from fairlead.control.people.person import From, Session, Stage, User
from fairlead.control.people.post import Post
from fairlead.gateway.answers import Answer, call_of, read_body, send_answer
from fairlead.gateway.console.page import ROOT, Page
from fairlead.gateway.console.visit import (
    CSRF_HEADER,
    Endpoint,
    Level,
    Routes,
    Visit,
    cookie_of,
    csrf_of,
    problem,
)
from fairlead.gateway.credentials import KEY_HEADERS
from fairlead.gateway.proxies import HEADER as FORWARDED
from fairlead.gateway.proxies import Proxies, peer_address

log = structlog.get_logger()
_SAFE = ("GET", "HEAD")
_REFUSED = 400  # and above: nothing was changed
_THREADS = 2
_WAITING_MAX = 64  # calls, of all people together; more are refused
_PASSWORDS = 1  # one takes 64 MiB and a core for a while: so many are looked at at once
_PASSWORDS_WAITING_MAX = 16
_LATER_MAX = 16  # letters to people who have forgotten their passwords
_RETRY_AFTER = (b"retry-after", b"5")
_Result = TypeVar("_Result")


class Part(Protocol):
    """Some of the calls. A path of `prefixes` ends in `/`, what follows is the call's `tail`; or it has one
    `*`, for the part of a path that is.
    """

    routes: Routes
    prefixes: Routes


class Busy(Exception):
    """So many calls wait that one more is refused."""


class Desk:
    """What the calls work with: the control plane, in threads of their own, mail, and the time."""

    def __init__(
        self,
        control: Control,
        post: Post | None,
        mail: str,
        now_ns: Callable[[], int],
        proxies: Proxies | None = None,
        look: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`post`: where letters are given, None: nowhere. `mail`: how, in a word.

        `look`: has those who decide about requests know what was changed; raises ControlError. None: nobody
        decides here.
        """
        self._proxies = proxies or Proxies()
        self._look = look
        self.control = control
        self.post = post
        self.mail = mail
        self.now_ns = now_ns
        self._tasks: set[asyncio.Task[None]] = set()
        self._usual = _Queue(_THREADS, _WAITING_MAX)
        self._passwords = _Queue(_PASSWORDS, _PASSWORDS_WAITING_MAX)

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Do what blocks. Raises Busy and what `work` raises."""
        return await self._usual.run(work)

    async def run_password(self, work: Callable[[], _Result]) -> _Result:
        """Do what looks at a password; in a queue of its own, so that a flood of them holds up nobody else.

        Raises as `run` does.
        """
        return await self._passwords.run(work)

    async def take_effect(self) -> None:
        """Have what was changed count for every request from now on."""
        if self._look is None:
            return
        try:
            await self._look()
        except (
            ControlError
        ) as error:  # it is done, and counts as soon as the database answers again
            log.error("control plane cannot be read", cause=str(error))  # noqa: TRY400 - no trace

    def address_of(self, scope: Scope) -> str | None:
        """Return from where a call comes; None where a trusted proxy says what cannot be read."""
        client = scope["client"]
        if client is None:
            return None
        forwarded = [value for name, value in scope["headers"] if name == FORWARDED]
        address = self._proxies.origin(peer_address(client[0]), forwarded)
        return None if address is None else str(address)

    def is_secure(self, scope: Scope) -> bool:
        """Whether a call comes over https, at least to a trusted proxy that says so."""
        client = scope["client"]
        if client is None:
            return False
        return self._proxies.is_secure(peer_address(client[0]), scope["scheme"], scope["headers"])

    def do_later(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done that nobody waits for. Raises Busy."""
        if len(self._tasks) >= _LATER_MAX:
            work.close()
            raise Busy

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            cause = None if task.cancelled() else task.exception()
            if cause is not None:
                log.error("console work failed", cause=f"{type(cause).__name__}: {cause}")

        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(ended)

    async def finish(self) -> None:
        """Wait for what was to be done later."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        """Do nothing more; what is being done is waited for."""
        self._usual.threads.shutdown()
        self._passwords.threads.shutdown()


class _Queue:
    """Threads, and how much may wait for them."""

    def __init__(self, count: int, waiting_max: int) -> None:
        self.threads = ThreadPoolExecutor(count, "console")
        self._waiting_max = waiting_max
        self._waiting = 0

    async def run(self, work: Callable[[], _Result]) -> _Result:
        if self._waiting >= self._waiting_max:
            raise Busy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, work)
        finally:
            self._waiting -= 1


class Front:
    """An ASGI application before `behind`: answers calls of people itself."""

    def __init__(self, behind: ASGIApp, desk: Desk, page: Page, *parts: Part) -> None:
        self._behind = behind
        self._desk = desk
        self._page = page
        self._routes = {path: each for part in parts for path, each in part.routes.items()}
        prefixes = [each for part in parts for each in part.prefixes.items()]
        # Those that say most come first.
        self._prefixes = [
            (*_parted(path), methods) for path, methods in sorted(prefixes, reverse=True)
        ]
        self._begins = (*self._routes, *(before for before, _, _ in self._prefixes), ROOT)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a call of a person, or pass it on, which costs an order next to nothing."""
        if scope["type"] == "http" and scope["raw_path"].startswith(self._begins):
            return self._take(scope, receive, send)
        return self._behind(scope, receive, send)

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: bytes = scope["raw_path"]
        if self._page.is_at(path):
            await send_answer(self._page.answer(scope["method"], path), scope, send)
            return
        found = self._found(path)
        if found is None:
            await self._behind(scope, receive, send)
            return
        methods, tail = found
        method: str = scope["method"]
        endpoint = methods.get("GET" if method == "HEAD" else method)
        if endpoint is None:
            allowed = ", ".join(methods)
            text = f"this is not possible here, use {allowed}"
            answer = problem(405, "method_wrong", text, (b"allow", allowed.encode()))
        else:
            body = b"" if method in _SAFE else await read_body(receive)
            answer = await self._answer(scope, body, tail, *endpoint)
            if method not in _SAFE and answer.status < _REFUSED:
                await self._desk.take_effect()
        await send_answer(answer, scope, send)

    def _found(self, path: bytes) -> tuple[Mapping[str, tuple[Level, Endpoint]], bytes] | None:
        """Return what can be called at a path, by method, and its tail."""
        methods = self._routes.get(path)
        if methods is not None:
            return methods, b""
        for before, after, of_prefix in self._prefixes:
            tail = path[len(before) : len(path) - len(after)]
            if path == before + tail + after and not (after and b"/" in tail):
                return of_prefix, tail
        return None

    async def _answer(
        self, scope: Scope, body: bytes, tail: bytes, level: Level, endpoint: Endpoint
    ) -> Answer:
        try:
            visit = await self._visit(scope, body, tail)
            refusal = visit if isinstance(visit, Answer) else _refusal(visit, level)
            if refusal is not None:
                return refusal
            assert isinstance(visit, Visit)
            return await endpoint(visit)
        except Busy:
            text = "too many people are signing in at this moment, try again in a few seconds"
            return problem(503, "busy", text, _RETRY_AFTER)
        except StoreFull as error:
            log.error("console call failed", cause=str(error))  # noqa: TRY400 - no trace
            text = (
                "the disk of the control database is full, or fails: nothing can be changed, granted or"
                " taken back until there is room; to stop all keys at once, stop the system"
            )
            return problem(503, "disk_full", text, _RETRY_AFTER)
        except ControlError as error:
            log.error("console call failed", cause=str(error))  # noqa: TRY400 - no trace
            text = "this cannot be done now: the control database does not answer"
            return problem(503, "unavailable", text, _RETRY_AFTER)

    async def _visit(self, scope: Scope, body: bytes, tail: bytes) -> Visit | Answer:
        headers = dict(scope["headers"])
        is_secure = self._desk.is_secure(scope)
        address = self._desk.address_of(scope)
        if address is None:
            return problem(403, "address_unreadable", "a proxy says no address that can be read")
        if not is_secure and not is_loopback(address):
            text = "people sign in over https, or on the machine itself"
            return problem(403, "https_needed", text)
        now_ns = self._desk.now_ns()
        agent = headers.get(b"user-agent", b"").decode("latin-1")
        token = cookie_of(scope["headers"], is_secure=is_secure)
        found: tuple[User, Session] | None = None
        if token:
            sessions = self._desk.control.sessions
            found = await self._desk.run(lambda: sessions.of(token, now_ns))
        user, session = found or (None, None)
        call = call_of(scope, body, tail)
        origin = From(address, agent)
        return Visit(call, origin, is_secure, now_ns, token if found else "", user, session)


def _parted(path: bytes) -> tuple[bytes, bytes]:
    """Return what is before and after the part of a path that is a call's tail."""
    before, _, after = path.partition(b"*")
    return before, after


def _refusal(visit: Visit, level: Level) -> Answer | None:
    """Return why a call is not taken: who is not signed in, or whose page did not read our answers."""
    headers = dict(visit.call.headers)
    if level > Level.ANYBODY:
        session = visit.session
        if session is None and any(name in headers for name in KEY_HEADERS):
            text = "an API key cannot do this, a person who is signed in can"
            return problem(403, "session_needed", text)
        if session is None:
            return problem(401, "session_needed", "sign in first")
        if level is Level.WHOLE and session.stage is not Stage.WHOLE:
            return problem(401, "second_factor_needed", "give the code of your authenticator first")
        if level is Level.PASSWORD and session.stage is not Stage.PASSWORD:
            return problem(409, "signed_in_already", "you are signed in already")
    if visit.token and visit.call.method not in _SAFE:
        sent = headers.get(CSRF_HEADER, b"").decode("latin-1")
        if not hmac.compare_digest(sent.encode(), csrf_of(visit.token).encode()):
            text = "X-CSRF-Token is missing or not that of your session, see /v1/auth/state"
            return problem(403, "csrf_wrong", text)
    return None


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's alone."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
