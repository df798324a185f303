"""Fairlead's machine: starts the shipped edge from what is on the disk, as often as it is killed."""

import asyncio
import contextvars
from collections import Counter
from collections.abc import AsyncIterator, Callable
from enum import Enum
from functools import partial
from random import Random
from typing import NoReturn, TypeVar

from fairlead.core.exact import use_exact_decimals
from fairlead.core.port import Released
from fairlead.edge.edge import Edge, Inbox
from fairlead.journal.reader import JournalReader
from fairlead.simulation.clock import MachineClock
from fairlead.simulation.conversation import Conversation
from fairlead.simulation.crashes import CrashKind, CrashPlan
from fairlead.simulation.disk import Disk, Image, SimulatedJournal, read_image
from fairlead.simulation.door import Door
from fairlead.simulation.gate import Gate
from fairlead.simulation.host import Host
from fairlead.simulation.law import Law
from fairlead.simulation.laws import Laws
from fairlead.simulation.loop import NS, Process, SimulatedCrash, VirtualLoop
from fairlead.simulation.network import MS, Network, Way
from fairlead.simulation.plan import WorldPlan
from fairlead.simulation.thread import VirtualThread
from fairlead.simulation.wire import Wire
from fairlead.venues.link import Link
from fairlead.venues.sim import SimDialect

_DOWN_MS_MAX = 1_000
_TOLD_US_MAX = 5_000
_Result = TypeVar("_Result")


class AccountChange(Enum):
    """What becomes of an account."""

    COME = "comes"
    GO = "goes"
    RENEW = "logs in anew"


