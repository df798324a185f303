"""What every test starts with: arithmetic that refuses to round, as in every entry point."""

import pytest

from fairlead.core.exact import use_exact_decimals


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    use_exact_decimals()
