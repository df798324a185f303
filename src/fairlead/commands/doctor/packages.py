"""Which packages are installed. Must import nothing that needs one: it is asked when one is missing."""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import fairlead
from fairlead.commands.doctor.problems import Fine, Result, finding


def installed() -> Iterator[Result]:
    """Compare every package with the locked one."""
    locked = _locked()
    others = 0
    for name, (version, is_needed) in locked.items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            if is_needed:
                others += 1
                yield finding("package_missing", f"{name} {version} is not installed")
            continue
        if found != version:
            others += 1
            yield finding("package_other_version", f"{name} is {found}, locked is {version}")
    if locked and not others:
        yield Fine("packages", f"{len(locked)} as locked")


def _locked() -> dict[str, tuple[str, bool]]:
    """Return name → (version, whether every platform needs it), from the lock that is installed."""
    package = Path(fairlead.__file__).parent
    for path in (package / "requirements.txt", package.parents[1] / "requirements/run.txt"):
        if path.exists():
            found = re.findall(r"^([a-z0-9.-]+)==([\w.!+-]+)( ;)?", path.read_text(), re.MULTILINE)
            return {name: (version, not marker) for name, version, marker in found}
    return {}
