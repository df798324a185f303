"""The exchange's machine: the shipped exchange with a store of its own, which can be killed too."""

import contextvars
from collections.abc import Callable
from random import Random

from fairlead.exchange.book import Top
from fairlead.exchange.orders import Account
from fairlead.exchange.participants import Participants
from fairlead.exchange.server import Exchange
from fairlead.exchange.store_file import FILE_NAME
from fairlead.simulation.clock import TrueClock
from fairlead.simulation.conversation import Conversation
from fairlead.simulation.disk import Disk
from fairlead.simulation.loop import Process, VirtualLoop
from fairlead.simulation.network import Network
from fairlead.simulation.plan import WorldPlan


class Host:
    """Starts the exchange, and kills it: its store survives, as it would a `kill -9`."""

    def __init__(
        self,
        loop: VirtualLoop,
        plan: WorldPlan,
        network: Network,
        disk: Disk,
        clock: TrueClock,
        conversation: Conversation,
    ) -> None:
        self.exchange: Exchange | None = None
        self.process: Process | None = None
        self._loop = loop
        self._plan = plan
        self._network = network
        self._disk = disk
        self._clock = clock
        self._conversation = conversation
        self._outside = contextvars.copy_context()
        self._folder = disk.folder("exchange", None)
        self._lives = 0
        self._has_market = plan.has_participants

    def start(self) -> None:
        """Start it soon, from what its store holds."""
        self.process = Process("exchange")
        self._loop.call_soon(self._start, context=self.process.context)

    def _start(self) -> None:
        self._lives += 1
        plan = self._plan
        participants = None
        if self._has_market:
            random = Random(f"market {plan.seed} {self._lives}")
            participants = Participants(plan.exchange.instruments, random, self._clock())
        self.exchange = Exchange(
            plan.exchange,
            self._clock,
            self._folder,
            seed=plan.seed * 1_000 + self._lives,
            participants=participants,
            identity=str(plan.seed),
        )
        self.exchange.start()
        self._conversation.note("exchange", f"starts, life {self._lives}")

    def kill(self, down_s: float) -> None:
        """Kill it now; it starts again after a while. Call from outside of any process."""
        if self.exchange is None or self.process is None:
            return
        self._conversation.note("exchange", f"KILLED, down for {down_s:.3f} s")
        exchange, self.exchange = self.exchange, None
        process, self.process = self.process, None
        self._loop.kill(process)
        self._network.died(process, is_silent=False)
        # The store writes without syncing: what `kill -9` leaves are the files as they are.
        folder = self._disk.folder("exchange", None)
        for suffix in ("", "-wal"):
            source = self._folder / f"{FILE_NAME}{suffix}"
            if source.exists():
                (folder / source.name).write_bytes(source.read_bytes())
        exchange.store.close()
        self._folder = folder
        self._loop.call_later(down_s, self.start, context=self._outside)

    def run(self, act: Callable[[Exchange], None]) -> None:
        """Have something done in the exchange's process, if it is up."""
        if self.process is not None:
            self._loop.call_soon(self._run, act, context=self.process.context)

    def _run(self, act: Callable[[Exchange], None]) -> None:
        if self.exchange is not None:
            act(self.exchange)

    def close_market(self) -> None:
        """Let nobody else trade any more."""
        self._has_market = False

        def close(exchange: Exchange) -> None:
            exchange.misbehavior.clear()
            exchange.switch_participants(False)

        self.run(close)

    def top(self, symbol: str) -> Top | None:
        """Return the best prices."""
        return None if self.exchange is None else self.exchange.matching.top(symbol)

    def account(self, public_key: str) -> Account | None:
        """Return the account of a key, if it ever logged in."""
        return None if self.exchange is None else self.exchange.matching.accounts.get(public_key)

    def close(self) -> None:
        """Close the store at the world's end."""
        if self.exchange is not None:
            self.exchange.store.close()
