"""What the calls, parameters and fields of the management API mean, once, for document and page."""

CALLS: dict[str, str] = {
    "GET /v1/exchanges": "The exchanges, and what a login at each needs.",
    "GET /v1/locations": "Where the exchanges are connected from.",
    "GET /v1/endpoints": (
        "By which addresses the accounts are traded: one row per account and protocol, each as this client"
        " can use it; none without accounts."
    ),
}

PARAMETERS: dict[str, str] = {
    "filter_exchange_id": "only this account; may be given several times",
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
    "AccountEndpoint": {
        "exchange_id": _ACCOUNT,
        "location_id": _LOCATION,
        "endpoint_schema": "the protocol; https, wss and fixs are over TLS, fixs always with a certificate",
        "endpoint_host": "host and port",
        "endpoint_url": "the same as a URL: the base of REST paths, or where WebSocket is served",
    },
}
