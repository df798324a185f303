"""Exchanges and locations, and that management asks for a key in every mode."""

import pytest

from tests.gateway.management.world import KEYS, REQUESTS_PER_S, Managed, managed

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATHS = ("/v1/exchanges", "/v1/locations")


@pytest.mark.parametrize("key", KEYS)
async def test_exchanges_say_what_a_login_needs(gateway: Managed, key: str) -> None:
    answer = await gateway.ask("GET", "/v1/exchanges", key)
    assert answer.status == 200
    assert answer.json == [
        {
            "exchange_id": "SIM",
            "location_id": "LOCAL",
            "required_parameters": ["PrivateApiKey", "PublicApiKey"],
        }
    ]


@pytest.mark.parametrize("key", KEYS)
async def test_every_exchange_is_at_a_location(gateway: Managed, key: str) -> None:
    answer = await gateway.ask("GET", "/v1/locations", key)
    assert answer.status == 200
    (local,) = answer.json
    assert local == {
        "location_id": "LOCAL",
        "region_name": "local",
        "provider_name": "self-hosted",
    }
    exchanges = (await gateway.ask("GET", "/v1/exchanges", key)).json
    assert {each["location_id"] for each in exchanges} == {local["location_id"]}


@pytest.mark.parametrize("path", PATHS)
async def test_a_key_is_asked_for_in_every_mode(gateway: Managed, path: str) -> None:
    for key in (None, "nonsense", "fl_live_"):
        answer = await gateway.ask("GET", path, key)
        assert (answer.status, answer.json) == (401, {"message": "Invalid API key"})
    secret = gateway.secrets["read"]
    assert (await gateway.ask("GET", f"{path}?apikey={secret}", None)).status == 200
    two = await gateway.ask("GET", f"{path}?apikey={secret}", "trade")
    assert two.status == 401


async def test_where_no_key_is_known_nobody_manages() -> None:
    async with managed(is_open=True, is_known=False) as gateway:
        for path in PATHS:
            answer = await gateway.ask("GET", path, "manage")
            assert (answer.status, answer.json) == (401, {"message": "Invalid API key"})


async def test_a_key_has_so_many_calls_in_a_second(gateway: Managed) -> None:
    for _ in range(REQUESTS_PER_S):
        assert (await gateway.ask("GET", "/v1/locations", "read")).status == 200
    answer = await gateway.ask("GET", "/v1/locations", "read")
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert answer.json["message"].startswith("rate_exceeded: ")
    assert (await gateway.ask("GET", "/v1/locations", "trade")).status == 200
    gateway.clock[0] += 1_000_000_000
    assert (await gateway.ask("GET", "/v1/locations", "read")).status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_reading_is_all_that_they_take(gateway: Managed, path: str) -> None:
    answer = await gateway.ask("DELETE", path, "read")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert (await gateway.ask("HEAD", path, "read")).status == 200
