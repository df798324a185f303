"""Every call of both documents, tried by schemathesis: no server error, nothing that is not documented."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_tools import needs_api_tools, schemathesis
from tests.managed import Managed, managed

BOUNDS = ("--max-examples", "25", "--no-shrink", "--continue-on-failure", "--seed", "1")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    needs_api_tools()
    with managed(tmp_path_factory.mktemp("documents")) as made:
        yield made


@pytest.mark.parametrize("name", ["openapi", "openapi-management"])
def test_nothing_is_answered_outside_the_document(
    system: Managed, tmp_path: Path, name: str
) -> None:
    said = schemathesis(f"{system.url}/{name}.json", system.key, tmp_path, *BOUNDS)
    tried = re.search(r"([0-9]+) generated", said)
    assert tried is not None, said
    assert int(tried[1]) > 50, said
    assert system.ask("GET", "/health/ready").status == 200
