"""Where a system is, and a transport's failure in words."""

from urllib.parse import urlsplit

import msgspec

_PORTS = {"http": 80, "https": 443}


class Address(msgspec.Struct, frozen=True):
    """`url` without a slash at its end. `is_secure`: spoken to over TLS."""

    url: str
    host: str
    port: int
    is_secure: bool = False

    @property
    def authority(self) -> str:
        """Return what stands in the Host header: without the port where it is the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_usual = self.port == _PORTS["https" if self.is_secure else "http"]
        return host if is_usual else f"{host}:{self.port}"

    @classmethod
    def of(cls, url: str) -> "Address":
        """Return the address of `http://HOST:PORT` or `https://…`; raises ValueError for anything else."""
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if parts.scheme not in _PORTS or not host or parts.path not in ("", "/"):
            raise ValueError(
                f"url {url!r} is not http://HOST:PORT such as http://127.0.0.1:3080, or https://HOST:PORT"
            )
        usual = _PORTS[parts.scheme]
        return cls(url.rstrip("/"), host, usual if port is None else port, parts.scheme == "https")


def words(error: BaseException) -> str:
    """Return what a transport's error says."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    said = error.strerror if isinstance(error, OSError) else None
    return said or str(error) or type(error).__name__
