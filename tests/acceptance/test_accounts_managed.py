"""Accounts of a running system: added by curl, traded, updated, deleted, and back; in open mode, by a key."""

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
from websockets.exceptions import InvalidStatus

from fairlead.gateway.times import read_time
from tests.commands.terminal import fairlead
from tests.fix_party import FixParty
from tests.fix_party import order as fix_order
from tests.streaming import Stream
from tests.system import QUICK, Answer, Api, Ems, Json, encoded, order, running, until, write_config

HEADER = "X-CoinAPI-Key"
PUBLIC, PRIVATE = "PublicApiKey", "PrivateApiKey"
SECRET = "hush-little-baby-do-not-say-a-word"
SEPARATORS = "~/.,:;!@#$%^&*-_+="
OTHERS = [  # every other one of ASCII, and what looks like one of those that may be
    *(each for each in map(chr, range(128)) if not each.isalnum() and each not in SEPARATORS),
    *"\u00fc\u00b2\u2024\uff0f\uff21\u0301\u200b\U0001d400",
]


class Desk(NamedTuple):
    """A system in open mode, and keys that may manage it."""

    folder: Path
    ems: Ems
    manager: str
    reader: str
    limited: str

    def ask(self, method: str, path: str, body: object = None, key: str | None = "") -> Answer:
        """Ask by management; `key`: the manager's, None for none."""
        headers = {} if key is None else {HEADER: key or self.manager}
        with closing(Api(self.ems.endpoint["url"])) as api:
            return api.request(method, path, None if body is None else encoded(body), headers)

    def put(self, name: str, public: str, private: str = SECRET, key: str = "") -> Answer:
        return self.ask("POST", "/v1/accounts", account(name, public, private), key)

    def delete(self, *names: str) -> Answer:
        query = "&".join(f"exchange_id={quote(name, safe='')}" for name in names)
        return self.ask("DELETE", f"/v1/accounts?{query}")

    def listed(self) -> dict[str, dict[str, str]]:
        rows = self.ask("GET", "/v1/accounts").json
        return {
            row["exchange_id"]: {each["key"]: each["value"] for each in row["parameters"]}
            for row in rows
        }

    def place(self, name: str, client_order_id: str, **changes: object) -> Answer:
        body = order(client_order_id, exchange_id=name, **changes)
        return self.ask("POST", "/v1/orders", body, None)

    def trades(self, name: str, within_s: float = 15.0) -> None:
        """Wait until an order of the account is taken."""
        until(
            lambda: self.place(name, f"first-{time.monotonic_ns()}").status == 200,
            f"{name} trades",
            within_s,
        )

    def audited(self) -> list[Json]:
        run = fairlead(
            "audit", "list", "--data", "data", "--last", "400", "--json", folder=self.folder
        )
        return [json.loads(line) for line in run.out.splitlines()]


def account(name: object, public: object, private: object = SECRET) -> Json:
    pairs = [{"key": PUBLIC, "value": public}, {"key": PRIVATE, "value": private}]
    return {"exchange_id": name, "parameters": pairs}


def made_key(folder: Path, label: str, *flags: str) -> str:
    run = fairlead("keys", "create", label, *flags, "--data", "data", "--json", folder=folder)
    secret: str = run.json["secret"]
    return secret


@contextmanager
def managed(folder: Path) -> Iterator[Desk]:
    """Have such a system in `folder` until the end of the `with`."""
    config = write_config(folder / "fairlead.toml", QUICK | {"exchange.participants": False}, [])
    manager = made_key(folder, "Manage1", "--scope", "manage")
    reader = made_key(folder, "Trade1", "--scope", "trade")
    limited = made_key(folder, "Limited1", "--scope", "manage", "--account", "SIM/LIMITED")
    ems = Ems(folder / "data", config)
    with running(ems):
        yield Desk(folder, ems.reconciled(), manager, reader, limited)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with managed(tmp_path_factory.mktemp("accounts")) as system:
        yield system


# ── it comes, trades, goes, and comes back ───────────────────────────────────────────────────────


