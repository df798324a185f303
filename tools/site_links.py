"""Where links of the repository's pages lead on the documentation site. Text in, text out.

The site has all of docs/ and some pages of the root. A link to anything else in the repository (a
source file) becomes its words.
"""

import posixpath
import re

# Pages outside docs/ that the site shows, by their path in the repository → on the site.
PUBLISHED = {
    "ARCHITECTURE.md": "project/architecture.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "README.md": "index.md",
}
GENERATED = {path: at for path, at in PUBLISHED.items() if path != "README.md"}

_DOCS = "docs/"
_FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_ELSEWHERE = re.compile(r"[a-z]+:|#|/")


def site_text(text: str, page: str) -> str:
    """Return the text of `page` (its path in the repository) with every link as the site needs it."""
    parts, end = [], 0
    for fence in _FENCED.finditer(text):
        parts += [_relinked(text[end : fence.start()], page), fence.group()]
        end = fence.end()
    return "".join([*parts, _relinked(text[end:], page)])


def _relinked(text: str, page: str) -> str:
    def changed(match: re.Match[str]) -> str:
        words, target = match.groups()
        if _ELSEWHERE.match(target):
            return match.group()
        path, mark, anchor = target.partition("#")
        place = site_place(posixpath.normpath(posixpath.join(posixpath.dirname(page), path)))
        if place is None:
            return words
        home = posixpath.dirname(site_place(page) or "")
        return f"[{words}]({posixpath.relpath(place, home or '.')}{mark}{anchor})"

    return _LINK.sub(changed, text)


def site_place(path: str) -> str | None:
    """Return where the site has the file `path` of the repository, None if it has not."""
    if path == "docs/decisions":
        return "decisions/README.md"
    if path.startswith(_DOCS):
        return path.removeprefix(_DOCS)
    return PUBLISHED.get(path)
