"""What is written to people, as text and as HTML: the same words, every fact that they need, no link in a
letter with a code. Nothing that came from outside gets into a header, nor into HTML but escaped.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

import msgspec

from fairlead.control.people.person import User

_S = 1_000_000_000
_FOOT = "You did not ask for this? Sign in, change your password, and disable your keys: that needs no mail."

Facts = Sequence[tuple[str, str]]


class Letter(msgspec.Struct, frozen=True):
    """A letter to one person."""

    to: str
    subject: str
    text: str
    html: str

    def __repr__(self) -> str:
        """Name whom it is to and what it is about; what it says may be a code."""
        return f"Letter(to {self.to!r}, {self.subject!r})"


def of_code(user: User, action: str, facts: Facts, code: str, address: str, now_ns: int) -> Letter:
    """Return the letter with the code for an action; `facts` say what it would do, before → after."""
    facts = (*facts, ("Asked for from", address), ("Asked for at", _moment(now_ns)))
    return _letter(
        user.email,
        user.phrase,
        f"Code to {action}",
        (f"Somebody who is signed in as you asks to {action}.", f"Your code: {code}"),
        facts,
        ("It works once, for ten minutes, and for exactly this.", _FOOT),
    )


def of_invitation(email: str, subscription: str, link: str) -> Letter:
    """Return the letter with the link that makes somebody a user."""
    return _letter(
        email,
        "",
        "You are invited to Fairlead",
        ("You can become a user here:", link),
        (("Subscription", subscription),),
        ("The link works once, for seven days.",),
    )


def of_reset(user: User, code: str, address: str, now_ns: int) -> Letter:
    """Return the letter with the code for a new password."""
    return of_code(user, "set a new password", (), code, address, now_ns)


def of_expiry(user: User, label: str, kid: str, expires_ns: int, days: int) -> Letter:
    """Return the letter that says when a key will expire."""
    when = "tomorrow" if days == 1 else f"in {days} days"
    return _letter(
        user.email,
        user.phrase,
        f"API key {label} expires {when}",
        (f"Your API key {label} expires {when}: from then on nothing can be done with it.",),
        (("Key", kid), ("Expires at", _moment(expires_ns))),
        ("To keep it, give it a later end under API Management, Edit permissions.",),
    )


def _letter(
    to: str, phrase: str, subject: str, begin: Sequence[str], facts: Facts, end: Sequence[str]
) -> Letter:
    if phrase:
        facts = (*facts, ("Your anti-phishing phrase", phrase))
    lines = [f"{name}: {value}" for name, value in facts]
    text = "\n\n".join((*begin, "\n".join(lines), *end)) + "\n"
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts
    )
    paragraphs = [f"<p>{escape(each)}</p>" for each in begin]
    paragraphs += [f'<table style="text-align:left">{rows}</table>']
    paragraphs += [f"<p>{escape(each)}</p>" for each in end]
    html = f"<!doctype html><html lang=en><title>{escape(subject)}</title>{''.join(paragraphs)}</html>\n"
    return Letter(to, _header(subject), text, html)


def _header(text: str) -> str:
    """Return text as it may stand in a header: one line of printable characters."""
    return "".join(each if each.isprintable() else " " for each in text)


def _moment(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // _S, UTC):%Y-%m-%d %H:%M:%S} UTC"
