"""What a WebSocket client may not do, and what becomes of one that does not read or does not answer."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

from tests.acceptance.conftest import Desk, MakeDesk
from tests.streaming import Stream, address
from tests.system import (
    ACCOUNTS,
    QUICK,
    Ems,
    Json,
    encoded,
    exact,
    order,
    running,
    until,
    write_config,
)

CLIENTS_MAX = 8


@pytest.fixture(scope="module")
def strict_of_module(make_desk: MakeDesk) -> Iterator[Desk]:
    with make_desk(
        websocket__clients_max=CLIENTS_MAX,
        websocket__message_bytes_max=2_000,
        websocket__slow_client_ms=600,
        websocket__ping_interval_s=2,
        websocket__close_timeout_s=0.5,
        http__origins=["https://console.example:8443"],
        http__host_names=["desk.example"],
    ) as desk:
        yield desk


@pytest.fixture
def strict(strict_of_module: Desk) -> Desk:
    """The module's system once the clients of the test before are gone."""
    none_left = '\nfairlead_websocket_clients{subscription="local"} 0.0\n'
    until(
        lambda: none_left in strict_of_module.api.get("/metrics").body.decode(), "no client is left"
    )
    return strict_of_module


def refused(url: str, **headers: str) -> tuple[int, Json]:
    """The status and body with which the upgrade is refused."""
    with (
        pytest.raises(InvalidStatus) as refusal,
        connect(url, proxy=None, additional_headers=headers),
    ):
        pass
    response = refusal.value.response
    return response.status_code, exact(bytes(response.body or b"null"))


# ── the upgrade ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/v1/ws/", "/v2", "/v1/orders", "/operator", "/v1/ws%2F", "//"])
def test_elsewhere_there_is_no_websocket(strict: Desk, path: str) -> None:
    status, body = refused(address(strict.api.url, path))
    assert status == 404
    assert "use /v1/ws" in body["message"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("from=", "from:  is not SEQUENCE:EXCHANGE_ID"),
        ("from=5", 'from: "" is not an exchange id'),
        ("from=-5:SIM", "from: -5:SIM is not SEQUENCE:EXCHANGE_ID"),
        ("from=x:SIM", "from: x:SIM is not"),
        ("from=5:sim", 'from: "sim" is not an exchange id'),
        ("from=1:SIM&from=2:SIM", "from: names an account twice"),
        ("from=%ff:SIM", "query: is not percent-encoded UTF-8"),
    ],
)
def test_a_resume_that_makes_no_sense_is_400(strict: Desk, query: str, words: str) -> None:
    status, body = refused(address(strict.api.url) + "?" + query)
    assert status == 400
    assert words in body["message"]


def test_pages_of_others_and_foreign_hosts_are_refused(strict: Desk) -> None:
    url = address(strict.api.url)
    port = urlsplit(url).port
    assert refused(url, Origin="http://evil.example")[0] == 403
    assert refused(url, Origin="null")[0] == 403
    assert refused(url, Origin=f"https://localhost:{port}")[0] == 403
    for origin in (f"http://localhost:{port}", "https://console.example:8443"):
        with connect(url, proxy=None, additional_headers={"Origin": origin}) as client:
            assert exact(str(client.recv(30)).encode())["type"] == "SERVER_INFO"
    for host, status in (("evil.example", 421), (f"desk.example:{port}", 101)):
        with closing(Raw(strict.api.url, host=host)) as raw:
            assert raw.status == status


def test_a_client_too_many_is_503_until_one_leaves(strict: Desk) -> None:
    streams = [Stream(strict.api.url) for _ in range(CLIENTS_MAX)]
    status, body = refused(address(strict.api.url))
    assert status == 503
    assert body["message"] == f"there are {CLIENTS_MAX} clients, try again"
    streams.pop().close()

    def is_taken() -> bool:
        try:
            streams.append(Stream(strict.api.url))
        except InvalidStatus:
            return False
        return True

    until(is_taken, "one is taken again")
    for stream in streams:
        stream.close()


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"method": "POST"}, 405),
        ({"version": "8"}, 400),
        ({"key": "short"}, 400),
        ({"key": ""}, 400),
        ({"path": "/v1/ws\xff"}, 400),
        ({"path": "/v1/ws?from=\xff"}, 400),
        ({"path": "/v1/ws?form=1:SIM"}, 400),
        ({"path": "/v1/ws?" + "&".join(f"a{n}=" for n in range(70))}, 400),
        ({"path": "/v1/ws?" + "a" * 9_000}, 414),
        ({"more": "X: " + "a" * 9_000 + "\r\n"}, 431),
        ({"more": "X: a\r\n" * 101}, 431),
        ({"more": "X: \xff\r\n"}, 101),
        ({"more": "Sec-WebSocket-Protocol: soap\r\n"}, 101),
        ({"more": "Sec-WebSocket-Extensions: permessage-deflate\r\n"}, 101),
        ({"more": "Content-Length: 2\r\n"}, 400),
    ],
)
def test_what_is_no_upgrade_is_refused(strict: Desk, changes: dict[str, str], status: int) -> None:
    with closing(Raw(strict.api.url, **changes)) as raw:
        assert raw.status == status
        if status != 101:
            assert raw.ends()
    assert strict.api.get("/health/live").status == 200


