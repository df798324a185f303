"""Two subscriptions in one system, alike in all that they can be alike in: nothing of one is the other's."""

import json
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from fairlead.control.keys import Act, ApiKey
from tests.commands.terminal import fairlead
from tests.fix_party import FixParty, now_text
from tests.fix_party import cancel as fix_cancel
from tests.fix_party import order as fix_order
from tests.system import Answer, Api, Json, encoded, exact, order, running, until
from tests.tenanted import (
    HEADER,
    HISTORY,
    OWN,
    OWNER,
    SHARED,
    Side,
    control_of,
    grant,
    opening,
    ready,
    subscribe,
    two_sides,
    updates,
)

Sides = tuple[Side, Side]
FOREIGN = OWN["desk"]  # seen from local
UNKNOWN = "SIM/NOONE"


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    local, desk = two_sides(tmp_path_factory.mktemp("tenants"))
    with running(local.ems):
        ready(local, desk)
        yield local, desk


@pytest.fixture
def local(sides: Sides) -> Side:
    return sides[0]


@pytest.fixture
def desk(sides: Sides) -> Side:
    return sides[1]


# ── orders ───────────────────────────────────────────────────────────────────────────────────────


def test_the_same_id_at_the_same_account_name_is_two_orders(local: Side, desk: Side) -> None:
    assert local.place("same", price=Decimal("20000.00")).status == 200
    assert desk.place("same", price=Decimal("21000.00")).status == 200
    assert [side.status("same")["price"] for side in (local, desk)] == [20_000, 21_000]
    assert desk.cancel("same").status == 200
    until(lambda: desk.status("same")["status"] == "CANCELED", "the one of desk is cancelled")
    assert local.status("same")["status"] == "NEW"
    assert desk.cancel("same").json == desk.cancel("same").json  # it is final for desk alone
    body = {"exchange_id": SHARED}
    assert desk.ask("POST", "/v1/orders/cancel/all", body, "trade").status == 200
    assert local.status("same")["status"] == "NEW"


def test_an_order_of_one_is_nothing_to_the_other(local: Side, desk: Side) -> None:
    assert desk.place("desks").status == 200
    for method, path, body in (
        ("GET", "/v1/orders/status/{}", None),
        ("GET", "/v1/orders/story/{}", None),
        ("GET", "/v1/orders/status/{}?exchange_id=SIM/ALICE", None),
        ("POST", "/v1/orders/cancel", {"exchange_id": SHARED, "client_order_id": "{}"}),
        (
            "POST",
            "/v1/operator/resolve",
            {"exchange_id": SHARED, "client_order_id": "{}", "outcome": "REJECTED"},
        ),
    ):
        answers = [
            local.ask(method, path.format(name), _filled(body, name)) for name in ("desks", "nones")
        ]
        _alike(answers[0], answers[1], "desks", "nones")
    assert desk.status("desks")["status"] == "NEW"


def _filled(body: dict[str, str] | None, name: str) -> dict[str, str] | None:
    return body and {key: value.format(name) for key, value in body.items()}


def _alike(foreign: Answer, unknown: Answer, name: str, other: str) -> None:
    """Check that two answers differ in nothing but the name that was asked for."""
    assert foreign.status == unknown.status
    said = [re.sub(rb"00-[0-9a-f-]+", b"TRACE", each.body) for each in (foreign, unknown)]
    assert said[0].replace(name.encode(), other.encode()) == said[1]
    assert b"desk" not in said[1]


@pytest.mark.parametrize(
    "path", ["orders", "balances", "positions", "operator/accounts", "accounts/reconciliation"]
)
def test_what_is_listed_is_of_the_own_accounts(sides: Sides, path: str) -> None:
    for side in sides:
        side.place(f"listed-{path}-of-{side.name}")
        rows = side.wanted(f"/v1/{path}")
        assert {row["exchange_id"] for row in rows} <= {SHARED, OWN[side.name]}
        other = "local" if side.name == "desk" else "desk"
        assert f"-of-{other}" not in json.dumps(rows, default=str)
    assert {row["exchange_id"] for row in sides[0].wanted("/v1/operator/accounts")} == {
        "SIM",
        SHARED,
    }


