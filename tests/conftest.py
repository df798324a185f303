"""What every test starts with: arithmetic that refuses to round, as every entry point of the program has it."""

import pytest

from fairlead.core.exact import use_exact_decimals


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    use_exact_decimals()
