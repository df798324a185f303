"""Looks through the built site for anything that a browser would fetch from another host.

    python tools/check_site.py site

Ordinary links may lead anywhere. Prints each finding and ends with 1 if there is one.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

_FETCHES = {"src", "srcset", "poster", "data", "action", "formaction", "background"}
_LINKS = {"a", "area"}
_CANONICAL = {"canonical", "prev", "next", "alternate"}  # told, not fetched
_FOREIGN = re.compile(r"\s*(?:[a-z]+:)?//", re.IGNORECASE)
_STYLE = re.compile(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_style = tag == "style"
        values = {name: value or "" for name, value in attrs}
        for name, value in values.items():
            fetched = name in _FETCHES or (name.endswith("href") and tag not in _LINKS)
            if fetched and _FOREIGN.match(value) and values.get("rel", "") not in _CANONICAL:
                self.found.append(f"<{tag} {name}={value}>")
            if name == "style":
                self.found += _STYLE.findall(value)
        if "mermaid" in values.get("class", "").split():
            self.found.append(f"<{tag} class=mermaid>: its script would come from elsewhere")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the parser's signature
        self._is_style = False

    def handle_data(self, data: str) -> None:
        if self._is_style:
            self.found += _STYLE.findall(data)


def foreign_in_page(text: str) -> list[str]:
    """Return what a browser showing this HTML would fetch from another host."""
    page = _Page()
    page.feed(text)
    page.close()
    return page.found


def foreign_in_style(text: str) -> list[str]:
    """Return what a browser applying this CSS would fetch from another host."""
    return _STYLE.findall(text)


def main() -> None:
    """Check every page and style sheet of a folder."""
    site = Path(sys.argv[1])
    pages, styles = sorted(site.rglob("*.html")), sorted(site.rglob("*.css"))
    looks = [(page, foreign_in_page) for page in pages]
    looks += [(style, foreign_in_style) for style in styles]
    found = [f"{path}: {each}" for path, look in looks for each in look(path.read_text())]
    for line in found:
        print(line)
    if not pages or found:
        sys.exit(f"check_site: {len(found)} of {len(pages)} pages fetch from another host")
    print(f"check_site: {len(pages)} pages, nothing is fetched from another host")


if __name__ == "__main__":
    main()