def test_history_is_of_the_own_orders(sides: Sides) -> None:
    for side in sides:
        side.place(f"history-of-{side.name}")
    names = [{row["clientOrderId"] for row in side.wanted(HISTORY)} for side in sides]
    for at, side in enumerate(sides):
        assert f"history-of-{side.name}" in names[at]
        assert f"history-of-{side.name}" not in names[1 - at]


def test_what_one_locks_and_fills_moves_no_balance_of_the_other(local: Side, desk: Side) -> None:
    def balances(side: Side) -> dict[str, tuple[Json, Json]]:
        (snapshot,) = side.wanted("/v1/balances?exchange_id=SIM%2FALICE")
        return {
            row["asset_id_coinapi"]: (row["balance"], row["locked"]) for row in snapshot["data"]
        }

    before = balances(local)
    assert desk.place("fills", price=Decimal("99999.00"), amount_order=Decimal("0.01")).status in (
        200,
        503,
    )
    desk.place("locks", amount_order=Decimal("0.5"))
    until(lambda: desk.has("locks"), "it is there")
    assert balances(local) == before
    assert balances(desk) != before


FOREIGN_ASKED: list[tuple[str, str, dict[str, object] | None]] = [
    *(
        ("GET", f"/v1/{path}?exchange_id={{}}", None)
        for path in ("orders", "balances", "positions", "operator/accounts", "operator/instruments")
    ),
    ("GET", "/v1/accounts/reconciliation?exchange_id={}", None),
    ("GET", "/v1/endpoints?filter_exchange_id={}", None),
    ("GET", "/v1/orders/status/x?exchange_id={}", None),
    ("POST", "/v1/orders", order("foreign")),
    ("POST", "/v1/orders/check", order("foreign")),
    ("POST", "/v1/orders/cancel", {"client_order_id": "foreign"}),
    ("POST", "/v1/orders/cancel/all", {}),
    ("POST", "/v1/operator/mode", {"mode": "HALTED"}),
]


@pytest.mark.parametrize(
    ("method", "path", "body"), FOREIGN_ASKED, ids=[f"{m} {p}" for m, p, _ in FOREIGN_ASKED]
)
def test_a_foreign_account_reads_like_one_that_is_not_there(
    local: Side, desk: Side, method: str, path: str, body: dict[str, object] | None
) -> None:
    answers = []
    for account in (FOREIGN, UNKNOWN):
        named = None if body is None else body | {"exchange_id": account}
        scope = "trade" if method == "POST" and "orders" in path else "manage"
        answers.append(local.ask(method, path.format(account), named, scope))
    _alike(answers[0], answers[1], FOREIGN, UNKNOWN)
    assert not desk.has("foreign")
    assert all(each["mode"] != "HALTED" for each in desk.wanted("/v1/operator/accounts"))


def test_credentials_of_two_subscriptions_are_none(local: Side, desk: Side) -> None:
    path = f"/v1/orders?apikey={desk.secrets['read']}"
    assert local.ask("GET", path, scope="read").status == 401


# ── streams ──────────────────────────────────────────────────────────────────────────────────────


def test_a_stream_has_the_own_accounts_and_hears_the_own_orders(local: Side, desk: Side) -> None:
    with local.stream() as of_local, desk.stream() as of_desk:
        assert set(opening(of_local)) == {"SIM", SHARED}
        assert set(opening(of_desk)) == {SHARED, FOREIGN}
        desk.place("heard", price=Decimal("20001.00"))
        local.place("heard", price=Decimal("20002.00"))
        for stream, price in ((of_local, 20_002), (of_desk, 20_001)):
            reports = [each for each in updates(stream, "heard", "NEW") if "price" in each]
            assert {each["price"] for each in reports} == {price}
        request = order("by-stream", exchange_id=SHARED) | {"type": "ORDER_NEW_SINGLE_REQUEST"}
        of_desk.send(encoded(request).decode())
        updates(of_desk, "by-stream", "NEW")
    assert not local.has("by-stream")


