"""What a process under strace wrote, synced and read, in order; and what must lie between.

One line of the trace is one event: strace prints a call when it ends, unless another thread's event
comes between; then its beginning and its end are lines of their own. So the position in the file
orders everything, and the end of a sync and the beginning of a write can be compared exactly.
"""

import re
from pathlib import Path
from typing import NamedTuple

# Calls that read, write or sync; the whole text of each is kept.
STRACE = [
    *("strace", "-f", "-ttt", "-yy", "-s", "100000"),
    *("-e", "trace=read,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,fdatasync,fsync"),
]
READS = frozenset({"read", "recvfrom", "recvmsg"})
WRITES = frozenset({"write", "writev", "sendto", "sendmsg", "pwrite64"})
SYNCS = frozenset({"fdatasync", "fsync"})

_BEGUN = re.compile(r"(\d+) +[\d.]+ (\w+)\(\d+<([A-Z0-9-]+:\[.*?\]|[^>]*)>(.*)", re.DOTALL)
_RESUMED = re.compile(r"(\d+) +[\d.]+ <\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_UNFINISHED = "<unfinished ...>"


class Event(NamedTuple):
    """One call on one file or socket: where in the trace it began and ended, and its whole text."""

    call: str
    target: str
    begun: int
    ended: int
    text: str

    @property
    def is_ok(self) -> bool:
        return re.search(r"= \d+(?: <[\d.]+>)?$", self.text) is not None


def read_trace(path: Path) -> list[Event]:
    """Return the events of a trace, in the order in which they began."""
    events: list[Event] = []
    open_calls: dict[str, tuple[str, str, int, str]] = {}
    for position, line in enumerate(path.read_text(errors="replace").splitlines()):
        if begun := _BEGUN.fullmatch(line):
            thread, call, target, text = begun.groups()
            if text.endswith(_UNFINISHED):
                open_calls[thread] = (call, target, position, text.removesuffix(_UNFINISHED))
            else:
                events.append(Event(call, target, position, position, text))
        elif (resumed := _RESUMED.fullmatch(line)) and resumed[1] in open_calls:
            call, target, start, text = open_calls.pop(resumed[1])
            assert call == resumed[2], line
            events.append(Event(call, target, start, position, text + resumed[3]))
    return sorted(events, key=lambda event: event.begun)


class Order(NamedTuple):
    """One order in the trace: its client id, and the one the exchange was given."""

    client_order_id: str
    venue_client_id: str


class Trace:
    """A trace with the ports of what it shows."""

    def __init__(self, path: Path, http_port: int, exchange_port: int) -> None:
        self.events = read_trace(path)
        self._http = re.compile(rf"TCP:\[[^\]]*:{http_port}->")
        self._exchange = re.compile(rf"TCP:\[[^\]]*->[^\]]*:{exchange_port}\]")

    def violations(self, order: Order) -> list[str]:
        """Return what was not durable in time for one order; empty when all was."""
        asked = self._first(READS, self._http, f'\\"{order.client_order_id}\\"', 0)
        assert asked is not None, f"{order}: its request is not in the trace"
        sent = self._first(WRITES, self._exchange, order.venue_client_id, asked.ended)
        assert sent is not None, f"{order}: was never sent"
        heard = self._first(READS, self._exchange, order.venue_client_id, sent.begun)
        assert heard is not None, f"{order}: was never answered by the exchange"
        answered = self._first(WRITES, self._http, order.client_order_id, asked.ended)
        assert answered is not None, f"{order}: was never answered"
        found = []
        if not self._is_synced(asked.ended, sent.begun, order.client_order_id):
            found.append(f"{order}: left for the exchange before it was synced")
        if not self._is_synced(heard.ended, answered.begun):
            found.append(f"{order}: was answered before the exchange's answer was synced")
        return found

    def _is_synced(self, after: int, before: int, text: str = "") -> bool:
        """Whether between two positions `text` went into the WAL and then a sync of it ended."""
        written: int | None = None
        for event in self.events:
            if not after < event.begun < before or not event.target.endswith("journal.sqlite-wal"):
                continue
            if event.call in WRITES and text in event.text and event.is_ok:
                written = event.ended if written is None else written
            is_sync = event.call in SYNCS and event.is_ok and event.ended < before
            if is_sync and written is not None and event.begun > written:
                return True
        return False

    def _first(
        self, calls: frozenset[str], target: re.Pattern[str], text: str, after: int
    ) -> Event | None:
        return next(
            (
                event
                for event in self.events
                if event.begun >= after
                and event.call in calls
                and target.search(event.target)
                and text in event.text
            ),
            None,
        )
