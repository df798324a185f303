"""The simulated exchange in this process, unless one runs elsewhere, and the way to it."""

import asyncio
from collections.abc import Callable

import structlog

from fairlead.config import Config
from fairlead.exchange.build import Setup, build_exchange
from fairlead.exchange.server import Exchange
from fairlead.venues.link import Connect, Tcp
from fairlead.venues.pipe import Pipe

EXCHANGE_FOLDER = "exchange"

log = structlog.get_logger()


def embedded_exchange(
    config: Config, wall_ns: Callable[[], int], failed: Callable[[BaseException], None]
) -> Exchange | None:
    """Return the exchange as it was left, its markets still; None where the configuration names another.

    `failed` hears why it cannot go on. Raises StoreError and TapeError.
    """
    if config.exchange_url is not None:
        return None
    settings = config.exchange
    setup = Setup(
        folder=config.data / EXCHANGE_FOLDER,
        seed=settings.seed,
        participants=settings.participants,
        market_tape=tuple(str(path) for path in settings.market_tape),
        tape_speed=settings.market_speed,
        settings=settings.settings,
    )
    exchange = build_exchange(setup, wall_ns, lambda text: log.warning("tape", text=text))
    exchange.on_failure = failed
    return exchange


def way_to_exchange(
    config: Config, exchange: Exchange | None, loop: asyncio.AbstractEventLoop
) -> Connect:
    """Return how one link reaches it: by TCP where it runs elsewhere, else by a pipe."""
    address = config.exchange_address
    if address is not None:
        return Tcp(loop, address.host, address.port)
    assert exchange is not None, "without an address the exchange is in this process"
    return Pipe(loop, exchange.connection)
