"""The console page as it is served: what a browser may keep and load, and what no path reaches."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from fairlead.gateway.border import Border
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.opening import front_of
from fairlead.gateway.console.page import Page
from fairlead.gateway.listeners import ListenerSettings, SecureListeners
from fairlead.gateway.server import HttpServer, address_of, bind
from tests.gateway.console.conftest import World, behind
from tests.gateway.http2_client import client_context, http2
from tests.tls.authorities import Desk as TlsDesk

pytestmark = pytest.mark.asyncio

INDEX, SCRIPT = b"<!doctype html><title>Fairlead</title>", b"export {}"
FILES = {
    "index.html": INDEX,
    "licenses.txt": b"MIT",
    "assets/index-A1_b-2.js": SCRIPT,
    "assets/index-C3.css": b"html{}",
    "assets/icon-D4.svg": b"<svg/>",
    "assets/secret.env": b"never served",
    ".made": b"never served",
}
DEEP = ["/console/", "/console/sign-in", "/console/profile/keys", "/console/profile/keys/"]
NOWHERE = [
    "/console/../v1/me",
    "/console/%2e%2e/v1/me",
    "/console/..%2fv1/me",
    "/console/%2fetc/passwd",
    "/console//etc/passwd",
    "/console//",
    "/console/./",
    "/console/profile%2fkeys",
    "/console/Profile",
    "/console/a\\b",
    "/console/.made",
    "/console/assets/",
    "/console/assets/gone-E5.js",
    "/console/assets/secret.env",
    "/console/assets/../index.html",
    "/console/favicon.ico",
    "/console/" + "a" * 5_000 + "!",
]
BEHIND = ["/consoles", "/console%2f", "/Console/", "//console/", "/v1/console/", "/%63onsole/"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "console"
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest_asyncio.fixture
async def url(world: World, folder: Path) -> AsyncIterator[URL]:
    async for each in served(world.desk, folder):
        yield each


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def served(desk: Desk | None, folder: Path) -> AsyncIterator[URL]:
    assert desk is not None
    bound = bind("127.0.0.1", 0)
    front = front_of(behind, desk, "http://page/", folder)
    server = HttpServer(Border(front, [address_of(bound)], lambda: "trace"), bound)
    await server.start()
    yield URL(f"http://127.0.0.1:{server.address[1]}")
    await server.stop()


def asked(page: Page, path: str, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
    """Ask a page, with a path that no client changes."""
    answer = page.answer(method, path.encode())
    return answer.status, {b"content-type": answer.media_type, **dict(answer.headers)}, answer.body


# ── files ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", DEEP)
async def test_deep_links_are_the_page(folder: Path, path: str) -> None:
    status, headers, body = asked(Page(folder), path)
    assert (status, body) == (200, INDEX)
    assert headers[b"content-type"] == b"text/html; charset=utf-8"
    assert headers[b"cache-control"] == b"no-store"


@pytest.mark.parametrize("path", NOWHERE, ids=lambda path: path[:40])
async def test_nothing_else_is_there(folder: Path, path: str) -> None:
    status, headers, body = asked(Page(folder), path)
    assert status == 404
    assert b"never served" not in body
    assert headers[b"cache-control"] == b"no-store"


async def test_files_with_a_hash_are_kept_for_ever(folder: Path) -> None:
    page = Page(folder)
    types = {
        "index-A1_b-2.js": b"text/javascript; charset=utf-8",
        "index-C3.css": b"text/css; charset=utf-8",
        "icon-D4.svg": b"image/svg+xml",
    }
    for name, media_type in types.items():
        status, headers, body = asked(page, f"/console/assets/{name}")
        assert (status, body) == (200, FILES[f"assets/{name}"])
        assert headers[b"content-type"] == media_type
        assert headers[b"cache-control"] == b"public, max-age=31536000, immutable"
    assert asked(page, "/console/licenses.txt")[1][b"cache-control"] == b"no-store"


async def test_what_changes_on_the_disk_is_not_looked_at(folder: Path) -> None:
    page = Page(folder)
    (folder / "assets/new-F6.js").write_bytes(b"planted")
    (folder / "index.html").unlink()
    assert asked(page, "/console/assets/new-F6.js")[0] == 404
    assert asked(page, "/console/")[2] == INDEX


# ── over the network ─────────────────────────────────────────────────────────────────────────────


async def test_the_policy_lets_nothing_in_from_elsewhere(
    url: URL, http: aiohttp.ClientSession
) -> None:
    for path in ("/console/", "/console/assets/index-A1_b-2.js", "/console/assets/none.js"):
        async with http.get(url / path[1:]) as response:
            policy = dict(
                each.partition(" ")[::2]
                for each in response.headers["Content-Security-Policy"].split("; ")
            )
            assert policy == {
                "default-src": "'none'", "script-src": "'self'", "style-src": "'self'",
                "img-src": "'self' data:", "connect-src": "'self'", "form-action": "'none'",
                "frame-ancestors": "'none'", "base-uri": "'none'",
            }  # fmt: skip
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "Set-Cookie" not in response.headers


async def test_without_the_slash_one_is_sent_on(url: URL, http: aiohttp.ClientSession) -> None:
    async with http.get(url / "console", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (308, "/console/")


async def test_head_tells_the_same_without_the_body(url: URL, http: aiohttp.ClientSession) -> None:
    async with http.head(url / "console/") as response:
        assert (response.status, await response.read()) == (200, b"")
        assert response.headers["Content-Length"] == str(len(INDEX))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_it_is_only_read(url: URL, http: aiohttp.ClientSession, method: str) -> None:
    async with http.request(method, url / "console/") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", BEHIND)
async def test_other_paths_are_not_the_pages(
    url: URL, http: aiohttp.ClientSession, path: str
) -> None:
    async with http.get(URL(f"{url}{path}", encoded=True)) as response:
        assert await response.json() == "behind"


async def test_neither_key_nor_session_changes_what_is_served(
    url: URL, http: aiohttp.ClientSession
) -> None:
    headers = {"X-CoinAPI-Key": "fl_live_wrong", "Cookie": "fairlead_session=wrong"}
    async with http.get(url / "console/users", headers=headers) as response:
        assert (response.status, await response.read()) == (200, INDEX)


async def test_over_tls_and_http2_it_is_the_same(
    world: World, folder: Path, tmp_path: Path
) -> None:
    assert world.desk is not None
    tls = TlsDesk(tmp_path)
    listeners = SecureListeners(("127.0.0.1", 0), None, ListenerSettings(tls.folder))
    front = front_of(behind, world.desk, "http://page/", folder)
    await listeners.start(Border(front, listeners.addresses, lambda: "trace"))
    try:
        async with http2(str(listeners.https), client_context(tls.authorities, "h2")) as client:
            for method, body in (("GET", INDEX), ("HEAD", b"")):
                stream = client.request(method, "/console/profile/keys")
                await client.flush()
                await client.until(lambda stream=stream: stream in client.ended)
                assert client.headers[stream][":status"] == "200"
                assert client.headers[stream]["cache-control"] == "no-store"
                assert "default-src 'none'" in client.headers[stream]["content-security-policy"]
                assert client.bodies.get(stream, b"") == body
    finally:
        await listeners.stop()


# ── not built ────────────────────────────────────────────────────────────────────────────────────


async def test_where_it_is_not_built_the_page_says_what_to_install(tmp_path: Path) -> None:
    page = Page(tmp_path / "none")
    status, headers, body = asked(page, "/console/profile/keys")
    assert status == 503
    assert b"Node 20.19" in body
    assert b"make run" in body
    assert headers[b"cache-control"] == b"no-store"
    assert asked(page, "/console/assets/index-A1_b-2.js")[0] == 404
    assert asked(page, "/console/", "POST")[0] == 405


async def test_calls_are_answered_where_the_page_is_not_built(
    world: World, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async for url in served(world.desk, tmp_path / "none"):
        async with http.get(url / "v1/auth/state") as response:
            assert response.status == 200
        async with http.get(url / "console/") as response:
            assert response.status == 503
