"""Has the exchange misbehave in every way it can, as the seed says."""

from decimal import Decimal
from random import Random

import msgspec

from fairlead.exchange.faults import KINDS, Fault, FaultName, How, Point
from fairlead.exchange.server import Exchange

HIDDEN_MS_HONEST = 600  # hidden for longer, an order may rightly be taken for one that never came
_DURATION_MS_MAX = 2_500
_DELAYS_MS = (1, 150, 200, 250, 290, 290, 310, 700, 2_500)  # the request window is 300 ms


class Mischief:
    """Draws one fault after another; `name` may restrict it to one kind."""

    def __init__(self, random: Random, names: tuple[FaultName, ...]) -> None:
        self._random = random
        self._names = names
        self._hides_long = not random.randrange(4)

    def draw(self, accounts: list[str]) -> Fault:
        """Return a fault that makes sense; `accounts` are public keys that have logged in."""
        random = self._random
        name = random.choice(self._names)
        kind = KINDS[name]
        fault = Fault(
            name=name,
            account=random.choice(accounts) if accounts and random.randrange(2) else None,
            skip=random.choice([0, 0, 0, 0, 2]),
            one_in=random.choice([1, 1, 1, 3]),
        )
        change = msgspec.structs.replace
        if kind.count is not None:
            fault = change(fault, count=random.choice([1, 1, 2, 5, 20]))
        fault = change(fault, duration_ms=random.randrange(1, _DURATION_MS_MAX))
        if kind.requests and "requests" in kind.parameters and random.randrange(2):
            concerned = random.choice(["place", *kind.requests])
            if concerned in kind.requests:
                fault = change(fault, requests=(concerned,))
        if "delay_ms" in kind.parameters:
            fault = change(fault, delay_ms=random.choice(_DELAYS_MS))
        if kind.point is Point.STREAM and random.randrange(2):
            fault = change(fault, only_fills=True)
        return self._finished(fault)

    def _finished(self, fault: Fault) -> Fault:
        """Return the fault with the parameters that only its kind has."""
        random, change = self._random, msgspec.structs.replace
        match fault.name:
            case FaultName.MAINTENANCE:
                return change(fault, how=random.choice([How.REFUSED, How.SILENT]))
            case FaultName.DISCONNECT:
                manners = [How.NOW, How.ON_REQUEST, How.BEFORE_ANSWER, How.MID_ANSWER]
                return change(fault, how=random.choice(manners))
            case FaultName.ORDER_HIDDEN:
                longest_ms = 2_000 if self._hides_long else HIDDEN_MS_HONEST
                return change(fault, hide_ms=random.choice([50, 300, HIDDEN_MS_HONEST, longest_ms]))
            case FaultName.RATE_LIMITED:
                return change(fault, retry_after_ms=random.choice([1, 50, 400]))
            case FaultName.STREAM_REORDERED:
                return change(fault, frames=random.randrange(1, 5))
            case FaultName.FILL_BEFORE_ANSWER | FaultName.FILL_AFTER_CANCEL:
                return change(fault, share=Decimal(random.choice(["0.1", "0.5", "1"])))
            case FaultName.STALE_OPEN_ORDERS:
                return change(fault, is_current=bool(random.randrange(2)))
            case FaultName.TICK_CHANGED:
                return change(
                    fault,
                    account=None,
                    symbol="BTC/USDT",
                    tick=Decimal(random.choice(["0.01", "0.05", "0.5"])),
                )
            case _:
                return fault


def command(exchange: Exchange, fault: Fault) -> bool:
    """Give the command; say whether the exchange may from now on hide an order for too long."""
    exchange.add_fault(fault)
    return fault.name is FaultName.ORDER_HIDDEN and fault.hide_ms > HIDDEN_MS_HONEST
