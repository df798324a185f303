"""Clients that a stock generator makes from the documents work as they are, however they say who calls."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_tools import contract, generate, needs_api_tools
from tests.managed import Managed, managed

PROGRAM = Path(__file__).with_name("generated_program.py")
DOCUMENTS = {"ems_rest": "openapi", "ems_mgmt": "openapi-management"}
WAYS = ("header", "query", "certificate")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    needs_api_tools()
    with managed(tmp_path_factory.mktemp("generated")) as made:
        yield made


@pytest.fixture(scope="module", params=["contract", "served"])
def packages(
    request: pytest.FixtureRequest, system: Managed, tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """Clients made from the contract's documents, or from those that are served."""
    folder = tmp_path_factory.mktemp(request.param)
    made = [Path(request.param)]
    for package, name in DOCUMENTS.items():
        if request.param == "contract":
            document = contract(package.replace("_", "-"))
        else:
            document = folder / f"{name}.json"
            document.write_bytes(system.ask("GET", f"/{name}.json").body)
        made.append(generate(document, package, folder / package))
    return made


@pytest.mark.parametrize("way", WAYS)
def test_a_generated_client_manages_and_trades(
    system: Managed, packages: list[Path], way: str
) -> None:
    source, *folders = packages
    endpoint = system.ems.endpoint
    told = {
        "url": endpoint["https_clients" if way == "certificate" else "https"],
        "authority": str(system.desk.authorities),
        "way": way,
        "name": f"{source}-{way}",
        "key": system.key,
        "certificate": str(system.certificate),
        # The contract's trading document says nothing of keys: its clients take none into the query.
        "trades": (str(source), way) != ("contract", "query"),
    }
    ran = subprocess.run(
        [sys.executable, str(PROGRAM), json.dumps(told)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "all of it\n"), ran.stderr
