"""Why the exchange ended an order unasked: its own words, by every protocol, and whenever they are heard."""

import os
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from fairlead.exchange.matching import EXPIRED_TEXT, KILLED_TEXT, REMAINDER_TEXT, SELF_TRADE_TEXT
from tests import forked
from tests.acceptance.conftest import Desk
from tests.fix_party import FixParty
from tests.streaming import Stream
from tests.system import (
    ACCOUNTS,
    FAIRLEAD,
    QUICK,
    Api,
    Ems,
    Exchange,
    Json,
    from_now,
    running,
    until,
    write_config,
)


def remainder(desk: Desk) -> dict[str, object]:
    desk.sell("remainder-maker", "20100.00", "0.004")
    return {"price": Decimal("20100.00"), "time_in_force": "IMMEDIATE_OR_CANCEL"}


def killed(_: Desk) -> dict[str, object]:
    return {"time_in_force": "FILL_OR_KILL"}


def self_trade(desk: Desk) -> dict[str, object]:
    desk.api.place("self-maker", side="SELL", price=Decimal("20200.00"))
    desk.report_when("self-maker", "NEW")
    return {"price": Decimal("20200.00")}


def expired(_: Desk) -> dict[str, object]:
    return {"time_in_force": "GOOD_TILL_TIME_EXCHANGE", "expire_time": from_now(1)}


@pytest.mark.parametrize(
    ("prepare", "words", "filled"),
    [
        (remainder, REMAINDER_TEXT, "0.004"),
        (killed, KILLED_TEXT, "0"),
        (self_trade, SELF_TRADE_TEXT, "0"),
        (expired, EXPIRED_TEXT, "0"),
    ],
)
def test_every_protocol_tells_the_exchange_s_words(
    desk: Desk, prepare: Callable[[Desk], dict[str, object]], words: str, filled: str
) -> None:
    name = f"ended-{prepare.__name__}"
    with FixParty(desk.ems.endpoint["fix"], comp_id=name) as party, Stream(desk.api.url) as stream:
        party.log_on()
        stream.opening()
        assert desk.api.place(name, **prepare(desk)).status == 200
        report = desk.report_when(name, "CANCELED")
        assert (report["error_message"], report["amount_filled"]) == (words, Decimal(filled))
        assert stream.report(name, "CANCELED")["error_message"] == words
        assert party.report(name, "4")[58] == words
        assert all(58 not in said for said in party.reports_of(name) if said[39] != "4")
    assert desk.at_exchange(name)[0]["text"] == words
    (row,) = [each for each in desk.api.history() if each["clientOrderId"] == name]
    explained = [row[f"errorMessage{part}"] for part in ("Result", "Reason", "Message")]
    assert explained == ["CANCELED", "exchange", words]
    story = desk.api.wanted(f"/v1/orders/story/{name}?exchange_id=SIM")
    (told,) = [each for each in story["reports"] if "error_message" in each]
    assert (told["cause"], told["reason"]) == (
        "EXPIRED" if prepare is expired else "CANCELED",
        "exchange",
    )
    assert told["error_message"] == words


def test_an_order_that_a_client_cancelled_has_none(desk: Desk) -> None:
    with FixParty(desk.ems.endpoint["fix"], comp_id="CANCELLER") as party:
        party.log_on()
        desk.api.place("asked-to-end")
        desk.report_when("asked-to-end", "NEW")
        desk.api.cancel("asked-to-end")
        assert desk.report_when("asked-to-end", "CANCELED")["error_message"] is None
        assert 58 not in party.report("asked-to-end", "4")
    (row,) = [each for each in desk.api.history() if each["clientOrderId"] == "asked-to-end"]
    assert row["errorMessageResult"] is row["errorMessageMessage"] is None


def test_words_that_the_stream_did_not_bring_come_with_the_order_asked_for(desk: Desk) -> None:
    desk.operator.fault("stream_silent", account="desk")
    assert desk.api.place("unheard", time_in_force="FILL_OR_KILL").status == 200
    assert desk.report_when("unheard", "CANCELED")["error_message"] == KILLED_TEXT


def test_after_a_crash_they_are_learned_and_the_journal_says_the_same(tmp_path: Path) -> None:
    """One order ends before the crash, one while nobody listens; later processes show the same of both."""
    config = write_config(tmp_path / "config.toml", QUICK, ACCOUNTS)
    exchange = Exchange(tmp_path / "exchange", config, "--no-participants")
    with running(exchange):
        flags = ["--no-participants", "--exchange-url", exchange.ready().url]
        first = Ems(tmp_path / "data", config, *flags)
        with running(first), closing(first.reconciled().api()) as api:
            api.place("before", time_in_force="FILL_OR_KILL")
            ended(api, "before")
            expires = from_now(1)
            api.place("between", time_in_force="GOOD_TILL_TIME_EXCHANGE", expire_time=expires)
            first.kill()
        with closing(exchange.operator().api) as truth:
            until(
                lambda: truth.wanted("/operator/orders?state=EXPIRED")["orders"],
                "the exchange has ended it",
            )
        seen = []
        for _ in range(2):
            following = Ems(tmp_path / "data", config, *flags)
            with running(following), closing(following.reconciled().api()) as api:
                seen.append([ended(api, "before"), ended(api, "between")])
                following.kill()
    assert seen[0] == seen[1]
    assert [each["error_message"] for each in seen[0]] == [KILLED_TEXT, EXPIRED_TEXT]
    verified = forked.run(
        [FAIRLEAD, "verify", "--data", str(tmp_path / "data")],
        folder=Path.cwd(),
        environment=os.environ,
        timeout_s=30,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


def ended(api: Api, client_order_id: str) -> Json:
    """Return the order's report once it is CANCELED."""

    def seen() -> Json:
        report = api.status(client_order_id).json
        return report if report["status"] == "CANCELED" else None

    return until(seen, f"{client_order_id} is CANCELED")
