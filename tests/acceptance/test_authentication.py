"""A system that asks who calls: by REST and WebSocket, with keys of `fairlead keys`, and their limits."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import aclosing, closing
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from fairlead.client import AsyncClient, Client, Settings
from fairlead.client.events import Disconnected, PositionsSnapshot
from fairlead.control.key_text import new_secret
from tests.commands.terminal import Run, fairlead
from tests.fix_party import FixParty
from tests.fix_party import cancel as fix_cancel
from tests.fix_party import order as fix_order
from tests.system import (
    ACCOUNTS,
    QUICK,
    WAIT_S,
    Answer,
    Api,
    Ems,
    encoded,
    order,
    running,
    until,
    write_config,
)

HEADER = "X-CoinAPI-Key"
SETTINGS = {
    **QUICK,
    "exchange.participants": False,
    "authentication": "keys",
    "log.level": "debug",
}
SCOPES = ("read", "trade", "withdraw", "manage")


class Keyed(NamedTuple):
    """A system in a folder, and the secrets of its keys by label."""

    folder: Path
    ems: Ems
    secrets: Mapping[str, str]

    def keys(self, *arguments: str) -> Run:
        run = fairlead("keys", *arguments, "--data", "data", folder=self.folder)
        assert run.code == 0, run
        return run

    def make(self, label: str, *flags: str) -> str:
        secret: str = self.keys("create", label, *flags, "--json").json["secret"]
        return secret

    def ask(self, method: str, path: str, *secrets: str, body: object = None) -> Answer:
        """Ask on a connection of its own, with the first of the secrets in the header."""
        headers = {HEADER: secrets[0]} if secrets else {}
        with closing(Api(self.ems.endpoint["url"])) as api:
            return api.request(method, path, None if body is None else encoded(body), headers)

    def place(self, secret: str, client_order_id: str, **changes: object) -> Answer:
        return self.ask("POST", "/v1/orders", secret, body=order(client_order_id, **changes))

    def known(self, client_order_id: str) -> bool:
        """Whether there is such an order."""
        path = f"/v1/orders/status/{client_order_id}"
        return self.ask("GET", path, self.secrets["Manage1"]).status == 200

    def stream(self, secret: str | None, query: str = "") -> ClientConnection:
        url = self.ems.endpoint["url"].replace("http", "ws") + "/v1/ws" + query
        headers = {} if secret is None else {HEADER: secret}
        return connect(url, additional_headers=headers, proxy=None, max_queue=None)


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    folder = tmp_path_factory.mktemp("keyed")
    secrets: dict[str, str] = {}
    config = write_config(folder / "fairlead.toml", SETTINGS, ACCOUNTS)
    assert fairlead("tls", "init", "--data", "data", folder=folder).code == 0
    ems = Ems(folder / "data", config, "--tls", "127.0.0.1:0")
    system = Keyed(folder, ems, secrets)
    home = ("--address", "127.0.0.0/8")
    for scope in SCOPES:
        secrets[f"{scope.title()}1"] = system.make(f"{scope.title()}1", "--scope", scope, *home)
    secrets["Alice1"] = system.make("Alice1", "--scope", "trade", "--account", "SIM/ALICE")
    with running(ems):
        ems.ready()
        until(lambda: is_reconciled(system), "every account is reconciled")
        until(lambda: are_known(system), "every key is known")
        yield system


def are_known(system: Keyed) -> bool:
    """Whether the system has heard of the keys that were made while it started."""
    asked = [system.ask("GET", "/v1/orders", secret) for secret in system.secrets.values()]
    return all(each.status == 200 for each in asked)


def is_reconciled(system: Keyed) -> bool:
    secret = next(iter(system.secrets.values()))
    accounts = system.ask("GET", "/health/ready", secret).json["accounts"]
    return bool(accounts) and all(each["state"] == "reconciled" for each in accounts)


# ── what they use ────────────────────────────────────────────────────────────────────────────────


def test_what_a_key_uses_is_counted_once_and_told(keyed: Keyed) -> None:
    secret = keyed.make("Meter1", "--scope", "trade")
    until(lambda: keyed.ask("GET", "/v1/orders", secret).status == 200, "the key is known")
    with keyed.stream(secret) as client:
        assert json.loads(client.recv(20))["type"] == "SERVER_INFO"
        for client_order_id in ("metered-1", "metered-2", "metered-2"):
            assert keyed.place(secret, client_order_id).status == 200
    assert keyed.place(secret, "metered-3", exchange_id="SIM/NOBODY").status != 200

    def told() -> dict[str | None, Mapping[str, int]]:
        answer = keyed.ask("GET", "/v1/usage", secret)
        assert answer.status == 200, answer.json
        return {row["account"]: row for row in answer.json}

    until(lambda: told().get("SIM", {}).get("requests", 0) >= 3, "usage is written")
    until(lambda: told()[None]["connected_websocket_ms"] > 0, "the time of the stream too")
    rows = told()
    assert (rows["SIM"]["requests"], rows["SIM"]["orders"]) == (3, 2)
    assert rows["SIM"]["key"] == keyed.keys("show", "Meter1", "--json").json["kid"]
    assert set(rows) == {None, "SIM"}  # of an account that is not there nothing is kept
    metrics = keyed.ask("GET", "/metrics", keyed.secrets["Read1"]).body.decode()
    assert 'fairlead_callers_refused_total{reason="no_key"}' in metrics


# ── who ──────────────────────────────────────────────────────────────────────────────────────────

NOBODY = {"message": "Invalid API key"}


@pytest.mark.parametrize(
    "wrong",
    ["", "nonsense", "fl_live_", new_secret(), "flk_" + "A" * 22, "x" * 4_000],
    ids=[
        "empty",
        "nonsense",
        "beginning",
        "nobody's",
        "public",
        "long",
    ],  # the same in every process
)
def test_who_proves_nothing_is_refused_always_alike(keyed: Keyed, wrong: str) -> None:
    for answer in (
        keyed.ask("GET", "/v1/orders"),
        keyed.ask("GET", "/v1/orders", wrong),
        keyed.ask("GET", f"/v1/orders?apikey={wrong}"),
        keyed.ask("GET", "/v1/nothing-here", wrong),
        keyed.ask("GET", "/metrics", wrong),
    ):
        assert (answer.status, answer.json) == (401, NOBODY)


def test_a_key_counts_by_header_and_by_query_and_as_both(keyed: Keyed) -> None:
    read = keyed.secrets["Read1"]
    encoded_key = "".join(f"%{ord(each):02X}" for each in read)
    for query in (
        f"apikey={read}",
        f"exchange_id=SIM&apikey={read}",
        f"apikey={encoded_key}",
        f"%61pikey={read}",
    ):
        assert keyed.ask("GET", f"/v1/balances?{query}").status == 200
    assert keyed.ask("GET", f"/v1/balances?apikey={read}", read).status == 200
    assert keyed.ask("GET", "/v1/balances?apikey=" + "A" * 9 + f"&apikey={read}").status == 401


def test_two_identities_at_once_are_none(keyed: Keyed) -> None:
    read, trade = keyed.secrets["Read1"], keyed.secrets["Trade1"]
    assert keyed.ask("GET", f"/v1/balances?apikey={trade}", read).json == NOBODY
    assert keyed.ask("GET", f"/v1/balances?apikey={trade}&apikey={read}").json == NOBODY


def test_health_and_the_description_need_no_key(keyed: Keyed) -> None:
    for path in ("/health/live", "/health/ready", "/openapi.json"):
        assert keyed.ask("GET", path).status == 200


@pytest.mark.parametrize("flag", ["--http1.0", "--http1.1", "--http2"])
def test_over_tls_a_key_is_asked_for_too(keyed: Keyed, flag: str) -> None:
    def status(*headers: str) -> str:
        url = f"{keyed.ems.endpoint['https']}/v1/orders"
        flags = ("--silent", "--cacert", "data/tls/ca.pem", "--output", "answer", flag)
        ended = subprocess.run(
            ["curl", *flags, "--write-out", "%{http_code}", *headers, url],
            cwd=keyed.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return ended.stdout

    assert status() == "401"
    assert status("--header", f"{HEADER}: {new_secret()}") == "401"
    assert status("--header", f"{HEADER}: {keyed.secrets['Read1']}") == "200"


# ── what they may; route × scope is in test_scope_matrix.py ──────────────────────────────────────
@pytest.mark.parametrize(
    "path",
    [
        *("//v1/orders", "/v1//orders", "/v1/%6Frders", "/v1/orders/", "/v1/orders%2F"),
        *("/v1/./orders", "/v1/x/../orders", "/v1/orders/cancel/%2e%2e", "/V1/ORDERS"),
        "/health/live/../../v1/orders",
    ],
)
def test_another_spelling_of_a_path_opens_nothing(keyed: Keyed, path: str) -> None:
    assert keyed.ask("POST", path, body=order("spelled")).status == 401
    answer = keyed.ask("POST", path, keyed.secrets["Read1"], body=order("spelled"))
    assert answer.status in (400, 403, 404, 405)
    assert not keyed.known("spelled")


def test_a_key_that_may_read_places_nothing(keyed: Keyed) -> None:
    assert keyed.place(keyed.secrets["Read1"], "not-placed").status == 403
    assert not keyed.known("not-placed")
    assert keyed.place(keyed.secrets["Trade1"], "placed").status == 200
    assert keyed.known("placed")


def test_the_history_names_the_public_id_of_the_key(keyed: Keyed) -> None:
    keyed.place(keyed.secrets["Trade1"], "named")
    path = "/v1/orders/history?time_start=1970-01-01&time_end=2262-01-01"
    rows = {
        row["clientOrderId"]: row for row in keyed.ask("GET", path, keyed.secrets["Read1"]).json
    }
    assert rows["named"]["apikey"] == keyed.keys("show", "Trade1", "--json").json["kid"]


def test_a_key_of_one_account_sees_and_moves_that_alone(keyed: Keyed) -> None:
    alice = keyed.secrets["Alice1"]
    keyed.place(keyed.secrets["Trade1"], "desks")
    assert keyed.place(alice, "alices", exchange_id="SIM/ALICE").status == 200
    refused = keyed.place(alice, "not-alices")
    assert (refused.status, refused.json["message"][:19]) == (403, "account_not_allowed")
    for path in ("orders", "balances", "positions", "operator/accounts", "accounts/reconciliation"):
        rows = keyed.ask("GET", f"/v1/{path}", alice).json
        assert {row["exchange_id"] for row in rows} == {"SIM/ALICE"}, path
        assert keyed.ask("GET", f"/v1/{path}?exchange_id=SIM", alice).status == 403
    assert keyed.ask("GET", "/v1/orders/status/desks", alice).status == 404
    assert keyed.ask("GET", "/v1/orders/story/desks", alice).status == 404
    history = keyed.ask(
        "GET", "/v1/orders/history?time_start=1970-01-01&time_end=2262-01-01", alice
    ).json
    assert {row["exchangeId"] for row in history} == {"SIM/ALICE"}
    cancel_all = {"exchange_id": "SIM"}
    assert keyed.ask("POST", "/v1/orders/cancel/all", alice, body=cancel_all).status == 403


def test_an_address_that_is_not_allowed_is_named(keyed: Keyed) -> None:
    elsewhere = keyed.make("Away1", "--address", "198.51.100.0/24")
    until(lambda: keyed.ask("GET", "/v1/orders", elsewhere).status != 401, "the key is known")
    answer = keyed.ask("GET", "/v1/orders", elsewhere)
    assert answer.status == 403
    assert answer.json == {"message": "ip_not_allowed: the key may not be used from 127.0.0.1"}
    with closing(Api(keyed.ems.endpoint["url"])) as api:
        spoofed = {
            HEADER: elsewhere,
            "X-Forwarded-For": "198.51.100.1",
            "Forwarded": "for=198.51.100.1",
        }
        assert api.request("GET", "/v1/orders", None, spoofed).status == 403


def test_what_is_done_to_a_key_counts_in_a_running_system(keyed: Keyed) -> None:
    secret = keyed.make("Moved1", "--scope", "trade")
    assert keyed.ask("GET", "/v1/orders", secret).status == 200
    keyed.keys("edit", "Moved1", "--read-only")
    assert keyed.place(secret, "narrowed").status == 403
    for words, status in (("disable", 401), ("enable", 200), ("revoke", 401)):
        keyed.keys(words, "Moved1")
        assert keyed.ask("GET", "/v1/orders", secret).status == status


# ── WebSocket ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("query", ["", "?apikey=nonsense"])
def test_an_upgrade_needs_a_key(keyed: Keyed, query: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        keyed.stream(None, query)
    assert caught.value.response.status_code == 401
    assert json.loads(caught.value.response.body or b"") == NOBODY


def until_message(stream: ClientConnection, kind: str) -> dict[str, object]:
    while True:
        message: dict[str, object] = json.loads(stream.recv(timeout=WAIT_S))
        if message["type"] == kind:
            return message


def test_a_stream_has_the_accounts_of_its_key_and_places_what_it_may(keyed: Keyed) -> None:
    with keyed.stream(None, f"?apikey={keyed.secrets['Alice1']}") as stream:
        assert until_message(stream, "POSITION_SNAPSHOT")["exchange_id"] == "SIM/ALICE"
        keyed.place(keyed.secrets["Trade1"], "unheard")
        for account, name in (("SIM", "ws-desks"), ("SIM/ALICE", "ws-alices")):
            request = order(name, exchange_id=account) | {"type": "ORDER_NEW_SINGLE_REQUEST"}
            stream.send(encoded(request).decode())
        heard: list[dict[str, object]] = []
        awaited = {"NEW", "MESSAGE_REJECT"}
        while not awaited <= {each.get("status", each["type"]) for each in heard}:
            heard.append(json.loads(stream.recv(timeout=WAIT_S)))
        (reject,) = [each for each in heard if each["type"] == "MESSAGE_REJECT"]
        assert str(reject["message"]).startswith("account_not_allowed")
        others = [each for each in heard if each is not reject]
        assert {each["exchange_id"] for each in others} == {"SIM/ALICE"}
    assert not keyed.known("ws-desks")
    assert keyed.known("ws-alices")


def test_a_stream_that_may_read_places_nothing(keyed: Keyed) -> None:
    with keyed.stream(keyed.secrets["Read1"]) as stream:
        request = order("ws-not") | {"type": "ORDER_NEW_SINGLE_REQUEST"}
        stream.send(encoded(request).decode())
        reject = until_message(stream, "MESSAGE_REJECT")
    assert reject["reject_reason"] == "OTHER"
    assert reject["message"] == "scope_missing: the key needs scope trade"
    assert not keyed.known("ws-not")


@pytest.mark.parametrize(
    ("label", "act"),
    [
        ("Revoked1", ("revoke", "Revoked1")),
        ("Disabled1", ("disable", "Disabled1")),
        ("Narrowed1", ("edit", "Narrowed1", "--account", "SIM")),
        ("Dried1", ("edit", "Dried1", "--read-only")),
        ("Moved2", ("edit", "Moved2", "--address", "198.51.100.1")),
    ],
)
def test_a_stream_ends_with_4401_when_its_key_may_less(
    keyed: Keyed, label: str, act: tuple[str, ...]
) -> None:
    secret = keyed.make(label, "--scope", "trade")
    until(lambda: keyed.ask("GET", "/v1/orders", secret).status == 200, "the key is known")
    with keyed.stream(secret) as stream:
        until_message(stream, "POSITION_SNAPSHOT")
        ending = order(f"ends-{label}", exec_inst=["CANCEL_ON_DISCONNECT"])
        stream.send(encoded(ending | {"type": "ORDER_NEW_SINGLE_REQUEST"}).decode())
        until(lambda: keyed.known(f"ends-{label}"), "the order is there")
        keyed.keys(*act)
        with pytest.raises(ConnectionClosed) as caught:
            until_message(stream, "the end")
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4401

    def status() -> object:
        path = f"/v1/orders/status/ends-{label}"
        return keyed.ask("GET", path, keyed.secrets["Read1"]).json["status"]

    until(lambda: status() == "CANCELED", "its order ends with its session")


# ── FIX ──────────────────────────────────────────────────────────────────────────────────────────


def party(keyed: Keyed, comp_id: str) -> FixParty:
    return FixParty(keyed.ems.endpoint["fix"], comp_id=comp_id)


@pytest.mark.parametrize("number", range(5))
def test_a_logon_without_a_key_is_refused_always_alike(keyed: Keyed, number: int) -> None:
    read = keyed.secrets["Read1"]
    other = keyed.keys("show", "Trade1", "--json").json["kid"]
    fields = [
        *((), ((554, "nonsense"),), ((554, new_secret()),), ((553, read),)),
        ((553, other), (554, read)),
    ][number]
    with party(keyed, f"NOBODY{number}") as client:
        with pytest.raises(AssertionError, match="the connection ended"):
            client.log_on(*fields)
        assert (client.told, client.farewell) == ([], "")


def test_a_key_trades_by_fix_and_its_id_may_be_the_user_name(keyed: Keyed) -> None:
    kid = keyed.keys("show", "Trade1", "--json").json["kid"]
    with party(keyed, "TRADER") as client:
        client.log_on((553, kid), (554, keyed.secrets["Trade1"]))
        client.say("D", *fix_order("fix-trades"))
        client.report("fix-trades", "0")
        client.say("F", *fix_cancel("fix-trades-c", "fix-trades"))
        client.report("fix-trades", "4")
        client.log_out()


def test_what_a_key_may_not_do_by_fix_is_rejected_as_business(keyed: Keyed) -> None:
    keyed.place(keyed.secrets["Trade1"], "fix-others")
    with party(keyed, "READER") as client:
        client.log_on((554, keyed.secrets["Read1"]))
        for message in (
            ("D", *fix_order("fix-not")),
            ("F", *fix_cancel("fix-not-c", "fix-others")),
        ):
            client.say(*message)  # type: ignore[arg-type]
            reject = client.next_of("j")
            assert (reject[372], reject[380]) == (message[0], "6")
            assert reject[58] == "scope_missing: the key needs scope trade"
        client.log_out()
    assert not keyed.known("fix-not")
    assert keyed.known("fix-others")


def test_a_session_hears_and_moves_the_accounts_of_its_key_alone(keyed: Keyed) -> None:
    with party(keyed, "ALICE") as client:
        client.log_on((554, keyed.secrets["Alice1"]))
        keyed.place(keyed.secrets["Trade1"], "fix-unheard")
        client.say("D", *fix_order("fix-desks"))
        assert client.next_of("j")[58].startswith("account_not_allowed")
        keyed.place(keyed.secrets["Trade1"], "fix-alices", exchange_id="SIM/ALICE")
        client.report("fix-alices", "0")
        client.synchronise()
        assert {said[207] for said in client.told if said[35] == "8"} == {"SIM/ALICE"}
        client.log_out()
    assert not keyed.known("fix-desks")


def test_a_session_of_a_key_goes_on_where_it_was(keyed: Keyed) -> None:
    with party(keyed, "AGAIN") as client:
        client.log_on((554, keyed.secrets["Read1"]))
        client.synchronise()
        client.drop()
        keyed.place(keyed.secrets["Trade1"], "fix-meanwhile")
        client.log_on((554, keyed.secrets["Read1"]))
        client.report("fix-meanwhile", "0")
        client.log_out()


@pytest.mark.parametrize("act", ["revoke", "disable"])
def test_a_session_is_logged_out_when_its_key_is_taken_back(keyed: Keyed, act: str) -> None:
    label = f"Fix{act.title()}1"
    secret = keyed.make(label, "--scope", "trade")
    until(lambda: keyed.ask("GET", "/v1/orders", secret).status == 200, "the key is known")
    with party(keyed, label.upper()) as client:
        client.log_on((554, secret))
        client.say("D", *fix_order(f"fix-{act}"), (18, "Q"))
        client.report(f"fix-{act}", "0")
        keyed.keys(act, label)
        client.next_of("5")
        assert client.farewell == "the key does not allow this any more"
        client.say("5")
        client.wait_for_end()

    def status() -> object:
        path = f"/v1/orders/status/fix-{act}"
        return keyed.ask("GET", path, keyed.secrets["Read1"]).json["status"]

    until(lambda: status() == "CANCELED", "its order ends with its session")


# ── nothing is given away ────────────────────────────────────────────────────────────────────────


def test_no_secret_is_in_a_log_a_database_a_metric_or_an_answer(keyed: Keyed) -> None:
    planted = {"planted": new_secret(), **keyed.secrets}
    for secret in planted.values():
        for path in (f"/v1/orders?apikey={secret}&exchange_id=no", f"/nothing?apikey={secret}"):
            assert secret not in keyed.ask("GET", path).body.decode()
            assert secret not in keyed.ask("POST", path, secret, body={"x": 1}).body.decode()
        with pytest.raises(InvalidStatus):
            keyed.stream(None, f"?apikey={secret}&from=nonsense")
    metrics = keyed.ask("GET", "/metrics", keyed.secrets["Read1"]).body.decode()
    files = [each for each in keyed.folder.rglob("*") if each.is_file()]
    assert len(files) > 5
    for name, secret in planted.items():
        assert secret not in metrics
        found = [each for each in files if secret.encode() in each.read_bytes()]
        assert found == [], name
    process = Path(f"/proc/{keyed.ems.pid}")
    shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    assert not re.search(rb"fl_(live|test)_[0-9A-Za-z]{43}", shown)


# ── the commands and the client library ──────────────────────────────────────────────────────────


def test_commands_find_their_key_in_the_environment(keyed: Keyed) -> None:
    words = ("balances", "--data", "data", "--json")
    assert fairlead(*words, folder=keyed.folder).code != 0
    environment = {"FAIRLEAD_API_KEY": keyed.secrets["Read1"]}
    assert fairlead(*words, folder=keyed.folder, environment=environment).code == 0


def test_the_client_library_sends_its_key_and_never_shows_it(keyed: Keyed) -> None:
    url, secret = keyed.ems.endpoint["url"], keyed.secrets["Read1"]
    settings = Settings(api_key=secret)
    assert secret not in f"{settings} {settings!r}"
    with Client(url, settings) as client:
        assert {each.exchange_id for each in client.balances()} == {"SIM", "SIM/ALICE"}

    async def use() -> None:
        async with AsyncClient(url, settings) as client:
            assert len(await client.balances()) == 2
            async with aclosing(client.stream()) as events:
                async for event in events:
                    assert not isinstance(event, Disconnected)
                    if isinstance(event, PositionsSnapshot):
                        break

    asyncio.run(use())


# ── starts ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("flag", ["--listen", "--fix", "--tls"])
def test_a_system_that_would_let_anybody_in_does_not_start(tmp_path: Path, flag: str) -> None:
    write_config(tmp_path / "fairlead.toml", SETTINGS | {"authentication": "open"}, ACCOUNTS)
    run = fairlead("up", "--config", "fairlead.toml", flag, "0.0.0.0:0", folder=tmp_path)
    assert run.code == 2
    assert "is not a loopback address" in run.err


def test_a_system_whose_key_others_can_read_does_not_start(tmp_path: Path) -> None:
    write_config(tmp_path / "fairlead.toml", SETTINGS, ACCOUNTS)
    assert fairlead("keys", "list", folder=tmp_path).code == 0
    (tmp_path / "data.key").chmod(0o440)
    run = fairlead("up", "--config", "fairlead.toml", "--listen", "127.0.0.1:0", folder=tmp_path)
    assert run.code == 70
    assert "chmod 0400" in run.err


def test_a_key_has_its_requests_of_a_second_and_then_429(tmp_path: Path) -> None:
    settings = SETTINGS | {"http.key_requests_per_s": 1}
    config = write_config(tmp_path / "fairlead.toml", settings, ACCOUNTS)
    system = Keyed(tmp_path, Ems(tmp_path / "data", config), {})
    secret = system.make("Bot1")
    with running(system.ems):
        system.ems.ready()

        def refusal() -> Answer | None:
            answer = system.ask("GET", "/v1/orders", secret)
            return answer if answer.status == 429 else None

        refused = until(refusal, "a second has one request too many")
    assert refused is not None
    assert refused.headers["retry-after"] == "1"
    assert refused.json["message"].startswith("rate_exceeded")
