"""The import rules of pyproject.toml: each one fails when it is broken, and the package keeps them all.

A skeleton of the package (the modules of the design, empty) is written to a folder, one forbidden import
is added, and import-linter is run on it with the project's own contracts.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]

# Every package and module that the contracts name, and a few that they cover by their package.
SKELETON = (
    *("__init__", "cli", "commands", "config"),
    *("app.__init__", "app.process", "app.system", "app.plane", "app.tenants", "app.tenant"),
    *(
        "core.__init__",
        "core.port",
        "core.model",
        "core.requests",
        "core.venue_messages",
        "core.exact",
        "core.identity",
        "core.order",
        "core.engine",
    ),
    *("journal.__init__", "journal.journal"),
    *("edge.__init__", "edge.sequencer"),
    *("gateway.__init__", "gateway.rest"),
    *("client.__init__", "client.calls"),
    *(
        "venues.__init__",
        "venues.venue",
        "venues.link",
        "venues.sim",
        "venues.sim_messages",
        "venues.binance",
    ),
    *("exchange.__init__", "exchange.book"),
    *("simulation.__init__", "simulation.world"),
    *("control.__init__", "control.keys", "fix.__init__", "fix.codec"),
)

ALLOWED = """
    cli -> app.process               cli -> simulation.world         cli -> exchange.book
    cli -> commands                  commands -> app.process         commands -> simulation.world
    commands -> client.calls         client.calls -> core.model
    app.system -> gateway.rest       app.system -> edge.sequencer    app.system -> venues.sim
    app.system -> exchange.book      app.system -> config            app.system -> journal.journal
    app.process -> app.system        app.system -> app.tenants       app.tenants -> app.tenant
    app.system -> app.plane          app.plane -> app.tenants        app.plane -> control.keys
    app.tenant -> config             app.tenant -> edge.sequencer
    config -> edge.sequencer         config -> exchange.book         config -> gateway.rest
    simulation.world -> exchange.book                                simulation.world -> edge.sequencer
    gateway.rest -> core.port        gateway.rest -> core.model      gateway.rest -> core.order
    gateway.rest -> core.requests
    edge.sequencer -> journal.journal
    edge.sequencer -> venues.venue   edge.sequencer -> core.engine   journal.journal -> core.model
    venues.sim -> venues.venue       venues.sim -> venues.link       venues.sim -> venues.sim_messages
    venues.binance -> venues.link    venues.sim_messages -> core.model
    exchange.book -> venues.sim_messages                             exchange.book -> core.model
"""

FORBIDDEN = """
    app.process -> cli               layers
    commands -> cli                  layers
    app.process -> commands          layers
    core.engine -> journal.journal   layers
    journal.journal -> edge.sequencer layers
    core.engine -> config            layers
    edge.sequencer -> config         layers
    config -> app.system             layers
    gateway.rest -> app.tenant       layers
    edge.sequencer -> app.system     layers
    app.system -> simulation.world   layers
    app.system -> app.process        app-parts
    app.tenants -> app.system        app-parts
    app.tenants -> app.plane         app-parts
    app.tenant -> app.tenants        app-parts
    fix.codec -> core.model          layers
    gateway.rest -> client.calls     layers
    client.calls -> commands         layers
    client.calls -> gateway.rest     client-alone
    client.calls -> journal.journal  client-alone
    client.calls -> core.engine      client-words
    client.calls -> core.requests    client-words
    gateway.rest -> edge.sequencer   parts
    edge.sequencer -> gateway.rest   parts
    edge.sequencer -> exchange.book  parts
    exchange.book -> edge.sequencer  parts
    gateway.rest -> venues.sim       gateway-down
    gateway.rest -> journal.journal  gateway-down
    gateway.rest -> core.engine      gateway-port
    gateway.rest -> core.venue_messages gateway-port
    venues.sim -> edge.sequencer     venues-up
    venues.link -> gateway.rest      venues-up
    venues.sim -> venues.binance     venues-apart
    venues.link -> venues.sim        venues-apart
    venues.venue -> venues.link      venues-apart
    exchange.book -> venues.sim      sim-bytes
    exchange.book -> venues.venue    sim-bytes
    venues.sim_messages -> journal.journal sim-bytes
    venues.sim_messages -> venues.venue sim-bytes
    venues.sim -> exchange.book      exchange-alone
    control.keys -> exchange.book    exchange-alone
    core.engine -> time              pure-core
    core.model -> datetime           pure-core
    core.port -> asyncio             pure-core
    fix.codec -> time                fix-alone
    fix.codec -> uvloop              fix-alone
"""


def _pairs(table: str) -> list[tuple[str, str]]:
    words = table.split()
    return [(words[at - 1], words[at + 1]) for at, word in enumerate(words) if word == "->"]


def _cases() -> list[tuple[str, str, str]]:
    rows = [line.split() for line in FORBIDDEN.strip().splitlines()]
    return [(importer, imported, contract) for importer, _, imported, contract in rows]


def _write_skeleton(folder: Path, imports: list[tuple[str, str]]) -> None:
    package = folder / "fairlead"
    for name in SKELETON:
        file = package / (name.replace(".", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            f"import fairlead.{imported}" if imported in SKELETON else f"import {imported}"
            for importer, imported in imports
            if importer == name
        ]
        file.write_text("\n".join(lines) + "\n")


def _lint(folder: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the project's contracts on the package in `folder`."""
    arguments = ["--no-logo", "--no-cache", "--config", str(ROOT / "pyproject.toml")]
    for contract in contracts:
        arguments += ["--contract", contract]
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_the_design_allows_is_allowed(tmp_path: Path) -> None:
    _write_skeleton(tmp_path, _pairs(ALLOWED))
    result = _lint(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(CONTRACTS)} kept, 0 broken" in result.stdout


@pytest.mark.parametrize(("importer", "imported", "contract"), _cases())
def test_a_forbidden_import_breaks_its_contract(
    tmp_path: Path, importer: str, imported: str, contract: str
) -> None:
    _write_skeleton(tmp_path, [*_pairs(ALLOWED), (importer, imported)])
    result = _lint(tmp_path, contract)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "0 kept, 1 broken" in result.stdout, result.stdout + result.stderr


def test_a_module_without_a_place_in_the_layers_is_refused(tmp_path: Path) -> None:
    _write_skeleton(tmp_path, [])
    (tmp_path / "fairlead" / "misc.py").write_text("")
    result = _lint(tmp_path, "layers")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "fairlead.misc" in result.stdout


def test_every_contract_is_broken_by_some_case() -> None:
    assert {contract for _, _, contract in _cases()} == {contract["id"] for contract in CONTRACTS}
