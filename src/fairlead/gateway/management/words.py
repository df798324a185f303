"""What the calls, parameters and fields of the management API mean, once, for document and page."""

CALLS: dict[str, str] = {
    "GET /v1/accounts": (
        "The accounts and their parameters. A secret is shown by its last four characters, one of fewer than"
        " 16 not at all."
    ),
    "POST /v1/accounts": (
        "Adds an account or replaces all its parameters; it is being connected when this returns. 405 names"
        " what is missing, unknown or malformed, and says it when the login is another account's already, or"
        " would change while orders are unsettled."
    ),
    "DELETE /v1/accounts": (
        "Deletes accounts, all that are named or none: their credentials are erased, their connections"
        " closed, their open orders left at the exchange."
    ),
    "DELETE /v1/accounts/all": "The same for every account that the key may manage.",
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
    "GET /v1/certificate/pem": (
        "A new certificate for the calling key, with a new private key: PUBLIC KEY, PRIVATE KEY (PKCS#8),"
        " CERTIFICATE. The private key is in this answer alone. Needs the scope manage."
    ),
    "POST /v1/certificate/csr": (
        "A certificate for the calling key and a private key that stays with the client. Needs the scope"
        " manage."
    ),
    "GET /v1/certificate/ca": "Who issues, and the root: what clients trust, in PEM.",
    "GET /v1/certificate/crl": "The list of revoked certificates, in PEM, signed now.",
    "GET /v1/certificates": (
        "The certificates of the calling key, of all keys for one that may manage; the newest first."
    ),
    "DELETE /v1/certificates/{fingerprint}": (
        "Revokes a certificate, for ever; when this is answered it counts nowhere any more. Needs the scope"
        " manage."
    ),
}

PARAMETERS: dict[str, str] = {
    "exchange_id": "the account to delete; may be given several times",
    "filter_exchange_id": "only this account; may be given several times",
    "key": "only this key, by its public id flk_…",
    "account": "only this account",
    "from": "the first day of UTC, such as 2026-11-01; 30 days before `to` unless given",
    "to": "the last day, today unless given",
    "fingerprint": "the SHA-256 of the certificate's DER bytes, in lower-case hex",
}

_REQUEST = """\
-----BEGIN CERTIFICATE REQUEST-----
MIG6MGICAQAwADBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABI2qb627GDHSGw9S
2DZJufEoHqFd65i3kd4vDUC76DiRM7wdVoo1uDAk0ZCEnNGQRzCrkIM/vbN8ZgVx
t0zZ0p+gADAKBggqhkjOPQQDAgNIADBFAiAVWLaTtoIqDA662mHubSlLZrFKMc9d
F43pfH9zBbL0gAIhAL7TNIqfv2Bg/63WSpjoV5Cp+APTiaqppSaN+tQbw/SQ
-----END CERTIFICATE REQUEST-----
"""

EXAMPLES: dict[str, object] = {
    "exchange_id": ["SIM/BOB"],
    "filter_exchange_id": ["SIM"],
    "AccountData": {
        "exchange_id": "SIM/BOB",
        "parameters": [
            {"key": "PublicApiKey", "value": "bob"},
            {"key": "PrivateApiKey", "value": "a-secret-of-bobs-own-7f3a"},
        ],
    },
    "CertificateRequest": {"csr": _REQUEST},
    "fingerprint": "0" * 64,
}

_ACCOUNT = "the account"
_LOCATION = "where it is connected from, as in /v1/locations"

FIELDS: dict[str, dict[str, str]] = {
    "KeyValue": {
        "key": "name of a parameter, as in /v1/exchanges",
        "value": "1 to 128 printable ASCII characters without spaces",
    },
    "GetAccount": {"exchange_id": _ACCOUNT, "parameters": "what its login has, secrets masked"},
    "AccountData": {"exchange_id": _ACCOUNT, "parameters": "all that its exchange asks for"},
    "AccountDone": {"exchange_id": _ACCOUNT, "message": "what was done, for people"},
    "AccountLeft": {
        "exchange_id": _ACCOUNT,
        "open_orders": "how many it has left at the exchange; they are found when the same login is back",
    },
    "AccountsDeleted": {
        "message": "what was done, for people",
        "accounts": "those that are deleted",
    },
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
    "ClientCertificate": {
        "fingerprint": "the SHA-256 of its DER bytes, in lower-case hex",
        "key": "the public id of its key",
        "serial": "its serial number, in hex",
        "state": "active, expired or revoked",
        "time_created": "when it was issued",
        "time_expires": "when it ends",
        "time_revoked": "when it was revoked; null while it is not",
    },
    "CertificateRequest": {
        "csr": "a request (PKCS#10) in PEM, signed by the private key; only its public key counts",
    },
}
