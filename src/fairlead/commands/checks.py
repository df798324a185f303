"""verify: does what is written in the journals of a data folder agree with itself?"""

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec

from fairlead.commands import show
from fairlead.commands.ending import Ended, ExitCode, said
from fairlead.commands.progress import bars
from fairlead.control.folders import folder_of, folders
from fairlead.core.exact import use_exact_decimals
from fairlead.core.requests import LOCAL
from fairlead.journal.errors import JournalError
from fairlead.journal.opening import FILE_NAME
from fairlead.journal.verification import Verification
from fairlead.journal.verify import verify as verify_journal


def verify(folder: Path, *, as_json: bool) -> None:
    """Apply every report of every journal in `folder` again; print each difference. Raises Ended."""
    use_exact_decimals()
    try:
        with bars() as start:
            found = {
                name: verify_journal(own, start("frames" if name == LOCAL else f"frames of {name}"))
                for name, own in folders(folder)
                if name == LOCAL or (own / FILE_NAME).exists()
            }
    except (JournalError, OSError) as error:
        raise Ended(ExitCode.FATAL, said(error)) from None
    if as_json:
        show.out(json.dumps(_shown(found)))
    else:
        for name, one in found.items():
            _tell("" if len(found) == 1 else f"{name}: ", one)
    wrong = [str(folder_of(folder, name)) for name, one in found.items() if not one.holds]
    if wrong:
        raise Ended(
            ExitCode.REFUSED, f"the journal in {', '.join(wrong)} does not agree with itself"
        )


def _shown(found: Mapping[str, Verification]) -> dict[str, object]:
    """Return what is of `local`, and beside it what is of the others, if there are any."""
    shown = {name: msgspec.structs.asdict(one) for name, one in found.items()}
    own = shown.pop(LOCAL)
    more = {"subscriptions": shown} if shown else {}
    return {"holds": all(one.holds for one in found.values()), **own, **more}


def _tell(whose: str, found: Verification) -> None:
    for difference in found.differences:
        show.out(f"{whose}{difference}")
    untold = found.difference_count - len(found.differences)
    if untold:
        show.out(f"{whose}and {untold} more differences")
    show.out(
        f"{whose}{found.frames} frames, {found.reports} reports, {found.orders} orders"
        f" ({found.unsettled} unsettled), {found.fills} fills, {found.accounts} accounts:"
        f" {'all agree' if found.holds else f'{found.difference_count} differences'}"
    )
