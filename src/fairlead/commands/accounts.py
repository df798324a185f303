"""accounts list, set, delete: logins at exchanges, kept by the machine's owner.

Parameters come from standard input or a file: arguments stand in the list of processes and in the shell's
history.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fairlead.commands import show
from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.keeping import granted, opened, owner
from fairlead.control.control import Control
from fairlead.control.folders import folder_of
from fairlead.control.logins import Account, Pairs
from fairlead.core.exact import use_exact_decimals
from fairlead.journal.errors import JournalError, JournalInUse
from fairlead.journal.journal import Journal
from fairlead.journal.opening import FILE_NAME

_COLUMNS = show.columns("account", "parameters", "version#")
_INPUT_BYTES_MAX = 65_536
_FORM = "PublicApiKey=… and PrivateApiKey=…, one a line"


def listed(
    config_file: Path | None, flags: Mapping[str, object], subscription: str, *, as_json: bool
) -> None:
    """Print the accounts, their secrets masked. Raises Ended."""
    with opened(config_file, flags, subscription) as control:
        accounts = control.accounts.listed()
    if as_json:
        show.out(json.dumps([_shown(each) for each in accounts]))
        return
    rows = [[each.exchange_id, _words(each), str(each.version)] for each in accounts]
    show.table(_COLUMNS, rows, "there are no accounts; `fairlead accounts set` adds one")


def put(
    config_file: Path | None,
    flags: Mapping[str, object],
    subscription: str,
    name: str,
    source: Path | None,
    *,
    as_json: bool,
) -> None:
    """Add an account or replace all its parameters, and print it. Raises Ended."""
    given = _read(source)
    with (
        opened(config_file, flags, subscription) as control,
        _login_may_change(control, name, given) as may_change,
    ):
        result = granted(
            control.accounts.put(owner(), name, given, time.time_ns(), may_change_login=may_change)
        )
    if as_json:
        show.out(json.dumps(_shown(result.account)))
    else:
        done = "added" if result.is_new else "updated"
        show.out(f"{name} is {done}: {_words(result.account)}")


def delete(
    config_file: Path | None,
    flags: Mapping[str, object],
    subscription: str,
    names: Sequence[str] | None,
    *,
    as_json: bool,
) -> None:
    """Delete accounts, all or none of them; `names` None: every one. Raises Ended."""
    if names is not None and not names:
        raise Ended(ExitCode.USAGE, "give the accounts to delete, or --all")
    with opened(config_file, flags, subscription) as control:
        accounts, now_ns = control.accounts, time.time_ns()
        if names is None:
            result = accounts.delete_all(owner(), now_ns)
        else:
            result = granted(accounts.delete(owner(), names, now_ns))
    if as_json:
        show.out(json.dumps(result))
        return
    for name in result:
        show.out(f"{name} is deleted, its credentials erased; open orders stay at the exchange")
    if not result:
        show.out("there are no accounts")


# ── what is read ─────────────────────────────────────────────────────────────────────────────────


def _read(source: Path | None) -> Pairs:
    """Return the parameters of a file, or of standard input. Raises Ended."""
    where = "standard input" if source is None else str(source)
    if source is None and sys.stdin.isatty():
        text = f"a terminal shows what is typed: give {_FORM}, by a pipe or by --from FILE"
        raise Ended(ExitCode.USAGE, text)
    try:
        if source is None:
            content = sys.stdin.buffer.read(_INPUT_BYTES_MAX + 1)
        else:
            with source.open("rb") as file:
                content = file.read(_INPUT_BYTES_MAX + 1)
        lines = content.decode().splitlines()
    except OSError as error:
        raise Ended(ExitCode.USAGE, f"{where}: {error.strerror}; expected {_FORM}") from None
    except UnicodeDecodeError:
        raise Ended(ExitCode.USAGE, f"{where}: is not UTF-8; expected {_FORM}") from None
    if len(content) > _INPUT_BYTES_MAX:
        raise Ended(ExitCode.USAGE, f"{where}: is longer than {_INPUT_BYTES_MAX} bytes")
    given = []
    for number, line in enumerate(lines, start=1):
        name, is_pair, value = line.partition("=")
        if line.strip() and not is_pair:
            raise Ended(ExitCode.USAGE, f"{where}: line {number} has no =; expected {_FORM}")
        if is_pair:
            given.append((name.strip(), value.strip()))
    return given


@contextmanager
def _login_may_change(control: Control, name: str, given: Pairs) -> Iterator[bool]:
    """Give whether the account's login may become another; no system starts meanwhile. Raises Ended."""
    folder = folder_of(control.data, control.accounts.subscription)
    if not control.accounts.changes_login(name, given):
        yield False
        return
    if not (folder / FILE_NAME).exists():
        yield True
        return
    use_exact_decimals()
    try:
        with Journal.open(folder) as journal:
            yield not any(order.account == name for order in journal.restore().orders)
    except JournalInUse:
        text = (
            f"the login of {name} would become another, which the system that runs must allow:"
            " POST /v1/accounts, or stop it first"
        )
        raise Ended(ExitCode.REFUSED, text) from None
    except JournalError as error:
        raise Ended(ExitCode.FATAL, str(error)) from None


# ── what is shown ────────────────────────────────────────────────────────────────────────────────


def _shown(account: Account) -> dict[str, object]:
    return {
        "exchange_id": account.exchange_id,
        "parameters": [{"key": name, "value": each} for name, each in account.masked.items()],
        "version": account.version,
    }


def _words(account: Account) -> str:
    return " ".join(f"{name}={value}" for name, value in account.masked.items())
