"""What must hold of the repository itself: locks, versions, decisions, documents, scripts, an exact core."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import fairlead
from tests.schedule import APART, SECONDS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ["run", "dev", "docs", "fix", "api"]

# One letter of each is in brackets, so that this file does not find itself.
REGISTRY_HOSTS = re.compile(
    r"pyp[i]\.org|pythonhoste[d]\.org|registry\.npmj[s]|deb\.debia[n]|static\.crate[s]|proxy\.golan[g]"
)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(wor[k]|roo[t]|hom[e]|User[s])/[\w.]")


def _tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: cannot tell tracked files from others")
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],  # a checkout may be another user's
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def _tracked_texts() -> Iterator[tuple[str, str]]:
    for path in _tracked_files():
        try:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _requirement_name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return _canonical(match.group())


def _lock(kind: str) -> dict[str, tuple[str, int]]:
    """Return name → (version, count of hashes), failing on any line that is neither."""
    locked: dict[str, tuple[str, int]] = {}
    name = ""
    for number, line in enumerate((ROOT / f"requirements/{kind}.txt").read_text().splitlines(), 1):
        where = f"requirements/{kind}.txt:{number}: {line}"
        if match := re.fullmatch(r"([a-z0-9.-]+)==([\w.!+-]+)( ; [\w '\"=<>!.()]+)? \\", line):
            name = match.group(1)
            assert name not in locked, f"{where}: locked twice"
            locked[name] = (match.group(2), 0)
        else:
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line), where
            version, hashes = locked[name]
            locked[name] = (version, hashes + 1)
    return locked


# ── locks and versions ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", LOCKS)
def test_a_lock_holds_versions_and_hashes_and_nothing_else(kind: str) -> None:
    locked = _lock(kind)
    assert len(locked) > 10
    assert not [name for name, (_, hashes) in locked.items() if hashes == 0]


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("run", "dev"),
        ("run", "docs"),
        ("run", "fix"),
        ("dev", "fix"),
        ("run", "api"),
        ("dev", "api"),
    ],
)
def test_a_lock_holds_the_locks_that_it_is_built_on(part: str, kind: str) -> None:
    held, whole = _lock(part), _lock(kind)
    assert {name: whole.get(name) for name in held} == held


@pytest.mark.parametrize("kind", ["dev", "fix", "api"])
def test_the_docs_lock_agrees_with_the_others(kind: str) -> None:
    other, docs = _lock(kind), _lock("docs")
    shared = other.keys() & docs.keys()
    assert {name: other[name] for name in shared} == {name: docs[name] for name in shared}


def test_every_declared_dependency_is_locked() -> None:
    groups = PROJECT["dependency-groups"]
    run = {
        _requirement_name(text) for text in [*PROJECT["project"]["dependencies"], *groups["build"]]
    }
    dev = {_requirement_name(text) for text in groups["dev"]}
    assert run <= _lock("run").keys()
    docs = {_requirement_name(text) for text in groups["docs"]}
    assert dev <= _lock("dev").keys()
    assert docs <= _lock("docs").keys()
    for group in ("fix", "api"):
        assert {_requirement_name(text) for text in groups[group]} <= _lock(group).keys()
    assert {_requirement_name(text) for text in groups["fix"]} <= _lock("fix").keys()


def test_the_version_is_the_same_everywhere() -> None:
    declared = PROJECT["project"]["version"]
    assert fairlead.__version__ == declared
    assert importlib.metadata.version("fairlead") == declared


def test_the_changelog_has_a_place_for_the_next_change() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert headings[0] == "Unreleased"
    released = [tuple(int(part) for part in heading.split(".")) for heading in headings[1:]]
    assert released == sorted(released, reverse=True)
    declared = tuple(int(part) for part in PROJECT["project"]["version"].split("."))
    assert all(version <= declared for version in released)


# ── decisions and documents ────────────────────────────────────────────────────────────────────


def _decisions() -> list[Path]:
    return sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))


def test_every_dependency_has_its_line_in_the_decisions() -> None:
    chosen = {
        _canonical(name)
        for page in _decisions()
        for name in re.findall(r"\*\*([A-Za-z0-9._-]+)\*\*", page.read_text())
    }
    groups = PROJECT["dependency-groups"]
    declared = [
        *PROJECT["project"]["dependencies"],
        *groups["build"],
        *groups["dev"],
        *groups["docs"],
        *groups["fix"],
    ]
    assert not {_requirement_name(text) for text in declared} - chosen


@pytest.mark.parametrize("page", _decisions(), ids=lambda page: page.stem)
def test_a_decision_is_one_page_with_its_price(page: Path) -> None:
    text = page.read_text()
    assert len(text.splitlines()) <= 80
    assert text.startswith(f"# {page.stem[:4]} ")
    headings = " ".join(re.findall(r"^## (.+)$", text, re.MULTILINE)).lower()
    for part in ("context", "decision", "price"):
        assert part in headings, f"{page.name} has no section on {part}"
    assert page.name in (ROOT / "docs/decisions/README.md").read_text(), (
        f"{page.name} is not in the index"
    )


def test_decision_numbers_are_dense() -> None:
    assert [int(page.stem[:4]) for page in _decisions()] == list(range(1, len(_decisions()) + 1))


def test_links_between_documents_lead_somewhere() -> None:
    links = [
        (path, target)
        for path in _tracked_files()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text())
        if not target.startswith(("http:", "https:", "mailto:"))
    ]
    assert links
    dead = [
        f"{path.relative_to(ROOT)} → {to}" for path, to in links if not (path.parent / to).exists()
    ]
    assert not dead


def test_the_first_page_of_the_documentation_leads_to_every_other() -> None:
    docs = ROOT / "docs"
    named = set(re.findall(r"\]\(([^)#]+)\)", (docs / "index.md").read_text()))
    folders = ["tutorial", "how-to", "operations", "reference", "explanation"]
    pages = {str(path.relative_to(docs)) for each in folders for path in docs.glob(f"{each}/*.md")}
    assert len(pages) > 40
    assert not pages - named


def test_files_named_in_architecture_exist() -> None:
    """A file is named by its path in the package or the repository, or by its name after a neighbour's."""
    named = re.findall(r"`([\w/]+(?:\.py|/))`", (ROOT / "ARCHITECTURE.md").read_text())
    missing, folder = [], ROOT / "src/fairlead"
    for name in named:
        of_root = [each / name for each in (ROOT, ROOT / "src/fairlead") if (each / name).exists()]
        if of_root and "/" in name:
            folder = of_root[0] if name.endswith("/") else of_root[0].parent
        elif not of_root and not (folder / name).exists():
            missing.append(name)
    assert len(named) > 100
    assert not missing