# ── messages ─────────────────────────────────────────────────────────────────────────────────────


def test_binary_messages_close_the_connection(strict: Desk) -> None:
    with Stream(strict.api.url) as stream:
        stream.send_binary(b"{}")
        assert stream.closed() == (1003, "send text messages")


def test_a_message_that_is_too_long_closes_the_connection(strict: Desk) -> None:
    with Stream(strict.api.url) as stream:
        stream.opening()
        stream.send_text(" " * 1_998 + "{}")
        assert stream.reject()["reject_reason"] == "INVALID_TYPE"
        stream.send_text(" " * 1_999 + "{}")
        assert stream.closed()[0] == 1009


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([Frame(Opcode.TEXT, b"\xff{}")], 1007),
        ([Frame(Opcode.TEXT, b"\xe2\x82", fin=False), Frame(Opcode.CONT, b"\x20")], 1007),
        ([Frame(Opcode.CONT, b"{}")], 1002),
        ([Frame(Opcode.TEXT, b"{", fin=False), Frame(Opcode.TEXT, b"{}")], 1002),
        ([Frame(Opcode.TEXT, b" " * 1_500, fin=False), Frame(Opcode.CONT, b" " * 1_500)], 1009),
        ([Frame(Opcode.CLOSE, b"\x03")], 1002),
        ([Frame(Opcode.CLOSE, b"\x0f\xa0bye")], 4000),
    ],
)
def test_broken_frames_close_with_their_code(strict: Desk, frames: list[Frame], code: int) -> None:
    with closing(Raw(strict.api.url)) as raw:
        raw.send(b"".join(frame.serialize(mask=True) for frame in frames))
        assert raw.closed() == code
        assert raw.ends()


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x02{}",  # not masked
        b"\xc1\x82\x00\x00\x00\x00{}",  # as if compressed, which was not agreed on
        b"\x83\x82\x00\x00\x00\x00{}",  # an opcode that nobody uses
        b"\x89\xfe\x00\x80\x00\x00\x00\x00" + b"x" * 128,  # a ping that is too long
    ],
)
def test_what_is_no_frame_is_a_protocol_error(strict: Desk, data: bytes) -> None:
    with closing(Raw(strict.api.url)) as raw:
        raw.send(data)
        assert raw.closed() == 1002


def test_a_message_in_pieces_with_a_ping_between_them_is_one_message(strict: Desk) -> None:
    frames = [
        Frame(Opcode.TEXT, b'{"type":', fin=False),
        Frame(Opcode.PING, b"there?"),
        Frame(Opcode.CONT, b'"NO', fin=False),
        Frame(Opcode.CONT, b'NE"}'),
    ]
    with closing(Raw(strict.api.url)) as raw:
        for frame in frames:
            raw.send(frame.serialize(mask=True))
        pong, rejects = Frame(Opcode.PONG, b"there?"), []
        got: list[Frame] = []
        while pong not in got or not rejects:  # among what every client is told
            got.append(raw.frame())
            rejects += [got[-1]] if b"MESSAGE_REJECT" in got[-1].data else []
        (reject,) = [exact(bytes(frame.data)) for frame in rejects]
        assert reject["rejected_message"] == '{"type":"NONE"}'
        raw.send(Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True))
        assert raw.closed() == 1000


# ── clients that do not answer, or do not read ───────────────────────────────────────────────────


def test_a_client_that_answers_no_ping_is_dropped_and_one_that_does_is_not(strict: Desk) -> None:
    with closing(Raw(strict.api.url)) as silent, Stream(strict.api.url) as lively:
        lively.opening()
        message = {"type": "ORDER_NEW_SINGLE_REQUEST"} | order(
            "of-the-silent", exec_inst=["CANCEL_ON_DISCONNECT"]
        )
        silent.send(Frame(Opcode.TEXT, encoded(message)).serialize(mask=True))
        lively.report("of-the-silent", "NEW")
        assert silent.closed() == 1011
        assert silent.pings == 1
        lively.report("of-the-silent", "CANCELED")
        count = len(lively.infos)
        lively.wait(lambda _: len(lively.infos) >= count + 4, "it is served on")


