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

from fairlead.client import (
    ClientError,
    Invalid,
    NotFound,
    NotYet,
    OutcomeUnknown,
    Refused,
    Unavailable,
    Unreachable,
)
from fairlead.client.answer import Answer
from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.system import System, find, find_operator
from fairlead.commands.trade import ago, moment
from tests.client.words import REPORT, report
from tests.commands.terminal import fairlead

GONE = (1 << 22) - 1  # the highest process id that Linux may give, which it does not give here
PLACE = ("order", "buy", "1", "SIM_SPOT_BTC_USDT", "2", "--id", "x/?#1", "--timeout", "0.5")


class Peer:
    """Answers GETs from `answers`, in turn, the last for ever; closes every POST's connection unanswered."""

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
                status, content = peer.answers[0]
                if len(peer.answers) > 1:
                    peer.answers.pop(0)
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
        (404, {"message": "no such order"}, "is not known there and may still arrive"),
        (200, {**REPORT, "in_doubt": True}, "order x/?#1 of SIM is in doubt"),
        (503, {"message": "stopping"}, "the status of order x/?#1 of SIM is unknown too: stopping"),
    ],
)
def test_what_is_not_known_of_a_place_ends_with_four(
    peer: Peer, tmp_path: Path, status: int, content: object, said: str
) -> None:
    peer.answers = [(status, content)]
    run = fairlead(*PLACE, "--url", peer.url, folder=tmp_path)
    assert run.code == ExitCode.UNKNOWN
    assert said in run.err
    assert "ask again with: fairlead status x/?#1 --account SIM" in run.err
    assert [method for method, _, _ in peer.heard].count("POST") == 1


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
        (tmp_path / "endpoint.json").write_text(json.dumps({"url": url, "pid": GONE}))
        run = fairlead(*PLACE, "--data", str(tmp_path), folder=tmp_path)
        assert (run.code, run.out) == (3, "")
        assert run.err.startswith(f"fairlead: no system runs in {tmp_path}: process {GONE} of")
        assert f"start it with: fairlead up --data {tmp_path}" in run.err
        other = fairlead("balances", folder=tmp_path, environment={"FAIRLEAD_URL": url})
        assert (other.code, other.err[: len(url) + 31]) == (
            3,
            f"fairlead: no system answers at {url}",
        )


def test_another_system_at_the_place_of_one_that_is_gone_is_not_asked(
    peer: Peer, tmp_path: Path
) -> None:
    (tmp_path / "endpoint.json").write_text(json.dumps({"url": peer.url, "pid": GONE}))
    run = fairlead("cancel-all", "--data", str(tmp_path), folder=tmp_path)
    assert (run.code, run.out) == (3, "")
    assert f"whoever is at {peer.url} by now is another" in run.err
    assert peer.heard == []


@pytest.mark.parametrize(
    "url", ["127.0.0.1:1", "ftp://127.0.0.1:1", "http://", "http://h:x", "http://h:1/v1"]
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
    ("error", "code"),
    [
        (Unreachable("why"), ExitCode.UNREACHABLE),
        (Unreachable("why", was_reached=True), ExitCode.UNREACHABLE),
        (Unavailable(Answer(490, b""), "", "why", {}), ExitCode.UNREACHABLE),
        (Refused(Answer(403, b""), "", "why", {}), ExitCode.REFUSED),
        (Invalid(Answer(400, b""), "", "why", {}), ExitCode.REFUSED),
        (NotFound(Answer(404, b""), "", "why", {}), ExitCode.REFUSED),
        (OutcomeUnknown("why"), ExitCode.UNKNOWN),
        (NotYet("why", report()), ExitCode.NOT_YET),
    ],
)
def test_every_failure_has_an_exit_code(error: ClientError, code: ExitCode) -> None:
    ended = System("http://h:1", "start it").ended(error)
    assert ended.code is code
    assert "why" in ended.text
    assert ("start it" in ended.text) == (type(error) is Unreachable and not error.was_reached)


def test_the_exchanges_operator_is_found_beside_the_system(tmp_path: Path) -> None:
    file = tmp_path / "endpoint.json"
    content = {"url": "http://a:1", "operator_url": "http://b:2", "pid": 1}
    file.write_text(json.dumps(content))
    assert find_operator(None, str(tmp_path), {}).url == "http://b:2"
    assert find_operator("http://c:3", str(tmp_path), {}).url == "http://c:3"
    file.write_text(json.dumps({**content, "operator_url": None}))
    with pytest.raises(Ended, match="has no exchange of its own") as caught:
        find_operator(None, str(tmp_path), {})
    assert caught.value.code is ExitCode.USAGE


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


def test_times_ago() -> None:
    now_ns = 1610098200_123456789
    assert ago("30s", now_ns) == moment("-30s", now_ns)
    assert ago("2021-01-08", now_ns) == "2021-01-08"
