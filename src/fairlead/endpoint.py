"""Where a running system is reached: DIR/endpoint.json, written when it serves, gone when it stopped."""

from pathlib import Path

import msgspec

ENDPOINT_FILE = "endpoint.json"
CONSOLE = "/console/"
FIRST_USER, INVITATION = "first-user", "invitation"  # its pages that a link leads to


class Endpoint(msgspec.Struct, frozen=True):
    """Where a running system is reached; also the content of DIR/endpoint.json.

    `https` and `https_clients` are the TLS listeners, `fix` and `fix_tls` HOST:PORT of the FIX API, the
    second of each for clients with a certificate; None where there is none. `operator_url` is the
    simulated exchange's operator API, None when the exchange runs elsewhere.
    """

    url: str
    operator_url: str | None
    pid: int
    data: str
    fix: str | None = None
    https: str | None = None
    https_clients: str | None = None
    fix_tls: str | None = None


def url_of(scheme: str, host: str, port: int) -> str:
    """Return the URL of an address."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def page_url(url: str, path: str, token: str) -> str:
    """Return a link of the console. The token is in the fragment, which no server and no log gets to see."""
    return f"{url}{CONSOLE}{path}#{token}"


def write_endpoint(folder: Path, endpoint: Endpoint) -> None:
    """Put it into a data folder, whole or not at all."""
    half_written = folder / f".{ENDPOINT_FILE}.{endpoint.pid}"
    half_written.write_bytes(msgspec.json.encode(endpoint) + b"\n")
    half_written.replace(folder / ENDPOINT_FILE)


def endpoint_of(folder: Path) -> Endpoint | None:
    """Return the endpoint that was last written in a data folder, None if there is none."""
    try:
        return msgspec.json.decode((folder / ENDPOINT_FILE).read_bytes(), type=Endpoint)
    except FileNotFoundError:
        return None
