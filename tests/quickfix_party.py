"""A real QuickFIX initiator as the client, with its own store, and every message it sends and hears.

It validates what it hears against the dictionaries it is given. What it finds wrong it rejects, and
`rejects` holds that.
"""

# ruff: noqa: N802 - the names of QuickFIX's methods

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.gateway.fixapi.dictionaries import needs_quickfix, stock

Said = dict[int, str]
WAIT_S = 40.0
_APPL_VER_IDS = {"FIX.5.0": "7", "FIX.5.0SP2": "9"}


def fields_of(text: str) -> Said:
    """Return a message's fields."""
    pairs = (part.split("=", 1) for part in text.removesuffix("\x01").split("\x01"))
    return {int(tag): value for tag, value in pairs}


class QuickfixParty:
    """One initiator with one session; started and stopped any number of times."""

    def __init__(
        self,
        folder: Path,
        address: str,
        version: str,
        *,
        dictionary: Path | None = None,
        comp_id: str = "QUICKFIX",
        logon: dict[int, str] | None = None,
    ) -> None:
        """`version`: that of the application; `logon`: further fields of the Logon."""
        self._quickfix = needs_quickfix()
        self._folder = folder
        self._version = version
        self._dictionary = dictionary or stock(version)
        self._comp_id = comp_id
        self.address = address
        self.told: list[Said] = []
        self.rejects: list[str] = []
        self._heard: queue.Queue[Said] = queue.Queue()
        self._is_on = threading.Event()
        self._is_off = threading.Event()
        self._logon = logon or {}
        self._application = self._make_application()
        self._initiator: Any = None
        self._session: Any = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Connect and log on."""
        fix = self._quickfix
        path = self._folder / "quickfix.cfg"
        self._folder.mkdir(parents=True, exist_ok=True)
        path.write_text(self._settings())
        settings = fix.SessionSettings(str(path))
        self._stores = fix.FileStoreFactory(settings)  # kept: QuickFIX holds only a reference
        self._logs = fix.FileLogFactory(settings)
        self._used = settings
        self._is_on.clear()
        self._is_off.clear()
        self._initiator = fix.SocketInitiator(self._application, self._stores, settings, self._logs)
        self._initiator.start()
        assert self._is_on.wait(WAIT_S), f"no logon: {self.log}"

    def stop(self) -> None:
        """Log out and disconnect."""
        if self._initiator is not None:
            session = self._quickfix.Session.lookupSession(self._session)
            if (
                session.isLoggedOn()
            ):  # first, since who stops while logged on is let go a second later
                self._is_off.clear()
                session.logout()
                assert self._is_off.wait(WAIT_S), f"no logout: {self.log}"
            self._initiator.stop()
            self._initiator = None

    def await_loss(self) -> None:
        """Wait until it has seen that the connection is gone."""
        assert self._is_off.wait(WAIT_S), "it still believes to be connected"

    @property
    def log(self) -> str:
        """What QuickFIX wrote of its events."""
        return "".join(path.read_text() for path in self._folder.glob("log/*.event.current.log"))

    def say(self, msg_type: str, *fields: tuple[int, object]) -> None:
        """Send a message."""
        fix = self._quickfix
        message = fix.Message()
        message.getHeader().setField(fix.MsgType(msg_type))
        for tag, value in fields:
            message.setField(fix.StringField(tag, str(value)))
        assert fix.Session.sendToTarget(message, self._session)

    def wait(self, condition: Callable[[Said], bool], what: str) -> Said:
        """Return the next message that fulfils `condition`."""
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                said = self._heard.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(
                    f"not in time: {what}; {self.told[-3:]} {self.rejects}"
                ) from None
            if condition(said):
                return said

    def report(self, client_order_id: str, status: str) -> Said:
        """Return the next ExecutionReport about an order that shows this status."""
        return self.wait(
            lambda said: said[35] == "8" and said.get(11) == client_order_id and said[39] == status,
            f"{client_order_id} is {status}",
        )

    def next_of(self, msg_type: str) -> Said:
        """Return the next message of this type."""
        return self.wait(lambda said: said[35] == msg_type, f"a message of type {msg_type}")

    def _settings(self) -> str:
        host, _, port = self.address.rpartition(":")
        if self._version == "FIX.4.4":
            session = f"BeginString=FIX.4.4\nDataDictionary={self._dictionary}\n"
        else:
            session = (
                f"BeginString=FIXT.1.1\nDefaultApplVerID={self._version}\n"
                f"TransportDataDictionary={stock('FIXT.1.1')}\nAppDataDictionary={self._dictionary}\n"
            )
        return (
            "[DEFAULT]\nConnectionType=initiator\nReconnectInterval=1\nHeartBtInt=30\nNonStopSession=Y\n"
            f"ResetOnLogon=N\nFileStorePath={self._folder}/store\nFileLogPath={self._folder}/log\n"
            f"UseDataDictionary=Y\nSocketConnectHost={host}\nSocketConnectPort={port}\n"
            f"[SESSION]\n{session}SenderCompID={self._comp_id}\nTargetCompID=CoinAPI.OEML.FIX\n"
        )

    def _make_application(self) -> Any:
        party, fix = self, self._quickfix

        class Application(fix.Application):  # type: ignore[misc]
            def onCreate(self, session: Any) -> None:
                party._session = session

            def onLogon(self, session: Any) -> None:
                party._is_on.set()

            def onLogout(self, session: Any) -> None:
                party._is_off.set()

            def toAdmin(self, message: Any, session: Any) -> None:
                text = message.toString()
                if "\x0135=A\x01" in text:
                    for tag, value in party._logon.items():
                        message.setField(fix.StringField(tag, value))
                elif "\x0135=3\x01" in text:
                    party.rejects.append(text)

            def fromAdmin(self, message: Any, session: Any) -> None:
                party._take(message.toString())

            def toApp(self, message: Any, session: Any) -> None:
                if "\x0135=j\x01" in message.toString():
                    party.rejects.append(message.toString())

            def fromApp(self, message: Any, session: Any) -> None:
                party._take(message.toString())

        return Application()

    def _take(self, text: str) -> None:
        said = fields_of(text)
        if said[35] not in tuple("01245A"):
            self.told.append(said)
        self._heard.put(said)
