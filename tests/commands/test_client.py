"""Finding a system, and what a client command says when no answer comes.

The peer here is a scripted HTTP server: it says what a system in trouble would say, or nothing.
"""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from fairlead.commands.client import Answer, Api, find
from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.trade import api_time, moment
from tests.commands.terminal import fairlead

REPORT = {
    "status": "NEW",
    "error_message": None,
    "in_doubt": False,
    "side": "BUY",
    "amount_order": 1,
    "price": 2,
    "symbol_id_coinapi": "SIM_SPOT_BTC_USDT",
    "time_in_force": "GOOD_TILL_CANCEL",
    "exec_inst": [],
    "exchange_id": "SIM",
    "client_order_id": "x",
    "exchange_order_id": "7",
    "fills": [],
    "time_order": "2026-01-01T00:00:00.0000000Z",
    "status_history": [["RECEIVED", "2026-01-01T00:00:00.0000000Z"]],
}
PLACE = ("order", "buy", "1", "SIM_SPOT_BTC_USDT", "2", "--id", "x/?#1")


class Peer:
    """Answers GETs from `answers` by path, in turn; closes every POST's connection unanswered."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, object]] = []
        self.heard: list[tuple[str, str, bytes]] = []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                peer.heard.append(("POST", self.path, body))
                self.close_connection = True

            def do_GET(self) -> None:
                peer.heard.append(("GET", self.path, b""))
                status, content = peer.answers.pop(0)
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


# ── no answer to a place ─────────────────────────────────────────────────────────────────────────


def test_a_place_without_an_answer_is_asked_about_and_never_sent_again(
    peer: Peer, tmp_path: Path
) -> None:
    peer.answers = [(200, REPORT)]
    run = fairlead(*PLACE, "--url", peer.url, folder=tmp_path)
    assert run.code == 0
    assert run.out.startswith("BUY 1 SIM_SPOT_BTC_USDT at 2")
    assert [(method, path) for method, path, _ in peer.heard] == [
        ("POST", "/v1/orders"),
        ("GET", "/v1/orders/status/x%2F%3F%231?exchange_id=SIM"),
    ]


@pytest.mark.parametrize(
    ("status", "content", "said"),
    [
        (404, {"message": "no such order"}, "is not known there yet and may still arrive"),
        (200, {**REPORT, "in_doubt": True}, "the order is in doubt"),
        (503, {"message": "stopping"}, "its status is unknown too: stopping"),
    ],
)
def test_what_is_not_known_of_a_place_ends_with_four(
    peer: Peer, tmp_path: Path, status: int, content: object, said: str
) -> None:
    peer.answers = [(status, content)]
    run = fairlead(*PLACE, "--url", peer.url, folder=tmp_path)
    assert run.code == ExitCode.UNKNOWN
    assert said in run.err
    assert "ask again with: fairlead orders x/?#1" in run.err
    assert [method for method, _, _ in peer.heard] == ["POST", "GET"]


def test_a_place_that_turns_out_rejected_ends_with_one(peer: Peer, tmp_path: Path) -> None:
    peer.answers = [(200, {**REPORT, "status": "REJECTED", "error_message": "order_rate"})]
    run = fairlead(*PLACE, "--url", peer.url, folder=tmp_path)
    assert (run.code, run.err) == (1, "fairlead: rejected: order_rate\n")


@pytest.mark.parametrize(
    "arguments",
    [("cancel", "x"), ("halt", "SIM"), ("in-doubt", "resolve", "x", "working")],
)
def test_another_command_without_an_answer_ends_with_four(
    peer: Peer, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    run = fairlead(*arguments, "--url", peer.url, folder=tmp_path)
    assert (run.code, run.out) == (4, "")
    assert len(peer.heard) == 1


# ── nobody there ─────────────────────────────────────────────────────────────────────────────────


def test_where_no_system_ever_ran_that_is_said(tmp_path: Path) -> None:
    run = fairlead("orders", folder=tmp_path)
    assert (run.code, run.out) == (3, "")
    assert "no system has run in data: data/endpoint.json is missing" in run.err
    assert "fairlead up" in run.err


def test_a_system_that_is_gone_is_named(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, not listening: refused, and nobody else's
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        (tmp_path / "endpoint.json").write_text(json.dumps({"url": url, "pid": 12345}))
        run = fairlead(*PLACE, "--data", str(tmp_path), folder=tmp_path)
        assert (run.code, run.out) == (3, "")
        assert run.err.startswith(f"fairlead: no system answers at {url} (Connection refused)")
        assert "process 12345" in run.err
        other = fairlead("balances", folder=tmp_path, environment={"FAIRLEAD_URL": url})
        assert (other.code, other.err[: len(url) + 31]) == (
            3,
            f"fairlead: no system answers at {url}",
        )


@pytest.mark.parametrize(
    "url", ["127.0.0.1:1", "https://127.0.0.1:1", "http://", "http://h:x", "http://h:1/v1"]
)
def test_an_address_that_is_none_is_refused(url: str, tmp_path: Path) -> None:
    run = fairlead("orders", "--url", url, folder=tmp_path)
    assert run.code == 2
    assert "is not http://HOST:PORT" in run.err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": "http://127.0.0.1:1"}'])
def test_an_endpoint_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "endpoint.json").write_text(text)
    with pytest.raises(Ended, match=r"endpoint\.json cannot be read") as caught:
        find(None, str(tmp_path), {})
    assert caught.value.code is ExitCode.USAGE


def test_url_goes_before_data_before_environment(tmp_path: Path) -> None:
    for name in ("given", "named"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "endpoint.json").write_text(
            json.dumps({"url": f"http://{name}:1", "pid": 1})
        )
    given, named = str(tmp_path / "given"), {"FAIRLEAD_DATA": str(tmp_path / "named")}
    assert find("http://url:1", given, named).url == "http://url:1"
    assert find(None, given, {**named, "FAIRLEAD_URL": "http://env:1"}).url == "http://given:1"
    assert find(None, None, {**named, "FAIRLEAD_URL": "http://env:1"}).url == "http://env:1"
    assert find(None, None, named).url == "http://named:1"


# ── values ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ExitCode.REFUSED),
        (404, ExitCode.REFUSED),
        (409, ExitCode.REFUSED),
        (490, ExitCode.UNREACHABLE),
        (503, ExitCode.UNREACHABLE),
        (429, ExitCode.UNREACHABLE),
        (504, ExitCode.UNKNOWN),
        (500, ExitCode.REFUSED),
    ],
)
def test_every_status_has_an_exit_code(status: int, code: ExitCode) -> None:
    ended = Answer(status, "{}", {"message": "why"}).ended()
    assert (ended.code, ended.text) == (code, "why")


@pytest.mark.parametrize("content", [None, [], {}, {"message": ""}])
def test_an_answer_without_words_is_shown_as_it_is(content: object) -> None:
    assert Answer(500, "oops", content).reason == "oops"
    assert Answer(500, "", content).reason == "status 500"


def test_an_api_without_a_port_is_at_80() -> None:
    assert Api("http://127.0.0.1/").url == "http://127.0.0.1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+30s", "2021-01-08T09:30:30.1234567Z"),
        ("+5m", "2021-01-08T09:35:00.1234567Z"),
        ("-2h", "2021-01-08T07:30:00.1234567Z"),
        ("-1d", "2021-01-07T09:30:00.1234567Z"),
        ("-999999999d", "1970-01-01T00:00:00.0000000Z"),
        ("2021-01-08", "2021-01-08"),
        ("+5x", "+5x"),
        ("+٣s", "+٣s"),
    ],
)
def test_moments(text: str, expected: str) -> None:
    assert moment(text, 1610098200_123456789) == expected


def test_a_time_as_the_api_writes_it() -> None:
    assert api_time(0) == "1970-01-01T00:00:00.0000000Z"