def test_a_client_that_reads_nothing_is_dropped_and_others_are_served(make_desk: MakeDesk) -> None:
    with (
        make_desk(websocket__slow_client_ms=500, websocket__close_timeout_s=30) as desk,
        closing(Raw(desk.api.url, buffer_bytes=4_096)) as stuck,
        Stream(desk.api.url) as lively,
    ):
        lively.opening()
        start = desk.api.accounts()["SIM"]["sequence"]
        number = 0
        while not dropped(desk, "slow"):
            assert number < 20_000
            for _ in range(50):
                lively.place(f"flood-{number}")
                number += 1
            lively.report(f"flood-{number - 1}", "NEW")
            lively.send("ORDER_CANCEL_ALL_REQUEST", exchange_id="SIM")
            lively.report(f"flood-{number - 1}", "CANCELED")
        assert stuck.closed() == 4008  # it reads again, just before it is cut off
        end = desk.api.accounts()["SIM"]["sequence"]
        while lively.updates()[-1]["sequence"] < end:
            lively.next()
        sequences = [each["sequence"] for each in lively.updates()]
        assert sequences == list(range(start + 1, end + 1))


def dropped(desk: Desk, why: str) -> bool:
    series = f'fairlead_websocket_ended_total{{subscription="local",why="{why}"}} 0.0'
    return series not in desk.api.get("/metrics").body.decode()


# ── the end ──────────────────────────────────────────────────────────────────────────────────────


def test_at_the_end_the_server_says_so_and_takes_leave(tmp_path: Path) -> None:
    settings = QUICK | {"websocket.close_timeout_s": 0.5}
    config = write_config(tmp_path / "config.toml", settings, ACCOUNTS)
    ems = Ems(tmp_path / "data", config, "--no-participants")
    with running(ems):
        url = ems.reconciled().endpoint["url"]
        with Stream(url) as stream, closing(Raw(url, buffer_bytes=4_096)) as stuck:
            stream.opening()
            stream.place("ends-with-us", exec_inst=["CANCEL_ON_DISCONNECT"])
            stream.report("ends-with-us", "NEW")
            os.kill(ems.pid, signal.SIGTERM)
            assert stream.closed() == (1001, "the server is stopping")
            last = stream.infos[-2:]
            assert [each["exchange_id"] for each in last] == ["SIM", "SIM/ALICE"]
            assert [each["is_running"] for each in last] == [False, False]
            assert ems.ended() == 0
            assert stuck.ends()
    assert "Traceback" not in ems.log
    again = Ems(tmp_path / "data", config, "--no-participants")
    with running(again):
        api = again.reconciled().api()
        until(lambda: api.status("ends-with-us").json["status"] == "CANCELED", "it ended with us")
        api.close()


class Raw:
    """A client that sends what it is told, and reads only when it is told."""

    def __init__(
        self,
        url: str,
        *,
        host: str = "localhost",
        method: str = "GET",
        version: str = "13",
        key: str = "dGhlIHNhbXBsZSBub25jZQ==",
        path: str = "/v1/ws",
        more: str = "",
        buffer_bytes: int | None = None,
    ) -> None:
        parts = urlsplit(url)
        self._socket = socket.socket()
        if buffer_bytes is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self._socket.settimeout(20)
        self._socket.connect((parts.hostname, parts.port))
        self._read = self._socket.makefile("rb")
        self.pings = 0
        self.send(
            f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: {version}\r\n"
            f"Sec-WebSocket-Key: {key}\r\n{more}\r\n".encode("latin-1")
        )
        self.status = int(self._read.readline().split()[1])
        while self._read.readline() not in (b"\r\n", b""):
            pass

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def frame(self) -> Frame:
        """Read one frame of the server."""
        head = self._read.read(2)
        length = head[1] & 127
        if length == 126:
            length = int.from_bytes(self._read.read(2), "big")
        elif length == 127:
            length = int.from_bytes(self._read.read(8), "big")
        frame = Frame(Opcode(head[0] & 15), self._read.read(length))
        self.pings += frame.opcode is Opcode.PING
        return frame

    def closed(self) -> int:
        """Read on to the server's close frame; return its code."""
        while (frame := self.frame()).opcode is not Opcode.CLOSE:
            pass
        return int.from_bytes(bytes(frame.data[:2]), "big")

    def ends(self) -> bool:
        """Read on to the end of the connection."""
        try:
            while self._read.read(65_536):
                pass
        except ConnectionError:
            return True
        return True

    def close(self) -> None:
        self._read.close()
        self._socket.close()
