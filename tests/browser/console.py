"""A started system with its console page, and people who use it: each with an authenticator and a browser.

People are made by the calls, which is quick; what a test is about it does on the page.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType

import pyotp

from tests.browser.browser import LIGHT, Browser, Page, Sought, Window
from tests.commands.terminal import Run, fairlead
from tests.person import Person
from tests.system import ACCOUNTS, QUICK, Json, running, until, write_config
from tests.timed import TimedEms

PASSWORD = "seven unrelated words"
STEP_S = 30  # of an authenticator
RESEND_S = 60  # between two codes for one action
HOUR_S = 3_600
NOTHING: Mapping[str, object] = MappingProxyType({})
_CODE = re.compile(r"^Your code: ([0-9]{8})$", re.MULTILINE)


class Someone:
    """A user with a second factor, unless it has none yet: then `secret` is empty."""

    def __init__(self, console: "Console", email: str) -> None:
        self.console = console
        self.email = email
        self.password = PASSWORD
        self.secret = ""
        self.recovery: list[str] = []
        self._step = 0

    def totp(self) -> str:
        """Return the authenticator's code, of a step that was not used yet: the clock is moved if need be."""
        ems = self.console.ems
        while (step := int(ems.now_s()) // STEP_S) <= self._step:
            ems.advance((self._step + 1) * STEP_S - ems.now_s())
        self._step = step
        return pyotp.TOTP(self.secret).at(step * STEP_S)

    def code(self) -> str:
        """Return the code of the last letter."""
        found = _CODE.search(self.letter()["text"])
        assert found is not None
        return found[1]

    def letter(self) -> Json:
        """Return the last letter to this person."""
        return self.letters()[-1]

    def letters(self) -> list[Json]:
        """Return the letters to this person, the oldest first."""
        return [each for each in self.console.letters() if each["to"] == self.email]

    def sign_in(self, page: Page) -> Page:
        """Sign in where the page asks for it."""
        page.field("E-mail").fill(self.email)
        page.field("Password").fill(self.password)
        page.button("Sign in").click()
        if self.secret:
            page.field("Authenticator code").fill(self.totp())
            page.button("Go on").click()
        page.button("Sign out").seen()
        return page

    def at(self, path: str, window: Window | None = None) -> Page:
        """Return a tab that is there, signed in: the deep link survives it."""
        page = (window or self.console.window()).tab(f"/console{path}")
        return self.sign_in(page).at(f"/console{path}")

    def send_code(self, form: Sought) -> str:
        """Press "Send code" and return the code that is mailed, once the page knows that it was.

        The page counts down from then on, and while it counted nobody could have pressed.
        """
        before = len(self.letters())
        form.button("Send code").click()
        until(lambda: len(self.letters()) > before, "the letter with the code")
        form.pattern("^again in [0-9]+ ").seen()
        form.pattern("^Sent to ").seen()
        return self.code()

    def both(self, form: Sought, code: str, totp: str | None = None) -> None:
        """Fill in both codes."""
        form.field("E-mail code").fill(code)
        form.field("Authenticator code").fill(self.totp() if totp is None else totp)


class Console:
    """The system, its page, and windows of the one browser that tests share."""

    def __init__(self, folder: Path, ems: TimedEms, browser: Browser) -> None:
        self.folder = folder
        self.ems = ems
        self.browser = browser
        self.windows: list[Window] = []
        self._count = 0

    @property
    def url(self) -> str:
        return str(self.ems.endpoint["url"])

    def window(self, scheme: str = LIGHT, *, clock: bool = False, **options: Json) -> Window:
        """Open a browser of somebody; `clock`: one whose own time a test moves on, see `Page.later`."""
        opened = Window(self.browser, self.url, scheme, **options)
        if clock:
            opened.take_clock()
        self.windows.append(opened)
        return opened

    def letters(self) -> list[Json]:
        """Return the letters in the sink, the oldest first."""
        path = self.ems.folder / "mail.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def run(self, *arguments: str) -> Run:
        """Run a command as the machine's owner."""
        done = fairlead(*arguments, "--data", "data", folder=self.folder)
        assert done.code == 0, done
        return done

    def someone(self, *, has_factor: bool = True) -> Someone:
        """Make a user."""
        self._count += 1
        person = Someone(self, f"person{self._count}@desk.example")
        token = self.run("users", "invite", person.email, "--json").json["token"]
        with Person(self.ems.api()) as calls:
            accepted = {"token": token, "password": person.password}
            assert calls.call("POST", "/v1/auth/invitation", accepted).status == 201
            if has_factor:
                person.secret = calls.call("POST", "/v1/me/two-factor").json["secret"]
                payload = {"secret": person.secret}
                done = self._granted(calls, person, "two_factor.enable", payload)
                person.recovery = done["recovery_codes"]
        return person

    def signed_in(self, calls: Person, person: Someone) -> Person:
        """Sign somebody in who has a second factor."""
        signed = {"email": person.email, "password": person.password}
        assert calls.call("POST", "/v1/auth/sign-in", signed).status == 200
        assert calls.call("POST", "/v1/auth/second-factor", {"code": person.totp()}).status == 200
        return calls

    def keys_of(self, person: Someone) -> list[Json]:
        """Return this person's keys, as the calls tell them."""
        with Person(self.ems.api()) as calls:
            found: list[Json] = self.signed_in(calls, person).call("GET", "/v1/keys").json
        return found

    def key(self, person: Someone, label: str, **payload: Json) -> Json:
        """Make a key of this person's, by the calls; return what is told once."""
        with Person(self.ems.api()) as calls:
            signed = {"email": person.email, "password": person.password}
            assert calls.call("POST", "/v1/auth/sign-in", signed).status == 200
            assert (
                calls.call("POST", "/v1/auth/second-factor", {"code": person.totp()}).status == 200
            )
            return self._granted(calls, person, "key.add", {"label": label, **payload})

    def many_keys(self, person: Someone, count: int) -> list[str]:
        """Make Bot1, Bot2 and so on, a quarter of an hour apart: five an hour may be asked for."""
        secrets = []
        with Person(self.ems.api()) as calls:
            self.signed_in(calls, person)
            for number in range(1, count + 1):
                self.ems.advance(HOUR_S / 4)
                made = self._granted(calls, person, "key.add", {"label": f"Bot{number}"})
                secrets.append(made["secret"])
        return secrets

    def _granted(self, calls: Person, person: Someone, action: str, payload: Json) -> Json:
        asked = calls.call("POST", "/v1/challenges", {"action": action, "payload": payload})
        assert asked.status == 201, asked
        path = f"/v1/challenges/{asked.json['challenge']}/confirm"
        done = calls.call("POST", path, {"code": person.code(), "totp": person.totp()})
        assert done.status in (200, 201), done
        return done.json


def is_reconciled(ems: TimedEms) -> bool:
    """Whether orders are taken, which nobody must say who they are to hear."""
    with closing(ems.api()) as api:
        return api.get("/health/ready").status == 200


def other_code(code: str) -> str:
    """Return another code of as many digits."""
    return code[:-1] + str((int(code[-1]) + 1) % 10)


@contextmanager
def started(
    folder: Path, browser: Browser, settings: Mapping[str, object] = NOTHING, *flags: str
) -> Iterator[Console]:
    """Have a system with its page in `folder` until the end of the `with`; it goes on with what is there.

    `flags`: of `fairlead up`.
    """
    config = write_config(
        folder / "fairlead.toml", QUICK | {"authentication": "keys"} | settings, ACCOUNTS
    )
    ems = TimedEms(folder / "data", config, *flags)
    with running(ems):
        ems.ready()
        until(lambda: is_reconciled(ems), "every account is reconciled")
        yield Console(folder, ems, browser)
