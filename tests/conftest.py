"""What every test starts with: arithmetic that refuses to round, as in every entry point."""

import pytest
from hypothesis import settings

from fairlead.core.exact import use_exact_decimals

settings.register_profile("fairlead", deadline=None)  # a busy machine is no failure
settings.load_profile("fairlead")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    use_exact_decimals()
