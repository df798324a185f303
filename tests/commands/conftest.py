"""One running system for the tests of a module: two accounts, participants off, short times."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.terminal import Terminal
from tests.system import ACCOUNTS, QUICK, Ems, Operator, running, write_config


@pytest.fixture(scope="module")
def ems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ems]:
    folder: Path = tmp_path_factory.mktemp("commands")
    settings = {"exchange.participants": False, "engine.order_answer_timeout_ms": 2_000}
    config = write_config(folder / "fairlead.toml", {**QUICK, **settings}, ACCOUNTS)
    system = Ems(folder / "data", config)
    with running(system):
        yield system.reconciled()


@pytest.fixture
def terminal(ems: Ems) -> Terminal:
    return Terminal(ems.folder)


@pytest.fixture
def operator(ems: Ems) -> Iterator[Operator]:
    """The exchange's levers; faults end with the test."""
    operator = ems.operator()
    yield operator
    operator.clear()
    operator.api.close()
