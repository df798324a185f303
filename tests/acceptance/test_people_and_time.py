"""Limits of time, over the real calls of a started system whose clock a test moves ahead; none is relaxed."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import pytest

from fairlead.commands.keeping import owner
from fairlead.control.control import Control
from tests.person import EMAIL, PASSWORD, Person
from tests.system import ACCOUNTS, QUICK, Answer, Api, running, until, write_config
from tests.timed import TimedEms

MINUTE, HOUR, DAY = 60, 3_600, 86_400
ADD = {"action": "key.add", "payload": {"label": "Bot9"}}


class System(NamedTuple):
    ems: TimedEms
    ann: Person

    def totp(self) -> str:
        """Return what the authenticator shows next."""
        self.ems.advance(30)
        return self.ann.totp(self.ems.now_ns())

    def sign_in(self) -> None:
        """Sign in anew, by both factors."""
        form = {"email": EMAIL, "password": PASSWORD}
        assert self.ann.call("POST", "/v1/auth/sign-in", form).status == 200
        code = {"code": self.totp()}
        assert self.ann.call("POST", "/v1/auth/second-factor", code).status == 200

    def with_key(self, secret: str) -> Answer:
        with closing(Api(self.ems.endpoint["url"])) as api:
            return api.request("GET", "/v1/exchanges", headers={"X-CoinAPI-Key": secret})

    def subjects(self) -> list[str]:
        """Return what was written about keys that expire, the first letter first."""
        letters = self.ann.call("GET", "/v1/mail").json
        return [each["subject"] for each in reversed(letters) if "expires" in each["subject"]]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("time")
    config = write_config(folder / "fairlead.toml", QUICK, ACCOUNTS)
    with Control.open(folder / "data", None, None, "local", time.time_ns()) as control:
        token = control.users.first_link(owner(), time.time_ns())
    assert token is not None
    ems = TimedEms(folder / "data", config)
    with running(ems), Person(ems.ready().api()) as ann:
        ann.become(token)
        ann.enrol(ems.now_ns())
        yield System(ems, ann)


def test_codes_are_mailed_once_a_minute_and_five_times_an_hour(system: System) -> None:
    waits = []
    for _ in range(6):
        answer = system.ann.call("POST", "/v1/challenges", ADD)
        waits.append(int(answer.headers.get("retry-after", 0)))
        assert system.ann.call("POST", "/v1/challenges", ADD).status == 429
        system.ems.advance(MINUTE)
    assert waits[:5] == [0] * 5
    assert 54 * MINUTE < waits[5] <= 55 * MINUTE
    for _ in range(2):  # without being idle for too long
        system.ems.advance(27 * MINUTE)
        system.ann.call("GET", "/v1/me")
    system.ems.advance(MINUTE)
    assert system.ann.call("POST", "/v1/challenges", ADD).status == 201


def test_a_code_is_void_after_ten_minutes(system: System) -> None:
    system.sign_in()
    system.ems.advance(2 * MINUTE)
    path, code = system.ann.asked("key.add", label="Bot1")
    system.ems.advance(10 * MINUTE)
    late = system.ann.call("POST", path, {"code": code, "totp": system.totp()})
    assert (late.status, late.json["code"]) == (410, "challenge_over")


def test_a_session_ends_when_it_is_idle_and_after_twelve_hours(system: System) -> None:
    system.sign_in()
    system.ems.advance(29 * MINUTE)
    assert system.ann.call("GET", "/v1/me").status == 200
    system.ems.advance(30 * MINUTE)
    assert system.ann.call("GET", "/v1/me").status == 401
    system.sign_in()
    for _ in range(28):
        system.ems.advance(25 * MINUTE)
        assert system.ann.call("GET", "/v1/me").status == 200
    system.ems.advance(20 * MINUTE)  # twelve hours since
    assert system.ann.call("GET", "/v1/me").status == 401


def test_a_replaced_key_counts_for_its_overlap_and_no_longer(system: System) -> None:
    system.sign_in()
    old = system.ann.granted(system.totp(), "key.add", label="Old1")
    rotate = {"kid": old["kid"], "label": "New1", "overlap_hours": 2}
    new = system.ann.granted(system.totp(), "key.rotate", **rotate)
    until(lambda: system.with_key(new["secret"]).status == 200, "the new key is known")
    system.ems.advance(2 * HOUR - MINUTE)
    assert system.with_key(old["secret"]).status == 200
    system.ems.advance(MINUTE)
    ended = system.with_key(old["secret"])
    assert ended.status == 401
    assert b"key_expired" in ended.body
    assert system.with_key(new["secret"]).status == 200


def test_who_has_a_key_is_written_to_14_7_and_1_days_before_its_end(system: System) -> None:
    system.sign_in()
    before = len(system.subjects())
    system.ann.granted(system.totp(), "key.add", label="Ends1", expires_days=15)
    for days, when in ((2, "in 14 days"), (6, "in 7 days"), (6, "tomorrow")):
        system.ems.advance(days * DAY)
        system.sign_in()
        wanted = f"API key Ends1 expires {when}"
        until(lambda wanted=wanted: wanted in system.subjects(), wanted)  # type: ignore[misc]
    ours = [each for each in system.subjects()[before:] if "Ends1" in each]
    assert len(ours) == 3
