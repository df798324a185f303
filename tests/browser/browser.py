"""Debian's Chromium, driven by playwright-core in a Node process: what a person sees, and what they do.

Controls are found as people find them, by role and accessible name. Every look waits until it can be had,
so no test sleeps. Whatever a page must not do (an error on the console, a violation of its policy, a request
to another host) is kept and fails the test that caused it.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from tests.system import Json, until

HERE = Path(__file__).parent
TIMEOUT_MS = 30_000
WIDTH, HEIGHT = 1_040, 700
DARK, LIGHT = "dark", "light"
Role = Literal[
    "alert", "button", "cell", "checkbox", "dialog", "heading", "img", "link", "list", "listitem",
    "navigation", "radio", "region", "row", "status", "table", "textbox", "spinbutton", "combobox",
]  # fmt: skip
Chain = tuple[tuple[Json, ...], ...]


def missing() -> str | None:
    """Return what the browser tests lack on this machine, None if nothing."""
    if shutil.which("node") is None:
        return "no Node (Debian: nodejs)"
    if executable() is None:
        return "no Chromium (Debian: chromium)"
    lock, made = (HERE / name for name in ("package-lock.json", "node_modules/.made"))
    if not made.exists() or made.read_bytes() != lock.read_bytes():
        return "playwright-core is not installed (make env-browser)"
    return None


def executable() -> str | None:
    """Return where Chromium is."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class BrowserError(AssertionError):
    """What Playwright says that it could not do."""


