"""A system that asks nobody, and who shows a credential all the same: held to it, by every protocol."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from fairlead.control.control import Control
from fairlead.control.key_changes import Wanted
from fairlead.control.key_text import new_secret
from fairlead.control.keyring import Made
from fairlead.control.keys import Act, Kind
from tests.acceptance.test_authentication import until_message
from tests.control.conftest import OWNER
from tests.fix.spoken import Field
from tests.fix_party import FixParty
from tests.fix_party import order as fix_order
from tests.signing import signed
from tests.system import (
    ACCOUNTS,
    QUICK,
    Answer,
    Api,
    Ems,
    encoded,
    order,
    running,
    until,
    write_config,
)

LABELS = {"Read1": "read", "Trade1": "trade", "Gone1": "trade"}


class Open(NamedTuple):
    """The system; keys by label: public id and secret."""

    ems: Ems
    keys: dict[str, tuple[str, str]]
    control: Control

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(Api(self.ems.endpoint["url"])) as api:
            return api.request(method, path, body, sent)

    def stream(self, **headers: str) -> ClientConnection:
        url = self.ems.endpoint["url"].replace("http", "ws") + "/v1/ws"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return connect(url, additional_headers=sent, proxy=None)

    def signed(self, label: str, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        kid, secret = self.keys[label]
        host = self.ems.endpoint["url"].removeprefix("http://")
        return signed(kid, secret, method, host, path, body)

    def takes_signed(self) -> bool:
        path = "/v1/orders"
        return self.ask("GET", path, **self.signed("HmacTrade1", "GET", path)).status == 200


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    folder = tmp_path_factory.mktemp("open")
    settings = {**QUICK, "exchange.participants": False}
    config = write_config(folder / "fairlead.toml", settings, ACCOUNTS)
    with Control.open(folder / "data", None, None, "local", time.time_ns()) as control:
        keys = {}
        for kind in (Kind.BEARER, Kind.HMAC):
            for label, scope in LABELS.items():
                name = label if kind is Kind.BEARER else f"Hmac{label}"
                wanted = Wanted(label=name, kind=kind, scopes=(scope,), days=1)
                made = control.keyring.create(OWNER, wanted, time.time_ns())
                assert isinstance(made, Made)
                assert made.secret is not None
                keys[name] = made.key.kid, made.secret
                if label == "Gone1":
                    control.keyring.move(OWNER, name, Act.REVOKE, time.time_ns())
        keys["Nobody"] = keys["HmacNobody"] = "flk_" + "N" * 22, new_secret()
        ems = Ems(folder / "data", config)
        with running(ems):
            ems.ready().reconciled()
            system = Open(ems, keys, control)
            until(system.takes_signed, "requests are taken that were signed after the start")
            yield system


# What becomes of an order, and of a question.
OUTCOMES = {"Nobody": (401, 401), "Gone1": (401, 401), "Read1": (403, 200), "Trade1": (200, 200)}
by_key = pytest.mark.parametrize("label", OUTCOMES)


@by_key
@pytest.mark.parametrize("way", ["header", "query", "signature"])
def test_a_key_that_is_shown_by_rest_counts(system: Open, label: str, way: str) -> None:
    secret = system.keys[label][1]
    body = encoded(order(f"{way}-{label}"))
    asked = [("POST", "/v1/orders", body), ("GET", "/v1/orders", b"")]
    for (method, path, sent), expected in zip(asked, OUTCOMES[label], strict=True):
        headers = {}
        if way == "header":
            headers = {"X-CoinAPI-Key": secret}
        elif way == "query":
            path += f"?apikey={secret}"
        else:
            headers = system.signed(f"Hmac{label}", method, path, sent)
        answer = system.ask(method, path, sent or None, **headers)
        assert answer.status == expected, answer
        if expected == 401:
            assert answer.json == {"message": "Invalid API key"}
        elif expected == 403:
            assert "scope_missing" in answer.json["message"]
    placed = system.ask("GET", f"/v1/orders/status/{way}-{label}").status == 200
    assert placed == (OUTCOMES[label][0] == 200)


@by_key
@pytest.mark.parametrize("way", ["header", "signature"])
def test_a_key_that_is_shown_by_websocket_counts(system: Open, label: str, way: str) -> None:
    headers = {"X-CoinAPI-Key": system.keys[label][1]}
    if way == "signature":
        headers = system.signed(f"Hmac{label}", "GET", "/v1/ws")
        del headers["Host"]  # as the client writes it itself
    if OUTCOMES[label][1] == 401:
        with pytest.raises(InvalidStatus) as refused:
            system.stream(**headers)
        assert refused.value.response.status_code == 401
        return
    with system.stream(**headers) as stream:
        for _ in ACCOUNTS:
            until_message(stream, "POSITION_SNAPSHOT")
        request = order(f"ws-{way}-{label}") | {"type": "ORDER_NEW_SINGLE_REQUEST"}
        stream.send(encoded(request).decode())
        if OUTCOMES[label][0] == 200:
            assert until_message(stream, "ORDER_EXEC_REPORT_UPDATE")["exchange_id"] == "SIM"
        else:
            reject = until_message(stream, "MESSAGE_REJECT")
            assert "scope_missing" in str(reject)


@by_key
def test_a_key_that_is_shown_by_fix_counts(system: Open, label: str) -> None:
    kid, secret = system.keys[label]
    with FixParty(system.ems.endpoint["fix"], comp_id=f"OPEN.{label.upper()}") as party:
        if OUTCOMES[label][1] == 401:
            with pytest.raises(AssertionError, match="the connection ended"):
                party.log_on((553, kid), (554, secret))
            return
        party.log_on((553, kid), (554, secret))
        party.say("D", *fix_order(f"fix-{label}"))
        if OUTCOMES[label][0] == 200:
            party.report(f"fix-{label}", "0")
        else:
            assert "scope_missing" in party.next_of("j")[58]
        party.log_out()


@pytest.mark.parametrize("number", range(3))
def test_half_a_credential_by_fix_is_a_wrong_one(system: Open, number: int) -> None:
    trade, read = system.keys["Trade1"], system.keys["Read1"]
    fields: tuple[Field, ...] = [
        ((553, trade[0]),),
        ((553, "desk"), (554, trade[1])),
        ((553, read[0]), (554, trade[1])),
    ][number]
    with (
        FixParty(system.ems.endpoint["fix"], comp_id=f"HALF{number}") as party,
        pytest.raises(AssertionError, match="the connection ended"),
    ):
        party.log_on(*fields)


def test_who_shows_nothing_or_an_empty_key_is_let_through(system: Open) -> None:
    body = encoded(order("nobody-1"))
    assert system.ask("POST", "/v1/orders?apikey=", body, X_CoinAPI_Key="").status == 200
    assert system.ask("GET", "/v1/orders").status == 200
    with FixParty(system.ems.endpoint["fix"], comp_id="NOBODY") as party:
        party.log_on()
        party.say("D", *fix_order("fix-nobody"))
        party.report("fix-nobody", "0")
        party.log_out()


def test_two_keys_that_differ_are_none(system: Open) -> None:
    read, trade = system.keys["Read1"][1], system.keys["Trade1"][1]
    assert system.ask("GET", f"/v1/orders?apikey={read}", X_CoinAPI_Key=trade).status == 401
    assert system.ask("GET", f"/v1/orders?apikey={read}", X_CoinAPI_Key="").status == 401
    assert system.ask("GET", f"/v1/orders?apikey={read}", X_CoinAPI_Key=read).status == 200


def test_a_stream_ends_with_the_key_that_it_was_opened_with(system: Open) -> None:
    made = system.control.keyring.create(OWNER, Wanted(label="Brief1", days=1), time.time_ns())
    assert isinstance(made, Made)
    assert made.secret is not None
    headers = {"X-CoinAPI-Key": made.secret}
    with connected_when_known(system, headers) as stream:
        until_message(stream, "POSITION_SNAPSHOT")
        system.control.keyring.move(OWNER, "Brief1", Act.REVOKE, time.time_ns())
        with pytest.raises(ConnectionClosedError) as closed:
            until_message(stream, "the end")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def connected_when_known(system: Open, headers: dict[str, str]) -> ClientConnection:
    until(lambda: system.ask("GET", "/v1/orders", **headers).status == 200, "the key is known")
    return system.stream(**headers)
