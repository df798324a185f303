"""Whole conversations between an initiator and an acceptor, both ours, with a store behind them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.fix.codec import body
from fairlead.fix.happened import (
    Ended,
    Happened,
    LoggedOn,
    LogonAsked,
    Received,
    ResendAsked,
)
from fairlead.fix.session import Session
from fairlead.fix.settings import Batch, Record, Role, SessionKey, SessionSettings
from fairlead.fix.states import State
from fairlead.fix.store import Store
from tests.fix.spoken import KEY, KEY_FIXT, NOW, OURS, SECOND_NS, THEIRS

ACCEPTOR = SessionSettings(OURS)
INITIATOR = SessionSettings(THEIRS, Role.INITIATOR)


class Pair:
    """An acceptor with its store and an initiator with its own; `pump` lets them talk until silence."""

    def __init__(self, folder: Path, key: SessionKey = KEY, is_reset: bool = False) -> None:
        self.now_ns = NOW
        self.stores = [Store.open(folder / "acceptor"), Store.open(folder / "initiator")]
        self.keys = [key, SessionKey(key.begin_string, OURS)]
        self.connect(is_reset)

    def connect(self, is_reset: bool = False) -> None:
        """Begin a connection."""
        self.sessions = [
            Session(ACCEPTOR, self.now_ns),
            Session.initiate(
                INITIATOR,
                self.keys[1],
                self.stores[1].record(self.keys[1]),
                self.now_ns,
                is_reset=is_reset,
                appl_ver_id="9" if self.keys[0].begin_string == "FIXT.1.1" else "",
            ),
        ]
        self.happened: list[list[Happened]] = [[], []]
        self.pump()

    def pump(self, losing: int = 0) -> None:
        """Carry what each says to the other until both are silent; `losing` messages get lost first."""
        while True:
            batches = [self._flush(end) for end in (0, 1)]
            if not any(batch.data for batch in batches):
                return
            for end in (0, 1):
                data = batches[1 - end].data
                if losing and data:
                    losing, data = losing - 1, b""
                self.hear(end, self.sessions[end].receive(data, self.now_ns))

    def _flush(self, end: int) -> Batch:
        batch = self.sessions[end].flush()
        self.stores[end].commit([batch])
        return batch

    def hear(self, end: int, happened: list[Happened]) -> None:
        """Do what a driver must."""
        session, store, key = self.sessions[end], self.stores[end], self.keys[end]
        for what in happened:
            self.happened[end].append(what)
            match what:
                case LogonAsked():
                    self.hear(end, session.accept(key, store.record(key), self.now_ns))
                case Received():
                    session.dealt(what)
                case ResendAsked():
                    store.commit([session.flush()])
                    sent = store.sent(key, what.first, what.last)
                    session.resend(what.first, what.last, sent, self.now_ns)

    def orders(self, end: int) -> list[str]:
        """Return the ids that arrived at an end."""
        return [what.message.text(11) for what in self.happened[end] if isinstance(what, Received)]

    def send(self, end: int, name: str) -> None:
        """Send an application message."""
        self.sessions[end].send("D" if end else "8", body([(11, name)]), self.now_ns)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(tmp_path)
    yield pair
    for store in pair.stores:
        store.close()


def test_both_are_up_after_the_logons(pair: Pair) -> None:
    assert [session.state for session in pair.sessions] == [State.ACTIVE, State.ACTIVE]
    assert [session.next_out for session in pair.sessions] == [2, 2]
    assert isinstance(pair.happened[1][0], LoggedOn)


def test_messages_arrive_in_order_both_ways(pair: Pair) -> None:
    for name in "abc":
        pair.send(1, name)
        pair.send(0, name.upper())
    pair.pump()
    assert pair.orders(0) == ["a", "b", "c"]
    assert pair.orders(1) == ["A", "B", "C"]
    assert pair.stores[0].record(KEY) == Record(5, 5, b"")


def test_what_got_lost_is_sent_again_before_what_came_later(pair: Pair) -> None:
    pair.send(1, "lost")
    pair.pump(losing=1)
    pair.send(1, "kept")
    pair.pump()
    assert pair.orders(0) == ["lost", "kept"]
    assert pair.sessions[0].state is State.ACTIVE


def test_what_was_sent_while_the_other_was_away_comes_after_the_next_logon(pair: Pair) -> None:
    pair.send(0, "report")
    pair.pump(losing=1)
    for session in pair.sessions:
        session.lost(pair.now_ns)
    pair.connect()
    assert pair.orders(1) == ["report"]
    assert [session.state for session in pair.sessions] == [State.ACTIVE, State.ACTIVE]


def test_a_reset_begins_again_with_one_and_forgets_what_was_sent(pair: Pair) -> None:
    pair.send(0, "report")
    pair.pump(losing=1)
    for session in pair.sessions:
        session.lost(pair.now_ns)
    pair.connect(is_reset=True)
    assert pair.orders(1) == []
    assert pair.stores[0].record(KEY) == Record(2, 2, b"")
    assert pair.stores[0].sent(KEY, 1, 100) == []


def test_fixt_carries_the_application_version(tmp_path: Path) -> None:
    pair = Pair(tmp_path, KEY_FIXT)
    assert [session.appl_ver_id for session in pair.sessions] == ["9", "9"]
    for store in pair.stores:
        store.close()


def test_a_quiet_session_lives_by_heartbeats(pair: Pair) -> None:
    for _ in range(10):
        pair.now_ns += 30 * SECOND_NS
        for end in (0, 1):
            pair.hear(end, pair.sessions[end].tick(pair.now_ns))
        pair.pump()
    assert [session.next_out for session in pair.sessions] == [12, 12]
    assert [session.state for session in pair.sessions] == [State.ACTIVE, State.ACTIVE]


def test_logout_is_agreed_upon(pair: Pair) -> None:
    pair.sessions[0].log_out("the system stops", pair.now_ns)
    pair.pump()
    assert pair.happened[1][-1] == Ended("the system stops", True, True)
    assert pair.happened[0][-1] == Ended("the counterpart logged out", True)
    assert pair.sessions[0].flush().is_last
