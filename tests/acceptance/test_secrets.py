"""Secrets planted in every input of a running system that logs everything, and then looked for everywhere.

Three kinds: the secret of an API key, the private key of an exchange account, and the password of a
PostgreSQL database. They are where they belong, and in what callers send where they do not belong: found
must they be nowhere else. A client order id is the client's own word and kept as it is, so none is
planted there.
"""

import base64
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.sync.client import connect

from fairlead.config import ConfigError
from fairlead.config.loading import read
from fairlead.control.errors import ControlError
from fairlead.control.key_text import new_secret
from fairlead.control.store import Store
from tests.commands.terminal import Run, fairlead
from tests.fix_party import FixParty
from tests.fix_party import order as fix_order
from tests.system import QUICK, Answer, Api, Ems, encoded, order, running, until, write_config

HEADER = "X-CoinAPI-Key"
CREDENTIAL = "private-key-of-the-exchange-account-8fQ2"
PASSWORD = "password-of-the-control-database-7Lw4"
ACCOUNTS = [
    {
        "exchange_id": name,
        "parameters": {"PublicApiKey": name, "PrivateApiKey": CREDENTIAL},
    }
    for name in ("SIM", "SIM/ALICE")
]
SETTINGS = {
    **QUICK,
    "exchange.participants": False,
    "authentication": "keys",
    "log.level": "debug",
}
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
}


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
        return fairlead(*arguments, folder=self.folder, environment={"FAIRLEAD_API_KEY": self.key})

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


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    folder = tmp_path_factory.mktemp("planted")
    config = write_config(folder / "fairlead.toml", SETTINGS, ACCOUNTS)
    config.chmod(0o600)

    def make(label: str, *flags: str) -> str:
        made = fairlead("keys", "create", label, *flags, "--json", "--data", "data", folder=folder)
        secret: str = made.json["secret"]
        return secret

    key = make("Desk1", "--scope", "trade", "--scope", "manage")
    secret = make("Other1", "--scope", "trade")
    ems = Ems(folder / "data", config)
    with running(ems):
        ems.ready()
        with closing(Api(ems.endpoint["url"])) as api:
            system = Planted(folder, ems, key, secret, api)
            until(lambda: is_reconciled(system), "every account is reconciled, the key known")
            yield system


def is_reconciled(system: Planted) -> bool:
    answer = system.ask("GET", "/v1/operator/accounts")
    assert answer is not None
    return answer.status == 200 and all(each["reconciled"] for each in answer.json)


# ── planting ─────────────────────────────────────────────────────────────────────────────────────


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
    for path in ("/", "/v1/", "/v1/orders/status/", "/v1/orders/story/", "/v1/orders/history/"):
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


