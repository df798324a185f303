"""TimerDue: the sequencer's word to the engine that a time has come. Must never hold behaviour."""

from enum import StrEnum

from fairlead.core.requests import Message


class TimerKind(StrEnum):
    ANSWER = "ANSWER"  # the caller of a place has waited long enough
    ASK = "ASK"  # ask the exchange about an order whose outcome is unknown
    CANCEL = "CANCEL"  # a cancel has had no effect yet
    EXPIRE = "EXPIRE"  # GOOD_TILL_TIME_OMS is due (a wall-clock time)
    SETTLE = "SETTLE"  # fills are still missing
    SWEEP = "SWEEP"  # reconcile the account


class TimerDue(Message, frozen=True, kw_only=True, tag="timer"):
    """`number` is the order's, 0 where the timer is the account's."""

    kind: TimerKind
    number: int = 0
