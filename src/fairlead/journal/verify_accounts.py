"""Accounts by their reports: sequences, modes, balances and positions, compared with the tables' rows."""

import sqlite3

from fairlead.core.model import AccountMode, Balance, Position
from fairlead.core.reports import AccountReport, BalanceReport, PositionReport, Report
from fairlead.core.unit import AccountRecord
from fairlead.journal.rows import Frame, decode_balance, positions_of
from fairlead.journal.schema import POSITIONS_VERSION, user_version
from fairlead.journal.verification import Verification


class AccountsReplayed:
    """What the frames so far make of the accounts; differences go to `found`."""

    def __init__(self, connection: sqlite3.Connection, found: Verification) -> None:
        self._connection = connection
        self._found = found
        self._sequences: dict[str, int] = {}
        self._modes: dict[str, AccountMode] = {}
        self._balances: dict[tuple[str, str], Balance] = {}
        self._positions: dict[tuple[str, str], Position] = {}
        self._records: dict[str, AccountRecord] = {}

    def follow(self, batch: int, report: Report) -> None:
        """Follow a report of whatever kind: its sequence, and what it says of the account."""
        self._found.reports += 1
        expected = self._sequences.get(report.account, 0) + 1
        if report.sequence != expected:
            self._found.differs(
                f"account {report.account}: sequence {report.sequence} in frame {batch} where"
                f" {expected} was due"
            )
        self._sequences[report.account] = report.sequence
        if isinstance(report, BalanceReport):
            self._balances[report.account, report.balance.asset] = report.balance
        elif isinstance(report, PositionReport):
            self._positions[report.account, report.position.symbol] = report.position
        elif isinstance(report, AccountReport):
            self._modes[report.account] = report.mode

    def follow_records(self, batch: int, frame: Frame) -> None:
        """Follow what a frame says of accounts as a whole; its reports have been followed."""
        for record in frame.accounts:
            self._records[record.account] = record
            self._compare_with_reports(record, f" in frame {batch}")

    def count(self) -> None:
        """Say how much there was."""
        self._found.accounts = len(self._records)
        self._found.balances = len(self._balances)
        self._found.positions = len(self._positions)

    def compare(self, records: list[AccountRecord]) -> None:
        """Compare with the rows of accounts (`records`), balances and positions."""
        self._compare_accounts(records)
        self._compare_balances()
        self._compare_positions()

    def _compare_accounts(self, records: list[AccountRecord]) -> None:
        known = set()
        for record in records:
            known.add(record.account)
            self._compare_with_reports(record, "")
            said = self._records.get(record.account)
            if record != said:
                self._found.differs(
                    f"account {record.account}: is {record}, its last frame says {said}"
                )
        for account in sorted(self._sequences.keys() - known):
            self._found.differs(f"account {account}: has reports and no row")

    def _compare_with_reports(self, record: AccountRecord, where: str) -> None:
        sequence = self._sequences.get(record.account, 0)
        if record.sequence != sequence:
            self._found.differs(
                f"account {record.account}: sequence {record.sequence}{where}, its last report has"
                f" {sequence}"
            )
        mode = self._modes.get(record.account, AccountMode.ACTIVE)
        if record.mode is not mode:
            self._found.differs(
                f"account {record.account}: mode {record.mode}{where}, its reports make it {mode}"
            )

    def _compare_balances(self) -> None:
        sql = "SELECT exchange_id, asset, data FROM balances JOIN accounts USING (account_no)"
        rows = {
            (a, asset): decode_balance(data) for a, asset, data in self._connection.execute(sql)
        }
        for account, asset in sorted(rows.keys() | self._balances.keys()):
            kept, said = rows.get((account, asset)), self._balances.get((account, asset))
            if kept is None or said is None:
                where = "no row" if kept is None else "no report"
                self._found.differs(f"account {account}: balance of {asset} has {where}")
                continue
            for name in ("asset", "total", "locked", "traded", "locked_elsewhere"):
                if getattr(kept, name) != getattr(said, name):
                    self._found.differs(
                        f"account {account}: {name} of {asset} is {getattr(kept, name)}, its last"
                        f" report says {getattr(said, name)}"
                    )

    def _compare_positions(self) -> None:
        if not self._has_positions():
            return
        rows = {
            (account, position.symbol): position
            for account, position in positions_of(self._connection)
        }
        for account, symbol in sorted(rows.keys() | self._positions.keys()):
            kept, said = rows.get((account, symbol)), self._positions.get((account, symbol))
            if kept != said:
                self._found.differs(
                    f"account {account}: position in {symbol} is {kept}, its last report says {said}"
                )

    def _has_positions(self) -> bool:
        """Whether the file is of a version that has positions; before, there were no reports of any."""
        return user_version(self._connection) >= POSITIONS_VERSION
