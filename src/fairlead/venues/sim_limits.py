"""How long a conversation with the simulated exchange waits, and how much it remembers. Values only."""

import msgspec

MS = 1_000_000  # ns


class SimLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Times and bounds of one conversation.

    `ping_idle_ms`: time without an answer after which we ask whether anybody hears us;
    `pong_timeout_ms`: further time without one after which nobody does. Places given up are
    remembered for late answers, at most `given_up_max` of them and `given_up_ms` long. Over
    `pending_max` unanswered requests, a further one is NOT_SENT. The exchange's time is asked for every
    `time_interval_ms`, and when it refuses a request for its time, then at most every `time_gap_ms`.
    """

    answer_timeout_ms: int = 5_000
    ping_idle_ms: int = 3_000
    pong_timeout_ms: int = 5_000
    given_up_max: int = 10_000
    given_up_ms: int = 600_000
    pending_max: int = 20_000
    time_interval_ms: int = 600_000
    time_gap_ms: int = 1_000
