"""The page on refusals: HTTP statuses with real answers, and the coded reasons of orders."""

# ruff: noqa: E501 - one row, one line

from collections.abc import Iterator

from fairlead.core.model import Reason
from fairlead.gateway.shapes import REJECT_REASONS
from tools.pages.text import NOTE, code, table
from tools.pages.worked import conversation

# What each code means, and what a program does about it.
_REASONS: dict[Reason, tuple[str, str]] = {
    Reason.INSUFFICIENT_BALANCE: (
        "the order needs more than is available",
        "send less; the text names the most that is possible",
    ),
    Reason.ORDER_RATE: (
        "the account's order rate (`engine.order_rate_per_s`) is used up",
        "send again in a second, under a new id",
    ),
    Reason.ACCOUNT_REDUCING: ("an operator lets only reducing orders pass", "ask the operator"),
    Reason.ACCOUNT_HALTED: ("an operator lets only cancels pass", "ask the operator"),
    Reason.NOT_SENT: (
        "it certainly never left: no connection in time, or a restart came first",
        "send again under a new id",
    ),
    Reason.NEVER_REACHED: (
        "sent and not answered, and the exchange twice did not know it when it could no longer arrive",
        "send again under a new id",
    ),
    Reason.EXCHANGE: (
        "the exchange refused it, or ended it unasked (CANCELED), in its own words",
        "read `error_message`",
    ),
    Reason.LIQUIDATION: (
        "the exchange closed a position that its margin no longer bore",
        "nothing; the order is the exchange's own",
    ),
    Reason.AUTO_DELEVERAGING: (
        "the exchange closed a position that profited from another account's loss",
        "nothing; the order is the exchange's own",
    ),
    Reason.OPERATOR: ("an operator said what became of it", "nothing"),
}

_STATUSES = (
    ("200", "done; or stored and `REJECTED`, `error_message` says why", "yes", "no need"),
    ("400", "the request is wrong: every field with its value and what would be right", "no", "corrected"),
    ("403", "`Origin` names a web page that is not ours", "no", "no"),
    ("404", "no such order, or no such path", "no", "no"),
    ("405", "no such method at this path", "no", "no"),
    ("408", "the request did not arrive in time", "no", "yes"),
    ("409", "the client_order_id is used by a different order", "no", "under another id"),
    ("415", "`Content-Type` is not `application/json`", "no", "corrected"),
    ("421", "`Host` is neither a loopback name nor a configured one", "no", "corrected"),
    ("431", "the head of the request is too long", "no", "corrected"),
    ("490", "the account is unknown, disconnected, or not reconciled yet", "no", "yes, the same order"),
    ("503", "the inbox or the connections are full, or the gateway is stopping; see `Retry-After`", "no", "yes, the same order"),
    ("504", "no answer from the exchange in time: the order is in doubt, it may exist", "yes", "ask for its status; the same order is safe"),
)  # fmt: skip

_EXAMPLES = (
    ("400: the form is wrong", "400"),
    ("400: the order breaks the instrument's rules", "400 by the instrument"),
    (
        "400: the exchange cannot end it with a connection, and REST has no session",
        "400 by the exchange",
    ),
    ("404: no such order", "404"),
    ("409: the id is used by another order", "409"),
    ("490: no such account", "490"),
    ("504: no answer in time", "504"),
    ("200, REJECTED: not enough balance", "200 REJECTED"),
    ("200, REJECTED: the account is halted", "200 REJECTED by the mode"),
)


def refusals() -> str:
    """Return the page."""
    unsaid = set(Reason) - _REASONS.keys()
    assert not unsaid, f"tools/pages/refusals.py says nothing of {sorted(unsaid)}"
    return "\n".join([*_top(), *_reasons(), *_examples()])


def _top() -> Iterator[str]:
    yield from (
        "# Statuses and refusals",
        "",
        NOTE,
        "",
        "What an answer means is said in [outcomes](../explanation/outcomes.md): done, refused, or unknown.",
        "Only 504, and no answer at all, is unknown.",
        "",
        "## HTTP statuses",
        "",
    )
    yield from table(
        ["status", "when", "the order exists", "send it again?"],
        [[f"**{status}**", *cells] for status, *cells in _STATUSES],
    )
    kinds = ", ".join(map(code, REJECT_REASONS))
    yield from (
        "",
        "400 has the body [ValidationError](rest.md#validationerror); 404, 409, 490, 503 and 504 of a call have",
        f"[MessageReject](rest.md#messagereject), whose `reject_reason` is one of {kinds};",
        'all others have `{"message": "…"}`.',
        "",
    )


def _reasons() -> Iterator[str]:
    yield from (
        "## Reasons of a REJECTED or CANCELED order",
        "",
        "The code is `errorMessageReason` in the history. Where Fairlead itself refused the order or did not",
        "send it, `error_message` begins with it. A CANCELED order has none, and no `error_message`, when a cancel",
        "ended it: yours, one that Fairlead sent for you (`GOOD_TILL_TIME_OMS`, the end of a session), or one by somebody",
        "else who uses the same login.",
        "",
    )
    yield from table(
        ["code", "meaning", "what to do"],
        [[code(reason.value), *_REASONS[reason]] for reason in Reason],
    )
    yield ""


def _examples() -> Iterator[str]:
    refusals = conversation().refusals
    yield from ("## Examples", "", "Real answers; hashes and times are put in a fixed form.", "")
    for title, key in _EXAMPLES:
        example = refusals[key]
        yield from (f"### {title}", "", "```http", f"{example.method} {example.path}", "```", "")
        if example.body is not None:
            yield from ("```json", example.body, "```", "")
        yield from (f"Answered {example.status}:", "", "```json", example.content, "```", "")
