"""GET /v1/usage: whose usage who is told, of which days and accounts."""

import pytest

from fairlead.control.usage import UsageAsked, Used
from tests.gateway.management.world import KEYS, Managed

pytestmark = pytest.mark.asyncio(loop_scope="module")
OTHERS = "flk_" + "A" * 22
ROW = Used(
    subscription="local",
    day="2026-11-27",
    kid=OTHERS,
    account="SIM",
    requests=3,
    orders=2,
    fix_ms=5,
)


async def asked(gateway: Managed, key: str, query: str = "") -> UsageAsked:
    gateway.book.asked.clear()
    answer = await gateway.ask("GET", "/v1/usage" + query, key)
    assert answer.status == 200, answer.json
    (found,) = gateway.book.asked
    return found


async def test_rows_are_told_as_they_are(gateway: Managed) -> None:
    gateway.book.rows = [ROW, Used(subscription="local", day="2026-11-26", kid=OTHERS, account="")]
    answer = await gateway.ask("GET", "/v1/usage", "manage")
    assert answer.json == [
        {
            "day": "2026-11-27",
            "key": OTHERS,
            "account": "SIM",
            "requests": 3,
            "orders": 2,
            "connected_websocket_ms": 0,
            "connected_fix_ms": 5,
        },
        {
            "day": "2026-11-26",
            "key": OTHERS,
            "account": None,
            "requests": 0,
            "orders": 0,
            "connected_websocket_ms": 0,
            "connected_fix_ms": 0,
        },
    ]


@pytest.mark.parametrize("key", KEYS)
async def test_of_others_only_who_may_manage_is_told(gateway: Managed, key: str) -> None:
    own = gateway.kids[key]
    assert (await asked(gateway, key)).kid == (None if key == "manage" else own)
    assert (await asked(gateway, key, f"?key={own}")).kid == own
    answer = await gateway.ask("GET", f"/v1/usage?key={OTHERS}", key)
    if key == "manage":
        assert gateway.book.asked[-1].kid == OTHERS
    else:
        assert answer.status == 403
        assert answer.json["message"].startswith("scope_missing: ")


async def test_a_key_of_some_accounts_is_told_of_these_alone(gateway: Managed) -> None:
    assert (await asked(gateway, "read")).accounts is None
    assert (await asked(gateway, "alice")).accounts == {"SIM/ALICE", ""}
    assert (await asked(gateway, "alice", "?account=SIM/ALICE")).accounts == {"SIM/ALICE"}
    refused = await gateway.ask("GET", "/v1/usage?account=SIM/EVE", "alice")
    assert refused.status == 403
    assert refused.json["message"].startswith("account_not_allowed: ")


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("", ("2026-10-28", "2026-11-27")),
        ("?from=2026-11-20", ("2026-11-20", "2026-11-27")),
        ("?to=2026-03-31", ("2026-03-01", "2026-03-31")),
        ("?from=2025-12-01&to=2026-12-01", ("2025-12-01", "2026-12-01")),
        ("?from=2024-02-29&to=2024-02-29", ("2024-02-29", "2024-02-29")),
    ],
)
async def test_days_are_the_last_ones_unless_told(
    gateway: Managed, query: str, days: tuple[str, str]
) -> None:
    found = await asked(gateway, "read", query)
    assert (found.subscription, found.day_first, found.day_last) == ("local", *days)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-11-28", "from"),
        ("from=2025-11-26", "from"),
        ("from=20261127", "from"),
        ("from=2026-W48-5", "from"),
        ("to=2026-02-30", "to"),
        ("to=", "to"),
        ("to=2026-11-27&to=2026-11-27", "to"),
        ("key=Bot1", "key"),
        ("key=flk_", "key"),
        ("account=sim", "account"),
        ("acount=SIM", "acount"),
        ("from=0001-01-01&to=0001-01-01&key=%FF", "query"),
    ],
)
async def test_what_is_wrong_is_named(gateway: Managed, query: str, field: str) -> None:
    answer = await gateway.ask("GET", f"/v1/usage?{query}", "manage")
    assert answer.status == 400
    assert answer.json["message"].startswith(field)


async def test_before_the_calendars_first_day_there_is_none(gateway: Managed) -> None:
    found = await asked(gateway, "read", "?to=0001-01-02")
    assert (found.day_first, found.day_last) == ("0001-01-01", "0001-01-02")


async def test_more_rows_than_can_be_told_are_refused(gateway: Managed) -> None:
    gateway.book.rows = [ROW] * 10_001
    answer = await gateway.ask("GET", "/v1/usage", "manage")
    assert (answer.status, answer.json["message"][:5]) == (400, "from:")
    gateway.book.rows = []


async def test_a_database_that_is_away_is_said_without_its_words(gateway: Managed) -> None:
    gateway.book.is_lost = True
    answer = await gateway.ask("GET", "/v1/usage", "manage")
    assert answer.status == 503
    assert "lost" not in answer.json["message"]
    gateway.book.is_lost = False
