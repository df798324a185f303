"""A system that asks for keys, on every listener that there is, and a client that starts from its URL."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from tests.certified import authority_in, issued
from tests.commands.terminal import fairlead
from tests.system import ACCOUNTS, QUICK, Answer, Ems, Json, encoded, running, until, write_config
from tests.tls.authorities import Desk

HEADER = "X-CoinAPI-Key"
SCOPES = ("trade", "manage")


class Managed(NamedTuple):
    """`key` may do everything, and so may who shows `certificate`, which is bound to it."""

    folder: Path
    ems: Ems
    key: str
    desk: Desk
    certificate: Path

    @property
    def url(self) -> str:
        """Where everything is found from."""
        return str(self.ems.endpoint["url"])

    def context(self, *, shows: bool = True) -> ssl.SSLContext:
        """TLS as a client of ours speaks it, with its certificate if it `shows` it."""
        made = ssl.create_default_context(cafile=self.desk.authorities)
        if shows:
            made.load_cert_chain(self.certificate)
        return made

    def ask(
        self, method: str, url: str, body: object = None, key: str | None = None, **headers: str
    ) -> Answer:
        """Ask by a whole URL, or a path of the system's; with `key`, or the one that may everything."""
        url = url if "://" in url else self.url + url
        sent = None if body is None else encoded(body)
        fields = {HEADER: self.key if key is None else key, **headers}
        if sent is not None:
            fields["Content-Type"] = "application/json"
        request = urllib.request.Request(url, sent, fields, method=method)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.context())
        )
        try:
            with opener.open(request, timeout=30) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, dict(refused.headers), refused.read())

    def endpoints(self, account: str) -> dict[str, Json]:
        """What the management URL says of an account, by schema."""
        answer = self.ask("GET", f"/v1/endpoints?filter_exchange_id={quote(account, safe='')}")
        assert answer.status == 200, answer
        return {row["endpoint_schema"]: row for row in answer.json}

    def make_key(self, label: str, *flags: str) -> str:
        """Make a key and wait until the system knows it."""
        secret = made_key(self.folder, label, *flags)
        until(
            lambda: self.ask("GET", "/v1/locations", key=secret).status == 200, "the key is known"
        )
        return secret


def made_key(folder: Path, label: str, *flags: str) -> str:
    run = fairlead("keys", "create", label, *flags, "--data", "data", "--json", folder=folder)
    assert run.code == 0, run
    secret: str = run.json["secret"]
    return secret


@contextmanager
def managed(
    folder: Path, accounts: Sequence[Json] = ACCOUNTS, **settings: object
) -> Iterator[Managed]:
    """Have such a system in `folder` until the end of the `with`."""
    data = folder / "data"
    data.mkdir(parents=True)
    desk = Desk(data, authority_in(data))
    config = write_config(
        folder / "fairlead.toml",
        QUICK | {"exchange.participants": False, "authentication": "keys"} | settings,
        accounts,
    )
    key = made_key(folder, "Desk1", *(word for scope in SCOPES for word in ("--scope", scope)))
    certificate = issued(folder, "Desk1").path
    flags = ("--tls", "--tls-clients", "--fix-tls")
    ems = Ems(data, config, *(word for flag in flags for word in (flag, "127.0.0.1:0")))
    system = Managed(folder, ems, key, desk, certificate)
    with running(ems):
        ems.ready()
        until(lambda: _is_reconciled(system), "every account is reconciled")
        yield system


def _is_reconciled(system: Managed) -> bool:
    accounts = system.ask("GET", "/health/ready").json["accounts"]
    return bool(accounts) and all(each["state"] == "reconciled" for each in accounts)
