"""People on a running system: made by the owner's link, signed in, invited, gone; beside open trading."""

import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pyotp
import pytest

from tests.commands.terminal import Run, fairlead
from tests.person import EMAIL, PASSWORD, Person
from tests.system import ACCOUNTS, QUICK, Ems, encoded, running, until, write_config


class System(NamedTuple):
    folder: Path
    ems: Ems

    def run(self, *arguments: str) -> Run:
        done = fairlead(*arguments, "--data", "data", folder=self.folder)
        assert done.code == 0, done
        return done


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("people")
    config = write_config(folder / "fairlead.toml", {**QUICK, "log.level": "debug"}, ACCOUNTS)
    ems = Ems(folder / "data", config, log_path=folder / "log")
    with running(ems):
        ems.reconciled()
        yield System(folder, ems)


def test_from_the_owners_link_to_a_second_user(system: System) -> None:
    with Person(system.ems.api()) as ann, Person(system.ems.api()) as bob:
        assert ann.call("GET", "/v1/auth/state").json["needs_first_user"] is True
        token = system.run("users", "link", "--json").json["token"]
        form = {"token": token, "email": EMAIL, "password": PASSWORD}
        assert ann.call("POST", "/v1/auth/first-user", form).status == 201
        assert bob.call("POST", "/v1/auth/first-user", form).status == 404
        assert ann.call("GET", "/v1/me").json["email"] == EMAIL
        (shown,) = system.run("users", "list", "--json").json
        assert shown["email"] == EMAIL

        invite = {"action": "user.invite", "payload": {"email": "bob@desk.example"}}
        assert ann.call("POST", "/v1/challenges", invite).status == 403  # a session is not enough
        ann.enrol(time.time_ns())
        path, code = asked(ann, system, "user.invite", email="bob@desk.example")
        codes = {"code": code, "totp": ann.recovery_codes[0]}
        assert ann.call("POST", path, codes).status == 204
        letter = system.run("mail", "--last", "1", "--json").json
        found = re.search(r"http://127\.0\.0\.1:\d+/console/invitation#(\S+)", letter["text"])
        assert found is not None
        accepted = {"token": found[1], "password": PASSWORD}
        assert bob.call("POST", "/v1/auth/invitation", accepted).status == 201
        assert bob.call("GET", "/v1/mail").json[0]["to"] == "bob@desk.example"
        system.run("users", "remove", "bob@desk.example")
        assert bob.call("GET", "/v1/me").status == 401
        assert ann.call("POST", "/v1/auth/sign-out").status == 204
        assert ann.call("GET", "/v1/me").status == 401
        again = {"email": EMAIL, "password": PASSWORD}
        assert ann.call("POST", "/v1/auth/sign-in", again).status == 200
        second = {"code": ann.recovery_codes[1]}
        assert ann.call("POST", "/v1/auth/second-factor", second).status == 200

        log = (system.folder / "log").read_text()
        for secret in (token, found[1], PASSWORD, code, *ann.recovery_codes):
            assert secret not in log


def asked(person: Person, system: System, action: str, **payload: object) -> tuple[str, str]:
    """Ask for something; return where to confirm it, and the code that was mailed."""
    said = person.call("POST", "/v1/challenges", {"action": action, "payload": payload})
    assert said.status == 201, said
    letter = system.run("mail", "--last", "1", "--json").json["text"]
    code = re.search("Your code: ([0-9]{8})", letter)
    assert code is not None
    return f"/v1/challenges/{said.json['challenge']}/confirm", code[1]


def test_a_key_by_both_codes_opens_the_api_until_it_is_disabled(system: System) -> None:
    """The recovery code stands in for a code of a later step, for which a test would have to wait."""
    with Person(system.ems.api()) as carl, closing(system.ems.api()) as api:
        token = system.run("users", "invite", "carl@desk.example", "--json").json["token"]
        accepted = {"token": token, "password": PASSWORD}
        assert carl.call("POST", "/v1/auth/invitation", accepted).status == 201
        new = carl.call("POST", "/v1/me/two-factor").json
        path, code = asked(carl, system, "two_factor.enable", secret=new["secret"])
        totp = pyotp.TOTP(new["secret"]).now()
        enabled = carl.call("POST", path, {"code": code, "totp": totp})
        assert enabled.status == 200, enabled
        path, code = asked(carl, system, "key.add", label="Bot1")
        recovery = enabled.json["recovery_codes"][0]
        added = carl.call("POST", path, {"code": code, "totp": recovery})
        assert added.status == 201, added
        header = {"X-CoinAPI-Key": added.json["secret"]}

        def status() -> int:
            return api.request("GET", "/v1/exchanges", headers=header).status

        until(lambda: status() == 200, "the new key is known")
        kid = added.json["kid"]
        path = f"/v1/keys/{kid}"
        shown = carl.call("GET", path).json
        assert (shown["open_sessions"], shown["open_orders"]) == (0, 0)
        until(lambda: carl.call("GET", path).json["last_used"] is not None, "its use is kept")
        (use,) = {
            (use["protocol"], use["address"]) for use in carl.call("GET", f"{path}/activity").json
        }
        assert use == ("rest", "127.0.0.1")
        assert (
            carl.call("POST", f"/v1/keys/{kid}/disable", {"password": PASSWORD}).json["state"]
            == "disabled"
        )
        assert status() == 401, "the key is taken back at once"
    assert added.json["secret"] not in (system.folder / "log").read_text()


def test_a_person_is_no_caller_and_a_page_of_others_no_person(system: System) -> None:
    foreign = {"Origin": "https://eve.example"}
    body = encoded({"email": EMAIL, "password": PASSWORD})
    with Person(system.ems.api()) as person, closing(system.ems.api()) as api:
        assert person.call("GET", "/v1/exchanges").status == 401
        assert person.call("GET", "/v1/users").status == 401
        assert api.request("POST", "/v1/auth/sign-in", body, foreign).status == 403
