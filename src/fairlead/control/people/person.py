"""Users and sessions as they are told: never a secret, hash or token. Times are UTC nanoseconds."""

import re
from enum import StrEnum

import msgspec

from fairlead.control.addresses import read_address, subscriber_of
from fairlead.control.keys import Denied

EMAIL_CHARACTERS_MAX = 254
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+", re.ASCII
).fullmatch
_MINUTE = 60 * 1_000_000_000
IDLE_NS = 30 * _MINUTE
LONGEST_NS = 12 * 60 * _MINUTE
HALF_SIGNED_IN_NS = 10 * _MINUTE  # to give the second factor


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person of a subscription. `version` grows with every change."""

    user: str
    subscription: str
    email: str
    has_second_factor: bool
    phrase: str
    created_ns: int
    version: int


class Stage(StrEnum):
    """How far a session has come."""

    PASSWORD = "password"  # the second factor is still to be given: good for nothing else
    WHOLE = "whole"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A person's session in one browser."""

    session: str
    user: str
    stage: Stage
    created_ns: int
    seen_ns: int
    address: str
    agent: str

    def is_over(self, now_ns: int) -> bool:
        """Whether it has been idle, or has been there at all, for too long."""
        longest = LONGEST_NS if self.stage is Stage.WHOLE else HALF_SIGNED_IN_NS
        return now_ns - self.seen_ns >= IDLE_NS or now_ns - self.created_ns >= longest


class From(msgspec.Struct, frozen=True):
    """Where somebody is: the address, and what the browser calls itself."""

    address: str
    agent: str

    @property
    def subscriber(self) -> str:
        """Return by what attempts are counted: whoever has one address of IPv6 has many."""
        version, number = subscriber_of(read_address(self.address))
        return f"{version}.{number:x}"


def email_wrong(email: str) -> Denied | None:
    """Say why nobody can be written to there."""
    if len(email) <= EMAIL_CHARACTERS_MAX and _EMAIL(email):
        return None
    text = "the e-mail address is not written as one, give a name, @ and a domain: ann@desk.example"
    return Denied("email_invalid", text)


def folded_email(email: str) -> str:
    """Return an address as it is looked for, in small letters; empty, which is nobody's, if it is none."""
    return "" if email_wrong(email) else email.lower()
