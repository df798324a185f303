"""The machine's owner at work in a process of its own: makes keys, turns the vault's key over, and again.

`python -m tests.crash.owner DATA [URL]` prints one line for each thing when it is done: whoever kills it
knows what had been answered. When there are as many keys as there may be, it goes on to turn the vault's key
over.
"""

import sys
import time
from itertools import count
from pathlib import Path

from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.key_changes import Wanted
from fairlead.control.keyring import Made
from fairlead.control.keys import Kind
from fairlead.control.rotation import rotate
from fairlead.core.requests import LOCAL

OWNER = Actor("test", "local", "machine")
KEY, ROTATED, BEGUN = "key", "rotated", "begun"


def work(data: Path, url: str | None) -> None:
    """Do so until killed."""
    with Control.open(data, url, None, LOCAL, time.time_ns()) as control:
        _say(BEGUN)
        for number in count():
            label = f"K{time.time_ns()}x"
            kind = Kind.HMAC if number % 2 else Kind.BEARER
            wanted = Wanted(label=label, kind=kind, scopes=("trade",), days=1)
            made = control.keyring.create(OWNER, wanted, time.time_ns())
            if isinstance(made, Made):
                _say(KEY, made.key.kid, str(made.secret))
            else:
                assert made.code == "keys_too_many", made
            if number % 4 == 3:
                _say(ROTATED, rotate(control, OWNER, time.time_ns()).key_name)


def _say(*words: str) -> None:
    print(*words, flush=True)


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
