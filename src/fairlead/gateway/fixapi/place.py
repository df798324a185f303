"""Where a session stands in the reports of its accounts, also of those that are not present now."""

from collections.abc import Mapping

from fairlead.gateway.fixapi.cursor import Cursor, begun


class Place:
    """From before the logon to the end. By account: `told`, where reports begin; `asked`, see `Cursor`."""

    def __init__(self) -> None:
        self.told: dict[str, int] = {}
        self.asked: dict[str, int] = {}
        self._away: dict[str, int] = {}  # what was told of accounts that are not present
        self._came: dict[str, int] = {}  # accounts that came while the logon was decided
        self._stored: set[str] = set()  # accounts in whose reports there is a place for good

    def came(self, account: str, sequence: int) -> None:
        """Take note of an account that comes while the logon is decided."""
        self._came.setdefault(account, sequence)

    def begin(self, kept: Cursor, is_reset: bool, present: dict[str, int]) -> None:
        """Go on from what was kept, `present` being the sequences of the accounts that are here."""
        present = self._came | present
        begin = begun(kept, is_reset, present)
        self.told = {account: begin.told[account] for account in present}
        self.asked = dict(begin.asked)
        self._away = {each: told for each, told in begin.told.items() if each not in present}
        self._stored = set(kept.told)

    def joined(self, account: str, sequence: int) -> int:
        """Take up an account that is new or back at `sequence`; return behind which one it is followed."""
        told = self._away.pop(account, sequence)
        self.asked.setdefault(account, sequence)
        return min(told, sequence)

    def cursor(self, followed: Mapping[str, int]) -> tuple[Cursor, bool]:
        """Return what is to be stored, and whether it has an account that was not in it before.

        `followed`: by account, the last report that was told.
        """
        told = self._away | dict(followed)
        has_begun = not told.keys() <= self._stored
        if has_begun:
            self._stored.update(told)
        return Cursor(told, self.asked), has_begun
