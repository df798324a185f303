"""Which addresses a client is told, and of which accounts."""

import json

import pytest

from fairlead.control.addresses import read_address
from fairlead.control.key_text import hash_of, new_secret
from fairlead.control.keys import Scope, Usable
from fairlead.core.model import AccountMode
from fairlead.core.replies import AccountsReply, AccountState, Reply
from fairlead.core.requests import Request
from fairlead.gateway.answers import Call
from fairlead.gateway.callers import Access
from fairlead.gateway.management.endpoints import EndpointsApi, Listener
from tests.gateway.management.world import Managed, api_key
from tests.gateway.scripted_edge import ScriptedEdge

pytestmark = pytest.mark.asyncio(loop_scope="module")
ACCOUNTS = ("SIM", "SIM/ALICE", "SIM~a.b:c")


def accounts(*names: str) -> AccountsReply:
    return AccountsReply(
        tuple(
            AccountState(name, AccountMode.ACTIVE, True, True, True, None, 1, 0, 0, None, None)
            for name in names
        )
    )


def has(gateway: Managed, *names: str) -> None:
    gateway.edge.script = lambda _: accounts(*names)


async def test_one_row_per_account_and_protocol(gateway: Managed) -> None:
    has(gateway, *ACCOUNTS)
    answer = await gateway.ask("GET", "/v1/endpoints", "read")
    assert answer.status == 200
    schemas = ["http", "ws", "https", "wss", "fix", "fixs"]
    found = [(row["exchange_id"], row["endpoint_schema"]) for row in answer.json]
    assert found == [(account, schema) for account in ACCOUNTS for schema in schemas]
    assert {row["location_id"] for row in answer.json} == {"LOCAL"}
    assert list(answer.json[0]) == [
        "exchange_id",
        "location_id",
        "endpoint_schema",
        "endpoint_host",
        "endpoint_url",
    ]


async def test_a_client_is_told_names_that_it_can_use(gateway: Managed) -> None:
    has(gateway, "SIM")
    rows = (await gateway.ask("GET", "/v1/endpoints", "read")).json
    port = gateway.address[1]
    assert [row["endpoint_url"] for row in rows] == [
        f"http://localhost:{port}",  # as it called us
        f"ws://localhost:{port}/v1/ws",
        "https://10.0.0.5:3443",  # not the address that it came to: as it is
        "wss://10.0.0.5:3443/v1/ws",
        "fix://[::1]:3401",
        "fixs://localhost:3301",  # everywhere, so also where it came to
    ]
    assert all(row["endpoint_host"] in row["endpoint_url"] for row in rows)


async def test_without_accounts_there_are_none(gateway: Managed) -> None:
    has(gateway)
    answer = await gateway.ask("GET", "/v1/endpoints", "read")
    assert (answer.status, answer.json) == (200, [])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("filter_exchange_id=SIM", ["SIM"]),
        ("filter_exchange_id=SIM%2FALICE&filter_exchange_id=SIM", ["SIM", "SIM/ALICE"]),
        ("filter_exchange_id=SIM~a.b:c", ["SIM~a.b:c"]),
        ("filter_exchange_id=SIM/BOB", []),
        ("filter_exchange_id=SIM/BOB&filter_exchange_id=SIM", ["SIM"]),
    ],
)
async def test_a_filter_names_whole_accounts(
    gateway: Managed, query: str, expected: list[str]
) -> None:
    has(gateway, *ACCOUNTS)
    rows = (await gateway.ask("GET", f"/v1/endpoints?{query}", "read")).json
    assert list(dict.fromkeys(row["exchange_id"] for row in rows)) == expected


async def test_a_misspelt_filter_is_refused_by_its_name(gateway: Managed) -> None:
    answer = await gateway.ask("GET", "/v1/endpoints?exchange_id=SIM", "read")
    assert answer.status == 400
    assert answer.json["errors"] == (
        "exchange_id: is not a parameter of this call, its parameters are filter_exchange_id;"
        " did you mean filter_exchange_id?"
    )


@pytest.mark.parametrize("wrong", ["", "sim", "SIM/", "SIM%20", "SIM%00", "%FF"])
async def test_a_filter_that_is_no_account_is_named(gateway: Managed, wrong: str) -> None:
    answer = await gateway.ask("GET", f"/v1/endpoints?filter_exchange_id={wrong}", "read")
    assert answer.status == 400
    assert answer.json["title"] == "One or more validation errors occurred."