def test_a_stream_goes_on_in_its_own_sequence(local: Side, desk: Side) -> None:
    seen = {}
    for side in (local, desk):
        for number in range(3 if side is desk else 1):
            name = f"before-{number}"
            side.place(name)
            until(lambda side=side, name=name: side.status(name)["status"] == "NEW", name)  # type: ignore[misc]
        with side.stream() as stream:
            seen[side.name] = opening(stream)[SHARED]["ORDER_EXEC_REPORT_SNAPSHOT"]["sequence"]
    for side in (local, desk):
        side.place("meanwhile")
    for side in (local, desk):
        with side.stream(f"?from={seen[side.name]}:SIM%2FALICE") as stream:
            heard = [each for each in updates(stream, "meanwhile", "NEW") if "sequence" in each]
        mine = [each["sequence"] for each in heard if each["exchange_id"] == SHARED]
        assert mine[0] == seen[side.name] + 1  # of the other it would be far off
        assert mine == sorted(mine)
        assert {each["client_order_id"] for each in heard if "client_order_id" in each} == {
            "meanwhile"
        }


def test_a_stream_from_a_foreign_account_is_one_from_nowhere(local: Side) -> None:
    begun = []
    for account in (FOREIGN, UNKNOWN):
        with local.stream(f"?from=1:{account.replace('/', '%2F')}") as stream:
            begun.append({name: [*kinds] for name, kinds in opening(stream).items()})
    assert begun[0] == begun[1]
    assert set(begun[0]) == {"SIM", SHARED}


def test_the_end_of_a_stream_cancels_its_own_orders_alone(local: Side, desk: Side) -> None:
    local.place("ends")
    ending = order("ends", exchange_id=SHARED, exec_inst=["CANCEL_ON_DISCONNECT"])
    with local.stream() as stays, desk.stream() as stream:
        stays.send(encoded(ending | {"client_order_id": "stays"} | _NEW).decode())
        stream.send(encoded(ending | _NEW).decode())
        until(lambda: desk.has("ends") and local.has("stays"), "the orders are there")
        stream.close()
        until(lambda: desk.status("ends")["status"] == "CANCELED", "desk's ends with its stream")
        assert local.status("ends")["status"] == local.status("stays")["status"] == "NEW"


_NEW = {"type": "ORDER_NEW_SINGLE_REQUEST"}


# ── FIX ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_comp_ids_are_two_sessions_each_with_its_numbers(local: Side, desk: Side) -> None:
    with local.party() as of_local, desk.party() as of_desk:
        of_local.log_on(local.password)
        of_desk.log_on(desk.password)  # not "logged on already"
        of_desk.say("D", *fix_order("fix-same", _207=SHARED, _44="21000.00"))
        of_desk.report("fix-same", "0")
        of_local.say("D", *fix_order("fix-same", _207=SHARED))
        of_local.report("fix-same", "0")
        of_desk.say("F", *fix_cancel("fix-same-c", "fix-same", SHARED))
        of_desk.report("fix-same", "4")
        for _ in range(3):
            of_desk.synchronise()
        of_local.synchronise()
        assert {Decimal(said[44]) for said in of_local.reports_of("fix-same")} == {20_000}
        assert "4" not in {said[39] for said in of_local.reports_of("fix-same")}
        of_desk.drop()
        of_local.drop()
        desk.place("fix-away")
        local.place("fix-gone")
        assert of_desk.next_out != of_local.next_out
        of_desk.log_on(desk.password)  # fails if the server's numbers were those of the other
        of_desk.report("fix-away", "0")
        of_local.log_on(local.password)
        of_local.report("fix-gone", "0")
        for party in (of_local, of_desk):
            party.synchronise()
            party.log_out()
        assert of_local.reports_of("fix-away") == of_desk.reports_of("fix-gone") == []


