"""Mutated byte strings through a live FIX session on a socket, with orders open.

Never a crash, no order placed or changed, and always the reaction that FIX prescribes. What a mutation
must lead to is said by `tests.fix.mangled`, from how it was made. `FUZZ_STRINGS`: how many the soak takes.
"""

import os
import random
import time
from collections import Counter
from contextlib import suppress

import pytest

from tests.acceptance.conftest import Desk
from tests.fix.mangled import WAYS, Fate, Mangled, _group, _right, _twice_flipped
from tests.fix.spoken import Field
from tests.fix_party import SERVER, FixParty, order
from tests.system import Json

STRINGS = 3_000
SOAK_STRINGS = int(os.environ.get("FUZZ_STRINGS", "500000"))
OPEN = 5
# These may say a right order after all: then it must not be for an account that exists.
MAY_BE_RIGHT = frozenset({_right, _group, _twice_flipped})


class Attacker:
    """A client whose messages are damaged."""

    def __init__(self, address: str, seed: int) -> None:
        self.seen: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._party = FixParty(address, comp_id="FUZZ")
        self._party.log_on(is_reset=True)

    def strike(self) -> None:
        """Send one mutated string and see that what is prescribed is done."""
        way = self._random.choice(WAYS)
        mangled = way(self._random, self._order(way in MAY_BE_RIGHT), self._party.next_out)
        self.seen[mangled.way] += 1
        with suppress(BrokenPipeError, ConnectionResetError):  # it may end before all is sent
            self._send(mangled.data)
        match mangled.fate:
            case Fate.IGNORED:
                self._is_ignored()
            case Fate.DELIVERED:
                self._party.next_out += 1
                said = self._party.next_of("8")
                assert (said[39], said[103]) == ("8", "99"), (mangled, said)
            case Fate.REJECTED:
                number, self._party.next_out = self._party.next_out, self._party.next_out + 1
                said = self._party.next_of("3")
                assert (said[45], said[373]) == (str(number), str(mangled.reason)), (mangled, said)
            case Fate.ENDED:
                self._is_ended(mangled)
                self._begin_anew()
            case Fate.ANY:
                self._begin_anew()

    def close(self) -> None:
        """Hang up."""
        self._party.drop()

    def _order(self, is_for_nobody: bool) -> list[Field]:
        name = f"fuzz-{self._random.randrange(10**12)}"
        changes: dict[str, object] = {"_207": "NIL"} if is_for_nobody else {}
        head = [(35, "D"), (49, "FUZZ"), (56, SERVER), (34, self._party.next_out)]
        body = order(name, **changes)
        now = next(value for tag, value in body if tag == 60)
        return [*head, (52, now), *(field for field in body if field[0] != 583)]

    def _send(self, data: bytes) -> None:
        """Send in one piece, or in several."""
        if self._random.random() < 0.8:
            self._party.send_bytes(data)
            return
        at = 0
        while at < len(data):
            size = self._random.choice([1, 7, 50, 500, 5_000])
            self._party.send_bytes(data[at : at + size])
            at += size

    def _is_ignored(self) -> None:
        """What follows is answered, each once; a wrong length may hold some of it back for a while."""
        tokens = []
        answered: list[str] = []

        def take(said: dict[int, str]) -> bool:
            assert said[35] == "0", f"only heartbeats, not {said}"
            answered.append(said[112])
            return True

        while len(answered) < len(tokens) or not tokens:
            token = f"t{self._party.next_out}"
            tokens.append(token)
            # A frame that claims more bytes than it has is found out by what comes after it.
            self._party.say("1", (112, token + "x" * 400))
            while len(answered) < len(tokens) and self._party.has_more(0.05 if answered else 0.02):
                self._party.wait(take, "an answer")
            assert len(tokens) < 60, "the session hears nothing any more"
        assert [each.rstrip("x") for each in answered] == tokens

    def _is_ended(self, mangled: Mangled) -> None:
        deadline = time.monotonic() + 30
        while not self._party.is_over and self._party.farewell == "":
            assert time.monotonic() < deadline, f"the session goes on after {mangled}"
            self._party.read()

    def _begin_anew(self) -> None:
        self._party.drop()
        self._party.farewell = ""
        self._party.told.clear()
        self._party.log_on(is_reset=True)


def fire(desk: Desk, seed: int, strings: int) -> Counter[str]:
    """Fire so many strings while orders are open that must stay as they are."""
    for number in range(OPEN):
        assert desk.api.place(f"open-{number}").status == 200
        desk.report_when(f"open-{number}", "NEW")
    before = everything(desk)
    attacker = Attacker(desk.ems.endpoint["fix"], seed)
    for _ in range(strings):
        attacker.strike()
    attacker.close()
    assert everything(desk) == before, "no order was placed, none was changed"
    assert desk.ems.process.poll() is None
    assert "Traceback" not in desk.ems.log
    return attacker.seen


def everything(desk: Desk) -> list[Json]:
    """Every order that there ever was, as it is."""
    return desk.api.history()


def test_mutated_messages_end_as_fix_prescribes_and_no_order_is_touched(desk: Desk) -> None:
    seen = fire(desk, 7, STRINGS)
    assert len(seen) >= len(WAYS)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_half_a_million_mutated_messages_through_a_session(desk: Desk) -> None:
    seed = int(os.environ.get("FUZZ_SEED", "11"))
    for way, count in sorted(fire(desk, seed, SOAK_STRINGS).items()):
        print(f"{count:8,} {way}")
