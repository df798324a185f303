"""A person who calls a running system as the console page does, with a mailbox and an authenticator."""

from http.cookies import SimpleCookie
from typing import Self

from fairlead.control.people import one_time
from tests.system import Answer, Api, Json, encoded

EMAIL, PASSWORD = "ann@desk.example", "seven unrelated words"


class Person:
    """A browser, as far as it matters: keeps its cookie and the CSRF token. Letters are in the sink."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._cookie = self._csrf = ""
        self.secret = ""  # of the authenticator
        self.recovery_codes: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._api.close()

    @property
    def credentials(self) -> tuple[str, str]:
        """What proves the session: its cookie, and the token for changes."""
        return self._cookie.partition("=")[2], self._csrf

    def call(self, method: str, path: str, form: object = None) -> Answer:
        headers = {"Cookie": self._cookie, "X-CSRF-Token": self._csrf}
        body = None if form is None else encoded(form)
        answer = self._api.request(method, path, body, headers)
        for morsel in SimpleCookie(answer.headers.get("set-cookie", "")).values():
            self._cookie = f"{morsel.key}={morsel.value}" if morsel.value else ""
        if answer.status < 300 and b'"csrf"' in answer.body:
            self._csrf = answer.json["csrf"]
        return answer

    def totp(self, now_ns: int) -> str:
        """Return what the authenticator shows at a moment."""
        return one_time.totp_code(self.secret, one_time.step_at(now_ns))

    def become(self, token: str) -> None:
        """Become the first user."""
        form = {"token": token, "email": EMAIL, "password": PASSWORD}
        assert self.call("POST", "/v1/auth/first-user", form).status == 201

    def enrol(self, now_ns: int) -> None:
        """Switch the second factor on."""
        self.secret = self.call("POST", "/v1/me/two-factor").json["secret"]
        path, code = self.asked("two_factor.enable", secret=self.secret)
        answer = self.call("POST", path, {"code": code, "totp": self.totp(now_ns)})
        assert answer.status == 200, answer
        self.recovery_codes = answer.json["recovery_codes"]

    def asked(self, action: str, **payload: object) -> tuple[str, str]:
        """Ask for something; return where to confirm it, and the code that was mailed."""
        said = self.call("POST", "/v1/challenges", {"action": action, "payload": payload})
        assert said.status == 201, said
        letter = self.call("GET", "/v1/mail").json[0]["text"]
        code = letter.partition("Your code: ")[2][:8]
        return f"/v1/challenges/{said.json['challenge']}/confirm", code

    def granted(self, totp: str, action: str, **payload: object) -> Json:
        """Ask for something and confirm it; return what was said."""
        path, code = self.asked(action, **payload)
        answer = self.call("POST", path, {"code": code, "totp": totp})
        assert answer.status < 300, answer
        return answer.json if answer.body else None
