"""What a session tells its driver. The list that a call returns is to be worked through in order."""

import msgspec

from fairlead.fix.message import Message
from fairlead.fix.settings import SessionKey


class LogonAsked(msgspec.Struct, frozen=True):
    """A counterpart wants to log on: answer with `Session.accept` or `Session.refuse`.

    `key` has no identity: that is for the application to find out. `wrong` says what `accept` will
    refuse it for by itself, empty if for nothing that is known yet.
    """

    key: SessionKey
    message: Message
    is_reset: bool
    wrong: str


class LoggedOn(msgspec.Struct, frozen=True):
    """The session is up: application messages may be sent. `appl_ver_id` is empty under FIX.4.4."""

    key: SessionKey
    message: Message
    is_reset: bool
    appl_ver_id: str


class WasReset(msgspec.Struct, frozen=True):
    """The counterpart reset both numbers in the session; the cursor is empty again."""


class Received(msgspec.Struct, frozen=True, gc=False):
    """An application message in its turn; owed a `Session.dealt` with this value."""

    message: Message
    number: int
    is_duplicate: bool  # PossDupFlag (43): it may have been dealt with before a crash
    epoch: int  # counts the session's resets


class ResendAsked(msgspec.Struct, frozen=True):
    """The counterpart lacks what we sent as `first` to `last`: owed `Session.resend`."""

    first: int
    last: int


class Refused(msgspec.Struct, frozen=True):
    """The counterpart answered our message `number` with a Reject."""

    number: int
    message: Message


class Garbled(msgspec.Struct, frozen=True):
    """Bytes were ignored."""

    reason: str


class Ended(msgspec.Struct, frozen=True):
    """The session is over; `text` says why. `was_up`: there had been a LoggedOn.

    `is_quoted`: the text is the counterpart's own.
    """

    text: str
    was_up: bool
    is_quoted: bool = False


Happened = LogonAsked | LoggedOn | WasReset | Received | ResendAsked | Refused | Garbled | Ended
