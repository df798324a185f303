"""Clocks that are apart: an operator is told, once."""

import msgspec
import pytest

from fairlead.core.venue_messages import VenueClock, VenueConnected
from tests.core.conversation import Conversation, started
from tests.core.words import ABILITIES, SECOND_NS

WINDOW_NS = 5 * SECOND_NS
WINDOWED = msgspec.structs.replace(ABILITIES, request_window_ms=5_000)


def told(talk: Conversation, *offsets_ns: int) -> list[str]:
    for offset_ns in offsets_ns:
        talk.hear(VenueClock(account="SIM", offset_ns=offset_ns))
    return talk.alarm_texts


@pytest.fixture
def talk() -> Conversation:
    conversation = started()
    conversation.hear(VenueConnected(account="SIM", abilities=WINDOWED))
    return conversation


def test_half_of_the_request_window_is_too_much(talk: Conversation) -> None:
    assert told(talk, WINDOW_NS // 2, -WINDOW_NS // 2) == []
    assert told(talk, WINDOW_NS // 2 + 1, WINDOW_NS) == [
        "this machine's clock is 2500 ms behind the exchange's; requests carry the exchange's time,"
        " but expiries kept here and the times in reports are off by as much"
    ]
    assert talk.alarms == ["clock_off"]


def test_it_is_said_anew_after_it_was_right(talk: Conversation) -> None:
    texts = told(talk, -WINDOW_NS, 0, -3 * SECOND_NS)
    assert [text.split(";")[0] for text in texts] == [
        "this machine's clock is 5000 ms ahead of the exchange's",
        "this machine's clock is 3000 ms ahead of the exchange's",
    ]


def test_an_exchange_without_a_window_takes_any_time(talk: Conversation) -> None:
    abilities = msgspec.structs.replace(ABILITIES, request_window_ms=None)
    talk.hear(VenueConnected(account="SIM", abilities=abilities))
    assert told(talk, 3_600 * SECOND_NS) == []
