"""Secrets are planted in a running system that logs everything, and then looked for everywhere.

The secret of an API key, the private key of an exchange account, the password of a PostgreSQL database, and
all that a user knows or is told: password, codes, cookies, tokens, second factor. They are where they belong,
and in what callers send where they do not belong (`tests/planting.py`): found must they be nowhere else.
"""

import base64
import re
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from fairlead.config import ConfigError
from fairlead.config.loading import read
from fairlead.control import tls_files
from fairlead.control.control import Control
from fairlead.control.errors import ControlError
from fairlead.control.key_changes import Wanted
from fairlead.control.key_text import new_secret
from fairlead.control.keyring import Made
from fairlead.control.store import Store
from tests.commands.terminal import fairlead
from tests.planting import (
    CREDENTIAL,
    HEADER,
    PHRASE,
    Planted,
    live_as_a_user,
    plant_by_commands,
    plant_by_fix,
    plant_by_http2,
    plant_by_rest,
    plant_by_websocket,
    plant_in_accounts,
)
from tests.postgresql import running_server
from tests.system import ANY_PORT, QUICK, Api, Ems, encoded, order, running, until, write_config
from tests.tenanted import OWNER, subscribe

PASSWORD = "7Lw4-password-of-the-control-database"
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
TOLD = (
    "/metrics",
    "/openapi.json",
    "/v1/operator/accounts",
    "/v1/usage",
    "/v1/accounts",
    "/v1/keys",
)
COMMANDS = (
    *(("audit", "list"), ("fix-log",), ("doctor", "--json"), ("doctor",), ("users", "list")),
    *(("keys", "list"), ("accounts", "list"), ("config", "show"), ("mail", "--json")),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    if request.param == "sqlite":
        yield None
        return
    with running_server() as server:
        yield server.new_database().replace("://fairlead@", f"://fairlead:{PASSWORD}@")


@pytest.fixture
def planted(tmp_path: Path, database_url: str | None) -> Iterator[Planted]:
    settings = SETTINGS if database_url is None else {**SETTINGS, "control.url": database_url}
    config = write_config(tmp_path / "fairlead.toml", settings, ACCOUNTS)
    config.chmod(0o600)
    data = tmp_path / "data"
    data.mkdir()
    with Control.open(data, database_url, None, "local", time.time_ns()) as control:
        tls_files.init(control, data / "tls", (), OWNER, time.time_ns())
        desk = subscribe(control, "desk", {})
        login = [("PublicApiKey", "carol"), ("PrivateApiKey", CREDENTIAL)]
        desk.accounts.put(OWNER, "SIM/CAROL", login, time.time_ns(), may_change_login=False)
        key = made(control, "Desk1", "trade", "manage")
        secret = made(control, "Other1", "trade")
        others = made(desk, "Desk1", "trade")
    ems = Ems(data, config, "--tls", ANY_PORT)
    with running(ems):
        ems.ready()
        with closing(Api(ems.endpoint["url"])) as api:
            system = Planted(tmp_path, ems, key, secret, api)
            until(lambda: is_reconciled(system), "every account is reconciled, the key known")
            body = encoded(order("of-the-desk", exchange_id="SIM/CAROL"))
            headers = {HEADER: others}
            until(
                lambda: api.request("POST", "/v1/orders", body, headers).status == 200,
                "the other subscription trades too",
            )
            yield system


def made(control: Control, label: str, *scopes: str) -> str:
    result = control.keyring.create(
        OWNER, Wanted(label=label, scopes=scopes, days=1), time.time_ns()
    )
    assert isinstance(result, Made)
    return str(result.secret)


def is_reconciled(system: Planted) -> bool:
    answer = system.ask("GET", "/v1/operator/accounts")
    assert answer is not None
    return answer.status == 200 and all(each["reconciled"] for each in answer.json)


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


def places(system: Planted, url: str | None) -> Iterator[tuple[str, bytes]]:
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
    if url is not None:
        yield from rows(url)
    for pid in [system.ems.pid, *children(system.ems.pid)]:
        for name in ("cmdline", "environ"):
            yield f"{name} of {pid}", Path(f"/proc/{pid}/{name}").read_bytes()
    for told in TOLD:
        answer = system.ask("GET", told)
        assert answer is not None
        yield told, answer.body
    for command in COMMANDS:
        where = () if command[0] == "config" else ("--data", "data")
        said = system.run(*command, *where)
        yield " ".join(command), (said.out + said.err).encode()


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    found = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return [*found, *(each for child in found for each in children(child))]


def rows(url: str) -> Iterator[tuple[str, bytes]]:
    """Yield every table of a PostgreSQL database as its server keeps it, and what that tells of us."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        ).fetchall()
        assert ("control",) in tables
        for (table,) in tables:
            with connection.cursor().copy(f'COPY "{table}" TO STDOUT'.encode()) as copy:
                yield f"table {table}", b"".join(bytes(part) for part in copy)
        asked = connection.execute(
            "SELECT application_name, query FROM pg_stat_activity"
        ).fetchall()
        yield "pg_stat_activity", repr(asked).encode()


def found(contents: Mapping[str, bytes], secret: str) -> set[str]:
    """Return where a secret is."""
    written = forms(secret)
    return {name for name, content in contents.items() if any(each in content for each in written)}


def found_code(contents: Mapping[str, bytes], code: str) -> set[str]:
    """Return where a code of digits stands for itself, not within a longer number."""
    stands = re.compile(rb"(?<![0-9])" + code.encode() + rb"(?![0-9])").search
    return {name for name, content in contents.items() if stands(content)}


def test_a_secret_is_found_in_each_way_of_writing() -> None:
    """The check can fail."""
    secret = new_secret()
    for form in forms(secret):
        assert found({"beside": b"." + form + b".", "else": b"fl_live_"}, secret) == {"beside"}


@pytest.mark.timeout(300)  # a dozen commands, each a process, on a machine that may be busy
def test_no_secret_is_anywhere_but_where_it_is_meant(
    planted: Planted, database_url: str | None
) -> None:
    peoples = live_as_a_user(planted)
    for text in planted.misplaced:
        answers = plant_by_rest(planted, text)
        assert {each.status for each in answers} & {200, 400, 401, 404} != set()
        echoed = [each.body for each in [*answers, *plant_in_accounts(planted, text)] if each]
        echoed += plant_by_http2(planted, text)
        echoed += [each.encode() for each in plant_by_websocket(planted, text)]
        plant_by_fix(planted, text)
        runs = plant_by_commands(planted, text)
        assert all(run.code != 0 for run in runs), runs
        if text == planted.secret:  # which is known by its form, and hidden from its sender too
            assert not [run for run in runs if text[:20] in run.out + run.err]
            assert not [body for body in echoed if text[:20].encode() in body]
    for query in (f"?apikey={planted.key}", f"?APIKEY={planted.key}&exchange_id=SIM"):
        planted.ask("GET", f"/v1/orders{query}", headers={HEADER: planted.key})
    backup = planted.run("backup", "backup.tar", "--data", "data", "--config", "fairlead.toml")
    assert backup.code == 0, backup
    contents = dict(places(planted, database_url))
    assert {"data/journal.sqlite", "data.log", "backup.tar/fix.sqlite"} <= contents.keys()
    assert {"data/subscriptions/desk/journal.sqlite"} <= contents.keys()
    for secret in (planted.key, planted.secret, *peoples.secrets):
        assert found(contents, secret) == set(), secret
    meant = {"fairlead.toml", "backup.tar", "backup.tar/fairlead.toml"}
    assert found(contents, CREDENTIAL) <= meant
    assert found(contents, PASSWORD) <= meant
    letters = {"data/mail.jsonl", "mail --json"}
    for code in peoples.codes:
        assert found_code(contents, code) <= letters, code
    for link in peoples.links:
        assert found(contents, link) <= letters, link
    kept = {"data/control.sqlite", "data/control.sqlite-wal", "table users"}
    of_backup = {"backup.tar", "backup.tar/control.sqlite"}
    assert found(contents, PHRASE) <= letters | kept | of_backup


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