def test_a_mass_status_tells_the_own_orders(local: Side, desk: Side) -> None:
    for side in (local, desk):
        side.place(f"mass-of-{side.name}")
    for side in (local, desk):
        with side.party("MASS") as party:
            party.log_on(side.password, is_reset=True)
            party.say("AF", (584, "m1"), (585, 7))
            party.wait(lambda said: said.get(912) == "Y", "the last of the mass status")
            told = {said.get(11) for said in party.told if said[35] == "8"}
            other = "local" if side is desk else "desk"
            assert f"mass-of-{side.name}" in told
            assert f"mass-of-{other}" not in told
            texts = []
            for account in (OWN["desk" if side is local else "local"], UNKNOWN):
                party.say("AF", (584, f"m-{account}"), (585, 7), (207, account))
                answer = party.wait(lambda said: said.get(584, "m1") != "m1", "no orders there")
                texts.append(answer[58].replace(account, "IT"))
            assert texts[0] == texts[1]
            party.log_out()


def test_the_end_of_a_session_cancels_its_own_orders_alone(local: Side, desk: Side) -> None:
    with local.party("ENDING") as of_local, desk.party("ENDING") as of_desk:
        for side, party in ((local, of_local), (desk, of_desk)):
            party.log_on(side.password)
            party.say("D", *fix_order("fix-ends", _207=SHARED), (18, "Q"))
            party.report("fix-ends", "0")
        of_desk.drop()
        until(lambda: desk.status("fix-ends")["status"] == "CANCELED", "desk's order ends")
        of_local.synchronise()
        assert local.status("fix-ends")["status"] == "NEW"
        of_local.log_out()


def test_an_order_for_a_foreign_account_is_refused_by_fix_as_for_one_that_is_not_there(
    local: Side, desk: Side
) -> None:
    with local.party("FOREIGN") as party:
        party.log_on(local.password)
        texts = []
        for account in (FOREIGN, UNKNOWN):
            party.say("D", *fix_order(f"at-{account}", _207=account, _60=now_text()))
            refused = party.wait(lambda said: said[35] in "8j3", "the refusal")
            texts.append((refused[35], refused.get(39), refused[58].replace(account, "IT")))
        assert texts[0] == texts[1]
        party.log_out()
    assert not desk.has(f"at-{FOREIGN}")


def test_a_certificate_comes_to_the_desk_and_the_orders_of_its_key(local: Side, desk: Side) -> None:
    """Over TLS, by FIX without a password and by HTTP; keys of the same label have issued them."""
    folder, endpoint = local.ems.folder.parent, local.ems.endpoint
    contexts = {}
    for side in (local, desk):
        side.place("by-certificate", price=PRICES[side.name])
        issue(folder, side.name, f"{side.name}.pem")
        contexts[side.name] = ssl.create_default_context(cafile=folder / "data/tls/ca.pem")
        contexts[side.name].load_cert_chain(folder / f"{side.name}.pem")
    path = f"{endpoint['https_clients']}/v1/orders/status/by-certificate?exchange_id=SIM/ALICE"
    for side in (local, desk):
        context = contexts[side.name]
        price = until(partial(price_told, path, context), "the certificate is known")
        assert price == PRICES[side.name]
        with FixParty(endpoint["fix_tls"], comp_id="CERTIFIED", context=context) as party:
            party.log_on()
            party.say("H", (11, "by-certificate"), (207, SHARED), (54, "1"), (55, "BTC/USDT"))
            said = party.wait(lambda said: said[35] == "8", "the order as it stands")
            assert Decimal(said[44]) == PRICES[side.name]
            party.log_out()


PRICES = {"local": Decimal("20000.00"), "desk": Decimal("21000.00")}


def issue(folder: Path, subscription: str, file: str) -> None:
    words = ("certificates", "issue", "Trade1", "--output", file, "--data", "data")
    assert fairlead(*words, "--subscription", subscription, folder=folder).code == 0


