"""Kills of a running system while its control plane changes, and the judgement after each.

In each life accounts are added, updated and deleted, certificates issued and revoked, both over HTTP, while
the machine's owner makes keys and turns the vault's key over in another process. System and owner are
killed at moments of their own; then whatever was answered must stand, and what was not is whole or absent.
"""

import http.client
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import select

from fairlead.control import tls_files
from fairlead.control.control import Control
from fairlead.control.key_changes import Wanted
from fairlead.control.key_text import is_proven
from fairlead.control.keyring import Made
from fairlead.control.rotation import rotate
from fairlead.control.tables import ACCOUNTS, CERTIFICATES, KEYS, SUBSCRIPTIONS
from fairlead.core.requests import LOCAL
from tests.crash.owner import BEGUN, KEY, OWNER
from tests.system import (
    ANY_PORT,
    FAIRLEAD,
    QUICK,
    Answer,
    Api,
    Ems,
    encoded,
    running,
    until,
    write_config,
)

HEADER = "X-CoinAPI-Key"
ROOT = Path(__file__).parents[2]
ANSWERS = (1, 40)  # of the system, before it is killed a moment later
MOMENT_S = 0.03
ACCOUNTS_KEPT_MAX = 20  # so that a life begins soon
ACTIONS = (
    *("account.add", "account.update", "account.delete", "key.create"),
    *("certificate.issue", "certificate.revoke", "vault.rotate"),
)


class Told:
    """What was answered, up to the kill: that alone must stand."""

    def __init__(self) -> None:
        self.accounts: dict[str, str | None] = {}  # the private key that counts; None: deleted
        self.certificates: dict[str, bool] = {}  # whether it was revoked
        self.secrets: dict[str, str] = {}  # by kid
        self.unknown: set[str] = set()  # accounts and certificates that something was asked of


