"""The port between an edge and an exchange: what a dialect must be able to do, and what it declares.

A dialect is pure translation for one account's connection: no IO, no clock. `link.py` moves its
bytes. Every `VenueRequest` given to `ask` ends in exactly one `VenueAnswer` (DONE, REFUSED, UNKNOWN;
NOT_SENT is the link's word), after whatever else its answer states; a query's answer also states a
`VenueOrder` or a `VenueNotFound`. It is made with the cursor of the account's fills, and logs in to no
other exchange than that cursor is of, as far as the exchange says which one it is.
"""

from typing import Protocol

import msgspec

from fairlead.core.model import Abilities
from fairlead.core.venue_messages import VenueReport, VenueRequest


class Acts(msgspec.Struct):
    """What a dialect wants done: bytes to send, reports for the inbox, and perhaps a disconnect.

    `disconnect` says why the connection must be dropped (None: keep it); `refused_login` that
    connecting again by itself cannot help.
    """

    send: bytes = b""
    reports: list[VenueReport] = []
    disconnect: str | None = None
    refused_login: bool = False


class Dialect(Protocol):
    """One account's conversation with one exchange."""

    abilities: Abilities

    def opened(self, now_ns: int) -> Acts:
        """The transport is connected: start the login."""
        ...

    def wording(self, request: VenueRequest, now_ns: int) -> bytes:
        """Return the bytes of one request as they would leave now. Changes nothing; called as `ask` is."""
        ...

    def ask(self, request: VenueRequest, now_ns: int, wording: bytes | None = None) -> Acts:
        """Translate one request. Only called between `VenueConnected` and `closed`.

        `wording`: what `wording` returned for it a moment ago, on the same connection.
        """
        ...

    def receive(self, data: bytes, now_ns: int) -> Acts:
        """Translate bytes as they come, in whatever pieces."""
        ...

    def due(self, now_ns: int) -> Acts:
        """Time passed: give up requests whose answer is overdue (UNKNOWN), keep the line alive."""
        ...

    def closed(self, now_ns: int) -> list[VenueReport]:
        """The transport is gone: every request without an answer becomes UNKNOWN. Forget the rest."""
        ...
