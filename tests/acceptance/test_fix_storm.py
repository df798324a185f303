"""A storm of reports reaches several FIX sessions complete and in order, whatever they do meanwhile."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fix_party import FixParty, order
from tests.system import ACCOUNTS, QUICK, Ems, running, write_config

NAMES = ("SIM", "SIM/ALICE")
AT_ONCE = 100


@pytest.mark.parametrize(
    "orders", [100, pytest.param(1_000, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]
)
def test_a_storm_reaches_every_session_complete_and_in_order(tmp_path: Path, orders: int) -> None:
    settings = QUICK | {"feed.ring_reports": 200, "engine.order_answer_timeout_ms": 20_000}
    settings |= {"fix.slow_client_s": 600, "fix.sent_messages_min": 1_000_000}
    config = write_config(tmp_path / "config.toml", settings, ACCOUNTS)
    ems = Ems(tmp_path / "data", config, "--no-participants")
    with running(ems), ThreadPoolExecutor(4) as threads:
        address = ems.reconciled().endpoint["fix"]
        parties = [FixParty(address, comp_id=f"STORM{number}") for number in range(5)]
        for party in parties:
            party.log_on()
        is_over = threading.Event()
        driver = parties[0]
        manners: list[Callable[[FixParty, threading.Event, str], None]] = [
            listen, listen, come_and_go, read_in_the_end,
        ]  # fmt: skip
        last = f"storm-{orders - 1}"
        followers = [
            threads.submit(manner, party, is_over, last)
            for manner, party in zip(manners, parties[1:], strict=True)
        ]
        trade(driver, orders)
        is_over.set()
        for follower in followers:
            follower.result()
        for party in parties:
            party.synchronise()
            party.drop()
    first = told_by(driver)
    assert sum(map(len, first.values())) >= 10 * orders
    for party in parties:
        told = told_by(party)
        for name in NAMES:
            sequences = [sequence for sequence, _ in told[name]]
            assert sequences == sorted(set(sequences))
        assert told == first


def trade(driver: FixParty, orders: int) -> None:
    """Have `orders` orders of SIM filled by two orders of ALICE each."""
    for wave in range(0, orders, AT_ONCE):
        names = [f"storm-{number}" for number in range(wave, min(orders, wave + AT_ONCE))]
        driver.say_many([("D", order(name, _44="30000.00")) for name in names])
        for name in names:
            driver.report(name, "0")
        driver.say_many(
            [
                (
                    "D",
                    order(f"{name}-{half}", _207="SIM/ALICE", _54="2", _44="30000.00", _38="0.005"),
                )
                for name in names
                for half in "ab"
            ]
        )
        for name in names:
            driver.report(name, "2")


def listen(party: FixParty, _: threading.Event, last: str) -> None:
    """Hear everything as it comes."""
    party.report(last, "2")


def come_and_go(party: FixParty, is_over: threading.Event, last: str) -> None:
    """Hang up in the middle of everything, again and again."""
    while not is_over.is_set():
        for _ in range(20):
            party.has_more(0.01)
            party.forget()
        party.drop()
        party.log_on()
    until_told(party, last)


def read_in_the_end(party: FixParty, is_over: threading.Event, last: str) -> None:
    """Read nothing before it is over."""
    is_over.wait()
    until_told(party, last)


def until_told(party: FixParty, last: str) -> None:
    """Read until the last order is filled."""
    while not any(said[39] == "2" for said in party.reports_of(last)):
        party.has_more(1)
        party.forget()


def told_by(party: FixParty) -> dict[str, list[tuple[int, dict[int, str]]]]:
    """Return, by account, sequence and content of every report that a client was told, in order."""
    told: dict[str, list[tuple[int, dict[int, str]]]] = {name: [] for name in NAMES}
    for said in party.told:
        account, _, sequence = said.get(17, "").rpartition(":")
        if account in told:
            ours = {tag: value for tag, value in said.items() if tag not in _OF_THE_SESSION}
            told[account].append((int(sequence), ours))
    return told


_OF_THE_SESSION = frozenset({8, 9, 10, 34, 43, 49, 52, 56, 122})
