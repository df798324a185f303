"""What people's calls look like: a real conversation of two users, from the owner's link to the last session.

Bodies are those of the OpenAPI document's examples; only what nobody can know before (a token, a code, a
secret) is put in when it is sent, and shown as the document has it. What differs from run to run of the
answers is put in a fixed form; everything else is as it came.
"""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import CookieJar
from typing import Any

import pyotp

from fairlead.gateway.console.meanings import EXAMPLES
from tools.pages.exchanged import DAY, Exchanged, hash_of, text_of

Json = Any
_WAIT_S = 30.0
_BOB = "bob@desk.example"
_CODE = re.compile(r"Your code: ([0-9]{8})")
_ID = re.compile(r"\b(usr|ses|chl|flk)_[0-9A-Za-z]{22}\b")
_FINGERPRINT = re.compile(r"\b[0-9a-f]{64}\b")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} UTC")
_IN_URI = re.compile(r"(\bsecret=)[A-Z2-7]+")
_CODES = "ABCDEFGHJK"  # ten
Said = Iterator[tuple[str, Exchanged]]
Wait = Callable[[Callable[[], object]], None]  # until something is true


class Talk:
    """The conversation, in two parts: between them what a key was used for is written."""

    def __init__(self, url: str, token: str) -> None:
        """`token`: of the link for the first user."""
        self._url = url
        self._names = _Names()
        self._ann = _Browser(url, self._names)
        self._token = token
        self._recovery: list[str] = []
        self._kid = ""

    def begin(self) -> Said:
        """From the first user to a key that is used."""
        ann = self._ann
        yield ann.said("GET", "/v1/auth/state")
        first = {"token": self._token}
        yield ann.said("POST", "/v1/auth/first-user", form="FirstUser", known=first)
        yield ann.said("PATCH", "/v1/me", form="Phrase")
        yield ann.said("GET", "/v1/me")
        yield ann.said("POST", "/v1/me/two-factor")
        secret = ann.last["secret"]
        ann.ask("POST", "/v1/challenges", _asked("two_factor.enable", {"secret": secret}))
        yield ann.said("GET", "/v1/mail")
        done = ann.confirm(pyotp.TOTP(secret).now())
        self._recovery = done["recovery_codes"]
        yield ann.said("POST", "/v1/challenges", form="Challenge")
        codes = {"code": ann.mailed(), "totp": self._recovery.pop()}
        path = "/v1/challenges/{challenge}/confirm"
        challenge = {"challenge": ann.challenge}
        yield ann.said("POST", path, form="Codes", known=codes, parts=challenge)
        self._kid = ann.last["kid"]
        request = urllib.request.Request(
            f"{self._url}/v1/balances?exchange_id=SIM%2FALICE",
            headers={"X-CoinAPI-Key": ann.last["secret"]},
        )
        with urllib.request.urlopen(request, timeout=_WAIT_S) as answer:
            answer.read()
        yield ann.said("GET", "/v1/me/accounts")

    def go_on(self, wait: Wait) -> Said:
        """Of the key, of others, and of a forgotten password."""
        ann, kid = self._ann, {"kid": self._kid}
        wait(lambda: ann.ask("GET", f"/v1/keys/{self._kid}/activity"))
        yield ann.said("GET", "/v1/keys")
        yield ann.said("GET", "/v1/keys/{kid}", parts=kid)
        yield ann.said("GET", "/v1/keys/{kid}/activity", parts=kid)
        ann.ask("POST", "/v1/challenges", _asked("certificate.issue", kid))
        fingerprint = {"fingerprint": ann.confirm(self._recovery.pop())["fingerprint"]}
        yield ann.said("GET", "/v1/me/certificates")
        path = "/v1/me/certificates/{fingerprint}/revoke"
        yield self._taken_back(path, fingerprint)
        yield self._taken_back("/v1/keys/{kid}/disable", kid)
        yield from self._of_others()
        yield from self._of_sessions(wait)

    def _taken_back(self, path: str, parts: Mapping[str, str]) -> tuple[str, Exchanged]:
        factor = {"totp": self._recovery.pop()}
        return self._ann.said("POST", path, form="OneFactor", known=factor, parts=parts)

    def _of_others(self) -> Said:
        ann, bob = self._ann, _Browser(self._url, self._names)
        ann.ask("POST", "/v1/challenges", _asked("user.invite", {"email": _BOB}))
        ann.confirm(self._recovery.pop())
        token = ann.letter().partition("/console/invitation#")[2].split()[0]
        yield bob.said("POST", "/v1/auth/invitation", form="Invitation", known={"token": token})
        user = {"user": bob.last["user"]}
        yield bob.said("POST", "/v1/auth/sign-out")
        yield ann.said("GET", "/v1/users")
        yield self._taken_back("/v1/users/{user}/remove", user)

    def _of_sessions(self, wait: Wait) -> Said:
        ann, other = self._ann, _Browser(self._url, self._names)
        yield other.said("POST", "/v1/auth/sign-in", form="SignIn")
        known = {"code": self._recovery.pop()}
        yield other.said("POST", "/v1/auth/second-factor", form="SecondFactor", known=known)
        yield ann.said("GET", "/v1/me/sessions")
        (session,) = (each["session"] for each in ann.last if not each["is_this"])
        yield ann.said("DELETE", "/v1/me/sessions/{session}", parts={"session": session})
        known = {"totp": self._recovery.pop()}
        yield ann.said("POST", "/v1/me/password", form="NewPassword", known=known)
        yield other.said("POST", "/v1/auth/password/forgotten", form="Email")
        wait(lambda: "new password" in ann.subject())  # it is mailed after the answer
        known = {"code": ann.mailed(), "totp": self._recovery.pop()}
        yield other.said("POST", "/v1/auth/password/reset", form="Reset", known=known)