def test_an_account_added_by_curl_trades_without_a_restart_and_survives_one(
    tmp_path: Path,
) -> None:
    """How soon is told by the stamps of the system; that it is below a second, tests/simulation says."""
    with managed(tmp_path) as desk:
        url = desk.ems.endpoint["url"]
        headers = ("-H", f"{HEADER}: {desk.manager}", "-H", "Content-Type: application/json")
        body = json.dumps(account("SIM/BOB", "bob"))
        command = ["curl", "-s", *headers, "-d", body, f"{url}/v1/accounts"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == {
            "exchange_id": "SIM/BOB",
            "message": "SIM/BOB is added and is being connected",
        }
        desk.trades("SIM/BOB")
        (state,) = desk.ask("GET", "/v1/operator/accounts?exchange_id=SIM%2FBOB", key=None).json
        (added,) = [row for row in desk.audited() if row["target"] == "SIM/BOB"]
        took_ms = (read_time(state["reconciled_time"]) - added["time_ns"]) / 1e6
        print(f"\nSIM/BOB took orders {took_ms:.0f} ms after it was asked for")
        kept = desk.place("SIM/BOB", "kept", price="20001.00").json
        assert kept["status"] in ("ROUTED", "NEW")
        for path in ("/v1/endpoints", "/v1/balances"):
            rows = desk.ask("GET", path).json
            assert "SIM/BOB" in {row["exchange_id"] for row in rows}
        assert desk.ems.interrupt() == 0
        again = Ems(desk.ems.folder, desk.folder / "fairlead.toml")
        with running(again):
            back = desk._replace(ems=again.reconciled())
            assert back.listed()["SIM/BOB"] == {PUBLIC: "bob", PRIVATE: "********word"}
            assert back.ask("GET", "/v1/orders/status/kept", key=None).json["status"] == "NEW"


def test_a_deleted_account_leaves_its_orders_at_the_exchange_and_finds_them_when_it_is_back(
    desk: Desk,
) -> None:
    assert desk.put("SIM/CAROL", "carol").status == 200
    desk.trades("SIM/CAROL")
    assert desk.place("SIM/CAROL", "left").status == 200
    orders = "/v1/orders?exchange_id=SIM%2FCAROL"
    open_orders = len(desk.ask("GET", orders, key=None).json)
    gone = desk.delete("SIM/CAROL")
    assert gone.status == 200
    assert gone.json["accounts"] == [{"exchange_id": "SIM/CAROL", "open_orders": open_orders}]
    assert "credentials erased" in gone.json["message"]
    assert "left at the exchange" in gone.json["message"]
    assert "SIM/CAROL" not in desk.listed()
    assert desk.ask("GET", orders, key=None).status == 490
    assert desk.place("SIM/CAROL", "late").status == 490
    assert "left" not in [
        row["client_order_id"] for row in desk.ask("GET", "/v1/orders", key=None).json
    ]
    history = desk.ask(
        "GET", "/v1/orders/history?time_start=1970-01-01&time_end=2262-01-01", key=None
    )
    assert "left" in [row["clientOrderId"] for row in history.json]
    with closing(desk.ems.operator().api) as operator:
        kept = operator.wanted("/operator/orders?account=carol")["orders"]
    assert len([each for each in kept if each["state"] == "OPEN"]) == open_orders

    # Another login does not get its name: its orders are that one's.
    refused = desk.put("SIM/CAROL", "dave")
    assert refused.status == 405
    assert "the login of SIM/CAROL cannot change" in refused.json["errors"]
    # What happens to them meanwhile is found when it is back.
    assert desk.put("SIM/CAROL", "carol", SECRET).status == 200
    desk.trades("SIM/CAROL")
    found = desk.ask("GET", orders, key=None).json
    assert "left" in [row["client_order_id"] for row in found]
    last = desk.audited()
    (deleted,) = [
        row for row in last if row["action"] == "account.delete" and "carol" in row["before"]
    ]
    assert json.loads(deleted["after"]) == {
        "credentials": "erased",
        "orders_left_open_at_the_exchange": open_orders,
    }


def test_streams_that_were_there_before_follow_an_account_through_its_life(desk: Desk) -> None:
    where, ida = desk.ems.endpoint, "SIM/IDA"
    accounts = len(desk.ask("GET", "/v1/balances", key=None).json)
    with Stream(where["url"], accounts=accounts) as stream, FixParty(where["fix"]) as party:

        def next_of(kind: str, **fields: object) -> Json:
            wanted = {"type": kind, "exchange_id": ida} | fields
            return stream.wait(lambda each: wanted.items() <= each.items(), f"{kind} of {ida}")

        stream.opening()
        party.log_on()
        assert desk.put(ida, "ida").status == 200
        next_of("POSITION_SNAPSHOT", data=[])
        until(lambda: desk.place(ida, "probe").status == 200, f"{ida} trades")
        stream.report("probe", "NEW")
        party.report("probe", "0")
        party.say("D", *fix_order("bid", _207=ida, _44="20500.00"))
        party.report("bid", "0")
        last = stream.report("bid", "NEW")["sequence"]

        assert desk.delete(ida).status == 200
        end = next_of("SERVER_INFO", is_running=False)
        assert end["sequence"] > last
        for kind in ("ORDER_EXEC_REPORT_SNAPSHOT", "BALANCE_SNAPSHOT", "POSITION_SNAPSHOT"):
            assert next_of(kind)["data"] == []
        party.say("AF", (584, "all"), (585, 7))
        party.wait(lambda said: said.get(584) == "all" and said.get(912) == "Y", "the last order")
        listed = [said for said in party.told if said.get(584) == "all"]
        assert ida not in {said.get(207) for said in listed}
        # Nothing is said that reads as if the order were rejected: it is in the book, and stays there.
        party.say("H", (11, "bid"), (54, 1), (207, ida))
        said = party.next_of("j")
        assert (said[372], said[380]) == ("H", "1")
        assert f"{ida} is not an account of this server; what orders" in said[58]
        party.say("F", (11, "bid-c"), (41, "bid"), (207, ida), (60, "20260101-00:00:00"))
        said = party.next_of("j")
        assert (said[372], said[380]) == ("F", "1")
        assert not [each for each in party.told if each.get(39) == "8" and each.get(584) != "all"]

        # Filled while nobody looks, and booked once when it is back.
        desk.place("SIM", "ask", side="SELL", price="20500.00")
        stream.report("ask", "FILLED")
        assert desk.put(ida, "ida").status == 200
        opened = next_of("ORDER_EXEC_REPORT_SNAPSHOT")
        assert opened["sequence"] > end["sequence"]
        party.report("bid", "2")
        until(
            lambda: desk.ask("GET", "/v1/orders/status/bid", key=None).json["status"] == "FILLED",
            "the fill is found",
        )
        fills = desk.ask("GET", "/v1/orders/status/bid", key=None).json["fills"]
        assert [Decimal(each["amount"]) for each in fills] == [Decimal("0.01")]
        assert [said[39] for said in party.reports_of("bid")].count("2") == 1
        assert desk.delete(ida).status == 200


# ── updates ──────────────────────────────────────────────────────────────────────────────────────


def test_an_update_replaces_every_parameter_and_logs_in_anew(desk: Desk) -> None:
    assert desk.put("SIM/FRANK", "frank").status == 200
    desk.trades("SIM/FRANK")
    # The exchange knows the login by another secret: what we have is wrong now, and it shows.
    updated = desk.put("SIM/FRANK", "frank", "another-secret-that-is-wrong")
    assert updated.json["message"] == "SIM/FRANK is updated and is being connected"
    assert desk.listed()["SIM/FRANK"][PRIVATE] == "********rong"
    until(
        lambda: desk.place("SIM/FRANK", f"no-{time.monotonic_ns()}").status == 490,
        "it is not logged in",
    )
    assert desk.put("SIM/FRANK", "frank").status == 200
    desk.trades("SIM/FRANK")


def test_a_login_changes_only_while_no_order_is_unsettled(desk: Desk) -> None:
    assert desk.put("SIM/GINA", "gina").status == 200
    until(lambda: desk.place("SIM/GINA", "stays").status == 200, "it trades")
    refused = desk.put("SIM/GINA", "gina2")
    assert refused.status == 405
    assert refused.json["status"] == 405
    assert "orders placed by the present one may be unsettled" in refused.json["errors"]
    assert desk.listed()["SIM/GINA"][PUBLIC] == "gina"
    assert desk.ask("GET", "/v1/orders/status/stays", key=None).json["status"] == "NEW"  # untouched
    cancel = {"exchange_id": "SIM/GINA", "client_order_id": "stays"}
    desk.ask("POST", "/v1/orders/cancel", cancel, None)
    until(lambda: desk.put("SIM/GINA", "gina2").status == 200, "nothing is unsettled")
    desk.trades("SIM/GINA")
    assert desk.listed()["SIM/GINA"][PUBLIC] == "gina2"


def test_a_login_that_changes_under_load_takes_no_order_of_the_other_along(desk: Desk) -> None:
    assert desk.put("SIM/HANS", "hans0").status == 200
    desk.trades("SIM/HANS")

    def load(thread: int) -> int:
        taken = 0
        with closing(Api(desk.ems.endpoint["url"])) as api:
            for number in range(40):
                body = order(
                    f"load-{thread}-{number}", exchange_id="SIM/HANS", price="99999.00", side="SELL"
                )
                taken += api.post("/v1/orders", body).status == 200
        return taken

    with ThreadPoolExecutor(3) as pool:
        loads = [pool.submit(load, thread) for thread in range(2)]
        statuses = {desk.put("SIM/HANS", f"hans{number}").status for number in range(1, 12)}
        assert sum(each.result() for each in loads) > 0
    assert statuses <= {200, 405}
    # Whoever has the name now: every order that is unsettled is known to the exchange by that login.
    public = desk.listed()["SIM/HANS"][PUBLIC]
    orders = desk.ask("GET", "/v1/orders?exchange_id=SIM%2FHANS", key=None).json
    ours = {each["exchange_order_id"] for each in orders}
    with closing(desk.ems.operator().api) as operator:
        theirs = operator.wanted(f"/operator/orders?account={public}")["orders"]
    assert ours <= {str(each["exchange_order_id"]) for each in theirs}


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ("x", {"parameters": "is not an array of"}),
        (None, {"parameters": "is missing, give an array of"}),
        (
            [],
            {PRIVATE: "is missing, SIM needs PrivateApiKey and PublicApiKey", PUBLIC: "is missing"},
        ),
        ([{"key": PUBLIC, "value": "p"}], {PRIVATE: "is missing"}),
        (["x"], {"parameters[0]": 'is not {"key": …, "value": …}'}),
        ([{"value": "p"}], {"parameters[0].key": "is missing"}),
        ([{"key": 1, "value": "p"}], {"parameters[0].key": "is not a text"}),
        ([{"key": PUBLIC}], {"parameters[0].value": "is missing"}),
        (
            [{"key": "X", "value": "p"}] * 33,
            {"parameters": "has 33 elements, expected an array of"},
        ),
    ],
    ids=["text", "null", "empty", "one", "no-object", "no-key", "number", "no-value", "many"],
)
def test_parameters_that_are_wrong_are_named(
    desk: Desk, parameters: object, named: dict[str, str]
) -> None:
    before = desk.listed()
    answer = desk.ask("POST", "/v1/accounts", {"exchange_id": "SIM/BOB", "parameters": parameters})
    assert answer.status == 405, answer
    by_field = answer.json["errors_by_field"]
    assert by_field.keys() == named.keys()
    assert all(by_field[field].startswith(text) for field, text in named.items()), by_field
    assert desk.listed() == before


