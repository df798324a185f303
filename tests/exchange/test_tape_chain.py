"""Which messages of a recorded book follow one another, and what is said of those that do not."""

import pytest

from fairlead.exchange.market import SetBook
from fairlead.exchange.tape_chain import Chain
from fairlead.exchange.tape_message import BookMessage


def snapshot(last_id: int, sequence: int | None = None, symbol: str = "BTC/USDT") -> BookMessage:
    return BookMessage(0, symbol, True, (), (), last_id, last_id, None, sequence, "f line 1")


def update(
    first_id: int,
    last_id: int,
    previous_id: int | None = None,
    sequence: int | None = None,
) -> BookMessage:
    return BookMessage(
        0, "BTC/USDT", False, (), (), first_id, last_id, previous_id, sequence, "f line 2"
    )


def told(*messages: BookMessage) -> list[str | None]:
    """Return what is made of each: a gap's text, "follows", or None for an outdated one."""
    chain = Chain()
    answer: list[str | None] = []
    for message in messages:
        action = chain.link(message)
        assert action is None or isinstance(action, SetBook)
        answer.append(None if action is None else action.gap or "follows")
    return answer


GAP_2 = "f line 2: update {} of BTC/USDT does not follow {}, the newest before it"


@pytest.mark.parametrize(
    ("messages", "answers"),
    [
        # Bybit and Binance spot: dense numbers
        ([snapshot(5), update(6, 6, 5), update(7, 7, 6)], ["follows"] * 3),
        ([snapshot(5), update(6, 6), update(7, 9), update(10, 10)], ["follows"] * 4),
        ([snapshot(5), update(6, 6), update(8, 8)], ["follows"] * 2 + [GAP_2.format(8, 6)]),
        # Binance USD-M futures: each names its predecessor; numbers in between are others'
        ([snapshot(5), update(4, 8, 2), update(11, 14, 8)], ["follows"] * 3),
        ([snapshot(5), update(4, 8, 2), update(11, 14, 9)], ["follows"] * 2 + [GAP_2.format(11, 8)]),
        ([snapshot(5), update(7, 9, 6)], ["follows", GAP_2.format(7, 5)]),
        ([snapshot(5), update(9, 12, 5)], ["follows", "follows"]),
        # what is older than the snapshot tells nothing new
        ([snapshot(5), update(2, 4, 1), update(5, 5, 4), update(6, 6, 5)],
         ["follows", None, None, "follows"]),
        ([snapshot(5), update(6, 6, 5), update(6, 6, 5), update(7, 7, 6)],
         ["follows", "follows", None, "follows"]),
        # after a gap the chain goes on from there, and a snapshot always begins anew
        ([snapshot(5), update(9, 9, 8), update(10, 10, 9)],
         ["follows", GAP_2.format(9, 5), "follows"]),
        ([snapshot(50), snapshot(1), update(2, 2, 1)], ["follows"] * 3),
        ([update(6, 6, 5), update(7, 7, 6)],
         ["f line 2: update 6 of BTC/USDT has no snapshot before it", "follows"]),
        ([snapshot(5, symbol="ETH/USDT"), update(6, 6, 5)],
         ["follows", "f line 2: update 6 of BTC/USDT has no snapshot before it"]),
        # Bybit's second number
        ([snapshot(5, 70), update(6, 6, 5, 71), update(7, 7, 6, 71)],
         ["follows", "follows", "f line 2: update 7 of BTC/USDT has seq 71, not above 71 before it"]),
        ([snapshot(5, 70), snapshot(1, 3), update(2, 2, 1, 4)], ["follows"] * 3),
    ],
)  # fmt: skip
def test_what_follows_what(messages: list[BookMessage], answers: list[str | None]) -> None:
    assert told(*messages) == answers
