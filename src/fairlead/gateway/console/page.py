"""The console page's files, served at /console/: built from web/, and read once.

Knows no user and answers everybody alike. Must never look at the disk for a request, and must let the
page load nothing of another host.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from fairlead.gateway.answers import Answer, Header, message_answer

FOLDER = Path(__file__).resolve().parents[2] / "console"
ROOT = b"/console"
INDEX = "index.html"
_BELOW = ROOT + b"/"
# What the page itself may know is below; its files are in assets.
_ASSETS = _BELOW + b"assets/"
_DEEP = re.compile(rb"/console/(?:[a-z0-9-]+(?:/[a-z0-9-]+)*/?)?").fullmatch
_HTML = b"text/html; charset=utf-8"
_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": _HTML,
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; "  # the QR code of a second factor, which is no file
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_GUARDED: tuple[Header, ...] = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_FRESH: Header = (b"cache-control", b"no-store")
_FOR_EVER: Header = (b"cache-control", b"public, max-age=31536000, immutable")
_UNBUILT = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<meta name="viewport" content="width=device-width"><title>Fairlead</title></head>
<body><main><h1>The console page is not built</h1>
<p>The API works. To have the page too, install Node 20.19 or later with npm, then stop Fairlead and start
it by <code>make run</code>; <code>make web</code> says what goes wrong.</p>
<p>Meanwhile there is the command line: <code>fairlead --help</code>.</p></main></body></html>
"""


class File(msgspec.Struct, frozen=True):
    """One file, with the header that says how long it may be kept."""

    body: bytes
    media_type: bytes
    caching: Header


def read_files(folder: Path) -> Mapping[bytes, File]:
    """Return a built page's files by their paths at the server; nothing, where none is built."""
    if not (folder / INDEX).is_file():
        return {}
    files: dict[bytes, File] = {}
    for path in sorted(folder.rglob("*")):
        media_type = _TYPES.get(path.suffix)
        if media_type is None or not path.is_file():
            continue
        at = _BELOW + path.relative_to(folder).as_posix().encode()
        caching = _FOR_EVER if at.startswith(_ASSETS) else _FRESH
        files[at] = File(path.read_bytes(), media_type, caching)
    return files


class Page:
    """What is at the paths of which `is_at` is true."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = read_files(folder)
        self._index = self._files.get(_BELOW + INDEX.encode())

    @staticmethod
    def is_at(raw_path: bytes) -> bool:
        """Whether a raw path, undecoded, is one of the page's."""
        return raw_path == ROOT or raw_path.startswith(_BELOW)

    def answer(self, method: str, raw_path: bytes) -> Answer:
        """Return the answer to one request."""
        if method not in ("GET", "HEAD"):
            allow: Header = (b"allow", b"GET, HEAD")
            return message_answer(405, "the page is only read", allow, _FRESH, *_GUARDED)
        if raw_path == ROOT:
            return Answer(308, b"", _HTML, ((b"location", _BELOW), _FRESH, *_GUARDED))
        file = self._files.get(raw_path)
        if file is None and _DEEP(raw_path) and not raw_path.startswith(_ASSETS):
            if self._index is None:
                return Answer(503, _UNBUILT, _HTML, (_FRESH, *_GUARDED))
            file = self._index
        if file is None:
            return message_answer(404, "the page has no such file", _FRESH, *_GUARDED)
        return Answer(200, file.body, file.media_type, (file.caching, *_GUARDED))