def test_values_that_are_wrong_are_named_and_never_repeated(desk: Desk) -> None:
    spelled = '{"exchange_id":"SIM/BOB","parameters":[{"key":"PublicApiKey","value":"p"},%s]}'
    for text in (
        '{"key":"PrivateApiKey","value":"hush little baby"}',
        '{"key":"PrivateApiKey","value":"********word"}',
        '{"key":"PrivateApiKey","value":12345.5}',
        '{"key":"PrivateApiKey","value":"s","value":"hush"}',
        '{"key":"PrivateApiKey","value":"s"},{"key":"PublicApiKey","value":"hush"}',
        '{"key":"PrivateApiKey","value":"s"},{"key":"PassPhrase","value":"hush"}',
        '{"key":"PrivateApiKey","value":"\\u00fchush"}',
        '{"key":"PrivateApiKey","value":["hush"]}',
    ):
        with closing(Api(desk.ems.endpoint["url"])) as api:
            headers = {HEADER: desk.manager}
            answer = api.request("POST", "/v1/accounts", (spelled % text).encode(), headers)
        assert answer.status == 405, (text, answer)
        assert b"hush" not in answer.body
        assert b"word" not in answer.body
    assert "SIM/BOB" not in desk.listed()
    refused = [
        row for row in desk.audited() if row["target"] == "SIM/BOB" and row["outcome"] == "refused"
    ]
    assert refused
    assert "hush" not in json.dumps(refused)


