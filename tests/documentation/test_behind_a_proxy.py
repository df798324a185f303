"""The page on proxies: its settings, what its proxies send, and they themselves where they are installed."""

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from fairlead.control.control import Control
from tests.control.conftest import OWNER
from tests.documentation.fences import fences_of
from tests.documentation.reader import ROOT
from tests.system import Ems, Json, running, until, write_config
from tests.tls.authorities import Desk

PAGE = ROOT / "docs/how-to/behind-a-proxy.md"
BLOCKS = {each.title: each.text for each in fences_of(PAGE, ROOT) if each.title}
PROXY, FAIRLEAD = "10.0.0.4", "10.0.0.5:3080"  # on the page
NAME = "ems.desk.example"
NEAR, STRANGER, CLIENT = "127.0.0.1", "127.0.0.9", "203.0.113.5"  # here
EMAIL, PASSWORD = "ann@desk.example", "seven unrelated words"
SPOOFED = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "Forwarded": "proto=http"}


class Behind(NamedTuple):
    """A system with the page's settings; `port` is where it listens. `link`: of its first user."""

    port: int
    link: str


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp("behind")
    settings = tomllib.loads(BLOCKS["fairlead.toml"])
    assert settings.pop("listen") == FAIRLEAD
    of_http = settings.pop("http")
    assert of_http.pop("trusted_proxies") == [PROXY]
    settings |= {f"http.{name}": value for name, value in of_http.items()}
    settings |= {"http.trusted_proxies": [NEAR], "exchange.participants": False}
    config = write_config(folder / "fairlead.toml", settings, [])
    with Control.open(folder / "data", None, None, "local", time.time_ns()) as control:
        link = control.users.first_link(OWNER, time.time_ns())
    assert link is not None
    ems = Ems(folder / "data", config)
    with running(ems):
        port = int(ems.ready().endpoint["url"].rpartition(":")[2])
        yield Behind(port, link)


def asked(
    line: http.client.HTTPConnection, method: str, path: str, headers: Mapping[str, str], form: Json
) -> tuple[http.client.HTTPResponse, Json]:
    sent = {"Origin": f"https://{NAME}", "Content-Type": "application/json", **headers}
    line.request(method, path, None if form is None else json.dumps(form), sent)
    answer = line.getresponse()
    body = answer.read()
    return answer, json.loads(body) if body else None


def signs_in(line: http.client.HTTPConnection, headers: Mapping[str, str], link: str) -> str:
    """Become the first user, or sign in, over https; return from where the system says that was."""
    first = {"token": link, "email": EMAIL, "password": PASSWORD}
    answer, said = asked(line, "POST", "/v1/auth/first-user", headers, first)
    if answer.status != 201:
        form = {"email": EMAIL, "password": PASSWORD}
        answer, said = asked(line, "POST", "/v1/auth/sign-in", headers, form)
    assert answer.status in (200, 201), said
    cookie = answer.getheader("Set-Cookie") or ""
    assert cookie.startswith("__Host-"), cookie
    assert "Secure" in cookie
    sent = {**headers, "Cookie": cookie.partition(";")[0]}
    answer, said = asked(line, "GET", "/v1/me/sessions", sent, None)
    assert answer.status == 200, said
    address: str = said[0]["address"]
    return address


def of_nginx() -> dict[str, str]:
    """Return what the page's nginx sends of a request over https, whatever its client has written."""
    values = {"$host": NAME, "$remote_addr": CLIENT, "$scheme": "https"}
    found = re.findall(r"proxy_set_header (\S+) (\S+);", BLOCKS["nginx-site.conf"])
    sent = {name: values[value] for name, value in found if value in values}
    assert sent.keys() == {"Host", "X-Forwarded-For", "X-Forwarded-Proto"}
    return {"Forwarded": "proto=http;for=127.0.0.1", **sent}


# As https://caddyserver.com/docs/caddyfile/directives/reverse_proxy#defaults has it.
OF_CADDY = {
    "Host": NAME,
    "X-Forwarded-For": CLIENT,
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": NAME,
}


