"""The page on exit codes: what a script may conclude from how a command ended."""

from fairlead.commands.ending import ExitCode
from tools.pages.text import NOTE, table

_CTRL_C = 130  # the shell's convention: 128 + SIGINT
_WORDS: dict[ExitCode, tuple[str, str]] = {
    ExitCode.DONE: ("done", "go on"),
    ExitCode.REFUSED: (
        "refused: the order or request was not accepted; or a check does not hold"
        " (`order --dry-run`, `verify`, `simulate`, `doctor`), a backup is damaged or its target taken",
        "read the text; nothing was done",
    ),
    ExitCode.USAGE: (
        "the command line or the configuration is wrong; nothing was tried",
        "correct it",
    ),
    ExitCode.UNREACHABLE: (
        "no system there, or it cannot now (disconnected, reconciling, overloaded);"
        " nothing was changed",
        "try again later",
    ),
    ExitCode.UNKNOWN: (
        "unknown: it may have been done",
        "ask (`orders ID`), or repeat the command with the same `--id`; never with another",
    ),
    ExitCode.NOT_YET: (
        "not yet: what `--wait` waited for has not come within `--timeout`; it still may",
        "wait on, or ask later",
    ),
    ExitCode.FATAL: (
        "the system could not start or had to stop, or a journal cannot be read; the cause is printed",
        "remove the cause, start again",
    ),
}


def exit_codes() -> str:
    """Return the page."""
    unsaid = set(ExitCode) - _WORDS.keys()
    assert not unsaid, f"tools/pages/exit_codes.py says nothing of {sorted(unsaid)}"
    rows = [[str(code.value), *_WORDS[code]] for code in ExitCode]
    rows.append([str(_CTRL_C), "Ctrl-C in a command that does not serve", ""])
    lines = [
        "# Exit codes",
        "",
        NOTE,
        "",
        "How every `fairlead` command ends. Errors are lines on stderr that begin with `fairlead:`.",
        "",
        *table(["code", "meaning", "what a script does"], rows),
        "",
    ]
    return "\n".join(lines)