def test_a_login_is_one_account(desk: Desk) -> None:
    assert desk.put("SIM/IVAN", "ivan").status == 200
    answer = desk.put("SIM/ROB", "ivan", "another-secret")
    assert answer.status == 405
    assert "the login of SIM/ROB is that of another account already" in answer.json["errors"]
    assert "SIM/ROB" not in desk.listed()


def test_eight_that_add_one_login_under_eight_names_at_once_add_one(desk: Desk) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: desk.put(f"SIM/R{number}", "judy").status, range(8)))
    assert sorted(answers) == [200] + [405] * 7
    assert len([name for name in desk.listed() if name.startswith("SIM/R")]) == 1


def test_several_are_deleted_all_or_none(desk: Desk) -> None:
    for name in ("A", "B"):
        assert desk.put(f"SIM/{name}", name).status == 200
    answer = desk.delete("SIM/A", "SIM/NONE", "SIM/B")
    assert answer.status == 404
    assert answer.json["message"] == 'there is no account "SIM/NONE"; nothing was deleted'
    assert {"SIM/A", "SIM/B"} <= desk.listed().keys()
    missing = desk.ask("DELETE", "/v1/accounts")
    assert missing.status == 400
    assert missing.json["errors"] == "exchange_id: is missing, it is required"
    assert desk.delete("SIM/A", "SIM/B").json["message"].startswith("2 accounts are deleted")


