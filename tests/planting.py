"""Secrets put into everything that a running system takes in, where they belong and where they do not.

A client order id is the client's own word and kept as it is, so none is planted there. `tests/acceptance`
looks for them afterwards.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import pyotp
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.sync.client import connect

from tests.commands.terminal import Run, fairlead
from tests.fix_party import FixParty
from tests.fix_party import order as fix_order
from tests.gateway.http2_client import Http2Client, client_context, http2
from tests.person import Person
from tests.system import Answer, Api, Ems, encoded, order

HEADER = "X-CoinAPI-Key"
CREDENTIAL = "8fQ2-private-key-of-the-exchange-account"
EMAIL = "ann@desk.example"
PEOPLES = ("3Wq9-is-what-ann-typed-first-of-all", "6Rt1-she-thought-of-after-lunch-only")
PHRASE = "5Yb7-phrase-against-false-letters"
HEADERS = (
    *("Authorization", "Cookie", "User-Agent", "Referer", "Origin", "Accept", "Accept-Language"),
    *("X-Forwarded-For", "Forwarded", "X-Request-Id", "Content-Type", "Content-Encoding", "Host"),
    *("X-Fairlead-Key", "X-Fairlead-Signature", "X-Fairlead-Nonce", "X-Fairlead-Timestamp"),
    *("Expect", "Range", "If-Match", "X-Api-Key", "Upgrade", "Sec-WebSocket-Protocol", HEADER),
)
READ = (
    *("/v1/orders", "/v1/balances", "/v1/positions", "/v1/accounts/reconciliation", "/metrics"),
    *("/v1/operator/accounts", "/v1/operator/attention", "/v1/operator/instruments"),
    *("/v1/exchanges", "/v1/locations", "/v1/endpoints", "/v1/usage", "/v1/orders/history"),
    *("/v1/accounts", "/v1/certificates", "/v1/certificate/crl"),
)
PARAMETERS = (
    *("exchange_id", "filter_exchange_id", "time_start", "time_end", "after", "limit", "key"),
    *("account", "from", "to", "apikey", "APIKEY", "secret"),
)
BODIES: Mapping[str, Mapping[str, object]] = {
    "/v1/orders": order("never"),
    "/v1/orders/check": order("never"),
    "/v1/orders/cancel": {"exchange_id": "SIM", "client_order_id": "never"},
    "/v1/orders/cancel/all": {"exchange_id": "SIM/ALICE"},
    "/v1/operator/mode": {"exchange_id": "SIM", "mode": "ACTIVE"},
    "/v1/operator/resolve": {
        "exchange_id": "SIM",
        "client_order_id": "never",
        "resolution": "CANCELED",
    },
    "/v1/accounts": {"exchange_id": "SIM/NEVER", "parameters": []},
    "/v1/certificate/csr": {"csr": "none"},
    "/v1/auth/sign-in": {"email": EMAIL, "password": "wrong"},
    "/v1/auth/first-user": {"token": "none", "email": EMAIL, "password": "wrong"},
    "/v1/auth/invitation": {"token": "none", "password": "wrong"},
    "/v1/auth/password/forgotten": {"email": "nobody@desk.example"},
    "/v1/auth/password/reset": {"email": EMAIL, "code": "1", "password": "wrong", "totp": "1"},
}
PATHS = (
    *("/", "/v1/", "/v1/orders/status/", "/v1/orders/story/", "/v1/orders/history/", "/console/"),
    *("/v1/certificates/", "/v1/keys/", "/v1/challenges/", "/v1/me/sessions/", "/v1/users/"),
)


class Planted(NamedTuple):
    """A running system. `key` authenticates; `secret` is another key's, put where it does not belong."""

    folder: Path
    ems: Ems
    key: str
    secret: str
    api: Api

    @property
    def misplaced(self) -> tuple[str, ...]:
        return (self.secret, CREDENTIAL)

    def run(self, *arguments: str) -> Run:
        known = {"FAIRLEAD_API_KEY": self.key, "FAIRLEAD_CONFIG": "fairlead.toml"}
        return fairlead(*arguments, folder=self.folder, environment=known)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer | None:
        """Ask; None where the connection was cut."""
        given = {HEADER: self.key} | dict(headers or {})
        with suppress(OSError, HTTPException):
            return self.api.request(method, path, body, given)
        return None


