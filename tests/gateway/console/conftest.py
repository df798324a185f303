"""The console over a control plane in a folder, and browsers that call it; time is what a test says."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from starlette.types import Receive, Scope, Send
from yarl import URL

from fairlead.control.addresses import networks_of
from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.keys import DAY_NS
from fairlead.control.people import one_time
from fairlead.control.people.passwords import Cost
from fairlead.control.people.post import Sink
from fairlead.gateway.answers import json_answer, send_answer
from fairlead.gateway.border import Border
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.opening import front_of
from fairlead.gateway.proxies import Proxies
from fairlead.gateway.server import HttpServer, address_of, bind
from tests.control.conftest import postgresql  # noqa: F401 - fixture
from tests.gateway.console.stored import changed, stored
from tests.postgresql import Server

DATABASES = ("sqlite", "postgresql")
OWNER = Actor("owner", "local", "machine")
EMAIL, PASSWORD = "ann@desk.example", "seven unrelated words"
BOB = "bob@desk.example"
MINUTE = 60 * 10**9
SECRET = one_time.new_totp_secret()


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    await send_answer(json_answer(200, "behind"), scope, send)


class World:
    """The console over a control plane in a folder, its time, and who calls it."""

    def __init__(self, control: Control, data: Path, address: tuple[str, int]) -> None:
        self.control = control
        self.sink = Sink(data)
        self.desk: Desk | None = None
        self.now_ns = 1_000 * DAY_NS
        self.url = URL(f"http://{address[0]}:{address[1]}")

    def browser(self) -> "Browser":
        return Browser(self.url)

    def link(self) -> str:
        token = self.control.users.first_link(OWNER, self.now_ns)
        assert token is not None
        return token

    async def ann(self, browser: "Browser") -> dict[str, Any]:
        """Have a browser become the first user."""
        form = {"token": self.link(), "email": EMAIL, "password": PASSWORD}
        status, said = await browser.post("/v1/auth/first-user", form)
        assert status == 201, said
        return said

    async def bob(self, browser: "Browser") -> dict[str, Any]:
        """Have a browser become another user of the same subscription, by an invitation."""
        form = {"token": self.control.users.invite(OWNER, BOB, self.now_ns), "password": PASSWORD}
        status, said = await browser.post("/v1/auth/invitation", form)
        assert status == 201, said
        return said

    @contextmanager
    def changes(self) -> Iterator[list[str]]:
        """Give a list that holds in the end what has changed of all that is stored."""
        before, lines = stored(self.control, self.sink), list[str]()
        yield lines
        lines += changed(before, stored(self.control, self.sink))

    def code(self) -> str:
        return one_time.totp_code(SECRET, self.now_ns // (30 * 10**9))

    def enrol(self) -> tuple[str, ...]:
        """Switch the second factor of the one user on, an hour ago."""
        (user,) = self.control.users.listed()
        earlier = self.now_ns - 60 * MINUTE
        code = one_time.totp_code(SECRET, earlier // (30 * 10**9))
        with self.control.store.change() as change:
            result = self.control.sessions.enrol(change, user, SECRET, code, "", earlier)
        codes: tuple[str, ...] = result.recovery_codes  # type: ignore[union-attr]
        return codes


class Browser:
    """One cookie jar; sends the CSRF token that it was told last."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self.csrf = ""
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def call(
        self, method: str, path: str, form: object = None, **headers: str
    ) -> tuple[int, Any]:
        headers.setdefault("X-CSRF-Token", self.csrf)
        url = self._url.join(URL(path, encoded=True))
        async with self.http.request(method, url, json=form, headers=headers) as response:
            assert response.headers["Cache-Control"] == "no-store"
            body = await response.read()
            said = await response.json() if body else None
            if isinstance(said, dict) and said.get("csrf"):
                self.csrf = said["csrf"]
            return response.status, said

    async def get(self, path: str) -> tuple[int, Any]:
        return await self.call("GET", path)

    async def post(self, path: str, form: object = None) -> tuple[int, Any]:
        return await self.call("POST", path, form)

    async def sign_in(self, password: str = PASSWORD) -> tuple[int, Any]:
        return await self.post("/v1/auth/sign-in", {"email": EMAIL, "password": password})

    @property
    def token(self) -> str:
        return next((each.value for each in self.http.cookie_jar), "")


@pytest.fixture
def database() -> str:
    """Say where the control plane is stored; a module asks for each of DATABASES by `parametrize`."""
    return "sqlite"


@pytest_asyncio.fixture
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> AsyncIterator[World]:
    cost = getattr(request, "param", Cost(1, 64, 1))  # Argon2id as ever, cheaper unless asked
    data = tmp_path / "data"
    bound = bind("127.0.0.1", 0)
    url = None
    if database == "postgresql":
        databases: Server = request.getfixturevalue("postgresql")
        url = databases.new_database()
    with Control.open(data, url, None, "local", 1, cost) as control:
        world = World(control, data, address_of(bound))
        trusted = Proxies(networks_of(["127.0.0.1/32"]))  # where a browser of these tests says so
        desk = Desk(control, world.sink, "sink", lambda: world.now_ns, trusted)
        world.desk = desk
        front = front_of(behind, desk, "http://page/")
        server = HttpServer(Border(front, [address_of(bound)], lambda: "trace"), bound)
        await server.start()
        yield world
        await server.stop()
        await desk.finish()
        desk.close()


@pytest_asyncio.fixture
async def browser(world: World) -> AsyncIterator[Browser]:
    browser = world.browser()
    yield browser
    await browser.http.close()


@pytest_asyncio.fixture
async def other(world: World) -> AsyncIterator[Browser]:
    browser = world.browser()
    yield browser
    await browser.http.close()


@pytest_asyncio.fixture
async def ann(world: World, browser: Browser) -> Browser:
    """Somebody who has a second factor and is signed in by both."""
    await world.ann(browser)
    world.enrol()
    await browser.sign_in()
    status, _ = await browser.post("/v1/auth/second-factor", {"code": world.code()})
    assert status == 200
    world.now_ns += 2 * MINUTE
    return browser


async def asked(browser: Browser, action: str, **payload: object) -> tuple[str, str]:
    """Ask for something; return the challenge, and the code that was mailed."""
    form = {"action": action, "payload": payload}
    status, said = await browser.post("/v1/challenges", form)
    assert status == 201, said
    assert (said["action"], said["sent_to"]) == (action, "a***@desk.example")
    letter = (await browser.get("/v1/mail"))[1][0]
    return said["challenge"], re.search("Your code: ([0-9]{8})", letter["text"])[1]  # type: ignore[index]


async def confirm(browser: Browser, challenge: str, code: str, totp: str) -> tuple[int, Any]:
    path = f"/v1/challenges/{challenge}/confirm"
    return await browser.post(path, {"code": code, "totp": totp})


async def granted(
    world: World, browser: Browser, action: str, **payload: object
) -> tuple[int, Any]:
    """Ask for something and confirm it; the next code is of a later step."""
    challenge, code = await asked(browser, action, **payload)
    result = await confirm(browser, challenge, code, world.code())
    world.now_ns += 2 * MINUTE
    return result


async def added(world: World, browser: Browser, label: str = "Bot1", **more: object) -> Any:
    status, said = await granted(world, browser, "key.add", label=label, **more)
    assert status == 201, said
    return said