class Browser:
    """One browser process. `ask` is the only way to it."""

    def __init__(self) -> None:
        program = executable()
        assert program is not None
        self._driver = subprocess.Popen(
            ["node", str(HERE / "driver.mjs"), program, str(TIMEOUT_MS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Debian's start script says something about a variable that is not there.
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"},
            text=True,
        )
        self.version = self._answer()

    def ask(self, do: str, **said: Json) -> Json:
        """Have something done. Raises BrowserError."""
        assert self._driver.stdin is not None
        self._driver.stdin.write(json.dumps({"do": do, **said}) + "\n")
        self._driver.stdin.flush()
        return self._answer()

    def _answer(self) -> Json:
        assert self._driver.stdout is not None
        line = self._driver.stdout.readline()
        assert line, f"the browser's driver has ended: {self._driver.poll()}"
        answer = json.loads(line)
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer["value"]

    def close(self) -> None:
        """End it."""
        assert self._driver.stdin is not None
        self._driver.stdin.close()
        self._driver.wait(30)
        assert self._driver.stdout is not None
        self._driver.stdout.close()


class Window:
    """A person's browser: cookies, storage and clipboard of its own, and tabs that share them."""

    def __init__(self, browser: Browser, origin: str, scheme: str = LIGHT, **options: Json) -> None:
        self.browser = browser
        self.origin = origin
        wanted = {
            "baseURL": origin,
            "colorScheme": scheme,
            "viewport": {"width": WIDTH, "height": HEIGHT},
            "locale": "en-GB",
            "timezoneId": "UTC",
            "reducedMotion": "reduce",
            "permissions": ["clipboard-read", "clipboard-write"],
        }
        self.number = browser.ask("open", options=wanted | options, origin=origin)

    def tab(self, path: str = "") -> "Page":
        """Open a tab, there if a path is given."""
        page = Page(self, self.browser.ask("tab", **{"in": self.number}))
        return page.go(path) if path else page

    def take_clock(self) -> None:
        """Have its pages' time in hand, from now on."""
        chain = [("clock",), ("install",)]
        self.browser.ask("context", chain=chain, **{"in": self.number})

    def cookies(self) -> list[dict[str, Json]]:
        """Return its cookies."""
        found: list[dict[str, Json]] = self._context("cookies")
        return found

    def storage(self) -> Json:
        """Return what pages have stored in it, IndexedDB included."""
        return self._context("storageState", {"indexedDB": True})

    def cut(self, path: str) -> None:
        """Have nothing below a path be reached by its pages, from now on."""
        self.browser.ask("cut", path=path, **{"in": self.number})

    def spoil(self, path: str, body: str) -> None:
        """Have what is below a path answer with a text, from now on."""
        self.browser.ask("spoil", path=path, body=body, **{"in": self.number})

    def mend(self) -> None:
        """Have everything be reached again."""
        self.browser.ask("mend", **{"in": self.number})

    def troubles(self) -> list[str]:
        """Return what its pages must not have done since the last time."""
        found: list[str] = self.browser.ask("troubles", **{"in": self.number})
        return found

    def evidence(self, to: Path, name: str) -> list[str]:
        """Keep what each of its pages shows and said; return the files."""
        made: list[str] = self.browser.ask("evidence", to=str(to), name=name, **{"in": self.number})
        return made

    def close(self) -> None:
        """Close it with all its tabs."""
        self.browser.ask("close", **{"in": self.number})

    def _context(self, *call: Json) -> Json:
        return self.browser.ask("context", chain=[call], **{"in": self.number})


class Sought:
    """Something on a page, looked for anew at each use. What needs one waits until it is there."""

    def __init__(self, page: "Page", chain: Chain) -> None:
        self._page = page
        self._chain = chain

    # ── within it ────────────────────────────────────────────────────────────────────────────────

    def role(self, role: Role, name: str | None = None, *, exact: bool = True) -> "Sought":
        """Return what has this role and accessible name."""
        options = {} if name is None else {"name": name, "exact": exact}
        return self._within("getByRole", role, options)

    def button(self, name: str) -> "Sought":
        return self.role("button", name)

    def link(self, name: str) -> "Sought":
        return self.role("link", name)

    def way(self, name: str) -> "Sought":
        """Return a link of the page's navigation."""
        return self.role("navigation", "Main").link(name)

    def heading(self, name: str) -> "Sought":
        return self.role("heading", name)

    def region(self, name: str) -> "Sought":
        return self.role("region", name)

    def dialog(self, name: str, *, exact: bool = True) -> "Sought":
        return self.role("dialog", name, exact=exact)

    def row(self, name: str) -> "Sought":
        """Return the row of a table in which this is written."""
        return self._within("getByRole", "row")._within("filter", {"hasText": name})

    def field(self, label: str) -> "Sought":
        """Return the input with this label."""
        return self._within("getByLabel", label, {"exact": True})

    def text(self, text: str) -> "Sought":
        """Return the innermost element in which this is written."""
        return self._within("getByText", text)

    def pattern(self, pattern: str) -> "Sought":
        """Return the innermost element whose text matches."""
        return self._within("getByText", {"$regex": pattern})

    def first(self) -> "Sought":
        return self._within("first")

    def last(self) -> "Sought":
        return self._within("last")

    def _within(self, *call: Json) -> "Sought":
        return Sought(self._page, (*self._chain, call))

    # ── what a person does with it ───────────────────────────────────────────────────────────────

    def click(self) -> None:
        self._do("click")

    def fill(self, text: str) -> None:
        self._do("fill", text)

    def check(self) -> None:
        self._do("check")

    def uncheck(self) -> None:
        self._do("uncheck")

    def choose(self, text: str) -> None:
        """Choose this of a list."""
        self._do("selectOption", {"label": text})

    def press(self, key: str) -> None:
        self._do("press", key)

    def focus(self) -> None:
        self._do("focus")

    def scroll_to(self) -> None:
        self._do("scrollIntoViewIfNeeded")

    def download(self) -> tuple[str, str]:
        """Click it, and return the name and the text of the file that comes."""
        found = self._page.window.browser.ask(
            "download", on=self._page.number, chain=[*self._chain, ("click",)]
        )
        return found["name"], found["text"]

    # ── what a person sees of it ─────────────────────────────────────────────────────────────────

    def seen(self) -> "Sought":
        """Wait until it can be seen."""
        self._do("waitFor", {"state": "visible"})
        return self

    def gone(self) -> None:
        """Wait until it cannot be seen."""
        self._do("waitFor", {"state": "hidden"})

    def said(self) -> str:
        """Return what is written in it."""
        text: str = self._do("innerText")
        return text

    def value(self) -> str:
        """Return what is in the field."""
        text: str = self._do("inputValue")
        return text

    def attribute(self, name: str) -> str | None:
        text: str | None = self._do("getAttribute", name)
        return text

    def count(self) -> int:
        """Return how many there are, now."""
        number: int = self._do("count")
        return number

    def is_seen(self) -> bool:
        """Whether it can be seen, now."""
        return bool(self._do("isVisible"))

    def is_enabled(self) -> bool:
        return bool(self._do("isEnabled"))

    def is_checked(self) -> bool:
        return bool(self._do("isChecked"))

    def can(self) -> "Sought":
        """Wait until it can be used."""
        return self._is_so("enabled")

    def cannot(self) -> "Sought":
        """Wait until it cannot be used."""
        return self._is_so("disabled")

    def _is_so(self, state: str) -> "Sought":
        """Wait for it as Playwright knows to: a locator's own element, in this state."""
        self._do("elementHandle", then=("waitForElementState", state))
        return self

    def each(self) -> list[str]:
        """Return what is written in all of them, once there is one."""
        self.first().seen()
        texts: list[str] = self._do("allInnerTexts")
        return texts

    def _do(self, *call: Json, then: Sequence[Json] | None = None) -> Json:
        more = [] if then is None else [tuple(then)]
        return self._page.call(*self._chain, call, *more)


class Page(Sought):
    """One tab."""

    def __init__(self, window: Window, number: int) -> None:
        super().__init__(self, ())
        self.window = window
        self.number = number

    def call(self, *chain: Sequence[Json]) -> Json:
        """Call methods of Playwright's page, one after the other."""
        return self.window.browser.ask("call", on=self.number, chain=chain)

    def go(self, path: str) -> Self:
        """Open an address of the page."""
        self.call(("goto", path))
        return self

    def reload(self) -> None:
        self.call(("reload",))

    def back(self) -> None:
        self.call(("goBack",))

    def forward(self) -> None:
        self.call(("goForward",))

    def without_dialog(self) -> None:
        """Wait until a dialog that closed has left the history, too: that is a navigation of its own."""
        self.call(("waitForFunction", "history.state !== 'dialog'"))

    def at(self, path: str) -> Self:
        """Wait until the address is this one."""
        self.call(("waitForURL", {"$regex": f"^{self.window.origin}{path}$"}))
        return self

    @property
    def url(self) -> str:
        text: str = self.call(("url",))
        return text

    def key(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for each in keys:
            self.call(("keyboard",), ("press", each))

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call(("keyboard",), ("type", text))

    def focused(self) -> str:
        """Return the name of what has the focus: its aria-label, its label or its text."""
        name: str = self.run(
            "(() => { const at = document.activeElement, named = at.getAttribute('aria-label');"
            " return (named ?? at.labels?.[0]?.innerText ?? at.innerText ?? '').trim(); })()"
        )
        return name

    def has_focus(self, name: str) -> None:
        """Wait until what is so named has the focus: it gets it a moment after it is shown."""
        until(lambda: self.focused() == name, f"{name} has the focus")

    def run(self, script: str) -> Json:
        """Return what an expression of JavaScript says in the page."""
        return self.call(("evaluate", script))

    def content(self) -> str:
        """Return the whole document as it is."""
        text: str = self.call(("content",))
        return text

    def fields(self) -> list[str]:
        """Return what is in every field, which the document's text does not show."""
        values: list[str] = self.run(
            "[...document.querySelectorAll('input, textarea')].map((each) => each.value)"
        )
        return values

    def copied(self) -> str:
        """Return what is on the clipboard."""
        text: str = self.run("navigator.clipboard.readText()")
        return text

    def remembers(self, text: str) -> bool:
        """Whether a text is anywhere in its memory."""
        return bool(self.window.browser.ask("memory", on=self.number, text=text))

    def later(self, seconds: float) -> None:
        """Have the page's own clock jump ahead, as the system's was moved: countdowns count on."""
        self.call(("clock",), ("fastForward", int(seconds * 1_000)))

    def wears(self, scheme: str) -> None:
        """Have it in this colour scheme."""
        self.call(("emulateMedia", {"colorScheme": scheme}))

    def is_as_wide_as(self, width: int) -> bool:
        """Make the window so wide; return whether nothing must be moved sideways to be seen."""
        self.call(("setViewportSize", {"width": width, "height": HEIGHT}))
        return bool(self.run("document.scrollingElement.scrollWidth <= window.innerWidth"))

    def picture(self, to: Path) -> None:
        """Keep what is seen of it as a PNG."""
        self.window.browser.ask("picture", on=self.number, to=str(to))

    def violations(self) -> list[dict[str, Json]]:
        """Return what axe-core holds against it that is serious or critical."""
        found: list[dict[str, Json]] = self.window.browser.ask("axe", on=self.number)
        return [each for each in found if each["impact"] in ("serious", "critical")]
