"""Where a system is, and a transport's failure in words."""

from urllib.parse import urlsplit

import msgspec


class Address(msgspec.Struct, frozen=True):
    """`url` without a slash at its end."""

    url: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Return what stands in the Host header."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def of(cls, url: str) -> "Address":
        """Return the address of `http://HOST:PORT`; raises ValueError for anything else."""
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if parts.scheme != "http" or not host or parts.path not in ("", "/"):
            raise ValueError(f"url {url!r} is not http://HOST:PORT such as http://127.0.0.1:3080")
        return cls(url.rstrip("/"), host, port or 80)


def words(error: BaseException) -> str:
    """Return what a transport's error says."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    said = error.strerror if isinstance(error, OSError) else None
    return said or str(error) or type(error).__name__
