"""All calls of the management API as one; each part brings its own."""

from typing import Protocol

from fairlead.gateway.routing import Methods, joined


class Part(Protocol):
    """Some of the calls, as a `Router` takes them."""

    routes: dict[bytes, Methods]
    prefixes: tuple[tuple[bytes, Methods], ...]


class ManagementApi:
    """The calls of all parts; `routes` and `prefixes` are for a `Router`."""

    def __init__(self, *parts: Part) -> None:
        self.routes: dict[bytes, Methods] = joined(*(part.routes for part in parts))
        self.prefixes = tuple(prefix for part in parts for prefix in part.prefixes)
