"""Real answers of a real system, for the pages that show what calls look like.

Starts `fairlead up` with a quiet exchange on a new folder and a key for everything, makes a fixed
conversation with it and keeps what was said. What differs from run to run (times, hashes, ports, the order
of numbers between accounts) is put in a fixed form; everything else is as it came.
"""

import functools
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from fairlead.tls.authority import new_key
from tools.pages.exchanged import DAY, Exchanged, hash_of, text_of
from tools.pages.worked_people import Talk

Json = Any
_CERTIFICATE_TIMES = {
    "time_created": "RECEIVED",
    "time_revoked": "CANCELED",
    "time_expires": "PENDING_CANCEL",
}
_WAIT_S = 30.0
_POLL_S = 0.02
_FAIRLEAD = str(Path(sys.executable).with_name("fairlead"))
# A quiet market; doubt and its end come quickly, so that they can be shown.
_CONFIG = """\
authentication = "keys"
[[accounts]]
exchange_id = "SIM"
[[accounts]]
exchange_id = "SIM/ALICE"
[exchange]
participants = false
[reconcile]
tickers_ms = 3600000
[engine]
order_answer_timeout_ms = 300
"""
_AGES = {
    "after_ns": 1_300_000,
    "hop_ns": 1_300_000,
    "age_ms": 2_500,
    "reconciled_age_ms": 2_500,
    "duration_ms": 4,
    "rate_usd_age_ms": 800,
}
_COUNTS = {"requests": 31, "orders": 12}  # of usage
_STATUS_TIMES = {
    "RECEIVED": "0.0000000Z",
    "ROUTING": "0.0000000Z",
    "ROUTED": "0.0013000Z",
    "NEW": "0.0013000Z",
    "PARTIALLY_FILLED": "2.5000000Z",
    "FILLED": "2.5000000Z",
    "PENDING_CANCEL": "5.0000000Z",
    "CANCELED": "5.0011000Z",
    "REJECTED": "0.0013000Z",
}


class Conversation(msgspec.Struct, frozen=True):
    """What was said: examples by the call's path in the API, refusals by status; the metrics."""

    calls: dict[str, Exchanged]
    refusals: dict[str, Exchanged]
    metrics: str


@functools.cache
def conversation() -> Conversation:
    """Hold the conversation, once per process, and return it."""
    with tempfile.TemporaryDirectory() as folder, _system(Path(folder)) as desk:
        talk = Talk(desk.url, desk.token)
        calls = dict(_calls(desk)) | dict(talk.begin()) | dict(_management(desk))
        calls |= dict(talk.go_on(desk.wait))
        refusals = dict(_refusals(desk))
        calls["POST /v1/operator/resolve"] = _doubt(desk, calls, refusals)
        metrics = desk.said("GET", "/metrics").decode()
        calls |= dict(_accounts(desk))  # last, since it leaves none
        return Conversation(calls, refusals, metrics)


# ── the conversation ─────────────────────────────────────────────────────────────────────────────