@pytest.mark.parametrize("headers", [of_nginx(), OF_CADDY], ids=["nginx", "caddy"])
def test_people_sign_in_by_what_the_pages_proxies_send(
    behind: Behind, headers: Mapping[str, str]
) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", behind.port, 20)) as line:
        assert signs_in(line, headers, behind.link) == CLIENT
        over_http = {**headers, "X-Forwarded-Proto": "http"}
        assert asked(line, "GET", "/v1/me", over_http, None)[1]["code"] == "https_needed"


def test_who_writes_the_same_and_is_no_proxy_of_ours_comes_from_the_machine(
    behind: Behind,
) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", behind.port, 20, (STRANGER, 0))) as line:
        answer, _ = asked(line, "GET", "/v1/auth/state", OF_CADDY, None)
        assert answer.status == 200
        form = {"email": EMAIL, "password": PASSWORD}
        answer, _ = asked(line, "POST", "/v1/auth/sign-in", OF_CADDY, form)
        assert "Secure" not in (answer.getheader("Set-Cookie") or "")


# ── the real ones ────────────────────────────────────────────────────────────────────────────────


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def nginx_of(folder: Path, port: int, certificate: Path) -> list[str]:
    site = BLOCKS["nginx-site.conf"]
    site = re.sub(r"(ssl_certificate(?:_key)?) +\S+;", rf"\1 {certificate};", site)
    site = site.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    temporary = "".join(
        f"{each}_temp_path {folder}/{each};"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = f"daemon off; pid {folder}/pid; error_log stderr; events {{}} http {{ access_log off;"
    config = folder / "nginx.conf"
    config.write_text(f"{text} {temporary}\n{site}}}\n")
    return ["nginx", "-p", str(folder), "-c", str(config), "-e", "stderr"]


def caddy_of(folder: Path, port: int, certificate: Path) -> list[str]:
    site = BLOCKS["Caddyfile"].replace(f"{NAME} {{", f"https://{NAME}:{port} {{\n bind 127.0.0.1")
    site = site.replace("reverse_proxy", f"tls {certificate} {certificate}\n reverse_proxy")
    config = folder / "Caddyfile"
    config.write_text("{\n admin off\n auto_https off\n}\n" + site)
    return ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]


@contextmanager
def proxied(folder: Path, name: str, behind: Behind) -> Iterator[http.client.HTTPSConnection]:
    """Run a proxy as on the page, and give a connection to it."""
    desk = Desk(folder)
    desk.keep(time.time_ns(), [NAME])
    port, certificate = free_port(), desk.folder / "server.pem"
    command = (nginx_of if name == "nginx" else caddy_of)(folder, port, certificate)
    config = folder / ("nginx.conf" if name == "nginx" else "Caddyfile")
    config.write_text(config.read_text().replace(FAIRLEAD, f"127.0.0.1:{behind.port}"))
    environment = {"HOME": str(folder), "PATH": "/usr/bin"}
    command[0] = shutil.which(name) or name
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    context = ssl.create_default_context(cafile=desk.authorities)
    try:
        until(lambda: listens(process, port), f"{name} listens: {(folder / 'log').read_text()}")
        line = http.client.HTTPSConnection(NAME, port, timeout=20, context=context)
        with socket.create_connection(("127.0.0.1", port)) as plain:
            line.sock = context.wrap_socket(plain, server_hostname=NAME)
            with closing(line):
                yield line
    finally:
        process.terminate()
        process.wait(20)


def listens(process: subprocess.Popen[bytes], port: int) -> bool:
    assert process.poll() is None, "the proxy has ended"
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("name", ["nginx", "caddy"])
def test_people_sign_in_by_the_pages_proxy_itself(
    behind: Behind, name: str, tmp_path: Path
) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not on this machine")
    with proxied(tmp_path, name, behind) as line:
        headers = {"Host": NAME, **SPOOFED}
        assert signs_in(line, headers, behind.link) == NEAR  # where this test is
