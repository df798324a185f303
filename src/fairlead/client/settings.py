"""How patient a client is. None of these sends anything again."""

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`timeout_s`: how long the system may be silent in a call; a place is answered within 5 s as shipped.

    `connect_timeout_s`: how long connecting may take. `idle_s`: how long a connection is kept unused,
    less than the system's 75 s. `connections_max`: of an AsyncClient at a time; further calls wait.
    `api_key`: the secret of an API key (`fl_live_…`), for a system that asks who calls.
    """

    timeout_s: float = 10.0
    connect_timeout_s: float = 3.0
    idle_s: float = 30.0
    connections_max: int = 100
    api_key: str | None = None

    def __repr__(self) -> str:
        """Show everything but the key."""
        shown = ((name, getattr(self, name)) for name in self.__struct_fields__)
        words = (
            f"{name}={'***' if name == 'api_key' and value else value!r}" for name, value in shown
        )
        return f"Settings({', '.join(words)})"

    def headers(self, *, has_body: bool = False) -> dict[str, str]:
        """Return the headers of a request."""
        headers = {"Content-Type": "application/json"} if has_body else {}
        if self.api_key is not None:
            headers["X-CoinAPI-Key"] = self.api_key
        return headers

    def at_most(self, timeout_s: float | None) -> float:
        """Return the shorter of our timeout and that of one step."""
        return self.timeout_s if timeout_s is None else min(self.timeout_s, timeout_s)