def _calls(desk: "_Desk") -> Iterator[tuple[str, Exchanged]]:
    yield (
        "GET /v1/accounts/reconciliation",
        desk.call("GET", "/v1/accounts/reconciliation?exchange_id=SIM"),
    )
    yield "GET /v1/operator/accounts", desk.call("GET", "/v1/operator/accounts?exchange_id=SIM")
    place = _order("maker-1", "SELL", "0.5", "40000.00") | {"exchange_id": "SIM/ALICE"}
    desk.settled("SIM/ALICE", place, "NEW")
    resting = _order("desk-1", "BUY", "0.25", "39500.00") | {"exec_inst": ["MAKER_OR_CANCEL"]}
    checked = _order("desk-0", "BUY", "0.25", "39500.001")
    yield "POST /v1/orders/check", desk.call("POST", "/v1/orders/check", checked)
    desk.settled("SIM", resting, "NEW")
    yield "POST /v1/orders", desk.call("POST", "/v1/orders", resting)
    taking = _order("desk-2", "BUY", "0.1", "40000.00")
    desk.settled("SIM", taking, "FILLED")
    path = "/v1/orders/status/desk-2?exchange_id=SIM"
    yield "GET /v1/orders/status/{client_order_id}", desk.call("GET", path)
    path = "/v1/orders/story/desk-2?exchange_id=SIM"
    yield "GET /v1/orders/story/{client_order_id}", desk.call("GET", path)
    yield "GET /v1/orders", desk.call("GET", "/v1/orders?exchange_id=SIM")
    yield "GET /v1/balances", desk.call("GET", "/v1/balances?exchange_id=SIM")
    yield "GET /v1/positions", desk.call("GET", "/v1/positions?exchange_id=SIM")
    cancel = {"exchange_id": "SIM", "client_order_id": "desk-1"}
    desk.call("POST", "/v1/orders/cancel", cancel)
    desk.until("SIM", "desk-1", "CANCELED")
    yield "POST /v1/orders/cancel", desk.call("POST", "/v1/orders/cancel", cancel)
    all_of = {"exchange_id": "SIM/ALICE"}
    yield "POST /v1/orders/cancel/all", desk.call("POST", "/v1/orders/cancel/all", all_of)
    desk.until("SIM/ALICE", "maker-1", "CANCELED")
    window = ("2020-01-01", "2200-01-01")
    path = f"/v1/orders/history?time_start={window[0]}&time_end={window[1]}&limit=2"
    yield "GET /v1/orders/history", desk.call("GET", path)
    path = f"/v1/orders/history/{window[0]}/{window[1]}?limit=1"
    yield "GET /v1/orders/history/{time_start}/{time_end}", desk.call("GET", path)
    path = "/v1/operator/instruments?exchange_id=SIM"
    yield "GET /v1/operator/instruments", desk.call("GET", path)
    mode = {"exchange_id": "SIM/ALICE", "mode": "HALTED"}
    yield "POST /v1/operator/mode", desk.call("POST", "/v1/operator/mode", mode)


def _management(desk: "_Desk") -> Iterator[tuple[str, Exchanged]]:
    for path in ("/v1/exchanges", "/v1/locations"):
        yield f"GET {path}", desk.call("GET", path)
    path = "/v1/endpoints?filter_exchange_id=SIM%2FALICE"
    yield "GET /v1/endpoints", desk.call("GET", path)
    path = "/v1/usage?account=SIM"
    desk.wait(lambda: desk.json("GET", path))  # it is written every few seconds
    yield "GET /v1/usage", desk.call("GET", path)
    yield from _certificates(desk)


