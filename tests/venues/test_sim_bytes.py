"""The SIM dialect in whatever pieces bytes come, and whatever bytes come."""

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.venue_messages import Outcome, VenueAnswer
from fairlead.venues import sim_messages as wire
from tests.venues.talk import (
    BALANCES,
    CLIENT_ID,
    INSTRUMENT,
    START_NS,
    Talk,
    every_request,
    execution,
    frames,
    refused,
    wire_fill,
    wire_order,
)

STORY = frames(
    wire.Placed(1, "501", CLIENT_ID, START_NS),
    execution(11),
    wire.Stated(2, wire_order()),
    refused(3, wire.RefusalCode.ORDER_UNKNOWN),
    wire.OpenOrders(4, 11, (wire_order(), wire_order(exchange_order_id="502"))),
    wire.BalancesChanged(12, START_NS, BALANCES),
    wire.FillsPage(5, (wire_fill(),), True),
    wire.Balances(6, 12, START_NS, BALANCES),
    wire.InstrumentsChanged((INSTRUMENT,)),
    wire.Instruments(7, (INSTRUMENT,)),
    wire.Tickers(8, START_NS, ()),
    wire.Positions(9, 12, START_NS, ()),
    wire.Pong(-1, START_NS),
    execution(13, is_fill=False),
)


def told(pieces):
    """Return every report that the story in these pieces brings."""
    talk = Talk()
    for request in every_request():
        talk.ask(request)
    reports = []
    for piece in pieces:
        acts = talk.dialect.receive(piece, START_NS)
        assert acts.disconnect is None
        reports.extend(acts.reports)
    assert talk.close() == []
    return reports


WHOLE = told([STORY])


def test_cut_at_every_position():
    for cut in range(len(STORY) + 1):
        assert told([STORY[:cut], STORY[cut:]]) == WHOLE


def test_byte_by_byte():
    assert told([STORY[at : at + 1] for at in range(len(STORY))]) == WHOLE


@given(st.lists(st.integers(0, len(STORY)), max_size=12))
def test_cut_anywhere(cuts):
    ends = [0, *sorted(cuts), len(STORY)]
    assert told([STORY[a:b] for a, b in pairwise(ends)]) == WHOLE


@given(st.integers(0, len(STORY) - 1), st.integers(1, 255), st.integers(0, len(STORY)))
def test_a_flipped_byte_ends_every_request_once(at, flip, cut):
    data = bytearray(STORY)
    data[at] ^= flip
    assert_every_request_ends_once([bytes(data[:cut]), bytes(data[cut:])])


@given(st.lists(st.binary(max_size=64), max_size=4), st.integers(0, 2**32))
def test_noise_ends_every_request_once(noise, seed):
    at = random.Random(seed).randrange(len(STORY))
    assert_every_request_ends_once([STORY[:at], *noise])


def assert_every_request_ends_once(pieces):
    talk = Talk()
    for request in every_request():
        talk.ask(request)
    reports = []
    for piece in pieces:
        acts = talk.dialect.receive(piece, START_NS)
        reports.extend(acts.reports)
        if acts.disconnect is not None:
            break
    reports.extend(talk.close())
    ended = [report for report in reports if isinstance(report, VenueAnswer)]
    assert sorted(end.request_id for end in ended) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    for end in ended:
        assert end.outcome is not Outcome.NOT_SENT