def test_a_key_is_needed_in_open_mode_too_and_its_scope_and_accounts_count(desk: Desk) -> None:
    body = account("SIM/LIMITED", "kim")
    calls = [
        ("GET", "/v1/accounts", None),
        ("POST", "/v1/accounts", body),
        ("DELETE", "/v1/accounts?exchange_id=SIM", None),
        ("DELETE", "/v1/accounts/all", None),
    ]
    before = desk.listed()
    for method, path, sent in calls:
        assert desk.ask(method, path, sent, None).status == 401
        if method != "GET":
            refused = desk.ask(method, path, sent, desk.reader)
            assert refused.status == 403
            assert "scope manage" in refused.json["message"]
    assert desk.put("SIM/OTHER", "kim", key=desk.limited).status == 403
    assert desk.ask("DELETE", "/v1/accounts?exchange_id=SIM", key=desk.limited).status == 403
    assert desk.listed() == before
    assert desk.put("SIM/LIMITED", "kim", key=desk.limited).status == 200
    seen = desk.ask("GET", "/v1/accounts", key=desk.limited).json
    assert [row["exchange_id"] for row in seen] == ["SIM/LIMITED"]
    gone = desk.ask("DELETE", "/v1/accounts/all", key=desk.limited).json
    assert [each["exchange_id"] for each in gone["accounts"]] == ["SIM/LIMITED"]
    assert desk.listed() == before


# ── names ────────────────────────────────────────────────────────────────────────────────────────