def test_make_targets_named_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"run", "test", "check", "bench", "simulate", "crash-test", "clean"} <= targets
    named = {
        target
        for document in ("README.md", "CONTRIBUTING.md", ".ci/run", "ARCHITECTURE.md")
        for target in re.findall(
            r"(?:`|^|\")make ([a-z][a-z-]*)", (ROOT / document).read_text(), re.MULTILINE
        )
    }
    assert {"run", "test"} <= named <= targets


def test_tracked_files_name_no_registry_and_no_machine() -> None:
    found = [
        f"{name}: {match.group()}"
        for name, text in _tracked_texts()
        for pattern in (REGISTRY_HOSTS, MACHINE_PATHS)
        for match in pattern.finditer(text)
    ]
    assert not found


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["project"]["license"] == "Apache-2.0"


# ── the package ────────────────────────────────────────────────────────────────────────────────


def test_whoever_is_excused_from_a_rule_of_the_linter_says_why() -> None:
    excuse = re.compile(r"# (?:ruff: )?noqa\b(.*)")
    reason = re.compile(r": [A-Z][A-Z0-9, ]+( - \S.*| \(.+\))")
    excused = [
        (f"{name}:{number}", match[1])
        for name, text in _tracked_texts()
        if name.endswith(".py")
        for number, line in enumerate(text.splitlines(), 1)
        if (match := excuse.search(line))
    ]
    assert len(excused) > 50
    assert not [place for place, said in excused if not reason.fullmatch(said)]


