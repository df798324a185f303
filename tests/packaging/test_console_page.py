"""The console page as it is packed and built: its lock, what packages contain, `tools/web` on any machine."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
BUILT = ROOT / "src/fairlead/console"
PROGRAMS = [
    *("sh", "dirname", "cat", "cmp", "cp", "date", "env"),
    *("find", "grep", "mkdir", "mv", "rm", "sort", "tail"),
]
# Texts of React that are addresses and that nothing is loaded from.
NAMED_ADDRESSES = {"www.w3.org", "react.dev"}


# ── what is depended on ──────────────────────────────────────────────────────────────────────────


def test_the_lock_holds_versions_and_hashes_and_no_addresses() -> None:
    text = (WEB / "package-lock.json").read_text()
    assert "://" not in text
    lock = json.loads(text)
    assert lock["lockfileVersion"] == 3
    for name, package in lock["packages"].items():
        if name == "":
            continue
        assert re.fullmatch(r"\d+\.\d+\.\d+[\w.-]*", package["version"]), name
        assert package["integrity"].startswith("sha512-"), name


def test_every_package_is_of_one_version_and_has_its_line_in_the_decision() -> None:
    declared = json.loads((WEB / "package.json").read_text())
    locked = json.loads((WEB / "package-lock.json").read_text())["packages"]
    decision = (ROOT / "docs/decisions/0013-console-stack.md").read_text()
    packages = declared["dependencies"] | declared["devDependencies"]
    for name, version in packages.items():
        assert locked[f"node_modules/{name}"]["version"] == version
        assert f"**{name}**" in decision, name


# ── what is packed ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what packages are made from, with a page that seems to be built."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE", ".gitignore"):
        shutil.copy(ROOT / name, tree)
    for name in ("src", "requirements", "web"):
        ignored = shutil.ignore_patterns("console.new", "node_modules", "dist", "__pycache__", ".*")
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    shutil.rmtree(tree / "src/fairlead/console", ignore_errors=True)
    for name in ("src/fairlead/console/assets", "web/node_modules/react", "web/dist"):
        (tree / name).mkdir(parents=True)
        (tree / name / "index-A1.js").write_text("export {}")
    (tree / "src/fairlead/console/index.html").write_text("<!doctype html>")
    return tree


def packed(tree: Path, kind: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", "out"]
    subprocess.run(command, cwd=tree, check=True, capture_output=True)
    (path,) = (tree / "out").glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return path


def test_the_wheel_contains_the_page(tree: Path) -> None:
    with zipfile.ZipFile(packed(tree, "wheel")) as wheel:
        names = set(wheel.namelist())
    page = {name for name in names if name.startswith("fairlead/console/")}
    assert page == {"fairlead/console/index.html", "fairlead/console/assets/index-A1.js"}
    assert "fairlead/gateway/console/page.py" in names
    licences = {name.rpartition("/")[2] for name in names if ".dist-info/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}  # the page contains work of others
    assert not [name for name in names if "node_modules" in name or name.startswith("web/")]


def test_the_source_contains_what_the_page_is_made_from(tree: Path) -> None:
    with tarfile.open(packed(tree, "sdist")) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    assert {"web/package-lock.json", "web/src/main.tsx", "src/fairlead/console/index.html"} <= names
    assert not [name for name in names if "node_modules" in name or name.startswith("web/dist")]


def test_the_built_page_has_nothing_inline_and_names_no_other_host() -> None:
    if not (BUILT / "index.html").exists():
        if os.environ.get("CI") == "true":
            pytest.fail("the page is not built (make web)")
        pytest.skip("the page is not built (make web)")
    index = (BUILT / "index.html").read_text()
    assert re.findall(r"<script(?![^>]* src=)|<style| style=| on\w+=", index) == []
    references = re.findall(r'(?:src|href)="([^"]*)"', index)
    assert references
    for each in references:
        assert each.startswith("/console/assets/"), each
        assert (BUILT / each.removeprefix("/console/")).is_file(), each
    for path in BUILT.rglob("*.*"):
        if path.suffix in (".js", ".css", ".html"):
            hosts = set(re.findall(r"https?://([\w.-]+)", path.read_text()))
            assert hosts <= NAMED_ADDRESSES, (path.name, hosts)
    assert "react-dom" in (BUILT / "licenses.txt").read_text()


# ── tools/web ────────────────────────────────────────────────────────────────────────────────────


class Machine:
    """A checkout with `tools/web`, and the programs that are installed on its machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self.programs.mkdir()
        for name in PROGRAMS:
            found = shutil.which(name)
            assert found is not None, name
            (self.programs / name).symlink_to(found)
        for name in ("tools", "web", "src/fairlead"):
            (folder / name).mkdir(parents=True)
        shutil.copy(ROOT / "tools/web", folder / "tools")
        (folder / "web/package-lock.json").write_text("{}")
        self.page = folder / "src/fairlead/console/index.html"
        self.calls = folder / "npm.log"

    def install(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def install_node(self, npm: str) -> None:
        """`npm`: what npm does, after it has noted that it was called."""
        self.install("node", "exit 0")
        self.install("npm", f'echo "$*" >> {self.calls}\n{npm}')

    def web(self, kind: str, **variables: str) -> tuple[int, str]:
        environment: Mapping[str, str] = {"PATH": str(self.programs)} | variables
        done = subprocess.run(
            [self.folder / "tools/web", kind],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr


BUILDS = """case "$*" in
*" ci "*) mkdir -p web/node_modules ;;
*"run build"*) mkdir -p web/dist && cat web/made-from > web/dist/index.html ;;
esac"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_node_it_says_what_to_install_and_only_make_web_fails(machine: Machine) -> None:
    for kind, code in (("try", 0), ("build", 1), ("check", 0)):
        exit_code, said = machine.web(kind)
        assert exit_code == code, kind
        assert "there is no Node here; the page needs Node 20.19 or later with npm" in said
    assert machine.web("check", CI="true")[0] == 1
    assert "going on without it" in machine.web("try")[1]


def test_an_old_node_and_a_missing_npm_are_named(machine: Machine) -> None:
    machine.install("node", '[ "$1" = --version ] && echo v18.19.0 || exit 1')
    assert "Node here is v18.19.0" in machine.web("try")[1]
    machine.install("node", "exit 0")
    assert "Node is here, npm is not" in machine.web("try")[1]


def test_a_page_that_is_there_serves_without_node(machine: Machine) -> None:
    machine.page.parent.mkdir()
    machine.page.write_text("built elsewhere")
    assert machine.web("try") == (0, "")
    assert machine.page.read_text() == "built elsewhere"


def test_it_is_built_once_and_again_when_its_source_changed(machine: Machine) -> None:
    machine.install_node(BUILDS)
    source = machine.folder / "web/made-from"
    source.write_text("first")
    exit_code, said = machine.web("try")
    assert (exit_code, machine.page.read_text()) == (0, "first"), said
    calls = machine.calls.read_text()
    assert machine.web("try") == (0, "")
    assert machine.calls.read_text() == calls
    source.write_text("second")
    assert machine.web("build")[0] == 0
    assert machine.page.read_text() == "second"
    ci = [line for line in machine.calls.read_text().splitlines() if " ci " in line]
    assert len(ci) == 1  # the lock has not changed


@pytest.mark.parametrize("failing", ["ci", "run build"])
def test_what_fails_is_said_and_stops_nobody_but_make_web(machine: Machine, failing: str) -> None:
    machine.install_node(BUILDS)
    source = machine.folder / "web/made-from"
    source.write_text("first")
    assert machine.web("try")[0] == 0
    source.write_text("second")
    (machine.folder / "web/package-lock.json").write_text("{ }")
    machine.install_node(f'case "$*" in *"{failing}"*) echo no registry; exit 1 ;; esac\n{BUILDS}')
    exit_code, said = machine.web("try")
    assert exit_code == 0
    assert "failed:\nno registry" in said
    assert "going on without a new page" in said
    assert machine.page.read_text() == "first"
    assert machine.web("build")[0] == 1
    machine.install_node(BUILDS)
    assert machine.web("build")[0] == 0
    assert machine.page.read_text() == "second"