def plant_by_websocket(system: Planted, text: str) -> None:
    """Put `text` into address, headers and messages."""
    url = system.ems.endpoint["url"].replace("http", "ws") + "/v1/ws"
    for query in (f"?apikey={text}", f"?from=1:{text}", f"?from={text}:SIM", f"?{text}=1"):
        with suppress(OSError, InvalidHandshake), connect(url + query, proxy=None):
            pass
    headers = {HEADER: system.key}
    came: list[str] = []
    for query in ("", f"?from=1:{text}", f"?from={text}"):
        with (
            suppress(OSError, WebSocketException),
            connect(url + query, additional_headers=headers, proxy=None) as client,
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
    assert any("MESSAGE_REJECT" in each for each in came)


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


# ── looking ──────────────────────────────────────────────────────────────────────────────────────


def forms(secret: str) -> tuple[bytes, ...]:
    """Return how a secret may be written."""
    plain = secret.encode()
    return (
        plain,
        quote(secret, safe="").encode(),
        plain.hex().encode(),
        base64.b64encode(plain).rstrip(b"="),
        secret.encode("utf-16-le"),
        plain[: len(plain) // 2],  # cut off
    )


def places(system: Planted) -> Iterator[tuple[str, bytes]]:
    """Yield everything that is kept or told, by name."""
    for path in sorted(system.folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(system.folder)), path.read_bytes()
        if path.suffix == ".tar":
            with tarfile.open(path) as archive:
                for member in archive:
                    content = archive.extractfile(member)
                    assert content is not None
                    yield f"{path.name}/{member.name}", content.read()
    for name in ("cmdline", "environ"):
        yield name, Path(f"/proc/{system.ems.pid}/{name}").read_bytes()
    for path in ("/metrics", "/openapi.json", "/v1/operator/accounts", "/v1/usage"):
        answer = system.ask("GET", path)
        assert answer is not None
        yield path, answer.body
    for command in (("audit", "list"), ("fix-log",)):
        told = system.run(*command, "--data", "data")
        yield " ".join(command), (told.out + told.err).encode()


def found(contents: Mapping[str, bytes], secret: str) -> set[str]:
    """Return where a secret is."""
    written = forms(secret)
    return {name for name, content in contents.items() if any(each in content for each in written)}


def test_a_secret_is_found_in_each_way_of_writing() -> None:
    """The check can fail."""
    secret = new_secret()
    for form in forms(secret):
        assert found({"beside": b"." + form + b".", "else": b"fl_live_"}, secret) == {"beside"}


@pytest.mark.timeout(300)  # a dozen commands, each a process, on a machine that may be busy
def test_no_secret_is_anywhere_but_where_it_is_meant(planted: Planted) -> None:
    for text in planted.misplaced:
        answers = plant_by_rest(planted, text)
        assert {each.status for each in answers} & {200, 400, 401, 404} != set()
        plant_by_websocket(planted, text)
        plant_by_fix(planted, text)
        runs = plant_by_commands(planted, text)
        assert all(run.code != 0 for run in runs), runs
        if text == planted.secret:  # which is known by its form, and hidden on a terminal too
            assert not [run for run in runs if text[:20] in run.out + run.err]
    for query in (f"?apikey={planted.key}", f"?APIKEY={planted.key}&exchange_id=SIM"):
        planted.ask("GET", f"/v1/orders{query}", headers={HEADER: planted.key})
    backup = planted.run("backup", "backup.tar", "--data", "data", "--config", "fairlead.toml")
    assert backup.code == 0, backup
    contents = dict(places(planted))
    assert {"data/journal.sqlite", "data/control.sqlite-wal", "data.log"} <= contents.keys()
    for secret in (planted.key, planted.secret):
        assert found(contents, secret) == set()
    meant = {"fairlead.toml", "backup.tar", "backup.tar/fairlead.toml"}
    assert found(contents, CREDENTIAL) <= meant


# ── settings that are refused ────────────────────────────────────────────────────────────────────


def test_the_password_of_a_database_that_is_not_there_is_in_no_refusal(tmp_path: Path) -> None:
    url = f"postgresql://fairlead:{PASSWORD}@127.0.0.1:1/none"
    (tmp_path / "c.toml").write_text(f'authentication = "keys"\n[control]\nurl = "{url}"\n')
    for command in (
        ("up", "--data", "data", "--listen", "127.0.0.1:0", "--fix", "off"),
        ("keys", "list"),
        ("config", "show"),
        ("doctor", "--data", "data"),
    ):
        run = fairlead(*command, "--config", "c.toml", folder=tmp_path)
        assert run.out + run.err != ""
        assert PASSWORD not in run.out + run.err, command
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "c.toml":
            assert PASSWORD.encode() not in path.read_bytes(), path


REFUSED = {
    "port": f'control.url = "postgresql://fairlead:{PASSWORD}@127.0.0.1:no/none"',
    "other": f'control.url = "mysql://fairlead:{PASSWORD}@127.0.0.1/none"',
    "no URL": f'control.url = "{PASSWORD}"',
    "list": f'control.url = ["{PASSWORD}"]',
    "bracket": f'control.url = "postgresql://fairlead:{PASSWORD}@[::1/none"',
    "unknown": f'url = "postgresql://fairlead:{PASSWORD}@127.0.0.1/none"',
    "syntax": f'control.url = "postgresql://fairlead:{PASSWORD}@127.0.0.1/none',
    "more": f'{{PublicApiKey = "a", PrivateApiKey = "{PASSWORD}", Passphrase = "{PASSWORD}"}}',
    "of no kind": f'{{PublicApiKey = "a", PrivateApiKey = ["{PASSWORD}"]}}',
    "half": f'{{PrivateApiKey = "{PASSWORD}"}}',
    "array": f'["{PASSWORD}"]',
    "text": f'"{PASSWORD}"',
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_secret_is_in_no_finding_about_settings(tmp_path: Path, name: str) -> None:
    line = REFUSED[name]
    if not line.startswith(("control", "url")):
        line = f'[[accounts]]\nexchange_id = "SIM"\nparameters = {line}'
    (tmp_path / "c.toml").write_text(line)
    assert PASSWORD not in findings(tmp_path)


def findings(folder: Path) -> str:
    """Return everything that is said of the configuration, and of the database that it names."""
    try:
        config = read(folder / "c.toml", {}, {})
    except ConfigError as error:
        return f"{error} {error.findings}"
    assert config.control.url is not None
    with pytest.raises(ControlError) as refused:
        Store.open(folder, config.control.url.text)
    return f"{config} {refused.value} {refused.value.__cause__}"