def _certificates(desk: "_Desk") -> Iterator[tuple[str, Exchanged]]:
    pem = "/v1/certificate/pem"
    yield f"GET {pem}", desk.call_text("GET", pem)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = request.sign(new_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    csr = "/v1/certificate/csr"
    yield f"POST {csr}", desk.call_text("POST", csr, {"csr": signed.decode()})
    for path in ("/v1/certificate/ca", "/v1/certificate/crl"):
        yield f"GET {path}", desk.call_text("GET", path)
    listed = desk.json("GET", "/v1/certificates")
    path = f"/v1/certificates/{listed[0]['fingerprint']}"
    revoked = desk.call("DELETE", path)
    name = hash_of("certificate") * 2
    text = revoked.content.replace(listed[0]["fingerprint"], name)
    shown = msgspec.structs.replace(revoked, path=f"/v1/certificates/{name}", content=text)
    yield "DELETE /v1/certificates/{fingerprint}", shown
    yield "GET /v1/certificates", desk.call("GET", "/v1/certificates")


def _accounts(desk: "_Desk") -> Iterator[tuple[str, Exchanged]]:
    pairs = (("PublicApiKey", "bob"), ("PrivateApiKey", "a-secret-of-bobs-own-7f3a"))
    parameters = [{"key": key, "value": value} for key, value in pairs]
    bob = {"exchange_id": "SIM/BOB", "parameters": parameters}
    yield "POST /v1/accounts", desk.call("POST", "/v1/accounts", bob)
    path = "/v1/accounts?filter_exchange_id=SIM%2FBOB"
    yield "GET /v1/accounts", desk.call("GET", path)
    yield "DELETE /v1/accounts", desk.call("DELETE", "/v1/accounts?exchange_id=SIM%2FBOB")
    yield "DELETE /v1/accounts/all", desk.call("DELETE", "/v1/accounts/all")


def _refusals(desk: "_Desk") -> Iterator[tuple[str, Exchanged]]:
    wrong = _order("desk-3", "BUY", "0.00015", "39500.001") | {"time_in_force": "DAY"}
    yield "400", desk.call("POST", "/v1/orders", wrong)
    rules = _order("desk-3", "BUY", "0.00001", "39500.001")
    yield "400 by the instrument", desk.call("POST", "/v1/orders", rules)
    alone = _order("desk-3", "BUY", "0.1", "39500.00") | {"exec_inst": ["CANCEL_ON_DISCONNECT"]}
    yield "400 by the exchange", desk.call("POST", "/v1/orders", alone)
    yield "404", desk.call("GET", "/v1/orders/status/nobodys")
    other = _order("desk-2", "SELL", "0.1", "40000.00")
    yield "409", desk.call("POST", "/v1/orders", other)
    unknown = _order("desk-5", "BUY", "0.1", "39500.00") | {"exchange_id": "SIM/BOB"}
    yield "490", desk.call("POST", "/v1/orders", unknown)
    poor = _order("desk-6", "BUY", "1000", "39500.00")
    yield "200 REJECTED", desk.call("POST", "/v1/orders", poor)
    halted = _order("maker-2", "SELL", "0.5", "40000.00") | {"exchange_id": "SIM/ALICE"}
    yield "200 REJECTED by the mode", desk.call("POST", "/v1/orders", halted)


def _doubt(desk: "_Desk", calls: dict[str, Exchanged], refusals: dict[str, Exchanged]) -> Exchanged:
    """Send an order that is never answered, look at it, and say what became of it."""
    desk.operator({"name": "request_lost", "requests": ["place"]})
    desk.operator({"name": "request_lost", "requests": ["query"], "count": None})
    lost = _order("desk-7", "BUY", "0.25", "39500.00")
    refusals["504"] = desk.call("POST", "/v1/orders", lost)
    path = "/v1/operator/attention?exchange_id=SIM"
    desk.wait(lambda: desk.json("GET", path))
    calls["GET /v1/operator/attention"] = desk.call("GET", path)
    said = {"exchange_id": "SIM", "client_order_id": "desk-7", "resolution": "NEVER_REACHED"}
    return desk.call("POST", "/v1/operator/resolve", said)


def _order(client_order_id: str, side: str, amount: str, price: str) -> dict[str, Json]:
    return {
        "exchange_id": "SIM",
        "client_order_id": client_order_id,
        "symbol_id_coinapi": "SIM_SPOT_BTC_USDT",
        "amount_order": amount,
        "price": price,
        "side": side,
        "order_type": "LIMIT",
        "time_in_force": "GOOD_TILL_CANCEL",
    }


# ── the system ───────────────────────────────────────────────────────────────────────────────────


class _Desk:
    """A client of a running system."""

    def __init__(self, endpoint: Json, key: str, token: str) -> None:
        """`token`: of the link for the first user."""
        self.token = token
        self.url = str(endpoint["url"])
        self._operator_url = str(endpoint["operator_url"])
        self._headers = {"X-CoinAPI-Key": key}
        addresses = {
            urlsplit(self.url).netloc: "127.0.0.1:3080",
            endpoint["fix"]: "127.0.0.1:3401",
        }
        self._usual = {str(found): usual for found, usual in addresses.items()}

    def said(self, method: str, path: str, body: Json = None, url: str = "") -> bytes:
        """Return the body of an answer, whatever its status."""
        return self._exchanged(method, path, body, url)[1]

    def json(self, method: str, path: str, body: Json = None) -> Json:
        """Return what an answer holds."""
        return json.loads(self.said(method, path, body))

    def call(self, method: str, path: str, body: Json = None) -> Exchanged:
        """Make a call and keep what was said."""
        status, content = self._exchanged(method, path, body, "")
        text = content.decode()
        for found, usual in self._usual.items():
            text = text.replace(found, usual)
        shown = json.loads(text, parse_float=Decimal)
        return Exchanged(
            method,
            path,
            None if body is None else text_of(body),
            status,
            text_of(_fixed(shown, "")),
        )

    def call_text(self, method: str, path: str, body: Json = None) -> Exchanged:
        """Make a call that is answered with PEM and keep what was said, without what differs each time."""
        status, content = self._exchanged(method, path, body, "")
        said = None if body is None else text_of({key: _pem(each) for key, each in body.items()})
        return Exchanged(method, path, said, status, _pem(content.decode()).rstrip(), "text")

    def settled(self, account: str, order: Json, status: str) -> None:
        """Place an order and wait until it has a status."""
        self.json("POST", "/v1/orders", order)
        self.until(account, order["client_order_id"], status)

    def until(self, account: str, client_order_id: str, status: str) -> None:
        """Wait until an order has a status."""
        path = f"/v1/orders/status/{client_order_id}?exchange_id={account}"
        self.wait(lambda: self.json("GET", path)["status"] == status)

    def operator(self, fault: Json) -> None:
        """Command a fault of the exchange."""
        self.said("POST", "/operator/faults", fault, self._operator_url)

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until something is true; fails when that takes too long."""
        deadline = time.monotonic() + _WAIT_S
        while not condition():
            assert time.monotonic() < deadline, "the system did not get there"
            time.sleep(_POLL_S)

    def is_reconciled(self) -> bool:
        """Whether both accounts take orders."""
        return all(each["reconciled"] for each in self.json("GET", "/v1/operator/accounts"))

    def _exchanged(self, method: str, path: str, body: Json, url: str) -> tuple[int, bytes]:
        request = urllib.request.Request(
            (url or self.url) + path,
            None if body is None else json.dumps(body).encode(),
            self._headers | ({} if body is None else {"Content-Type": "application/json"}),
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=_WAIT_S) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read()


@contextmanager
def _system(folder: Path) -> Iterator[_Desk]:
    config, endpoint = folder / "config.toml", folder / "data/endpoint.json"
    config.write_text(_CONFIG, encoding="utf-8")
    key = _new_key(folder / "data")
    init = [_FAIRLEAD, "tls", "init", "--data", str(folder / "data")]
    subprocess.run(init, capture_output=True, check=True, env={})
    command = [_FAIRLEAD, "up", "--config", str(config), "--data", str(folder / "data")]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--listen", "127.0.0.1:0", "--fix", "127.0.0.1:0"],
            stdout=out,
            stderr=out,
            env={},
        )
    try:
        deadline = time.monotonic() + _WAIT_S
        while not endpoint.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(_POLL_S)
        desk = _Desk(json.loads(endpoint.read_bytes()), key, _first_link(folder / "data"))
        desk.wait(desk.is_reconciled)
        yield desk
    finally:
        process.kill()
        process.wait()


def _first_link(data: Path) -> str:
    """Have the link for the first user made, and return its token."""
    command = [_FAIRLEAD, "users", "link", "--data", str(data), "--json"]
    made = subprocess.run(command, capture_output=True, check=True, env={})
    token: str = json.loads(made.stdout)["token"]
    return token


def _new_key(data: Path) -> str:
    """Make a key for everything and return its secret."""
    scopes = ("--scope", "trade", "--scope", "manage")
    command = [_FAIRLEAD, "keys", "create", "Desk1", *scopes, "--data", str(data), "--json"]
    made = subprocess.run(command, capture_output=True, check=True, env={})
    secret: str = json.loads(made.stdout)["secret"]
    return secret


# ── a fixed form ─────────────────────────────────────────────────────────────────────────────────


def _fixed(value: Json, name: str) -> Json:
    """Return `value` with what differs between runs in a fixed form."""
    if isinstance(value, dict):
        fixed = {key: _fixed(each, key) for key, each in value.items()}
        if "client_order_id_format_exchange" in fixed:
            fixed["client_order_id_format_exchange"] = hash_of(fixed["client_order_id"])
        if "clientOrderIdFormatExchange" in fixed:
            fixed["clientOrderIdFormatExchange"] = hash_of(fixed["clientOrderId"])
            fixed["statusHistoryTime"] = list(map(_time_of, fixed["statusHistoryStatus"]))
        return fixed
    if isinstance(value, list):
        if name == "status_history":
            return [[status, _time_of(status)] for status, _ in value]
        return [_fixed(each, name) for each in value]
    if name in ("time_order", "createdTime", "reconciled_time"):
        return None if value is None else _time_of("RECEIVED")
    if name in ("time", "fillsTime"):
        return _time_of("FILLED")
    if name in _AGES and value is not None:
        return _AGES[name]
    if name in _COUNTS:
        return _COUNTS[name]
    if name == "day":
        return DAY[:10]
    if name in ("apikey", "key") and value.startswith("flk_"):
        return "flk_" + hash_of("key")[:22]
    if name == "serial":
        return hash_of("serial")
    if name == "fingerprint":
        return hash_of("certificate") * 2
    if name in ("time_created", "time_expires", "time_revoked"):
        return None if value is None else _time_of(_CERTIFICATE_TIMES[name])
    if name == "traceId":
        return hash_of("trace")
    return value


def _pem(text: str) -> str:
    """Return PEM with an ellipsis for each content."""
    return re.sub(r"(-----BEGIN [^-]+-----\n).*?(\n-----END)", r"\1…\2", text, flags=re.DOTALL)


def _time_of(status: str) -> str:
    return DAY + _STATUS_TIMES[status]