def plant_by_rest(system: Planted, text: str) -> list[Answer]:
    """Put `text` into every header, parameter, path and field; return the answers."""
    asked: list[Answer | None] = []
    for header in HEADERS:
        asked.append(system.ask("GET", "/v1/orders", headers={header: text}))
    asked.append(system.ask("GET", "/v1/orders", headers={f"X-{text}": "1"}))
    with suppress(ValueError):
        asked.append(system.ask(text, "/v1/orders"))
    for path in READ:
        asked += [system.ask("GET", f"{path}?{name}={text}") for name in PARAMETERS]
        asked.append(system.ask("GET", f"{path}?{text}=1"))
    asked.append(system.ask("DELETE", f"/v1/accounts?exchange_id={text}"))
    asked.append(system.ask("DELETE", f"/v1/certificates/{text}"))
    for path in PATHS:
        asked.append(system.ask("GET", f"{path}{text}"))
        asked.append(system.ask("GET", f"{path}{text}/{text}"))
    for path, body in BODIES.items():
        for field in [*(body.keys() - {"client_order_id"}), "secret", text]:
            asked.append(system.ask("POST", path, encoded({**body, field: text})))
            asked.append(system.ask("POST", path, encoded({**body, field: [text]})))
        asked.append(system.ask("POST", path, text.encode()))
        asked.append(system.ask("POST", path, encoded([text])))
    assert len([each for each in asked if each is not None]) > 200
    return [each for each in asked if each is not None]


def plant_by_websocket(system: Planted, text: str) -> list[str]:
    """Put `text` into address, headers and messages; return what was refused, and why."""
    url = system.ems.endpoint["url"].replace("http", "ws") + "/v1/ws"
    for query in (f"?apikey={text}", f"?from=1:{text}", f"?from={text}:SIM", f"?{text}=1"):
        with suppress(OSError, InvalidHandshake), connect(url + query, proxy=None):
            pass
    headers = {HEADER: system.key}
    came: list[str] = []
    for query in ("", f"?from=1:{text}", f"?from={text}"):
        with (
            suppress(OSError, WebSocketException),
            # Without a bound, or nothing more would be read, a pong neither, when it is reached.
            connect(url + query, additional_headers=headers, proxy=None, max_queue=None) as client,
        ):
            client.send(text)
            client.send(json.dumps({"type": text}))
            for kind in ("order_new_single_request", "order_cancel_single_request"):
                for field in [*(order("never").keys() - {"client_order_id"}), text]:
                    message = {"type": kind, **order("never"), field: text}
                    client.send(encoded(message).decode())
            client.ping().wait(20)
            with suppress(TimeoutError):
                while True:
                    came.append(str(client.recv(0)))
    rejected = [each for each in came if "MESSAGE_REJECT" in each]
    assert rejected
    return rejected


def plant_by_fix(system: Planted, text: str) -> None:
    """Put `text` into the fields that passwords and words belong in, and into those of an order."""
    for fields in (
        ((553, text), (554, system.key)),
        ((553, "user"), (554, text)),
        ((554, text), (925, text)),
        ((554, system.key), (553, text), (58, text)),
    ):
        stranger = FixParty(system.ems.endpoint["fix"], comp_id="STRANGER")
        with stranger, suppress(AssertionError):  # where it is no password, the connection ends
            stranger.log_on(*fields, is_reset=True)
    with FixParty(system.ems.endpoint["fix"], comp_id="DESK") as client:
        client.log_on((554, system.key), (58, text), is_reset=True)
        client.say("D", *fix_order("secret-text"), (58, text), (354, len(text)), (355, text))
        client.next_of("8")  # refused, since it is not for us to read that
        client.say("5", (58, text))
        client.wait_for_end()


def plant_by_commands(system: Planted, text: str) -> list[Run]:
    """Give `text` where a command refuses it."""
    return [
        system.run(*arguments)
        for arguments in (
            ("keys", "create", text, "--data", "data"),
            ("keys", "create", "Bot1", "--scope", text, "--data", "data"),
            ("keys", "create", "Bot1", "--account", text, "--data", "data"),
            ("keys", "revoke", text, "--data", "data"),
            ("certificates", "revoke", text, "--data", "data"),
        )
    ]


