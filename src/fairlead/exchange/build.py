"""Builds an exchange with its market: seeded participants, or a recorded tape.

For the process of its own (`serve`) and for the embedded one alike. Reads the tape's files once, so
that what is wrong with them shows before anything plays.
"""

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec

from fairlead.disk.folders import make_folder
from fairlead.exchange.participants import Participants
from fairlead.exchange.server import Exchange
from fairlead.exchange.settings import LISTED, Settings
from fairlead.exchange.tape import Tape, events, open_tape, survey


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What an exchange is started with.

    `folder` holds its store (None: in memory only). `market_tape`: names as `open_tape` takes them;
    with a tape there are no participants. `tape_speed`: 1 plays it as recorded, None waits for
    `POST /operator/tape/advance`. `seed` is that of participants and of the chance in faults.
    """

    folder: Path | None
    seed: int = 0
    participants: bool = True
    market_tape: tuple[str, ...] = ()
    tape_speed: Decimal | None = None
    settings: Settings = Settings(instruments=LISTED)


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"exchange: {text}\n")


def build_exchange(
    setup: Setup, now_ns: Callable[[], int], warn: Callable[[str], None] = _to_stderr
) -> Exchange:
    """Return the exchange, not started yet. Raises StoreError and TapeError.

    `warn` is told what the tape's books miss.
    """
    instruments = setup.settings.instruments
    tape = None
    if setup.market_tape:
        files = open_tape(setup.market_tape, instruments)
        found = survey(files, instruments)
        if found.gaps:
            warn(
                f"the tape has gaps in its books, {found.gaps} in all; the first: {found.first_gap}"
            )
        tape = Tape(events(files, instruments), setup.tape_speed, now_ns())
    participants = None
    if setup.participants and tape is None:
        participants = Participants(instruments, Random(setup.seed), now_ns())
    if setup.folder is not None:
        make_folder(setup.folder)
    return Exchange(setup.settings, now_ns, setup.folder, setup.seed, participants, tape)