class Campaign:
    """One data folder, one control database, and life after life of the system upon them."""

    def __init__(
        self,
        folder: Path,
        url: str | None,
        seed: int,
        command: Sequence[str] = (FAIRLEAD,),
    ) -> None:
        self._url = url
        self._data = folder / "data"
        self._command = command
        self._random = Random(seed)
        self._told = Told()
        self._names = count()
        self._answers = 0
        self.done: Counter[str] = Counter()  # of the audit, in the end
        settings = QUICK | {"exchange.participants": False, "log.level": "warning"}
        self._config = write_config(
            folder / "fairlead.toml", settings | ({} if url is None else {"control.url": url}), []
        )
        self._data.mkdir()
        with self._control() as control:
            tls_files.init(control, self._data / "tls", (), OWNER, time.time_ns())
            wanted = Wanted(label="Manage1", scopes=("manage",), days=1)
            made = control.keyring.create(OWNER, wanted, time.time_ns())
            assert isinstance(made, Made)
            self._secret = str(made.secret)

    def run(self, kills: int) -> None:
        """Kill so many times; raises AssertionError when something is not as it must be."""
        ems = self._start()
        for _ in range(kills):
            with running(ems):
                self._judge(ems.ready())
                self._live(ems)
            ems = self._start()
        with running(ems):
            self._judge(ems.ready())

    # ── a life ───────────────────────────────────────────────────────────────────────────────────

    def _start(self) -> Ems:
        return Ems(self._data, self._config, "--tls-clients", ANY_PORT, command=self._command)

    def _live(self, ems: Ems) -> None:
        owner = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.owner", str(self._data), *self._url_words()],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert owner.stdout is not None
        try:
            assert owner.stdout.readline().split() == [BEGUN]
            seeds = [self._random.random() for _ in range(3)]
            threads = [
                threading.Thread(target=self._change_accounts, args=(ems, Random(seeds[0]))),
                threading.Thread(target=self._change_accounts, args=(ems, Random(seeds[1]))),
                threading.Thread(target=self._change_certificates, args=(ems,)),
            ]
            for thread in threads:
                thread.start()
            deaths: list[Callable[[], None]] = [owner.kill, ems.kill]
            self._random.shuffle(deaths)
            wanted = self._answers + self._random.randint(*ANSWERS)
            until(lambda: self._answers >= wanted, "the system has answered so often", 60)
            for die in deaths:  # at any moment of what goes on, which no condition names
                time.sleep(self._random.uniform(0, MOMENT_S))
                die()
            for thread in threads:
                thread.join()
        finally:
            owner.kill()
            said = owner.stdout.read()
            owner.stdout.close()
            owner.wait()
        for line in said.splitlines(keepends=True):
            kind, *words = line.split()
            if kind == KEY and line.endswith("\n"):
                self._told.secrets[words[0]] = words[1]

    def _change_accounts(self, ems: Ems, random: Random) -> None:
        told = self._told
        with closing(Api(ems.endpoint["url"])) as api:
            while True:
                name = f"SIM/A{next(self._names)}"
                told.unknown.add(name)
                for turn in range(random.randint(1, 3)):
                    secret = _secret(name, turn)
                    if not self._answered(api, "POST", "/v1/accounts", _account(name, secret)):
                        return
                    told.accounts[name] = secret
                if random.random() < 0.7:
                    path = f"/v1/accounts?exchange_id={quote(name, safe='')}"
                    if not self._answered(api, "DELETE", path):
                        return
                    told.accounts[name] = None
                told.unknown.discard(name)

    def _change_certificates(self, ems: Ems) -> None:
        told = self._told
        with closing(Api(ems.endpoint["url"])) as api:
            for turn in count():
                issued = self._answered(api, "GET", "/v1/certificate/pem")
                if issued is None:
                    return
                fingerprint = _fingerprint(issued)
                told.certificates[fingerprint] = False
                if turn % 4:  # a key has so many, and no more
                    told.unknown.add(fingerprint)
                    if not self._answered(api, "DELETE", f"/v1/certificates/{fingerprint}"):
                        return
                    told.certificates[fingerprint] = True
                    told.unknown.discard(fingerprint)

    def _answered(self, api: Api, method: str, path: str, body: object = None) -> Answer | None:
        """Ask; None when the system was killed before it answered."""
        sent = None if body is None else encoded(body)
        try:
            answer = api.request(method, path, sent, {HEADER: self._secret})
        except (OSError, http.client.HTTPException):
            return None
        assert answer.status == 200, (method, path, answer)
        self._answers += 1
        return answer

    # ── the judgement ────────────────────────────────────────────────────────────────────────────

    def _judge(self, ems: Ems) -> None:
        with self._control() as control:
            self._judge_stored(control)
            self._judge_rotation(control)
            until(lambda: self._is_listed(control), "the list says what is revoked")
            self._tidy(ems, control)
        shown = {
            row["exchange_id"]: row["parameters"]
            for row in self._ask(ems, "GET", "/v1/accounts").json
        }
        for name, secret in self._told.accounts.items():
            is_there = name in shown
            assert name in self._told.unknown or is_there == (secret is not None), (name, secret)
        with closing(ems.api()) as api:
            until(lambda: api.accounts().keys() == set(shown), "the edge has every account")
            # Where the secret was changed at once, the exchange knows another.
            told = self._told.accounts
            known = [name for name in shown if name in told and name not in self._told.unknown]
            firsts = [name for name in known if told[name] == _secret(name, 0)]
            until(lambda: all(api.accounts()[name]["reconciled"] for name in firsts), "they trade")
            for name in firsts[-1:]:
                placed = api.place(f"order-{time.time_ns()}", exchange_id=name)
                assert placed.status == 200, placed
                assert api.cancel(placed.json["client_order_id"], name).status == 200

    def _judge_stored(self, control: Control) -> None:
        """Whatever was answered stands, and everything that stands is whole and in the audit."""
        told = self._told
        verified = control.audit.verify()
        assert verified.holds, verified
        rows = [row for row in control.audit.last(1_000_000) if row.outcome == "done"]
        audited: dict[str, list[str]] = {action: [] for action in ACTIONS}
        for row in rows:
            if row.action in audited:
                audited[row.action].append(row.target)
        self.done = Counter(row.action for row in rows)

        versions = Counter(target for action in ACTIONS[:3] for target in audited[action])
        stored = {row["exchange_id"]: row for row in _rows(control, ACCOUNTS)}
        assert {name: row["version"] for name, row in stored.items()} == dict(versions)
        opened = {each.exchange_id: each.parameters for each in control.accounts.listed()}
        for name, parameters in opened.items():
            assert parameters.keys() == {"PublicApiKey", "PrivateApiKey"}
            if name not in told.unknown | {"SIM"}:  # which the system makes for itself
                assert parameters["PrivateApiKey"] == told.accounts[name], name
        for name, secret in told.accounts.items():
            assert name in told.unknown or (name in opened) == (secret is not None), name

        keys = {row["kid"]: row for row in _rows(control, KEYS)}
        assert sorted(keys) == sorted(audited["key.create"])
        proofs = {each.key.kid: each.proof for each in control.keyring.usable()}
        for kid, secret in told.secrets.items():
            proof = proofs[kid]
            assert proof == secret.encode() or is_proven(secret, proof), kid

        certificates = {row["fingerprint"]: row["state"] for row in _rows(control, CERTIFICATES)}
        assert sorted(certificates) == sorted(audited["certificate.issue"])
        revoked = {name for name, state in certificates.items() if state == "revoked"}
        assert revoked == set(audited["certificate.revoke"])
        for name, is_revoked in told.certificates.items():
            assert name in told.unknown or (name in revoked) == is_revoked, name

    def _is_listed(self, control: Control) -> bool:
        """Whether the file that handshakes look at says what the database says."""
        listed = x509.load_pem_x509_crl((self._data / "tls" / "revoked.pem").read_bytes())
        revoked = [row for row in _rows(control, CERTIFICATES) if row["state"] == "revoked"]
        return {each.serial_number for each in listed} == {
            int(row["serial"], 16) for row in revoked
        }

    def _judge_rotation(self, control: Control) -> None:
        """One that was interrupted goes on, and ends with one key."""
        rotated = rotate(control, OWNER, time.time_ns())
        assert {row["key_name"] for row in _rows(control, SUBSCRIPTIONS)} == {rotated.key_name}
        around = [each.name for each in self._data.parent.iterdir() if "key" in each.name]
        assert around == ["data.key"]

    def _tidy(self, ems: Ems, control: Control) -> None:
        """Take back what would become too much, and know again what was not answered."""
        told = self._told
        for certificate in control.certificates.listed():
            if certificate.revoked_ns is None:
                path = f"/v1/certificates/{certificate.fingerprint}"
                assert self._ask(ems, "DELETE", path).status == 200
            told.certificates[certificate.fingerprint] = True
        names = [each.exchange_id for each in control.accounts.listed()]
        told.accounts.update(
            {name: told.accounts.get(name) or "unknown" for name in told.unknown & set(names)}
        )
        gone = told.unknown.intersection(told.accounts).difference(names)
        told.accounts.update(dict.fromkeys(gone))  # deleted, and nobody was told
        if len(names) > ACCOUNTS_KEPT_MAX:
            assert self._ask(ems, "DELETE", "/v1/accounts/all").status == 200
            told.accounts.update(dict.fromkeys(names))
            told.unknown.clear()

    # ── ways ─────────────────────────────────────────────────────────────────────────────────────

    def _control(self) -> Control:
        return Control.open(self._data, self._url, None, LOCAL, time.time_ns())

    def _url_words(self) -> list[str]:
        return [] if self._url is None else [self._url]

    def _ask(self, ems: Ems, method: str, path: str) -> Answer:
        with closing(ems.api()) as api:
            return api.request(method, path, None, {HEADER: self._secret})


def _account(name: str, secret: str) -> dict[str, object]:
    values = {"PublicApiKey": f"public-{name}", "PrivateApiKey": secret}
    return {
        "exchange_id": name,
        "parameters": [{"key": key, "value": value} for key, value in values.items()],
    }


def _secret(name: str, turn: int) -> str:
    return f"private-key-{turn}-of-{name}"


def _fingerprint(issued: Answer) -> str:
    certificate = x509.load_pem_x509_certificate(issued.body)
    return certificate.fingerprint(SHA256()).hex()


def _rows(control: Control, table: Any) -> list[dict[str, Any]]:
    with control.store.read() as connection:
        return [row._asdict() for row in connection.execute(select(table))]
