"""What the calls, parameters and fields of the management API mean, once, for document and page."""

CALLS: dict[str, str] = {
    "GET /v1/exchanges": "The exchanges, and what a login at each needs.",
    "GET /v1/locations": "Where the exchanges are connected from.",
    "GET /v1/endpoints": (
        "By which addresses the accounts are traded: one row per account and protocol, each as this client"
        " can use it; none without accounts."
    ),
    "GET /v1/usage": (
        "What keys have used by day, account and key, the newest day first: of one's own key, with scope"
        " manage of all of the subscription. At most 366 days and 10,000 rows."
    ),
}

PARAMETERS: dict[str, str] = {
    "filter_exchange_id": "only this account; may be given several times",
    "key": "only this key, by its public id flk_…",
    "account": "only this account",
    "from": "the first day of UTC, such as 2026-11-01; 30 days before `to` unless given",
    "to": "the last day, today unless given",
}

EXAMPLES: dict[str, object] = {
    "filter_exchange_id": ["SIM"],
}

_ACCOUNT = "the account"
_LOCATION = "where it is connected from, as in /v1/locations"

FIELDS: dict[str, dict[str, str]] = {
    "ExchangeLoginRequire": {
        "exchange_id": "the exchange",
        "location_id": _LOCATION,
        "required_parameters": "names of the parameters that an account there has, sorted",
    },
    "Locations": {
        "location_id": "its name",
        "region_name": "the region that it is in",
        "provider_name": "who runs the machines there",
    },
    "Usage": {
        "day": "the day, of UTC",
        "key": "the public id of the key",
        "account": "the account; null for what was about none, or about all",
        "requests": "requests that the key allowed",
        "orders": "orders that got their record; one that is sent again is none",
        "connected_websocket_ms": "time connected by WebSocket, over all connections",
        "connected_fix_ms": "time logged on by FIX, over all sessions",
    },
    "AccountEndpoint": {
        "exchange_id": _ACCOUNT,
        "location_id": _LOCATION,
        "endpoint_schema": "the protocol; https, wss and fixs are over TLS, fixs always with a certificate",
        "endpoint_host": "host and port",
        "endpoint_url": "the same as a URL: the base of REST paths, or where WebSocket is served",
    },
}