async def test_a_limited_key_sees_its_accounts_alone(gateway: Managed) -> None:
    has(gateway, *ACCOUNTS)
    for query in ("", "?filter_exchange_id=SIM&filter_exchange_id=SIM/ALICE"):
        rows = (await gateway.ask("GET", f"/v1/endpoints{query}", "alice")).json
        assert {row["exchange_id"] for row in rows} == {"SIM/ALICE"}
    assert (await gateway.ask("GET", "/v1/endpoints?filter_exchange_id=SIM", "alice")).json == []


async def test_an_edge_that_stops_can_be_asked_again(gateway: Managed) -> None:
    def stopped(_: Request) -> Reply:
        raise ConnectionError

    gateway.edge.script = stopped
    answer = await gateway.ask("GET", "/v1/endpoints", "read")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


# ── which of several listeners, and its name ─────────────────────────────────────────────────────

HERE = ("127.0.0.1", 3080)
TLS = Listener("https", "127.0.0.1", 3443)
ASKING = Listener("https", "127.0.0.1", 3444, asks=True)


async def told(
    listeners: list[Listener],
    server: tuple[str, int] | None,
    host: bytes | None,
    public_url: str | None = None,
    name: str = "endpoint_host",
) -> list[str]:
    edge = ScriptedEdge()
    edge.script = lambda _: accounts("SIM")
    access, secret = Access(lambda: 0), new_secret()
    access.replace([Usable(api_key((Scope.READ,), None), hash_of(secret))])
    caller = access.identify(secret, read_address("127.0.0.1"))
    api = EndpointsApi(listeners, lambda _: edge, access, lambda: "trace", public_url)
    headers = () if host is None else ((b"host", host),)
    call = Call("GET", b"", b"", "1.1", b"", b"", caller, headers, server)
    rows = json.loads((await api.endpoints(call)).body)
    return [row[name] for row in rows if not row["endpoint_schema"].startswith("ws")]


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (HERE, "ems.example:3443"),
        (("127.0.0.1", 3444), "ems.example:3444"),
        (("127.0.0.1", 3443), "ems.example:3443"),
        (None, "127.0.0.1:3443"),
    ],
    ids=["in the clear", "with a certificate", "over TLS", "from nowhere"],
)
async def test_a_client_is_told_the_tls_listener_that_it_came_by(
    server: tuple[str, int] | None, expected: str
) -> None:
    assert await told([ASKING, TLS], server, b"ems.example") == [expected]


@pytest.mark.parametrize(
    ("public_url", "host", "url"),
    [
        ("https://ems.desk.example", "ems.desk.example:443", "https://ems.desk.example:443"),
        ("http://ems.desk.example", "ems.desk.example:80", "http://ems.desk.example:80"),
        ("https://[2001:db8::1]:8443", "[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
    ids=["https", "http", "IPv6 and a port"],
)
async def test_behind_a_proxy_clients_are_told_its_address(
    public_url: str, host: str, url: str
) -> None:
    listeners = [Listener("http", *HERE), TLS, Listener("fix", "10.0.0.5", 3401)]
    named = b"ems.desk.example"
    assert await told(listeners, HERE, named, public_url) == [host, "10.0.0.5:3401"]
    assert (await told(listeners, HERE, named, public_url, "endpoint_url"))[0] == url


async def test_where_every_tls_listener_asks_for_a_certificate_it_is_told_that_one() -> None:
    assert await told([ASKING], HERE, b"localhost:3080") == ["localhost:3444"]


@pytest.mark.parametrize(
    ("listening", "came_to", "host", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", b"localhost:3080", "localhost"),
        ("127.0.0.1", "127.0.0.1", b"LocalHost", "localhost"),
        ("127.0.0.1", "127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "::ffff:127.0.0.1", b"desk:1", "desk"),
        ("0.0.0.0", "10.0.0.5", b"ems.example:80", "ems.example"),
        ("0.0.0.0", "10.0.0.5", None, "10.0.0.5"),
        ("::", "::ffff:10.0.0.5", None, "10.0.0.5"),
        ("::", "2001:db8::5", None, "[2001:db8::5]"),
        ("::1", "::1", b"[::1]:3080", "[::1]"),
        ("10.0.0.5", "127.0.0.1", b"localhost:3080", "10.0.0.5"),
        ("2001:db8::5", "127.0.0.1", b"localhost:3080", "[2001:db8::5]"),
    ],
)
async def test_an_address_is_called_as_the_client_calls_it_where_it_is_that_one(
    listening: str, came_to: str, host: bytes | None, expected: str
) -> None:
    fix = Listener("fix", listening, 3401)
    assert await told([fix], (came_to, 3080), host) == [f"{expected}:3401"]
