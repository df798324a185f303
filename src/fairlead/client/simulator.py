"""Calls of the simulated exchange's operator API: its best prices, and the faults it commits on command.

For a client of its `operator_url`: `Client(operator_url).run(simulator.quotes())`. Amounts are exact.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from fairlead.client.calls import Call, reader

Parameter = str | int | bool | Decimal | None | tuple[str, ...]


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """The best prices of one market; None where there is none."""

    symbol: str
    symbol_exchange: str
    bid: Decimal | None = None
    ask: Decimal | None = None


class Quotes(msgspec.Struct, frozen=True):
    """Every market's."""

    quotes: tuple[Quote, ...]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A fault under way: it bit `times` times and can bite `left` times more (None: no limit)."""

    fault_id: int
    name: str
    account: str | None = None
    requests: tuple[str, ...] | None = None
    symbol: str | None = None
    side: str | None = None
    client_id_prefix: str = ""
    skip: int = 0
    one_in: int = 1
    times: int
    left: int | None = None
    until_ns: int | None = None


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of fault: what happens, its special parameters, whom it concerns, how often if not said."""

    name: str
    text: str
    parameters: tuple[str, ...]
    requests: tuple[str, ...]
    count: int | None = None


class Faults(msgspec.Struct, frozen=True):
    """The faults that can still bite, and every kind there is."""

    faults: tuple[Fault, ...]
    kinds: tuple[Kind, ...] = ()


def quotes() -> Call[Quotes]:
    """GET /operator/quotes"""
    return Call(method="GET", path="/operator/quotes", read=reader(Quotes))


def faults() -> Call[Faults]:
    """GET /operator/faults"""
    return Call(method="GET", path="/operator/faults", read=reader(Faults))


def set_fault(name: str, parameters: Mapping[str, Parameter]) -> Call[Fault]:
    """POST /operator/faults: from now on, until it has bitten as often as it may."""
    body = msgspec.json.Encoder(decimal_format="number").encode({"name": name, **parameters})
    return Call(
        method="POST",
        path="/operator/faults",
        read=reader(Fault),
        body=body,
        changes=True,
        statuses=frozenset({201}),
    )


def clear_fault(fault_id: int) -> Call[None]:
    """DELETE /operator/faults/ID"""
    path = f"/operator/faults/{fault_id}"
    return Call(method="DELETE", path=path, read=lambda _: None, changes=True)


def clear_faults() -> Call[None]:
    """DELETE /operator/faults: all, and what they hid is shown again."""
    return Call(method="DELETE", path="/operator/faults", read=lambda _: None, changes=True)
