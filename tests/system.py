"""The real thing for tests: `fairlead` processes on loopback ports of the system's choice, and a client.

A `Program` is one process, known to be ready by the endpoint file it writes; `until` polls a real
condition with a deadline. `Api` speaks HTTP and reads every number as an exact decimal.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from tests import forked, ports

Json = Any
Result = TypeVar("Result")

FAIRLEAD = str(Path(sys.executable).with_name("fairlead"))
ANY_PORT = "127.0.0.1:0"
START_S = 60.0
STOP_S = 60.0
WAIT_S = 30.0
POLL_S = 0.005
IDLE_S = 1.0  # servers close idle connections after some seconds

ACCOUNTS = [
    {"exchange_id": "SIM", "parameters": {"PublicApiKey": "desk", "PrivateApiKey": "desk-secret"}},
    {
        "exchange_id": "SIM/ALICE",
        "parameters": {"PublicApiKey": "alice", "PrivateApiKey": "alice-secret"},
    },
]
PUBLIC_KEYS = {"SIM": "desk", "SIM/ALICE": "alice"}

# What a person would not wait for: short enough for tests, and still in the right order. A busy machine
# leaves a process alone for a second or two: no order is in doubt for that.
QUICK = {
    "exchange.request_window_ms": 3_000,
    "engine.order_answer_timeout_ms": 5_000,
    "engine.ask_delay_ms": 50,
    "engine.ask_delay_longest_ms": 200,
    "engine.not_found_margin_ms": 50,
    "engine.cancel_delay_ms": 100,
    "engine.cancel_delay_longest_ms": 200,
    "engine.settle_delay_ms": 100,
    "reconcile.interval_ms": 1_000,
    "reconcile.retry_ms": 100,
    "reconcile.gap_ms": 50,
    "http.attempts_per_min": 1_000_000,  # tests ask whether a key is known until it is
}
# For tests of doubt, which wait for it.
HASTY = QUICK | {"exchange.request_window_ms": 1_000, "engine.order_answer_timeout_ms": 500}


def until(condition: Callable[[], Result], what: str, timeout_s: float = WAIT_S) -> Result:
    """Return the first true value of `condition`; fails, naming `what`, when none comes in time."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}; last: {result!r}"
        time.sleep(POLL_S)
    return result


def write_config(path: Path, settings: Mapping[str, object], accounts: Sequence[Json]) -> Path:
    """Write a configuration file; `settings` by their names (`engine.ask_delay_ms`)."""
    sections: dict[str, list[str]] = {"": []}
    for name, value in settings.items():
        section, _, key = name.rpartition(".")
        sections.setdefault(section, []).append(f"{key} = {_toml(value)}")
    lines = sections.pop("")
    for section, entries in sections.items():
        lines += [f"[{section}]", *entries]
    for account in accounts:
        lines += ["[[accounts]]", f"exchange_id = {json.dumps(account['exchange_id'])}"]
        if "parameters" in account:
            lines.append("[accounts.parameters]")
            lines += [f"{key} = {json.dumps(text)}" for key, text in account["parameters"].items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def _toml(value: object) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    return json.dumps(value)


# ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        """The body, numbers as exact decimals, fields in the order they came."""
        return exact(self.body)


def exact(body: bytes) -> Json:
    """Return what a JSON text holds, fractions as decimals; no number may be in exponent form."""
    return json.loads(body, parse_float=_plain)


def _plain(text: str) -> Decimal:
    assert "E" not in text.upper(), f"{text} is in exponent form"
    return Decimal(text)


class Api:
    """One HTTP connection to one address, made anew when it was lost or idle. For one thread at a time."""

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        self.url = url
        host, _, port = url.removeprefix("http://").rpartition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=timeout_s)
        self._used = time.monotonic()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request once; raises OSError or HTTPException when no answer comes."""
        fields = {} if body is None else {"Content-Type": "application/json"}
        fields.update(headers or {})
        if time.monotonic() - self._used > IDLE_S:
            self._connection.close()  # the server may be about to
        try:
            if self._connection.sock is None:
                self._connection.connect()
            self._connection.request(method, path, body, fields)
            response = self._connection.getresponse()
            content = response.read()
            self._used = time.monotonic()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, content)

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str, content: object) -> Answer:
        """Send `content` as JSON, decimals as numbers."""
        return self.request("POST", path, encoded(content))

    def wanted(self, path: str) -> Json:
        """Return the content of a 200."""
        answer = self.get(path)
        assert answer.status == 200, (path, answer)
        return answer.json

    def close(self) -> None:
        self._connection.close()

    # ── what tests ask for all the time ──────────────────────────────────────────────────────────

    def place(self, client_order_id: str, **changes: object) -> Answer:
        return self.post("/v1/orders", order(client_order_id, **changes))

    def cancel(self, client_order_id: str, account: str = "SIM") -> Answer:
        return self.post(
            "/v1/orders/cancel", {"exchange_id": account, "client_order_id": client_order_id}
        )

    def status(self, client_order_id: str, account: str | None = None) -> Answer:
        query = f"?exchange_id={account}" if account else ""
        return self.get(f"/v1/orders/status/{client_order_id}{query}")

    def accounts(self) -> dict[str, Json]:
        """The accounts' states by name."""
        return {each["exchange_id"]: each for each in self.wanted("/v1/operator/accounts")}

    def balances(self, account: str = "SIM") -> dict[str, Json]:
        """One account's balances by asset."""
        (snapshot,) = self.wanted(f"/v1/balances?exchange_id={account}")
        return {row["asset_id_coinapi"]: row for row in snapshot["data"]}

    def history(self) -> list[Json]:
        rows: list[Json] = self.wanted(
            "/v1/orders/history?time_start=1970-01-01&time_end=2262-01-01"
        )
        return rows