def plant_in_accounts(system: Planted, text: str) -> list[Answer | None]:
    """Put `text` wherever the parameters of an account can go wrong, but where they are right."""
    good = {"PublicApiKey": "never", "PrivateApiKey": "never-a-private-key"}
    bodies: list[object] = [
        {"exchange_id": "SIM/NEVER", "parameters": parameters}
        for parameters in (
            [*_pairs(good), {"key": text, "value": "x"}],
            [*_pairs(good), {"key": "PassPhrase", "value": text}],
            [{"key": "PublicApiKey", "value": f"{text} "}],
            [{"key": "PrivateApiKey", "value": [text]}, {"key": "PrivateApiKey", "value": text}],
            [{"key": "PublicApiKey", "value": "never", text: text}],
            {text: text},
        )
    ]
    return [system.ask("POST", "/v1/accounts", encoded(body)) for body in bodies]


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def plant_by_http2(system: Planted, text: str) -> list[bytes]:
    """Put `text` into headers, target and body over HTTP/2; return the answers' bodies."""

    async def plant(client: Http2Client) -> list[bytes]:
        asked = [client.request("GET", f"/v1/orders?{text}=1", (HEADER.lower(), system.key))]
        asked.append(client.request("GET", f"/{text}", (HEADER.lower(), text)))
        asked.append(client.request("GET", f"/v1/orders?apikey={text}"))
        for name in HEADERS:
            if name not in ("Host", "Upgrade", "Expect", HEADER):  # HTTP/2 has none of the first
                fields = ((HEADER.lower(), system.key), (name.lower(), text))
                asked.append(client.request("GET", "/v1/orders", *fields))
        await client.flush()
        answers = [(await client.answer(stream))[1] for stream in asked]
        for path, body in BODIES.items():
            content = encoded({**body, text: text})
            fields = ((HEADER.lower(), system.key), ("content-type", "application/json"))
            stream = client.request("POST", path, *fields, is_whole=False)
            client.connection.send_data(stream, content, end_stream=True)
            answers.append((await client.answer(stream))[1])
        return answers

    async def planted() -> list[bytes]:
        context = client_context(system.folder / "data/tls/ca.pem", "h2")
        async with http2(system.ems.endpoint["https"], context) as client:
            return await plant(client)

    return asyncio.run(planted())


class Peoples(NamedTuple):
    """What one user was told or typed. `codes` and `links` are in letters too, as is `phrase`."""

    secrets: tuple[str, ...]
    codes: tuple[str, ...]
    links: tuple[str, ...]


def live_as_a_user(system: Planted) -> Peoples:
    """Have a user come to be, sign in, enrol, make a key, forget the password: all of it once."""
    codes: list[str] = []
    with Person(system.ems.api()) as ann, Person(system.ems.api()) as thief:

        def letter() -> str:
            return str(ann.call("GET", "/v1/mail").json[0]["text"])

        def asked(action: str, **payload: object) -> str:
            said = ann.call("POST", "/v1/challenges", {"action": action, "payload": payload})
            assert said.status == 201, said
            code = re.search("Your code: ([0-9]{8})", letter())
            assert code is not None
            codes.append(code[1])
            return f"/v1/challenges/{said.json['challenge']}/confirm"

        link = system.run("users", "link", "--json", "--data", "data").json["token"]
        form = {"token": link, "email": EMAIL, "password": PEOPLES[0]}
        assert ann.call("POST", "/v1/auth/first-user", form).status == 201
        secrets = [*PEOPLES, *ann.credentials]
        assert ann.call("PATCH", "/v1/me", {"anti_phishing": PHRASE}).status == 200
        totp = str(ann.call("POST", "/v1/me/two-factor").json["secret"])
        confirm = asked("two_factor.enable", secret=totp)
        enabled = ann.call("POST", confirm, {"code": codes[-1], "totp": pyotp.TOTP(totp).now()})
        assert enabled.status == 200, enabled
        recovery = [str(each) for each in enabled.json["recovery_codes"]]
        secrets += [totp, *recovery, *ann.credentials]
        confirm = asked("key.add", label="Bot1", kind="hmac")
        assert ann.call("POST", confirm, {"code": codes[-1], "totp": "not-it"}).status >= 400
        added = ann.call("POST", confirm, {"code": codes[-1], "totp": recovery[0]})
        assert added.status == 201, added
        secrets.append(str(added.json["secret"]))
        confirm = asked("user.invite", email="bob@desk.example")
        assert ann.call("POST", confirm, {"code": codes[-1], "totp": recovery[3]}).status == 204
        invitation = re.search(r"/invitation[/#]+(\S+)", letter())
        assert invitation is not None
        changed = {"password": PEOPLES[0], "new_password": PEOPLES[1], "totp": recovery[1]}
        assert ann.call("POST", "/v1/me/password", changed).status < 300
        assert thief.call("POST", "/v1/auth/password/forgotten", {"email": EMAIL}).status == 202
        for form in (
            {"email": EMAIL, "password": totp},
            {"email": totp, "password": recovery[2]},
            {"email": EMAIL, "password": PEOPLES[0]},
            {"email": f"{PEOPLES[1]}@desk.example", "password": codes[0]},
        ):
            assert thief.call("POST", "/v1/auth/sign-in", form).status in (401, 422, 429), form
        for name in ("POST", "GET"):
            thief.call(name, f"/v1/challenges/{recovery[2]}/confirm", {"code": totp})
    return Peoples(tuple(secrets), tuple(codes), (link, invitation[1]))
