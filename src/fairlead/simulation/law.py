"""What must hold in a world of faults: each law by name, as a broken one is told. Values only."""

from enum import Enum

import msgspec


class Law(Enum):
    """The laws of design section 2 and issue 2, as a broken one is named."""

    RUNS = "the process runs: it stops only when it is killed"
    DURABLE_FIRST = "nothing leaves before it is durable"
    SENT_ONCE = "no order is sent twice"
    SURVIVES = "what a client was told survives"
    ANSWER_DURABLE = "an answer says what is durable"
    VIEW = "an order never goes back to what it was"
    ONE_ID = "a client id means one order for ever"
    DENSE = "an account's reports are numbered without a gap"
    SETTLED = "closed is not settled: an order is let go only with all its fills"
    ABSENCE = "absence ends no order: what was declared never to have arrived never arrives"
    KNOWN = "every order of the account at the exchange is known"
    FILLS = "our fills are the exchange's, each once"
    STATES = "our orders stand as the exchange's do"
    BALANCES = "our balances are the exchange's"
    POSITIONS = "our positions are the exchange's"
    REASONS = "what the exchange does itself is told with its reason"
    WORDS = "an order has the exchange's words if that ended it unasked, and only then"
    DECIDED = "nothing stays in doubt, pending or owed"
    CANCELS = "a cancel ends its order or somebody is told"
    UNASKED = "no order is cancelled that nobody asked to cancel"
    SESSIONS = "what ends with its session does not outlive it"
    STREAMED = "a stream is the account's reports, each once, in order, as they were"
    RESUMED = "who resumes goes on where he was; who cannot is given the whole state"
    SNAPSHOT = "snapshot and stream make the state that the journal has"
    FIX_ONCE = "a FIX session hears every report once"
    FIX_ANSWERED = "a FIX request is answered, also across connections"
    FIX_VIEW = "who comes back by FIX learns what became of every order"
    GONE = "of an account that has gone nothing is shown, sent or left half told"
    SUSPENDED = (
        "of a suspended account nothing leaves, no order is taken, and nothing comes to be owed"
    )
    EXPIRY = "what expires here does not stay open"
    FORGOTTEN = "what is settled is out of memory"
    VERIFY = "the journal says the same everywhere"
    QUIET = "the world comes to rest"


class Broken(msgspec.Struct, frozen=True):
    """A law that was broken, and how."""

    law: Law
    text: str
