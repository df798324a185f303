"""Mutated byte strings into a live session: never a crash, and always the reaction that FIX prescribes.

Half of them trickle in piece by piece. After each the session must still be what it should be: it
hears the next order, exactly once, or has ended with a word. `FUZZ_STRINGS` and `FUZZ_SEED` say how many
the soak takes, and which.
"""

import os
import random
import re

import pytest

from fairlead.fix.happened import Ended, Garbled, Happened, Received
from fairlead.fix.session import Session
from fairlead.fix.settings import Record
from fairlead.fix.states import State
from tests.fix.mangled import WAYS, Fate, Mangled, mangle, order_fields
from tests.fix.spoken import NOW, SETTINGS, heard, logged_on, raw

STRINGS = 6_000
SOAK_STRINGS = int(os.environ.get("FUZZ_STRINGS", "500000"))
WAITING_BYTES_MOST = SETTINGS.bounds.body_bytes_most + 100
FOLLOWERS_MOST = 40


class Counterpart:
    """A session under fire, and what is expected of it."""

    def __init__(self, random: random.Random) -> None:
        self.random = random
        self.session = logged_on(Record(50, 50))
        self.seen: dict[str, int] = {}

    def strike(self) -> None:
        """Send one mutated string, see that what is prescribed is done; begin anew if it was the end."""
        session = self.session
        if not session.is_up:
            self.session = session = logged_on(Record(50, 50))
        expected = session.next_in
        mangled = mangle(self.random, expected, NOW)
        self.seen[mangled.way] = self.seen.get(mangled.way, 0) + 1
        happened = self._feed(mangled.data)
        said = heard(session.flush().data)
        self._see(mangled, happened, said, expected)
        for what in happened:
            if isinstance(what, Received):
                session.dealt(what)

    def _feed(self, data: bytes) -> list[Happened]:
        if self.random.random() < 0.5:
            return self.session.receive(data, NOW)
        happened = []
        at = 0
        while at < len(data):
            size = self.random.choice([1, 2, 3, 7, 50, 500])
            happened += self.session.receive(data[at : at + size], NOW)
            assert self.session._it.frames.waiting_bytes <= WAITING_BYTES_MOST
            at += size
        return happened

    def _see(
        self, mangled: Mangled, happened: list[Happened], said: list[dict[int, str]], expected: int
    ) -> None:
        session = self.session
        received = [what for what in happened if isinstance(what, Received)]
        match mangled.fate:
            case Fate.IGNORED:
                assert (received, said) == ([], [])
                assert (session.state, session.next_in) == (State.ACTIVE, expected)
                assert {type(what) for what in happened} <= {Garbled}
                self._is_heard_again(mangled.data, expected)
            case Fate.DELIVERED:
                (order,) = received
                assert order.message.get(mangled.field[0]) == mangled.field[1]
                assert said == []
                assert (session.state, session.next_in) == (State.ACTIVE, expected + 1)
            case Fate.REJECTED:
                (reject,) = said
                assert received == []
                assert (reject[35], reject[45]) == ("3", str(expected))
                assert reject[373] == str(mangled.reason)
                assert (session.state, session.next_in) == (State.ACTIVE, expected + 1)
            case Fate.ENDED:
                assert received == []
                assert said[-1][35] == "5"
                assert said[-1][58]
                assert session.state in (State.CLOSED, State.LOGGING_OUT)
                has_ended = any(isinstance(what, Ended) for what in happened)
                assert has_ended == (session.state is State.CLOSED)
                self.session = logged_on(Record(50, 50))
            case Fate.ANY:
                self._is_accounted_for(received, said, expected)

    def _is_heard_again(self, garbled: bytes, expected: int) -> None:
        """The orders that follow garbage are delivered, each once and in order.

        A wrong length may claim bytes of those that follow: it takes some until that is found out. Once
        in a hundred thousand times both together are a frame with a right checksum: then they are one
        message, with a header in its body, and rejected as that.
        """
        sent, got, stream = 0, [], garbled
        while sent < FOLLOWERS_MOST:
            data = raw(order_fields(self.random, expected + sent, NOW))
            stream += data
            sent += 1
            happened = self.session.receive(data, NOW)
            if is_one_frame(stream):
                (reject,) = heard(self.session.flush().data)
                assert (reject[35], reject[45], reject[373]) == ("3", str(expected), "14")
                assert (happened, self.session.next_in) == ([], expected + 1)
                return
            for what in happened:
                assert isinstance(what, Received | Garbled)
                if isinstance(what, Received):
                    got.append(what.number)
                    self.session.dealt(what)
            if len(got) == sent:
                break
        assert got == list(range(expected, expected + sent))
        assert heard(self.session.flush().data) == []
        assert self.session.state is State.ACTIVE

    def _is_accounted_for(
        self, received: list[Received], said: list[dict[int, str]], expected: int
    ) -> None:
        """Some reaction, and one only: delivered, rejected, counted, asked for, or the end."""
        session = self.session
        assert len(received) <= 1
        assert {message[35] for message in said} <= {"3", "5", "2", "0", "A"}
        if received:
            assert (received[0].number, session.next_in) == (expected, expected + 1)
            assert received[0].message.fault is None
            assert said == []
        elif session.state is State.ACTIVE:
            assert session.next_in >= expected
        else:
            assert said
            self.session = logged_on(Record(50, 50))


def is_one_frame(data: bytes) -> bool:
    """Whether all of `data` is one frame by its length and checksum."""
    head = re.match(rb"8=FIX\.4\.4\x019=(\d{1,9})\x01(?=35=)", data)
    if head is None:
        return False
    end = head.end() + int(head[1])
    return data[end:] == b"10=%03d\x01" % (sum(data[:end]) % 256) and data[end - 1] == 1


def _fire(seed: int, strings: int) -> dict[str, int]:
    counterpart = Counterpart(random.Random(seed))
    for _ in range(strings):
        counterpart.strike()
    return counterpart.seen


@pytest.mark.parametrize("seed", range(3))
def test_mutated_messages_end_as_fix_prescribes(seed: int) -> None:
    seen = _fire(seed, STRINGS // 3)
    assert len(seen) >= len(WAYS)


@pytest.mark.soak
def test_half_a_million_mutated_messages_end_as_fix_prescribes() -> None:
    seen = _fire(int(os.environ.get("FUZZ_SEED", "4")), SOAK_STRINGS)
    for way, count in sorted(seen.items()):
        print(f"{count:8,} {way}")


def test_noise_before_the_logon_closes_the_connection() -> None:
    noise = random.Random(5)
    for _ in range(300):
        session = Session(SETTINGS, NOW)
        happened = session.receive(b"x" + noise.randbytes(100), NOW)
        assert isinstance(happened[-1], Ended)
        batch = session.flush()
        assert (batch.data, batch.changes, batch.is_last) == (b"", None, True)


def test_two_messages_that_length_and_checksum_make_one_are_rejected_as_one() -> None:
    follower = raw(order_fields(random.Random(1), 3, NOW))
    for letter in range(0x21, 0x7F):  # one of them makes the sums fit
        order = raw([*order_fields(random.Random(1), 2, NOW), (58, chr(letter))])
        begin, length, rest = order.split(b"\x01", 2)
        longer = b"%b\x019=%d\x01%b" % (begin, int(length[2:]) + len(follower), rest)
        if is_one_frame(longer + follower):
            break
    else:
        raise AssertionError("no letter makes the sums fit")
    session = logged_on()
    assert session.receive(longer + follower, NOW) == []
    (reject,) = heard(session.flush().data)
    assert (reject[45], reject[371], reject[373]) == ("2", "10", "14")
