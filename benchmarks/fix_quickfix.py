"""The baseline of the FIX codec and session: an acceptor on QuickFIX's Python binding.

It does nothing but answer each order with one report, keeps its messages in memory, checks them against
no dictionary and logs nothing. `python -m benchmarks.fix_quickfix PORT_FILE`, where `quickfix` is
installed (requirements/fix.txt).
"""

# ruff: noqa: N802 - the names of QuickFIX's methods

import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path

import quickfix as fix

from benchmarks.fix_wire import SENDER, TARGET
from benchmarks.servers import HOST

_SETTINGS = """\
[DEFAULT]
ConnectionType=acceptor
SocketAcceptHost={host}
SocketAcceptPort={port}
SocketReuseAddress=Y
SocketNodelay=Y
StartTime=00:00:00
EndTime=00:00:00
UseDataDictionary=N
CheckLatency=N
ResetOnLogon=Y
PersistMessages=N
[SESSION]
BeginString=FIX.4.4
SenderCompID={sender}
TargetCompID={target}
"""


class Acceptor(fix.Application):  # type: ignore[misc]
    """Answers every NewOrderSingle with an ExecutionReport of a filled order."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def onCreate(self, session: object) -> None: ...

    def onLogon(self, session: object) -> None: ...

    def onLogout(self, session: object) -> None: ...

    def toAdmin(self, message: object, session: object) -> None: ...

    def fromAdmin(self, message: object, session: object) -> None: ...

    def toApp(self, message: object, session: object) -> None: ...

    def fromApp(self, message: fix.Message, session: object) -> None:
        """Answer an order with the fields that a report of it has."""
        report = fix.Message()
        report.getHeader().setField(35, "8")
        client_order_id = message.getField(11)
        quantity = message.getField(38)
        price = message.getField(44)
        self._count += 1
        report.setField(37, client_order_id)
        report.setField(17, str(self._count))
        report.setField(150, "F")
        report.setField(39, "2")
        report.setField(11, client_order_id)
        report.setField(48, message.getField(48))
        report.setField(22, message.getField(22))
        report.setField(55, message.getField(55))
        report.setField(54, message.getField(54))
        report.setField(38, quantity)
        report.setField(44, price)
        report.setField(14, quantity)
        report.setField(151, "0")
        report.setField(6, price)
        report.setField(60, message.getField(60))
        fix.Session.sendToTarget(report, session)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def main(port_file: Path) -> None:
    """Serve until SIGTERM."""
    port = _free_port()
    text = _SETTINGS.format(host=HOST, port=port, sender=TARGET.decode(), target=SENDER.decode())
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
        file.write(text)
        file.flush()
        settings = fix.SessionSettings(file.name)
    application = Acceptor()
    acceptor = fix.SocketAcceptor(application, fix.MemoryStoreFactory(), settings)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    acceptor.start()
    port_file.write_text(f"{port}\n")
    stopping.wait()
    acceptor.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
