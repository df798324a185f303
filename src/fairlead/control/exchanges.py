"""What each exchange declares: where its edge runs, and what a login there needs.

One source for the configuration, the accounts and the management API. Imports nothing: it is read at every
start, also where the rest of the control plane stays closed.
"""

import re
from collections.abc import Mapping

import msgspec

_VALUE = re.compile(r"[!-~]{1,128}", re.ASCII)
VALUE_EXPECTED = "a text of 1 to 128 printable ASCII characters without spaces"


class Location(msgspec.Struct, frozen=True):
    """Where edges run."""

    location_id: str
    region_name: str
    provider_name: str


class Parameter(msgspec.Struct, frozen=True):
    """One thing that a login needs. What is not secret may be shown to whoever may read the account."""

    name: str
    is_secret: bool


class Declared(msgspec.Struct, frozen=True):
    """One exchange. `parameters`: all that a login needs, sorted by name."""

    exchange_id: str
    location_id: str
    parameters: tuple[Parameter, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the parameters, sorted."""
        return tuple(parameter.name for parameter in self.parameters)

    def parameter(self, name: str) -> Parameter | None:
        """Return the parameter of that name, None: there is none."""
        return next((each for each in self.parameters if each.name == name), None)


EMBEDDED = Location("LOCAL", "local", "self-hosted")  # the process that answers hosts the edges too
LOCATIONS: Mapping[str, Location] = {EMBEDDED.location_id: EMBEDDED}
EXCHANGES: Mapping[str, Declared] = {
    "SIM": Declared(
        "SIM",
        EMBEDDED.location_id,
        (Parameter("PrivateApiKey", is_secret=True), Parameter("PublicApiKey", is_secret=False)),
    ),
}


def is_value(value: object) -> bool:
    """Whether this can be the value of a parameter: VALUE_EXPECTED."""
    return isinstance(value, str) and _VALUE.fullmatch(value) is not None