def price_told(url: str, context: ssl.SSLContext) -> Decimal | None:
    """Ask for an order; None as long as nobody is known by the certificate."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(url, timeout=20) as answer:
            return Decimal(exact(answer.read())["price"])
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
        return None


def test_messages_are_kept_for_people_in_the_own_folder(local: Side, desk: Side) -> None:
    kept = {}
    for side in (local, desk):
        with side.party(f"KEPT.{side.name.upper()}") as party:
            party.log_on(side.password)
            party.log_out()
    for side in (local, desk):
        words = ("fix-log", "--data", "data", "--subscription", side.name, "--json")
        folder = side.ems.folder.parent

        def told(side: Side = side, words: tuple[str, ...] = words, folder: Path = folder) -> str:
            text = fairlead(*words, folder=folder).out
            return text if f"KEPT.{side.name.upper()}" in text and "Logout #" in text else ""

        kept[side.name] = until(told, "the messages are in the file")
        assert side.secrets["trade"] not in kept[side.name]
    assert "KEPT.LOCAL" not in kept["desk"]
    assert "KEPT.DESK" not in kept["local"]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_logon_in_pieces_comes_to_its_desk(desk: Side, size: int) -> None:
    with desk.party(f"PIECES{size}") as party:
        party.connect()
        logon = party.message("A", 1, (98, 0), (108, 30), desk.password)
        for at in range(0, len(logon), size):
            party.send_bytes(logon[at : at + size])
        party.next_out = 2
        party.next_of("A")
        party.log_out()


@pytest.mark.parametrize(
    "first",
    [b"not FIX at all\x01", b"8=FIX.4.4\x019=9999999\x0135=A\x01", b"x" * 200_000],
    ids=["garbage", "endless", "much"],
)
def test_who_says_nothing_that_is_fix_is_let_go(desk: Side, first: bytes) -> None:
    with desk.party("GARBAGE") as party:
        party.connect()
        party.send_bytes(first)
        party.wait_for_end()
        assert party.told == []


def test_a_user_name_of_the_other_is_none(local: Side, desk: Side) -> None:
    with control_of(local.ems.folder) as control:
        key = control.keyring.find("Trade1")
        assert isinstance(key, ApiKey)
    with desk.party("MIXED") as party:
        with pytest.raises(AssertionError, match="the connection ended"):
            party.log_on((553, key.kid), desk.password)
        assert party.told == []


# ── what is told about a system ──────────────────────────────────────────────────────────────────


def test_each_sees_its_own_series_and_those_of_the_process(local: Side, desk: Side) -> None:
    for side, other in ((local, desk), (desk, local)):
        text = side.ask("GET", "/metrics").body.decode()
        assert set(re.findall('subscription="([^"]*)"', text)) == {side.name}
        assert f'account="{OWN[other.name]}"' not in text
        assert "\nprocess_cpu_seconds_total " in text
        assert f'fairlead_fix_sessions{{subscription="{side.name}"}}' in text
        bare = re.findall(r"^(fairlead_\w+)(?!.*subscription=).*$", text, re.MULTILINE)
        assert set(bare) <= OF_THE_PROCESS


OF_THE_PROCESS = {"fairlead_callers_refused_total", "fairlead_tls_refused_total"}


def test_health_tells_nobody_of_accounts_but_their_owner(local: Side, desk: Side) -> None:
    with closing(Api(local.ems.endpoint["url"])) as api:
        assert api.wanted("/health/ready")["accounts"] == []
        nobody = api.request("GET", "/health/ready", None, {HEADER: "nonsense"})
        assert (nobody.status, nobody.json["accounts"]) == (200, [])
    for side in (local, desk):
        rows = side.wanted("/health/ready")["accounts"]
        assert {row["exchange_id"] for row in rows} == {SHARED, OWN[side.name]}


def test_the_exchange_and_all_its_accounts_are_the_owners_to_see(local: Side, desk: Side) -> None:
    assert local.ask("GET", "/operator/orders").status == 200
    hidden = desk.ask("GET", "/operator/orders")
    nothing = desk.ask("GET", "/operator_orders")
    assert hidden.status == nothing.status == 404
    assert hidden.body.replace(b"r/o", b"r_o") == nothing.body
    assert desk.ask("POST", "/operator/faults", {"name": "halt"}).status == 404


def test_endpoints_are_of_the_own_accounts(sides: Sides) -> None:
    for side in sides:
        rows = side.wanted("/v1/endpoints")
        assert {row["exchange_id"] for row in rows} == {SHARED, OWN[side.name]}


@pytest.mark.parametrize("words", [("orders",), ("balances",), ("accounts",), ("history",)])
def test_commands_show_what_is_the_keys(local: Side, desk: Side, words: tuple[str, ...]) -> None:
    texts = {}
    for side in (local, desk):
        side.place(f"shown-{'-'.join(words)}-of-{side.name}")
        environment = {"FAIRLEAD_API_KEY": side.secrets["manage"]}
        folder = side.ems.folder.parent
        run = fairlead(*words, "--data", "data", folder=folder, environment=environment)
        assert run.code == 0, run
        texts[side.name] = run.out
    assert OWN["desk"] not in texts["local"]
    assert "-of-desk" not in texts["local"]
    assert "-of-local" not in texts["desk"]


def test_what_is_used_is_told_to_whom_it_is(local: Side, desk: Side) -> None:
    local.place("used")
    desk.place("used")
    listed = {}
    for side in (local, desk):
        words = ("usage", "--data", "data", "--subscription", side.name, "--json")
        folder = side.ems.folder.parent
        rows = until(lambda w=words, f=folder: fairlead(*w, folder=f).json, "usage is written", 30)
        listed[side.name] = {row["key"] for row in rows}
        told = {row["key"] for row in side.wanted("/v1/usage")}
        assert listed[side.name] <= told
    assert not listed["local"] & listed["desk"]


# ── while it runs ────────────────────────────────────────────────────────────────────────────────


def test_an_account_that_comes_while_it_runs_is_there_for_its_own_alone(
    local: Side, desk: Side
) -> None:
    def put(side: Side, name: str, login: str) -> Answer:
        pairs = {"PublicApiKey": login, "PrivateApiKey": f"{login}-secret-of-sixteen"}
        parameters = [{"key": key, "value": value} for key, value in pairs.items()]
        return side.ask("POST", "/v1/accounts", {"exchange_id": name, "parameters": parameters})

    assert put(desk, "SIM/LIVE", "live").status == 200
    until(lambda: desk.place("lives", exchange_id="SIM/LIVE").status == 200, "it trades")
    _alike(
        local.place("lives", exchange_id="SIM/LIVE"),
        local.place("lives", exchange_id=UNKNOWN),
        "SIM/LIVE",
        UNKNOWN,
    )
    taken = put(local, "SIM/MINE", "live")  # one login is one account, and nobody says whose
    assert taken.status == 405
    assert not re.search("desk|LIVE", taken.body.decode())
    assert "SIM/LIVE" not in local.ask("GET", "/v1/accounts").body.decode()
    assert desk.ask("DELETE", "/v1/accounts?exchange_id=SIM/LIVE").status == 200
    assert local.ask("DELETE", f"/v1/accounts?exchange_id={FOREIGN}").status == 404
    assert FOREIGN in desk.ask("GET", "/v1/accounts").body.decode()


def test_a_new_subscription_is_served_without_a_restart(local: Side, desk: Side) -> None:
    before = local.ask("GET", "/v1/orders").json
    with control_of(local.ems.folder) as control:
        own = subscribe(control, "late", {})
        late = Side("late", local.ems, grant(own))

        def is_served() -> bool:
            return late.ask("GET", "/v1/operator/accounts").status == 200

        until(is_served, "the new subscription is served")
        assert late.wanted("/v1/orders") == late.wanted("/v1/operator/accounts") == []
        with late.party() as party:
            party.log_on(late.password)
            party.log_out()
        own.keyring.move(OWNER, "Read1", Act.REVOKE, 1)
    until(
        lambda: late.ask("GET", "/v1/orders", scope="read").status == 401, "its key is taken back"
    )
    assert late.ask("GET", "/v1/orders", scope="manage").status == 200
    assert local.ask("GET", "/v1/orders").json == before