def test_a_package_that_lists_its_modules_lists_them_all() -> None:
    missing, lists = [], 0
    for init in (ROOT / "src/fairlead").rglob("__init__.py"):
        text = ast.get_docstring(ast.parse(init.read_text())) or ""
        if re.search(r"^    \w+  +\S", text, re.MULTILINE):
            lists += 1
            modules = {path.stem for path in init.parent.glob("*.py")} - {"__init__", "__main__"}
            packages = {path.parent.name for path in init.parent.glob("*/__init__.py")}
            unlisted = (modules | packages) - set(re.findall(r"\w+", text))
            missing += [f"{init.parent.name}: {name}" for name in sorted(unlisted)]
    assert lists > 10
    assert not missing


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {module.parent for module in (ROOT / "src/fairlead").rglob("*.py")}
    assert not [
        str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").exists()
    ]


def _floats(source: str) -> list[int]:
    """Return the lines on which a float is written: a literal, or the name `float`."""
    return sorted(
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float | complex))
        or (isinstance(node, ast.Name) and node.id == "float")
    )


def test_a_float_would_be_found() -> None:
    assert _floats("a = 1\nb = 0.5\nc = float(a)\nd: float\ne = 'float 1.5'") == [2, 3, 4]


def test_the_core_holds_no_float() -> None:
    modules = sorted((ROOT / "src/fairlead/core").rglob("*.py"))
    assert modules
    found = [
        f"{module.relative_to(ROOT)}:{line}"
        for module in modules
        for line in _floats(module.read_text())
    ]
    assert not found


# ── scripts ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("script", "shell"), [("tools/bootstrap", "sh"), ("tools/lock", "sh"), (".ci/run", "bash")]
)
def test_a_script_can_be_run(script: str, shell: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    subprocess.run([shell, "-n", script], cwd=ROOT, check=True, timeout=10)


def _bootstrap(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of tools/bootstrap in `folder` with a stand-in for the interpreter."""
    for name in ("tools", "requirements"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "pyproject.toml", folder)
    stand_in = folder / "python-stand-in"
    stand_in.write_text(f"#!/bin/sh\n{python}\n")
    stand_in.chmod(0o755)
    return subprocess.run(
        ["tools/bootstrap", "run"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(stand_in)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_bootstrap_says_that_the_python_is_too_old(tmp_path: Path) -> None:
    result = _bootstrap(tmp_path, 'case "$*" in *print*) echo 3.9.18 ;; *) exit 1 ;; esac')
    assert result.returncode == 1
    assert "needs Python 3.11 or later" in result.stderr
    assert "(3.9.18)" in result.stderr
    assert not (tmp_path / ".venv").exists()


def test_bootstrap_says_what_to_install_where_no_environment_can_be_made(tmp_path: Path) -> None:
    only_checks = 'case "$*" in *print*) echo 3.12 ;; *-m*) exit 1 ;; *) exit 0 ;; esac'
    if any(shutil.which(tool, path="/usr/bin:/bin") for tool in ("virtualenv", "uv")):
        pytest.skip("virtualenv or uv of the system would succeed where this test needs failure")
    result = _bootstrap(tmp_path, only_checks)
    assert result.returncode == 1
    assert "apt-get install python3-venv" in result.stderr
    assert not (tmp_path / ".venv").exists()


# ── the tests themselves ─────────────────────────────────────────────────────────────────────────


def test_what_the_schedule_of_the_tests_names_is_there() -> None:
    assert [name for name in (*SECONDS, *APART) if not (ROOT / "tests" / name).exists()] == []
    assert set(APART) <= SECONDS.keys()
