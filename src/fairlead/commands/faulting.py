"""faults: what the simulated exchange does wrong on command, through its operator API."""

import re
from collections.abc import Sequence
from decimal import Decimal

from fairlead.client import simulator
from fairlead.client.simulator import Fault, Parameter
from fairlead.commands import show
from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.system import System

_WORDS: dict[str, Parameter] = {"true": True, "false": False, "null": None}
_FAULT_COLUMNS = show.columns("fault#", "name", "concerns", "bit#", "left#")
_KIND_COLUMNS = show.columns("kind", "concerns", "parameters", "count#", "what happens")


def listed(system: System) -> None:
    """Print the faults that can still bite. Raises Ended."""
    found = system.do(simulator.faults())
    if not system.is_told():
        show.table(_FAULT_COLUMNS, [_row(each) for each in found.faults], "no faults")


def kinds(system: System) -> None:
    """Print every kind of fault there is. Raises Ended."""
    found = system.do(simulator.faults())
    if system.is_told():
        return
    rows = [
        [
            each.name,
            ", ".join(each.requests) or "-",
            ", ".join(each.parameters) or "-",
            "no limit" if each.count is None else str(each.count),
            each.text,
        ]
        for each in found.kinds
    ]
    show.table(_KIND_COLUMNS, rows, "no kinds")


def commanded(system: System, name: str, given: Sequence[str]) -> None:
    """Command a fault with parameters as they were typed, KEY=VALUE. Raises Ended."""
    fault = system.do(simulator.set_fault(name, parameters(given)))
    if not system.is_told():
        left = "until it is cleared" if fault.left is None else f"{fault.left} times at most"
        show.out(f"fault {fault.fault_id}: {fault.name}, {left}")


def cleared(system: System, fault_id: int | None) -> None:
    """End one fault, or all. Raises Ended."""
    if fault_id is None:
        system.do(simulator.clear_faults())
    else:
        system.do(simulator.clear_fault(fault_id))
    if not system.is_told():
        show.out("all faults ended" if fault_id is None else f"fault {fault_id} ended")


def parameters(given: Sequence[str]) -> dict[str, Parameter]:
    """Return KEY=VALUE texts as values: numbers, true, false, null, A,B for requests, else text.

    Raises Ended for what is not KEY=VALUE, or a key given twice.
    """
    found: dict[str, Parameter] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name or name in found:
            raise Ended(ExitCode.USAGE, f"{text} is not KEY=VALUE, each key once, such as count=3")
        found[name] = tuple(value.split(",")) if name == "requests" else _value(value)
    return found


def _value(text: str) -> Parameter:
    if text in _WORDS:
        return _WORDS[text]
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    if re.fullmatch(r"-?[0-9]+\.[0-9]+", text):
        return Decimal(text)
    return text


def _row(fault: Fault) -> list[str]:
    concerns = {
        "account": fault.account,
        "requests": None if fault.requests is None else ",".join(fault.requests),
        "symbol": fault.symbol,
        "side": fault.side,
        "ids": fault.client_id_prefix or None,
        "skip": str(fault.skip) if fault.skip else None,
        "one in": str(fault.one_in) if fault.one_in != 1 else None,
    }
    return [
        str(fault.fault_id),
        fault.name,
        " ".join(f"{name}={value}" for name, value in concerns.items() if value) or "all",
        str(fault.times),
        "no limit" if fault.left is None else str(fault.left),
    ]
