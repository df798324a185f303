"""How what doctor found is told: as tables and sentences, or as JSON."""

import json
import sys

import msgspec

from fairlead.commands import show
from fairlead.commands.doctor.problems import Finding, Fine, Result
from fairlead.commands.ending import Ended, ExitCode


def tell(results: list[Result], *, as_json: bool) -> None:
    """Print the results. Raises Ended when there is a problem among them."""
    if as_json:
        _print_json(results)
    else:
        _print(results)
    problems = sum(isinstance(each, Finding) and not each.is_notice for each in results)
    if problems:
        raise Ended(ExitCode.REFUSED, f"{problems} problem{'s' if problems > 1 else ''} found")


def _print_json(results: list[Result]) -> None:
    findings = [msgspec.structs.asdict(each) for each in results if isinstance(each, Finding)]
    fine = [msgspec.structs.asdict(each) for each in results if isinstance(each, Fine)]
    show.out(json.dumps({"findings": findings, "fine": fine}))


def _print(results: list[Result]) -> None:
    """Print what is fine in a table, then what is not, problems before notices."""
    rows = [["ok", each.check, each.found] for each in results if isinstance(each, Fine)]
    show.table((show.Column(""), show.Column("looked at"), show.Column("found")), rows, "")
    findings = sorted(
        (each for each in results if isinstance(each, Finding)), key=lambda each: each.is_notice
    )
    for each in findings:
        show.out()
        show.out(f"{_marked(each)} {each.found}")
        show.out(f"  why it matters: {each.why}")
        show.out(f"  what to do: {each.todo}")
    if not findings:
        show.out("no problem found")


def _marked(each: Finding) -> str:
    word = "notice" if each.is_notice else "problem"
    text = f"{word} {each.code}:"
    if not sys.stdout.isatty():
        return text
    return f"\x1b[{'33' if each.is_notice else '31'}m{text}\x1b[0m"
