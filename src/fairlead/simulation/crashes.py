"""When a world's Fairlead is killed, and in what state the disk is left: drawn from the seed.

One crash is planned at a time, from each start on: at a commit, between two requests on their way
out, while the tables follow the log, at a checkpoint, or at a moment. The first commit after a start
is the restart's own, so that recovery is interrupted too.
"""

from enum import Enum
from random import Random

import msgspec

from fairlead.simulation.network import MS


class CrashKind(Enum):
    """Where the process dies, and what of its last writes reached the disk."""

    COMMIT_BEFORE = "before a commit"
    COMMIT_TORN = "within a commit"
    COMMIT_AFTER = "after a commit, before its release"
    SENDING = "while sending"
    SENT = "after sending"
    APPLYING = "while the tables follow the log"
    APPLIED = "after the tables followed the log"
    CHECKPOINT = "within a checkpoint"
    CHECKPOINT_AFTER = "after a checkpoint"
    MOMENT = "at a moment"
    STORE_BEFORE = "before a commit of the FIX store"
    STORE_AFTER = "after a commit of the FIX store, before it is said"


class Tidying(Enum):
    """What the journal has to do besides committing."""

    APPLY = "apply"
    CHECKPOINT = "checkpoint"


STORE_KINDS = (CrashKind.STORE_BEFORE, CrashKind.STORE_AFTER)  # see store.py
_PLANNED = tuple(kind for kind in CrashKind if kind not in STORE_KINDS)
_TIDYING = {
    CrashKind.APPLYING: Tidying.APPLY,
    CrashKind.APPLIED: Tidying.APPLY,
    CrashKind.CHECKPOINT: Tidying.CHECKPOINT,
    CrashKind.CHECKPOINT_AFTER: Tidying.CHECKPOINT,
}


class CrashSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`most` crashes in all; each after at most `commits` commits (or writes, or `wait_ms`).

    After one commit in `tidy_one_in` the journal tidies, however little there is to tidy.
    """

    most: int = 0
    commits: int = 30
    wait_ms: int = 3_000
    tidy_one_in: int = 50
    silent: int = 300  # per mille of crashes that the exchange is not told of: the power failed


class CrashPlan:
    """The next crash, and how long until it comes."""

    def __init__(self, random: Random, settings: CrashSettings) -> None:
        self.count = 0
        self._random = random
        self._settings = settings
        self._kind: CrashKind | None = None
        self._countdown = 0

    def started(self) -> int | None:
        """A process began: plan its end. Return after how many ns, if it is to be at a moment."""
        self._kind = None
        if self.count >= self._settings.most:
            return None
        random = self._random
        self._kind = random.choice(_PLANNED)
        # Half of the time soon: in the restart, or in the middle of what it left.
        most = self._settings.commits if random.randrange(2) else 3
        self._countdown = random.randrange(1, most + 1)
        if self._kind is CrashKind.MOMENT:
            return random.randrange(self._settings.wait_ms) * MS
        return None

    def stop(self) -> None:
        """Plan no more."""
        self._kind = None
        self.count = self._settings.most

    def at_commit(self) -> CrashKind | None:
        """Say how this commit ends the process, if it does."""
        return self._due(CrashKind.COMMIT_BEFORE, CrashKind.COMMIT_TORN, CrashKind.COMMIT_AFTER)

    def at_write(self, size: int) -> tuple[CrashKind, int] | None:
        """Say whether this write ends the process, and how many of its bytes leave."""
        kind = self._due(CrashKind.SENDING, CrashKind.SENT)
        if kind is None:
            return None
        return kind, self._random.randrange(size) if kind is CrashKind.SENDING else size

    def at_tidy(self) -> Tidying | None:
        """Say what to tidy after this commit, if anything."""
        wanted = _TIDYING.get(self._kind) if self._kind is not None else None
        if wanted is not None:
            if self._countdown <= 1:
                return wanted
            self._countdown -= 1
        if self._random.randrange(self._settings.tidy_one_in):
            return None
        return self._random.choice(list(Tidying))

    def at_apply(self) -> CrashKind | None:
        """Say how this bringing up to date of the tables ends the process, if it does."""
        return self._due(CrashKind.APPLYING, CrashKind.APPLIED)

    def at_checkpoint(self) -> CrashKind | None:
        """Say how this checkpoint ends the process, if it does."""
        return self._due(CrashKind.CHECKPOINT, CrashKind.CHECKPOINT_AFTER)

    def at_moment(self) -> CrashKind | None:
        """Say whether the process ends now."""
        return self._due(CrashKind.MOMENT)

    def is_silent(self) -> bool:
        """Draw whether the peers are told nothing."""
        return self._random.randrange(1_000) < self._settings.silent

    def _due(self, *kinds: CrashKind) -> CrashKind | None:
        if self._kind not in kinds:
            return None
        self._countdown -= 1
        if self._countdown > 0 and self._kind is not CrashKind.MOMENT:
            return None
        kind, self._kind = self._kind, None
        self.count += 1
        return kind
