"""verify: does what is written in a journal agree with itself?"""

import json
from pathlib import Path

import msgspec

from fairlead.commands import show
from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.progress import bars
from fairlead.core.exact import use_exact_decimals
from fairlead.journal.errors import JournalError
from fairlead.journal.verify import verify as verify_journal


def verify(folder: Path, *, as_json: bool) -> None:
    """Apply every report of the journal in `folder` again; print each difference. Raises Ended."""
    use_exact_decimals()
    try:
        with bars() as start:
            found = verify_journal(folder, start("frames"))
    except (JournalError, OSError) as error:
        raise Ended(ExitCode.FATAL, str(error)) from None
    if as_json:
        show.out(json.dumps({"holds": found.holds, **msgspec.structs.asdict(found)}))
    else:
        for difference in found.differences:
            show.out(difference)
        untold = found.difference_count - len(found.differences)
        if untold:
            show.out(f"and {untold} more differences")
        show.out(
            f"{found.frames} frames, {found.reports} reports, {found.orders} orders"
            f" ({found.unsettled} unsettled), {found.fills} fills, {found.accounts} accounts:"
            f" {'all agree' if found.holds else f'{found.difference_count} differences'}"
        )
    if not found.holds:
        raise Ended(ExitCode.REFUSED, f"the journal in {folder} does not agree with itself")
