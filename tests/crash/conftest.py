"""What the crash tests share: the databases of the control plane."""

from tests.control.conftest import database_url, postgresql  # noqa: F401 - fixtures