def encoded(content: object) -> bytes:
    """Return JSON, decimals as numbers with their exact digits."""
    decimals: list[Decimal] = []

    def mark(value: object) -> str:
        assert isinstance(value, Decimal), value
        decimals.append(value)
        return f"@@{len(decimals) - 1}@@"

    text = json.dumps(content, default=mark)
    for place, value in enumerate(decimals):
        text = text.replace(f'"@@{place}@@"', format(value, "f"))
    return text.encode()


def order(client_order_id: str, **changes: object) -> dict[str, object]:
    """Return a good order that rests far below the market; a change to None leaves a field out."""
    fields: dict[str, object] = {
        "exchange_id": "SIM",
        "client_order_id": client_order_id,
        "symbol_id_coinapi": "SIM_SPOT_BTC_USDT",
        "amount_order": Decimal("0.01"),
        "price": Decimal("20000.00"),
        "side": "BUY",
        "order_type": "LIMIT",
        "time_in_force": "GOOD_TILL_CANCEL",
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


def from_now(seconds: float) -> str:
    """Return a time as a client writes it."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


class Operator:
    """The exchange's operator API: its own truth, and its levers."""

    def __init__(self, url: str) -> None:
        self.api = Api(url)

    def orders(self, **query: str) -> list[Json]:
        return self._listed("orders", query)

    def fills(self, **query: str) -> list[Json]:
        return self._listed("fills", query)

    def accounts(self) -> dict[str, Json]:
        """What the exchange holds for each of its clients, by public key."""
        listed = self._listed("balances", {}, "accounts")
        return {each["account"]: each for each in listed if not each["is_house"]}

    def balances(self, public_key: str) -> dict[str, tuple[Decimal, Decimal]]:
        """Total and locked by asset."""
        rows = self.accounts()[public_key]["balances"]
        return {row["asset"]: (Decimal(row["total"]), Decimal(row["locked"])) for row in rows}

    def fault(self, name: str, **parameters: object) -> int:
        """Command a fault; return its number."""
        answer = self.api.post("/operator/faults", {"name": name, **parameters})
        assert answer.status == 201, answer
        number: int = answer.json["fault_id"]
        return number

    def clear(self) -> None:
        """End all faults."""
        assert self.api.request("DELETE", "/operator/faults").status == 200

    def faults(self) -> list[Json]:
        listed: list[Json] = self.api.wanted("/operator/faults")["faults"]
        return listed

    def post(self, path: str, **content: object) -> Json:
        answer = self.api.post(f"/operator/{path}", content)
        assert answer.status == 200, answer
        return answer.json

    def _listed(self, path: str, query: Mapping[str, str], name: str = "") -> list[Json]:
        words = "&".join(f"{key}={value}" for key, value in query.items())
        rows: list[Json] = self.api.wanted(f"/operator/{path}?{words}")[name or path]
        return rows


def ageless(snapshots: Sequence[Json]) -> list[Json]:
    """Balances without what a sweep that states the same again changes, or time alone."""
    ageing = {"age_ms", "rate_usd", "rate_usd_age_ms", "last_updated_by", "source"}
    return [
        each | {"data": [{k: v for k, v in row.items() if k not in ageing} for row in each["data"]]}
        for each in snapshots
    ]


# ── processes ────────────────────────────────────────────────────────────────────────────────────


def environment_without_settings() -> dict[str, str]:
    """Return the environment of the tests without what Fairlead would read there."""
    return {name: text for name, text in os.environ.items() if not name.startswith("FAIRLEAD_")}


class Program:
    """One process of `fairlead`, whose data folder is `folder`.

    It is forked, see `tests/forking.py`, unless it runs under another program, `prefix`. What it says goes to
    a file beside the folder.
    """

    def __init__(
        self,
        folder: Path,
        arguments: Sequence[str],
        prefix: Sequence[str] = (),
        log_path: Path | None = None,
    ) -> None:
        self.folder = folder
        self.log_path = log_path or folder.with_name(f"{folder.name}.log")
        self._endpoint_path = folder / "endpoint.json"
        self._endpoint_path.unlink(missing_ok=True)
        environment = environment_without_settings()
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen[bytes] | forked.Process
        with self.log_path.open("ab") as log, open(os.devnull, "rb") as nothing:
            if prefix:
                self.process = subprocess.Popen(
                    [*prefix, *arguments], stdin=nothing, stdout=log, stderr=log, env=environment
                )
            else:
                self.process = forked.start(
                    arguments,
                    folder=Path.cwd(),
                    environment=environment,
                    streams=(nothing, log, log),
                )

    def ready(self, timeout_s: float = START_S) -> Self:
        """Wait until it has said where it is reached; fails when it ends before."""
        until(self.is_ready, f"{self.folder.name} is ready", timeout_s)
        return self

    def is_ready(self) -> bool:
        """Whether it serves; fails when it has ended."""
        assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log}"
        return self._endpoint_path.exists()

    @property
    def endpoint(self) -> dict[str, Json]:
        """What it wrote."""
        content: dict[str, Json] = json.loads(self._endpoint_path.read_bytes())
        return content

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The process that serves, also when it runs under another one."""
        pid: int = self.endpoint["pid"]
        return pid

    def kill(self) -> None:
        """End it as a power switch would end a process: SIGKILL."""
        self.process.kill()
        self.process.wait(STOP_S)

    def interrupt(self, signal_number: int = signal.SIGINT) -> int:
        """Ask it to stop and return its exit code."""
        os.kill(self.pid, signal_number)
        return self.process.wait(STOP_S)

    def ended(self, timeout_s: float = STOP_S) -> int:
        """Wait until it ends by itself and return its exit code."""
        return self.process.wait(timeout_s)

    def close(self) -> None:
        """Make sure that it is gone, with what runs it."""
        if self.process.poll() is None:
            with suppress(FileNotFoundError, ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.process.kill()
        self.process.wait(STOP_S)


class Exchange(Program):
    """`fairlead exchange` in a process of its own; the same ports again after a restart."""

    def __init__(self, folder: Path, config: Path, *flags: str, after: "Exchange | None" = None):
        self._after = after
        self._kept: list[socket.socket] = []
        listen = after.endpoint["url"].removeprefix("tcp://") if after else ANY_PORT
        operator = after.endpoint["operator_url"].removeprefix("http://") if after else ANY_PORT
        super().__init__(
            folder,
            [
                *(FAIRLEAD, "exchange", "--data", str(folder), "--config", str(config)),
                *("--listen", listen, "--operator-listen", operator, *flags),
            ],
        )

    @property
    def url(self) -> str:
        url: str = self.endpoint["url"]
        return url

    def is_ready(self) -> bool:
        is_ready = super().is_ready()
        if is_ready and self._after is not None:
            self._after.let_go()
            self._after = None
        return is_ready

    def kill(self) -> None:
        super().kill()
        self.keep_ports()

    def close(self) -> None:
        super().close()
        self.let_go()

    def keep_ports(self) -> None:
        """Have nobody else get its ports, now that it is gone, until it is back or not wanted any more."""
        urls = (self.url, self.endpoint["operator_url"])
        self._kept = [ports.keep(ports.port_of(url)) for url in urls]

    def let_go(self) -> None:
        """Keep its ports no longer."""
        for each in self._kept:
            each.close()
        self._kept.clear()

    def operator(self) -> Operator:
        return Operator(self.endpoint["operator_url"])


class Ems(Program):
    """`fairlead up`, with its exchange embedded unless `--exchange-url` is among `flags`."""

    def __init__(
        self,
        folder: Path,
        config: Path,
        *flags: str,
        prefix: Sequence[str] = (),
        command: Sequence[str] = (FAIRLEAD,),
        log_path: Path | None = None,
    ) -> None:
        super().__init__(
            folder,
            [
                *(*command, "up", "--data", str(folder), "--config", str(config)),
                *("--listen", ANY_PORT, "--fix", ANY_PORT, *flags),
            ],
            prefix,
            log_path,
        )

    def api(self) -> Api:
        return Api(self.endpoint["url"])

    def operator(self) -> Operator:
        """The embedded exchange's operator API."""
        return Operator(self.endpoint["operator_url"])

    def reconciled(self, timeout_s: float = WAIT_S) -> Self:
        """Wait until it is ready and every account takes orders."""
        self.ready()
        api = self.api()
        try:
            until(
                lambda: all(each["reconciled"] for each in api.accounts().values()),
                "all accounts are reconciled",
                timeout_s,
            )
        finally:
            api.close()
        return self


@contextmanager
def running(*programs: Program) -> Iterator[None]:
    """Have the programs gone at the end, however it came."""
    try:
        yield
    finally:
        for program in programs:
            with suppress(ProcessLookupError):
                program.close()
