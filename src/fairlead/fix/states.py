"""The state table of a session: what it does (cell) when something happens (row) in a state (column).

`session.py` looks every happening up here and does what stands there, nothing else. The page
docs/reference/fix-session.md is made from it, and tests go through every cell.

What happens with a message is found in this order: is it one (GARBLED, OVERSIZE), is it ours
(WRONG_VERSION, NO_NUMBER, MISADDRESSED, TIME_OFF), is it its turn (LOW…, HIGH…), are its fields right
(MALFORMED), and only then what it says.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a session is."""

    AWAITING = "AWAITING"  # connected, no Logon yet; an acceptor begins here
    DECIDING = "DECIDING"  # the application thinks about the Logon
    LOGON_SENT = "LOGON_SENT"  # an initiator begins here
    ACTIVE = "ACTIVE"
    GAP = "GAP"  # up, and messages are missing that were asked for
    LOGGING_OUT = "LOGGING_OUT"  # our Logout is not yet answered
    CLOSED = "CLOSED"


class Happening(StrEnum):
    """What may happen to a session."""

    GARBLED = "GARBLED"
    OVERSIZE = "OVERSIZE"
    WRONG_VERSION = "WRONG_VERSION"
    NO_NUMBER = "NO_NUMBER"
    MISADDRESSED = "MISADDRESSED"
    TIME_OFF = "TIME_OFF"
    LOW = "LOW"
    LOW_DUPLICATE = "LOW_DUPLICATE"
    HIGH = "HIGH"
    HIGH_RESEND_REQUEST = "HIGH_RESEND_REQUEST"
    HIGH_LOGON = "HIGH_LOGON"
    HIGH_LOGOUT = "HIGH_LOGOUT"
    MALFORMED = "MALFORMED"
    LOGON = "LOGON"
    RESET_LOGON = "RESET_LOGON"
    HEARTBEAT = "HEARTBEAT"
    TEST_REQUEST = "TEST_REQUEST"
    RESEND_REQUEST = "RESEND_REQUEST"
    REJECT = "REJECT"
    GAP_FILL = "GAP_FILL"
    SEQUENCE_RESET = "SEQUENCE_RESET"
    SEQUENCE_RESET_BACK = "SEQUENCE_RESET_BACK"
    LOGOUT = "LOGOUT"
    APPLICATION = "APPLICATION"
    LATE = "LATE"
    SILENT = "SILENT"
    DEAD = "DEAD"
    IDLE = "IDLE"
    ACCEPT = "ACCEPT"
    ACCEPT_HIGH = "ACCEPT_HIGH"
    ACCEPT_WRONG = "ACCEPT_WRONG"
    REFUSE = "REFUSE"
    REFUSE_KNOWN = "REFUSE_KNOWN"
    SEND = "SEND"
    LOG_OUT = "LOG_OUT"
    LOST = "LOST"


class Reaction(StrEnum):
    """What a session may do. docs/reference/fix-session.md says what each word means."""

    IGNORE = "ignore"
    HOLD = "hold"
    CLOSE = "close"
    BYE = "bye"
    REBUFF = "rebuff"
    ASK = "ask"
    ANSWER = "answer"
    ANSWER_GAP = "answer+gap"
    UP = "up"
    UP_GAP = "up+gap"
    RESET = "reset"
    COUNT = "count"
    ECHO = "echo"
    RESEND = "resend"
    RESEND_GAP = "resend+gap"
    TELL = "tell"
    JUMP = "jump"
    REJECT = "reject"
    DELIVER = "deliver"
    QUEUE = "queue"
    QUEUE_GAP = "queue+gap"
    FAREWELL = "farewell"
    END = "end"
    TEST = "test"
    BEAT = "beat"
    SEND = "send"
    LOGOUT = "logout"
    ERROR = "error"
    NEVER = "-"


_TABLE = """
                     AWAITING   DECIDING    LOGON_SENT  ACTIVE      GAP         LOGGING_OUT  CLOSED
GARBLED              close      hold        close       ignore      ignore      ignore       ignore
OVERSIZE             close      hold        close       bye         bye         close        ignore
WRONG_VERSION        close      hold        close       bye         bye         close        ignore
NO_NUMBER            close      hold        close       bye         bye         close        ignore
MISADDRESSED         close      hold        close       rebuff      rebuff      ignore       ignore
TIME_OFF             -          hold        close       rebuff      rebuff      ignore       ignore
LOW                  -          hold        bye         bye         bye         close        ignore
LOW_DUPLICATE        -          hold        close       ignore      ignore      ignore       ignore
HIGH                 -          hold        close       queue+gap   queue       ignore       ignore
HIGH_RESEND_REQUEST  -          hold        close       resend+gap  resend      resend       ignore
HIGH_LOGON           -          hold        up+gap      queue+gap   queue       ignore       ignore
HIGH_LOGOUT          -          hold        end         farewell    farewell    end          ignore
MALFORMED            -          hold        close       reject      reject      ignore       ignore
LOGON                ask        hold        up          reject      reject      ignore       ignore
RESET_LOGON          ask        hold        up          reset       reset       ignore       ignore
HEARTBEAT            close      hold        close       count       count       count        ignore
TEST_REQUEST         close      hold        close       echo        echo        echo         ignore
RESEND_REQUEST       close      hold        close       resend      resend      resend       ignore
REJECT               close      hold        close       tell        tell        tell         ignore
GAP_FILL             close      hold        close       jump        jump        jump         ignore
SEQUENCE_RESET       close      hold        close       jump        jump        jump         ignore
SEQUENCE_RESET_BACK  -          hold        close       reject      reject      ignore       ignore
LOGOUT               close      hold        end         farewell    farewell    end          ignore
APPLICATION          close      hold        close       deliver     deliver     ignore       ignore
LATE                 close      close       close       -           bye         close        -
SILENT               -          -           -           test        test        -            -
DEAD                 -          -           -           bye         bye         -            -
IDLE                 -          -           -           beat        beat        -            -
ACCEPT               error      answer      error       error       error       error        ignore
ACCEPT_HIGH          -          answer+gap  -           -           -           -            -
ACCEPT_WRONG         -          bye         -           -           -           -            -
REFUSE               error      close       error       error       error       error        ignore
REFUSE_KNOWN         error      bye         error       error       error       error        ignore
SEND                 error      error       error       send        send        error        error
LOG_OUT              close      close       close       logout      logout      ignore       ignore
LOST                 close      close       close       close       close       close        ignore
"""


def _table() -> dict[tuple[State, Happening], Reaction]:
    states, *rows = (line.split() for line in _TABLE.strip().splitlines())
    return {
        (State(state), Happening(happening)): Reaction(cell)
        for happening, *cells in rows
        for state, cell in zip(states, cells, strict=True)
    }


REACTIONS: dict[tuple[State, Happening], Reaction] = _table()
