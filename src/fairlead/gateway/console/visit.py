"""A person's call: the session that its cookie names, and where it comes from."""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import IntEnum
from typing import TypeVar

import msgspec

from fairlead.control.keys import Denied
from fairlead.control.people.person import From, Session, User
from fairlead.control.people.sessions import Limited
from fairlead.gateway.answers import Answer, Call, Header, json_answer
from fairlead.gateway.console.words import Problem

SECURE_COOKIE = "__Host-fairlead"
LOOPBACK_COOKIE = "fairlead_session"  # browsers drop the prefix's cookie where there is no TLS
CSRF_HEADER = b"x-csrf-token"
NO_STORE: Header = (b"cache-control", b"no-store")
_S = 1_000_000_000
_STATUS = {
    "sign_in_refused": 401, "reset_refused": 401, "code_wrong": 401, "session_over": 401,
    "password_wrong": 401, "factor_wrong": 401,
    "two_factor_required": 403, "link_invalid": 404, "user_unknown": 404, "session_unknown": 404,
    "email_taken": 409, "user_last": 409, "users_too_many": 409, "two_factor_on": 409,
    "key_unknown": 404, "label_taken": 409, "keys_too_many": 409, "state_wrong": 409,
    "nothing_changed": 409, "authority_missing": 409, "key_unusable": 409,
    "certificates_too_many": 409, "certificate_unknown": 404, "certificate_revoked": 409,
    "version_stale": 412, "version_needed": 428, "challenge_over": 410,
}  # all others: 422  # fmt: skip
_FIELDS = {"password_weak": "password", "email_invalid": "email", "email_taken": "email",
           "phrase_invalid": "anti_phishing"}  # fmt: skip
_Form = TypeVar("_Form")


class Level(IntEnum):
    """How far somebody must have come to make a call."""

    ANYBODY = 0
    PASSWORD = 1  # the second factor is still to be given
    WHOLE = 2


class Visit(msgspec.Struct, frozen=True):
    """One call. `token`, `user` and `session` are of the cookie; empty and None where it names nobody."""

    call: Call
    origin: From
    is_secure: bool
    now_ns: int
    token: str = ""
    user: User | None = None
    session: Session | None = None

    @property
    def person(self) -> tuple[User, Session]:
        """Return who calls, of a route that lets nobody else in."""
        assert self.user is not None, "the route lets in who is signed in"
        assert self.session is not None
        return self.user, self.session

    def header(self, name: bytes) -> str | None:
        """Return what a header says, several of its lines as one; None: it is not there."""
        lines = [value.decode("latin-1") for each, value in self.call.headers if each == name]
        return ", ".join(lines) if lines else None

    def form(self, kind: type[_Form]) -> _Form | Answer:
        """Return the body as a form, or the answer that says what is wrong with it."""
        try:
            return msgspec.json.decode(self.call.body or b"{}", type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return problem(422, "form_invalid", f"the body is not as it should be: {error}")


Endpoint = Callable[[Visit], Awaitable[Answer]]
Routes = Mapping[bytes, Mapping[str, tuple[Level, Endpoint]]]


def csrf_of(token: str) -> str:
    """Return what a page must send back with each change: only who can read our answers has it."""
    digest = hmac.digest(token.encode(), b"fairlead csrf", hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def cookie_of(headers: Iterable[Header], *, is_secure: bool) -> str:
    """Return the token in the cookie, empty where there is none.

    Empty as well where there are two: another server on this machine may have set one of them, and nobody
    is to be signed in as whom it chose. Cookies of others are let be, however they are written.
    """
    ours = SECURE_COOKIE if is_secure else LOOPBACK_COOKIE
    pairs = b";".join(value for name, value in headers if name == b"cookie").decode("latin-1")
    named = (each.strip().partition("=") for each in pairs.split(";"))
    found = {value for name, _, value in named if name == ours}
    return found.pop() if len(found) == 1 else ""


def set_cookie(token: str, *, is_secure: bool) -> Header:
    """Return the header that gives a browser its session, or with an empty token takes it away."""
    name = SECURE_COOKIE if is_secure else LOOPBACK_COOKIE
    secure = "; Secure" if is_secure else ""
    gone = "" if token else "; Max-Age=0"
    value = f"{name}={token}; Path=/; HttpOnly; SameSite=Strict{secure}{gone}"
    return (b"set-cookie", value.encode())


def shown(status: int, value: object, *headers: Header) -> Answer:
    """Return an answer that no cache keeps."""
    return json_answer(status, value, NO_STORE, *headers)


def done(*headers: Header) -> Answer:
    """Return the answer that says that it is done, and nothing more."""
    return Answer(204, b"", headers=(NO_STORE, *headers))


def problem(status: int, code: str, message: str, *headers: Header, field: str = "") -> Answer:
    """Return why something was not done."""
    return shown(status, Problem(code, message, field or msgspec.UNSET), *headers)


def refused(why: Denied | Limited) -> Answer:
    """Return a refusal of the control plane as an answer."""
    if isinstance(why, Limited):
        wait_s = max(1, -(-why.wait_ns // _S))
        text = f"too many attempts, try again in {wait_s} seconds"
        return problem(429, "too_many", text, (b"retry-after", b"%d" % wait_s))
    field = _FIELDS.get(why.code, "")
    return problem(_STATUS.get(why.code, 422), why.code, why.message, field=field)
