"""One HTTP answer, as a transport hands it over: values only, nothing is read yet."""

from collections.abc import Callable

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """`after` is where the next page of a history begins; `retry_after_s` when to come again."""

    status: int
    body: bytes
    after: str | None = None
    retry_after_s: int | None = None

    @property
    def is_ok(self) -> bool:
        """Whether the system did what was asked."""
        return self.status == 200

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode("utf-8", "replace")


OnAnswer = Callable[[Answer], None]


def answer_of(status: int, body: bytes, after: str | None, retry_after: str | None) -> Answer:
    """Return the answer with these header fields."""
    is_number = retry_after is not None and retry_after.isascii() and retry_after.isdigit()
    return Answer(status, body, after, int(retry_after) if is_number and retry_after else None)
