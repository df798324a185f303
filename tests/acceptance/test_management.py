"""From the management URL and a key to orders, by every protocol that is found there."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from tests.fix_party import FixParty
from tests.fix_party import order as fix_order
from tests.managed import HEADER, Managed, managed
from tests.system import encoded, order, until

SCHEMAS = ("http", "ws", "https", "wss", "fix", "fixs")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    with managed(tmp_path_factory.mktemp("managed")) as made:
        yield made


def documented(system: Managed) -> list[tuple[str, str]]:
    """Return every call that a key can make, as (method, path), from the documents."""
    calls = []
    for name in ("/openapi.json", "/openapi-management.json"):
        for path, methods in system.ask("GET", name).json["paths"].items():
            for method, described in methods.items():
                if {"APIKeyHeader": []} in described.get("security", [{"APIKeyHeader": []}]):
                    calls.append((method.upper(), re.sub(r"\{\w+\}", "2026-11-28", path)))
    return calls


def works(system: Managed, client_order_id: str) -> bool:
    answer = system.ask("GET", f"/v1/orders/status/{client_order_id}")
    return answer.status == 200 and answer.json["status"] == "NEW"


def test_every_account_is_found_on_every_listener(system: Managed) -> None:
    rows = system.ask("GET", "/v1/endpoints").json
    found = [(row["exchange_id"], row["endpoint_schema"]) for row in rows]
    assert sorted(found) == sorted((a, s) for a in ("SIM", "SIM/ALICE") for s in SCHEMAS)
    locations = {each["location_id"] for each in system.ask("GET", "/v1/locations").json}
    assert {row["location_id"] for row in rows} <= locations


@pytest.mark.parametrize("account", ["SIM", "SIM/ALICE"])
@pytest.mark.parametrize("schema", ["http", "https"])
def test_a_client_trades_by_the_rest_endpoint_that_it_finds(
    system: Managed, schema: str, account: str
) -> None:
    url = system.endpoints(account)[schema]["endpoint_url"]
    answer = system.ask(
        "POST", f"{url}/v1/orders", order(f"{schema}-{account[-5:]}", exchange_id=account)
    )
    assert (answer.status, answer.json["exchange_id"]) == (200, account)


@pytest.mark.parametrize("schema", ["ws", "wss"])
def test_a_client_trades_by_the_websocket_endpoint_that_it_finds(
    system: Managed, schema: str
) -> None:
    url = system.endpoints("SIM")[schema]["endpoint_url"]
    context = system.context(shows=False) if schema == "wss" else None
    with connect(
        url, ssl=context, additional_headers={HEADER: system.key}, proxy=None
    ) as websocket:
        placed = {"type": "ORDER_NEW_SINGLE_REQUEST"} | order(f"by-{schema}")
        websocket.send(encoded(placed).decode())
        until(lambda: works(system, f"by-{schema}"), "the order works")


@pytest.mark.parametrize("schema", ["fix", "fixs"])
def test_a_client_trades_by_the_fix_endpoint_that_it_finds(system: Managed, schema: str) -> None:
    row = system.endpoints("SIM")[schema]
    assert urlsplit(row["endpoint_url"]).netloc == row["endpoint_host"]
    context = system.context() if schema == "fixs" else None
    with FixParty(row["endpoint_host"], comp_id=schema.upper(), context=context) as party:
        party.log_on((554, system.key))
        party.say("D", *fix_order(f"by-{schema}"))
        until(lambda: works(system, f"by-{schema}"), "the order works")
        party.log_out()


def test_who_comes_with_a_certificate_is_told_that_listener(system: Managed) -> None:
    asking = system.ems.endpoint["https_clients"]
    rows = system.ask("GET", f"{asking}/v1/endpoints?filter_exchange_id=SIM").json
    told = {row["endpoint_schema"]: row["endpoint_url"] for row in rows}
    assert told["https"] == asking
    assert told["wss"] == asking.replace("https", "wss") + "/v1/ws"
    plain = system.endpoints("SIM")
    assert plain["https"]["endpoint_url"] == system.ems.endpoint["https"]
    answer = system.ask("POST", f"{told['https']}/v1/orders", order("by-certificate"))
    assert answer.status == 200


def test_a_limited_key_finds_its_account_alone(system: Managed) -> None:
    alice = system.make_key("Alice1", "--account", "SIM/ALICE")
    rows = system.ask("GET", "/v1/endpoints", key=alice).json
    assert {row["exchange_id"] for row in rows} == {"SIM/ALICE"}


def test_no_call_takes_a_parameter_that_it_does_not_have(system: Managed) -> None:
    """Also not one that another call has: it would be left alone, and all be done instead of some."""
    before = system.ask("GET", "/v1/accounts").json
    calls = documented(system)
    assert ("DELETE", "/v1/accounts/all") in calls
    assert ("GET", "/v1/positions") in calls
    for method, path in calls:
        body = {} if method == "POST" else None
        answer = system.ask(method, f"{path}?exchange_idd=SIM", body)
        if path.endswith("/check"):
            assert answer.json["would_be_sent"] is False
        else:
            assert answer.status == 400, (method, path)
        assert "is not a parameter of this call" in answer.body.decode(), (method, path)
    assert system.ask("GET", "/v1/accounts").json == before
