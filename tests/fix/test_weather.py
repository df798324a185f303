"""Two ends, their stores, and bad weather, by seeds: lost bytes, cut connections, crashes, resets, silence.

Whatever happens between, in the end every message that an end has committed has arrived at the other,
in the order in which it was sent; a message that arrives twice after a crash says that it may be a
duplicate; no number is used twice for different messages.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fairlead.fix.codec import body
from fairlead.fix.happened import Ended, Happened, LoggedOn, LogonAsked, Received, ResendAsked
from fairlead.fix.session import Session
from fairlead.fix.settings import Batch, Role, SessionKey, SessionSettings
from fairlead.fix.states import State
from fairlead.fix.store import Store
from tests.fix.spoken import KEY, NOW, OURS, SECOND_NS, THEIRS, heard

STEPS = 400


@dataclass
class End:
    """One end: its store, its session of the moment, and what its application knows durably."""

    store: Store
    key: SessionKey
    session: Session | None = None
    sent: list[str] = field(default_factory=list)  # committed
    unsure: list[str] = field(default_factory=list)  # sent since the last commit
    arrived: list[str] = field(default_factory=list)  # durable, the first time each
    owed: list[Received] = field(default_factory=list)  # delivered, not dealt with
    told: dict[int, str] = field(default_factory=dict)  # what went out under which number


class Weather:
    """A seeded run."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.now_ns = NOW
        self.ends = [
            End(Store.open(folder / "acceptor", boot_id="x"), KEY),
            End(Store.open(folder / "initiator", boot_id="x"), SessionKey("FIX.4.4", OURS)),
        ]
        self.loss = 0.0
        self.names = 0
        self.logons = 0

    def run(self) -> None:
        """Have weather, then a quiet hour; see that everything has arrived."""
        for _ in range(STEPS):
            self.loss = self.random.choice([0, 0, 0, 0.3])
            self._step()
        self.loss = 0
        for _ in range(40):
            self._calm()
        for end in self.ends:
            self._deal(end)
        for at in (0, 1):
            assert self.ends[at].arrived == self.ends[1 - at].sent
            session = self.ends[at].session
            assert session is not None
            assert session.state is State.ACTIVE
        for end in self.ends:
            end.store.close()

    def _step(self) -> None:
        match self.random.randrange(12):
            case 0 | 1 | 2 | 3:
                self._send(self.random.choice(self.ends), self.random.randrange(1, 5))
            case 4 | 5 | 6:
                self._carry()
            case 7:
                self._wait(self.random.choice([1, 5, 12]))
            case 8:
                self._deal(self.random.choice(self.ends))
            case 9:
                if self.random.random() < 0.3:
                    self._cut()
            case 10:
                if self.random.random() < 0.3:
                    self._crash(self.random.choice(self.ends))
            case 11:
                end = self.random.choice(self.ends)
                if end.session is not None and self.random.random() < 0.2:
                    self._hear(end, end.session.log_out("enough", self.now_ns))
        self._connect()

    def _calm(self) -> None:
        self._connect()
        for end in self.ends:
            self._deal(end)
        for _ in range(10):
            self._carry()
        self._wait(6)
        for _ in range(10):
            self._carry()

    def _connect(self) -> None:
        """Connect anew when both ends are without a connection."""
        if any(end.session is not None for end in self.ends):
            return
        acceptor, initiator = self.ends
        acceptor.session = Session(SessionSettings(OURS), self.now_ns)
        initiator.session = Session.initiate(
            SessionSettings(THEIRS, Role.INITIATOR),
            initiator.key,
            initiator.store.record(initiator.key),
            self.now_ns,
            heartbeat_s=5,
        )

    def _send(self, end: End, count: int) -> None:
        if end.session is None or not end.session.is_up:
            return
        for _ in range(count):
            self.names += 1
            name = f"message {self.names}"
            cursor = b"%d" % self.names
            end.session.send("8", body([(11, name)]), self.now_ns, cursor)
            end.unsure.append(name)

    def _carry(self) -> None:
        """Flush both ends and carry to each what the other said, or lose some of it."""
        batches = [self._flush(end) for end in self.ends]
        for at, end in enumerate(self.ends):
            data = batches[1 - at].data
            for message in heard(data):
                if self.random.random() < self.loss or end.session is None:
                    continue
                self._hear(end, end.session.receive(_frame(message, data), self.now_ns))
            if batches[1 - at].is_last and end.session is not None:
                self._hear(end, end.session.lost(self.now_ns))

    def _flush(self, end: End) -> Batch:
        if end.session is None:
            return Batch(None, b"", False)
        batch = end.session.flush()
        end.store.commit([batch])
        self._committed(end, batch)
        if batch.is_last:
            end.owed.clear()
        return batch

    def _committed(self, end: End, batch: Batch) -> None:
        end.sent += end.unsure
        end.unsure.clear()
        for message in heard(batch.data):
            self._see_number(end, message)
        if batch.is_last:
            end.session = None

    def _see_number(self, end: End, message: dict[int, str]) -> None:
        """A number stands for one message for ever, but for gap fills in its place."""
        number = int(message[34])
        if message[35] == "4":
            return
        words = message[35] + message.get(11, "")
        assert end.told.setdefault(number, words) == words
        assert (message.get(43) == "Y") or number == max(end.told)

    def _hear(self, end: End, happened: list[Happened]) -> None:
        session = end.session
        assert session is not None
        for what in happened:
            match what:
                case LogonAsked():
                    record = end.store.record(end.key)
                    self._hear(end, session.accept(end.key, record, self.now_ns))
                case Received():
                    self._receive(end, what)
                case ResendAsked():
                    end.store.commit([batch := session.flush()])
                    assert batch.data == b"" or heard(batch.data)
                    self._committed(end, batch)  # the bytes get lost, as they may
                    sent = end.store.sent(end.key, what.first, what.last)
                    session.resend(what.first, what.last, sent, self.now_ns)
                case LoggedOn():
                    self.logons += 1
                case Ended():
                    pass

    def _receive(self, end: End, what: Received) -> None:
        name = what.message.text(11)
        known = [*end.arrived, *(owed.message.text(11) for owed in end.owed)]
        assert what.is_duplicate or name not in known, f"{name} came twice and does not say so"
        end.owed.append(what)

    def _deal(self, end: End) -> None:
        """What has arrived becomes durable; what is owed when an end dies or is cut off is forgotten."""
        for received in end.owed:
            name = received.message.text(11)
            if name not in end.arrived:
                end.arrived.append(name)
            if end.session is not None:
                end.session.dealt(received)
        end.owed.clear()

    def _wait(self, seconds: int) -> None:
        self.now_ns += seconds * SECOND_NS
        for end in self.ends:
            if end.session is not None:
                self._hear(end, end.session.tick(self.now_ns))

    def _cut(self) -> None:
        for end in self.ends:
            if end.session is not None:
                self._hear(end, end.session.lost(self.now_ns))
                self._flush(end)

    def _crash(self, end: End) -> None:
        """One end dies with everything that was not committed; the other sees its connection end."""
        end.session = None
        end.unsure.clear()
        end.owed.clear()
        self._cut()


def _frame(message: dict[int, str], data: bytes) -> bytes:
    """Return the frame of `data` that holds `message`."""
    mark = b"\x0134=%b\x01" % message[34].encode()
    for part in data.split(b"8=FIX.4.4\x01")[1:]:
        if mark in part and part.endswith(b"\x0110=%b\x01" % message[10].encode()):
            return b"8=FIX.4.4\x01" + part
    raise AssertionError(message)


def _run(folder: Path, seeds: range) -> int:
    logons = 0
    for seed in seeds:
        weather = Weather(folder / str(seed), seed)
        weather.run()
        logons += weather.logons
    return logons


def test_in_any_weather_every_message_arrives_in_order(tmp_path: Path) -> None:
    assert _run(tmp_path, range(12)) > 60


@pytest.mark.soak
def test_in_much_weather_every_message_arrives_in_order(tmp_path: Path) -> None:
    assert _run(tmp_path, range(12, 1_000)) > 5_000