def _asked(action: str, payload: Json) -> Json:
    return {"action": action, "payload": payload}


class _Browser:
    """Somebody's cookies and CSRF token. `last` is what the last answer held, `challenge` the last one."""

    def __init__(self, url: str, names: "_Names") -> None:
        self._url = url
        self._names = names
        jar = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(jar)
        self._opener.addheaders = [("User-Agent", "desk/1.0")]
        self._csrf = ""
        self.challenge = ""
        self.last: Json = None

    def said(
        self,
        method: str,
        path: str,
        *,
        form: str = "",
        known: Mapping[str, str] | None = None,
        parts: Mapping[str, str] | None = None,
    ) -> tuple[str, Exchanged]:
        """Make a call with the document's example of a form, and return its name and what was said.

        `known`: what is sent in the place of what the example cannot know; `parts`: of the path.
        """
        shown = EXAMPLES[form] if form else None
        assert shown is None or isinstance(shown, dict)
        status, content = self._exchanged(
            method, path.format(**parts or {}), None if shown is None else shown | dict(known or {})
        )
        exchanged = Exchanged(
            method,
            self._names.fixed(path.format(**parts or {}), ""),
            None if shown is None else text_of(shown),
            status,
            text_of(self._names.fixed(content, "")) if content is not None else "",
        )
        assert status < 400, exchanged
        return f"{method} {path}", exchanged

    def ask(self, method: str, path: str, body: Json = None) -> Json:
        """Make a call that nobody is shown, and return what its answer holds."""
        status, content = self._exchanged(method, path, body)
        assert status < 400, content
        return content

    def confirm(self, totp: str) -> Json:
        """Do what was asked for last."""
        path = f"/v1/challenges/{self.challenge}/confirm"
        return self.ask("POST", path, {"code": self.mailed(), "totp": totp})

    def letter(self) -> str:
        """Return the last letter, to whomever."""
        return str(self.ask("GET", "/v1/mail")[0]["text"])

    def subject(self) -> str:
        """Return what it is about."""
        return str(self.ask("GET", "/v1/mail")[0]["subject"])

    def mailed(self) -> str:
        """Return the code in it."""
        found = _CODE.search(self.letter())
        assert found is not None
        return found[1]

    def _exchanged(self, method: str, path: str, body: Json) -> tuple[int, Json]:
        headers = {"X-CSRF-Token": self._csrf} | (
            {} if body is None else {"Content-Type": "application/json"}
        )
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, sent, headers, method=method)
        try:
            with self._opener.open(request, timeout=_WAIT_S) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                status, text = refusal.code, refusal.read()
        self.last = json.loads(text) if text else None
        if isinstance(self.last, dict):
            self._csrf = self.last.get("csrf") or self._csrf
            self.challenge = self.last.get("challenge") or self.challenge
        return status, self.last


class _Names:
    """What stands for that which differs from run to run; the same thing is called the same throughout."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def fixed(self, value: Json, name: str) -> Json:
        """Return a value in a fixed form; `name` is that of its field."""
        if isinstance(value, dict):
            until = "00" if name == "" and "challenge" in value else "01"
            fixed = {key: self.fixed(each, key) for key, each in value.items()}
            if fixed.get("expires"):
                # A challenge lasts ten minutes, a key and its certificate ninety days.
                fixed["expires"] = f"{DAY[:11]}09:40:00.0000000Z" if until == "00" else _IN_90_DAYS
            return fixed
        if isinstance(value, list):
            if name == "recovery_codes":
                return [f"{_CODES[at] * 4}-…" for at in range(len(value))]
            return [self.fixed(each, name) for each in value]
        if not isinstance(value, str) or not value:
            return value
        told = _TOLD.get(name)
        return self._named(value) if told is None else told

    def _named(self, text: str) -> str:
        """Return a text with ids, secrets and moments in a fixed form."""
        text = _ID.sub(lambda found: self._id(found[0], found[1]), text)
        text = _FINGERPRINT.sub(hash_of("certificate") * 2, text)
        text = _IN_URI.sub(r"\1…", text)
        text = _CODE.sub("Your code: 12345678", text)
        return _MOMENT.sub(f"{DAY[:10]} 09:30:00 UTC", text)

    def _id(self, text: str, kind: str) -> str:
        if text not in self._ids:
            count = self._counts.get(kind, 0)
            self._ids[text] = f"{kind}_{count:022d}"  # the first is that of the document's examples
            self._counts[kind] = count + 1
        return self._ids[text]


_NOW = f"{DAY}0.0000000Z"
_IN_90_DAYS = "2026-04-05T09:30:00.0000000Z"
_TOLD = {
    "csrf": hash_of("csrf"),
    **dict.fromkeys(("created", "last_used", "revoked", "time"), _NOW),
    "secret": "…",
    "qr_svg": "<svg …>…</svg>",
}
