"""How a call can fail: certainly not done, or nobody knows. Must never hold how that is found out.

ClientError
├── NotDone             certainly not done: nothing was changed
│   ├── Unreachable     no system was reached, or it did not answer a question
│   └── Refused         the system's own word; `fields` says what was wrong, field by field
│       ├── Invalid     400: a field is wrong
│       ├── NotFound    404: there is no such order
│       ├── Conflict    409: the client order id is used by a different order
│       └── Unavailable 408, 429, 490, 503: not now; the same call may succeed later
├── OutcomeUnknown      it may have been done: ask, or send the very same order again
└── NotYet              what was waited for has not come in time, and still may
"""

from fairlead.client.answer import Answer
from fairlead.client.shapes import OrderReport


class ClientError(Exception):
    """Whatever the library raises; its text is one line for people."""


class NotDone(ClientError):
    """Certainly not done: nothing was changed."""


class Unreachable(NotDone):
    """No system was reached, or it gave no readable answer to a question that changes nothing.

    `was_reached` tells the two apart.
    """

    def __init__(self, message: str, *, was_reached: bool = False) -> None:
        super().__init__(message)
        self.was_reached = was_reached


class Refused(NotDone):
    """The system understood and did not do it.

    `status` is HTTP's. `reason` is the contract's reject reason, empty where there is none. `fields`
    holds what was wrong with each field, by its name on the wire.
    """

    def __init__(self, answer: Answer, reason: str, message: str, fields: dict[str, str]) -> None:
        super().__init__(message)
        self.answer = answer
        self.status = answer.status
        self.reason = reason
        self.fields = fields


class Invalid(Refused):
    """A field of the request is wrong."""


class NotFound(Refused):
    """There is no such order."""


class Conflict(Refused):
    """The client order id is used by a different order."""


class Unavailable(Refused):
    """Not now: disconnected, reconciling or overloaded; `retry_after_s` where the system says."""

    @property
    def retry_after_s(self) -> int | None:
        """Return how long to wait, None where the system does not say."""
        return self.answer.retry_after_s


class OutcomeUnknown(ClientError):
    """It may have been done.

    For an order: `client_order_id` and `exchange_id` are what to ask about, and `report` is the last
    that was heard of it, None when the system did not know it (it may still be on its way there).
    Sending the very same order again, with the same client order id, is safe: it is placed once.
    `answer` is the system's, None when there was none.
    """

    def __init__(
        self,
        message: str,
        *,
        answer: Answer | None = None,
        client_order_id: str | None = None,
        exchange_id: str | None = None,
        report: OrderReport | None = None,
    ) -> None:
        super().__init__(message)
        self.answer = answer
        self.client_order_id = client_order_id
        self.exchange_id = exchange_id
        self.report = report


class NotYet(ClientError):
    """What was waited for has not come in time; `report` says how the order stood then."""

    def __init__(self, message: str, report: OrderReport) -> None:
        super().__init__(message)
        self.report = report
