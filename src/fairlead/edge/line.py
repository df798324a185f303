"""What one account has of its own besides its orders: its connection, its budget, its sweeps."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from fairlead.core.account import NOT_CONNECTED
from fairlead.core.venue_messages import Outcome, VenueAnswer, VenueRequest
from fairlead.edge.budget import Budget
from fairlead.edge.reconcile import Reconciler


class Link(Protocol):
    """What the sequencer needs of an account's connection."""

    def prepare(self, requests: Sequence[VenueRequest]) -> None:
        """Make ready what `send_many` of these will send, if nothing happens before."""
        ...

    def send_many(self, requests: Sequence[VenueRequest]) -> None:
        """Send, or put a NOT_SENT answer into the inbox."""
        ...


class Line(msgspec.Struct):
    """`trouble` is what was logged of the account last."""

    link: Link
    budget: Budget
    reconciler: Reconciler
    trouble: str | None = NOT_CONNECTED


def not_sent(request: VenueRequest, text: str) -> VenueAnswer:
    """Return the answer to a request that never left, saying why."""
    return VenueAnswer(
        account=request.account,
        request_id=request.request_id,
        request=request,
        outcome=Outcome.NOT_SENT,
        text=text,
    )