def test_every_separator_round_trips_by_query_json_fix_and_websocket(desk: Desk) -> None:
    names = [f"SIM{separator}a{separator}1" for separator in SEPARATORS]
    for number, name in enumerate(names):
        assert desk.put(name, f"separator-{number}").json["exchange_id"] == name
    for name in names:
        rows = desk.ask("GET", f"/v1/accounts?filter_exchange_id={quote(name, safe='')}").json
        assert [row["exchange_id"] for row in rows] == [name]
    with FixParty(desk.ems.endpoint["fix"], comp_id="SEPARATORS") as party:
        party.log_on()
        for number, name in enumerate(names):
            until(lambda name=name: desk.place(name, "by-json").status == 200, f"{name} trades")  # type: ignore[misc]
            party.say("D", *fix_order(f"by-fix-{number}", _207=name))
            assert party.report(f"by-fix-{number}", "0")[207] == name
    sequences = {
        name: desk.ask("GET", f"/v1/orders?exchange_id={quote(name, safe='')}", key=None).json[0][
            "sequence"
        ]
        for name in names
    }
    with Stream(desk.ems.endpoint["url"], resume=sequences, accounts=len(desk.listed())) as stream:
        opened = stream.opening()
    for name in names:
        assert opened[name]["SERVER_INFO"]["resumed"] is True, opened[name]
    assert desk.delete(*names).status == 200
    assert not desk.listed().keys() & set(names)


def test_every_other_character_is_refused_by_query_json_fix_and_websocket(desk: Desk) -> None:
    before = desk.listed()
    with FixParty(desk.ems.endpoint["fix"], comp_id="OTHERS") as party:
        party.log_on()
        for number, character in enumerate(OTHERS):
            name = f"SIM{character}A"
            by_json = desk.put(name, "nobody")
            assert by_json.status == 400, name
            assert by_json.json["errors"].startswith("exchange_id: "), name
            assert desk.delete(name).status == 400, name
            query = quote(name, safe="")
            assert desk.ask("GET", f"/v1/accounts?filter_exchange_id={query}").status == 400, name
            with (
                pytest.raises(InvalidStatus) as caught,
                Stream(desk.ems.endpoint["url"], resume={name: 1}),
            ):
                pass
            assert caught.value.response.status_code == 400, name
            if character.isascii() and character.isprintable():  # FIX has no place for the others
                party.say("D", *fix_order(f"other-{number}", _207=name))
                refused = party.wait(lambda said: said[35] in "38j", "a refusal")
                assert refused.get(39, "8") == "8", (name, refused)
                assert "exchange id" in refused[58], (name, refused)
    for name in ("", "sim", "SIM/", "SIM/" + "a" * 65, "KRAKEN/JOHN", 1, None, ["SIM"]):
        assert desk.ask("POST", "/v1/accounts", account(name, "nobody")).status == 400, name
    assert desk.listed() == before


# ── a control plane that cannot be opened ────────────────────────────────────────────────────────


def damaged(data: Path) -> Sequence[tuple[str, str]]:
    """Yield what is done to a folder, and what a start says then."""
    key = data.with_name("data.key")
    database = data / "control.sqlite"
    content = key.read_bytes()
    key.unlink()
    yield "no key", "data.key: the key-encryption key is missing"
    key.write_bytes(b"0" * 64)
    key.chmod(0o400)
    yield "another key", "put that one back"
    key.chmod(0o600)
    key.write_bytes(content)
    key.chmod(0o444)
    yield "an open key", "chmod 0400"
    key.chmod(0o400)
    database.write_bytes(b"no database at all" * 100)
    yield "no database", "it must be a control database that can be written"


def test_a_start_without_its_control_plane_says_why_and_serves_nobody(tmp_path: Path) -> None:
    config = write_config(tmp_path / "fairlead.toml", QUICK | {"exchange.participants": False}, [])
    first = Ems(tmp_path / "data", config)
    with running(first):
        first.ready()
        assert first.interrupt() == 0
    for what, said in damaged(tmp_path / "data"):
        ems = Ems(tmp_path / "data", config, log_path=tmp_path / f"{what}.log")
        assert ems.ended() == 70, what
        assert said in ems.log, (what, ems.log)
        assert "Traceback" not in ems.log
        assert not (tmp_path / "data/endpoint.json").exists()
