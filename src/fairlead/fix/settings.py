"""What a session is told when it is made, who the two ends are, and what a store remembers of it."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from fairlead.fix.codec import Bounds

SECOND_NS = 1_000_000_000

FIX44 = "FIX.4.4"
FIXT11 = "FIXT.1.1"
FIX50 = "7"  # ApplVerID
FIX50SP2 = "9"


class Role(StrEnum):
    """Who says Logon first."""

    ACCEPTOR = "acceptor"
    INITIATOR = "initiator"


class SessionKey(msgspec.Struct, frozen=True):
    """Which session it is, through all its connections: the counterpart's ids, and who that is.

    `identity` is what the application knows the counterpart by, beside what it says of itself; empty
    where it knows nothing.
    """

    begin_string: str
    comp_id: str
    sub_id: str = ""
    identity: str = ""


class SessionSettings(msgspec.Struct, frozen=True):
    """How a session behaves. Times in nanoseconds."""

    comp_id: str  # ours
    role: Role = Role.ACCEPTOR
    begin_strings: tuple[str, ...] = (FIX44, FIXT11)
    appl_ver_ids: tuple[str, ...] = (FIX50, FIX50SP2)  # DefaultApplVerID (1137) under FIXT.1.1
    heartbeat_s_least: int = 1
    heartbeat_s_most: int = 60
    logon_timeout_ns: int = 10 * SECOND_NS  # from the connection to the answered Logon
    logout_timeout_ns: int = 5 * SECOND_NS  # from our Logout to the counterpart's
    gap_timeout_ns: int = 30 * SECOND_NS  # without a message that fills the gap
    time_accuracy_ns: int = 120 * SECOND_NS  # SendingTime (52) against our clock, either way
    bounds: Bounds = Bounds()


ANY_NUMBER = 0  # as `next_in`: whatever the next Logon has; nothing of before is asked for


class Record(msgspec.Struct, frozen=True):
    """What a store remembers of a session: the next numbers, and the application's cursor."""

    next_out: int = 1  # the number of our next message
    next_in: int = 1  # the number of the next message to be dealt with
    cursor: bytes = b""


class Sent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An application message that was sent: what is needed to send it again. Stored as an array."""

    number: int
    msg_type: str
    sending_time: bytes
    body: bytes


class Changes(msgspec.Struct, frozen=True):
    """What must be durable before the bytes of its batch may leave."""

    key: SessionKey
    is_reset: bool  # everything stored before is void
    next_out: int
    next_in: int
    sent: tuple[Sent, ...]
    cursor: bytes | None  # None: as it was
    has_begun: bool = False  # the cursor holds what did not exist before, see Store.commit


class Batch(msgspec.Struct, frozen=True):
    """One flush of a session: commit `changes`, then write `data`, then close if it is the last.

    `frames` are the messages that `data` is made of.
    """

    changes: Changes | None
    data: bytes
    is_last: bool
    frames: Sequence[bytes] = ()