class Machine:
    """One Fairlead after another on one disk."""

    journal_class = SimulatedJournal

    def __init__(
        self,
        loop: VirtualLoop,
        plan: WorldPlan,
        network: Network,
        disk: Disk,
        clock: MachineClock,
        crashes: CrashPlan,
        laws: Laws,
        door: Door,
        conversation: Conversation,
        host: Host,
        gate: Gate | None,
    ) -> None:
        self.edge: Edge | None = None
        self.folder = disk.folder("journal", None)
        self._loop = loop
        self._plan = plan
        self._network = network
        self._disk = disk
        self._clock = clock
        self._crashes = crashes
        self._laws = laws
        self._door = door
        self._conversation = conversation
        self._host = host
        self._gate = gate
        self._random = Random(f"machine {plan.seed}")
        self._outside = contextvars.copy_context()
        self._process: Process | None = None
        self._image: Image | None = None
        self._journal: SimulatedJournal | None = None
        self._files: list[Callable[[], None]] = []
        self._lives = 0
        self._suspending = asyncio.Lock()
        self._changes: Counter[str] = Counter()  # of accounts, told to a process
        self._dead: list[object] = []  # kept, so that nothing of them is collected at a random time
        self._followed: dict[str, int] = dict.fromkeys(plan.accounts, 0)
        self.here = [name for name in plan.accounts if name not in plan.late]

    # ── start ────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Start Fairlead soon."""
        self._process = process = Process(f"fairlead-{self._lives + 1}")
        self._loop.call_soon(self._start, process, context=process.context)

    def _start(self, process: Process) -> None:
        self._lives += 1
        self._conversation.note("fairlead", f"starts, life {self._lives}")
        use_exact_decimals()
        if self._image is not None:
            self.folder = self._disk.folder("journal", self._image)
        installation_id = self._plan.seed.to_bytes(16, "big")
        journal = self.journal_class.open(self.folder, installation_id=installation_id)
        self._journal = journal
        reader = JournalReader(self.folder)
        self._files = [reader.close, journal.abandon]
        self._laws.restarted(self.folder)
        self._laws.only_here(self.here, self._plan.accounts)
        journal.endanger(self._crashes, self._random, self._die, self._laws.committed)
        moment_ns = self._crashes.started()
        if moment_ns is not None:
            self._loop.call_later(moment_ns / NS, self._die_at_moment)
        edge = self.edge = Edge(
            journal=journal,
            reader=reader,
            run_blocking=_run_at_once,
            clock=self._clock,
            accounts=self.here,
            make_link=partial(self._make_link, process),
            settings=self._plan.edge,
            on_fatal=self._on_fatal,
            syncs=self._thread(),
        )
        self._suspending = asyncio.Lock()
        edge.sequencer.listen(self._laws.released)
        edge.start()
        self._door.open(edge, process)
        if self._gate is not None:
            self._gate.open(edge, process, self._die_storing)
        if self._plan.has_followers:
            for account in self._plan.accounts:
                reports = edge.reports(account, self._followed[account])
                task = self._loop.create_task(self._follow(account, reports))
                self._dead += [reports, task]

    def _thread(self) -> VirtualThread | None:
        delay_us_max = self._plan.commit_us_max
        if delay_us_max is None:
            return None
        return VirtualThread(self._loop, self._random, delay_us_max)

    def _make_link(self, process: Process, account: str, inbox: Inbox, fills_cursor: str) -> Link:
        plan = self._plan
        wire = Wire(account, self._laws, self._crashes, self._conversation, self._die_sending)
        return Link(
            account,
            SimDialect(
                account, public_key(account), "private", plan.dialect, fills_cursor=fills_cursor
            ),
            Way(self._network, process, lambda: self._host.process, self._accept, wire),
            inbox,
            loop=self._loop,
            now_ns=self._clock.utc_ns,
            random=Random(f"link {plan.seed} {self._lives} {account}"),
            limits=plan.link,
        )

    def _accept(self) -> asyncio.Protocol:
        assert self._host.exchange is not None
        return self._host.exchange.connection()

    async def _follow(self, account: str, reports: AsyncIterator[Released]) -> None:
        """Read the account's reports as a feed does, and see that none is missing."""
        async for released in reports:
            sequence = released.report.sequence
            if sequence != self._followed[account] + 1:
                text = f"{account}: a follower gets {sequence} after {self._followed[account]}"
                self._laws.breaks(Law.DENSE, text)
            self._followed[account] = sequence
            self._laws.released([(released.report, released.order)])

    def is_reconciled(self, account: str) -> bool:
        """Whether the edge holds the account's books to be right."""
        return self.edge is not None and self.edge.account_states().get(account) == "reconciled"

    def has_whole_books(self, account: str) -> bool:
        """Whether besides no fill waits for its order: of the exchange's own orders, it may have to."""
        edge = self.edge
        return edge is not None and self.is_reconciled(account) and not edge.has_orphans(account)

    # ── accounts ─────────────────────────────────────────────────────────────────────────────────

    def change_account(self, name: str, change: AccountChange) -> None:
        """Have an account come, go or log in anew. That is so at once, and survives everything.

        The process hears of it a moment later, if it lives until then; else the next one does, at its
        start.
        """
        if change is AccountChange.GO and name in self.here:
            self.here.remove(name)
        elif change is AccountChange.COME and name not in self.here:
            self.here.append(name)
        self._conversation.note("accounts", f"{name}: {change.value}")
        if self._process is not None:
            is_renewed = change is AccountChange.RENEW
            delay_s = self._random.randrange(_TOLD_US_MAX) / 1e6
            self._loop.call_later(
                delay_s, self._tell_of, name, is_renewed, context=self._process.context
            )

    def suspend_account(self, name: str, lasts_s: float) -> None:
        """Have an account suspended as before a change of its login, which then stays as it is.

        The exchange refuses, hides or answers late meanwhile as ever: an account to which something is owed
        is not suspended.
        """
        process, edge = self._process, self.edge
        if process is not None and edge is not None and name in self.here:
            self._loop.call_soon(self._suspend, edge, name, lasts_s, context=process.context)

    def _suspend(self, edge: Edge, name: str, lasts_s: float) -> None:
        """Runs in the process."""
        self._dead.append(self._loop.create_task(self._suspended(edge, name, lasts_s)))

    async def _suspended(self, edge: Edge, name: str, lasts_s: float) -> None:
        async with self._suspending:  # whoever changes accounts changes one at a time
            changes = self._changes[name]
            is_suspended = await edge.suspend(name)
            if changes != self._changes[name] or name not in edge.accounts:
                return  # it came, went or logged in anew meanwhile
            if not is_suspended:
                self._laws.count("suspension refused")
                return
            self._conversation.note("accounts", f"{name}: is suspended")
            self._laws.account_suspended(name)
            await asyncio.sleep(lasts_s)
            if name in self._laws.suspended:
                self._laws.account_resumes(name, is_owed=edge.has_unsettled(name))
                edge.renew_login(name)

    def _tell_of(self, name: str, is_renewed: bool) -> None:
        """Runs in the process."""
        edge = self.edge
        if edge is None:
            return
        if is_renewed or name not in self.here:  # else it is as it was, also if that is suspended
            self._changes[name] += 1
            self._laws.suspended.discard(name)
        if name not in self.here:
            edge.remove_account(name)
            self._laws.account_gone(name)
        elif is_renewed:
            self._laws.count("login renewed")
            edge.renew_login(name)
        else:
            self._laws.account_comes(name)
            edge.add_account(name)

    def _on_fatal(self, error: BaseException) -> None:
        self._laws.breaks(Law.RUNS, f"{type(error).__name__}: {error}")

    # ── end ──────────────────────────────────────────────────────────────────────────────────────

    def _die_sending(self, kind: CrashKind) -> NoReturn:
        self._die(kind, read_image(self.folder))

    def _die_storing(self, kind: CrashKind) -> NoReturn:
        self._die(kind, read_image(self.folder))

    def _die_at_moment(self) -> None:
        kind = self._crashes.at_moment()
        if kind is not None:
            self._die(kind, read_image(self.folder))

    def _die(self, kind: CrashKind, image: Image) -> NoReturn:
        """Runs within the process, at the instruction where it dies."""
        process = self._process
        assert process is not None
        is_silent = self._crashes.is_silent()
        down_ms = self._random.randrange(1, self._random.choice([5, 50, _DOWN_MS_MAX]))
        power = "the power failed" if is_silent else "killed"
        self._conversation.note("fairlead", f"CRASH {kind.value}: {power}, down for {down_ms} ms")
        self._laws.count(f"crash {kind.value}")
        self._loop.kill(process)
        self._network.died(process, is_silent=is_silent)
        self._door.slam()
        self._laws.power_failures += is_silent
        if self._gate is not None:
            self._gate.died(process, is_power_failure=is_silent)
        self._dead.append(self.edge)
        assert self._journal is not None
        self._image = self._journal.survives(image, is_power_failure=is_silent)
        if self._image.hole is not None:
            self._laws.count("crash after a failed sync")
        self.edge = self._process = None
        self._loop.call_later(down_ms * MS / NS, self._restart, context=self._outside)
        raise SimulatedCrash(kind.value)

    def _restart(self) -> None:
        self._close_files()
        if self._random.randrange(2):
            self._clock.reboot(self._random)
        self.start()

    def _close_files(self) -> None:
        for close in self._files:
            close()
        self._files = []
        if self._gate is not None:
            self._gate.close_files()

    def close(self) -> None:
        """End it at the world's end."""
        if self._process is not None:
            self._loop.kill(self._process)
        self._close_files()


def public_key(account: str) -> str:
    """Return the exchange's name of an account."""
    return f"key-{account}"


async def _run_at_once(work: Callable[[], _Result]) -> _Result:
    return work()
