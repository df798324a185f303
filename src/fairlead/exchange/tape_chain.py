"""Whether the messages of a recorded book follow one another: what was lost between two is a gap.

A snapshot begins anew. An update must continue what is known: name its predecessor, or begin no later
than one behind it where it does not say (and right behind a snapshot, which may lie in the middle of
it). One that tells nothing new is outdated and left out. After a gap, also that before a first update,
the book is forgotten: it fills again with what is named from there on, and nothing older trades.
"""

import msgspec

from fairlead.exchange.market import PrintTrade, SetBook
from fairlead.exchange.tape_message import BookMessage

Recorded = SetBook | PrintTrade | BookMessage
TapeAction = SetBook | PrintTrade


class _Known(msgspec.Struct, frozen=True):
    """The newest message of a book."""

    last_id: int
    sequence: int | None
    is_whole: bool


class Chain:
    """The books of a tape, each as far as it has come. Must see a tape's messages in its order."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def link(self, recorded: Recorded) -> TapeAction | None:
        """Return what `recorded` does, its gap said; None for an outdated message."""
        if not isinstance(recorded, BookMessage):
            return recorded
        known = self._known.get(recorded.symbol)
        gap = None
        if not recorded.is_whole:
            if known is not None and recorded.last_id <= known.last_id:
                return None
            gap = _gap(recorded, known)
        self._known[recorded.symbol] = _Known(
            recorded.last_id, recorded.sequence, recorded.is_whole
        )
        return SetBook(
            recorded.time_ns,
            recorded.symbol,
            recorded.bids,
            recorded.asks,
            recorded.is_whole,
            gap,
        )


def _gap(update: BookMessage, known: _Known | None) -> str | None:
    """Say what is missing before `update`, None if nothing is."""
    begins = f"{update.place}: update {update.first_id} of {update.symbol}"
    if known is None:
        return f"{begins} has no snapshot before it"
    is_next = update.first_id <= known.last_id + 1
    if update.previous_id is not None and not (known.is_whole and is_next):
        is_next = update.previous_id == known.last_id
    if not is_next:
        return f"{begins} does not follow {known.last_id}, the newest before it"
    if update.sequence is None or known.sequence is None or update.sequence > known.sequence:
        return None
    return f"{begins} has seq {update.sequence}, not above {known.sequence} before it"
