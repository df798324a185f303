"""What must hold for those who keep a stream: each list of reports, joined over every connection.

`Joined` is one account as a WebSocket client has it, `Heard` all that a FIX counterpart was told. What
they are told is held against the disk, as it is told and in the end.
"""

from decimal import Decimal

from fairlead.core.reports import BalanceReport, OrderReport, PositionReport, Report
from fairlead.fix.message import Message
from fairlead.fix.tags import HEADER_TAGS, TRAILER_TAGS
from fairlead.gateway.fixapi import telling, words
from fairlead.gateway.fixapi.telling import Terms
from fairlead.simulation.law import Law
from fairlead.simulation.laws import Laws
from fairlead.simulation.truth import TOLD, Shown, Truth

_ORDERS = (OrderReport,)
_ENVELOPE = HEADER_TAGS | TRAILER_TAGS
_BALANCE = ("balance", "locked")
_POSITION = ("quantity", "side", "avg_entry_price")


class Joined:
    """One account as a WebSocket client has joined it from opening, replay and updates.

    `position` is the sequence up to which it has everything: what it resumes from.
    """

    def __init__(self, client: str, account: str, laws: Laws, truth: Truth) -> None:
        self.position: int | None = None
        self.is_live = False
        self._client = client
        self._account = account
        self._laws = laws
        self._truth = truth
        self._opening = 0  # sequence as of which the present connection opened the account
        self._is_resumed = False
        self._is_ended = False
        self._is_opened = False  # by the present connection
        self._orders: dict[str, Shown] = {}
        self._balances: dict[str, Shown] = {}
        self._positions: dict[str, Shown] = {}

    def disconnected(self) -> None:
        """The connection is over: what comes next begins with an opening."""
        self._is_opened = self.is_live = False

    def opened(self, info: Shown, asked: int | None, reports_max: int) -> None:
        """Take the SERVER_INFO that opens the account; `asked` is the `from` of the connection."""
        self._opening = info["sequence"]
        self._is_ended = False
        self._is_opened = True
        self._is_resumed = info["resumed"]
        if not self._laws.streamed(self._account, self._opening):
            return
        can_resume = asked is not None and self._opening - reports_max <= asked <= self._opening
        if self._is_resumed is not can_resume:
            text = f"from {asked} at {self._opening}: resumed is {self._is_resumed}"
            self._break(Law.RESUMED, text)
        if can_resume and asked != self._opening:
            self._laws.count("stream resumed behind")
        self._laws.count("stream resumed" if self._is_resumed else "stream begun")

    def ended(self, info: Shown) -> None:
        """Take the SERVER_INFO that ends the account: if it was open, all that was reported has been told."""
        sequence = info["sequence"]
        if self._is_opened and self._laws.streamed(self._account, sequence):
            missed = self._missed(sequence + 1, TOLD)
            if not self.is_live or missed is not None:
                text = f"it ends as of {sequence} after {self.position}; {missed} is missing"
                self._break(Law.STREAMED, text)
        self._opening = sequence
        self._is_ended = True
        self._is_opened = self._is_resumed = self.is_live = False
        self.position = None
        self._laws.count("stream ended")

    def _take_empty(self, message: Shown) -> None:
        """Take a snapshot of an account that has ended: nothing is left."""
        if message["data"] or message["sequence"] != self._opening:
            self._break(Law.GONE, f"{message['type']} after the end as of {self._opening}")
        self._orders, self._balances, self._positions = {}, {}, {}

    def order_snapshot(self, message: Shown) -> None:
        """Take ORDER_EXEC_REPORT_SNAPSHOT: a new beginning."""
        if self._is_ended:
            self._take_empty(message)
            return
        if self._is_resumed or message["sequence"] != self._opening:
            self._break(Law.RESUMED, f"a snapshot of {message['sequence']} after {self._opening}")
            return
        self.position = self._opening
        self._orders = {row["client_order_id"]: row for row in message["data"]}
        if self._orders != self._truth.orders_alive(self._account, self._opening):
            self._break(Law.SNAPSHOT, f"the orders of the snapshot of {self._opening}")

    def balance_snapshot(self, message: Shown) -> None:
        """Take BALANCE_SNAPSHOT; after a replay it says that nothing more was missed."""
        if self._is_ended:
            self._take_empty(message)
            return
        self._completes(message["sequence"])
        self._balances = {row["asset_id_exchange"]: row for row in message["data"]}
        self._judge_balances(self._opening)

    def position_snapshot(self, message: Shown) -> None:
        """Take POSITION_SNAPSHOT: from here on the account is live."""
        if self._is_ended:
            self._take_empty(message)
            return
        self._completes(message["sequence"])
        self._positions = {row["symbol_id_exchange"]: row for row in message["data"]}
        self._judge_positions(self._opening)
        self.position = self._opening
        self.is_live = True

    def update(self, message: Shown) -> None:
        """Take a report."""
        sequence = message["sequence"]
        if self.position is None:
            self._break(Law.STREAMED, f"an update of {sequence} before any opening")
            return
        if not self._laws.streamed(self._account, sequence):
            return
        missed = self._missed(sequence, TOLD if self.is_live else _ORDERS)
        if sequence <= self.position or missed is not None:
            text = f"{sequence} comes after {self.position}; {missed} is missing"
            self._break(Law.STREAMED, text)
        self.position = sequence
        report = self._truth.report(self._account, sequence)
        match message["type"]:
            case "ORDER_EXEC_REPORT_UPDATE":
                self._orders[message["client_order_id"]] = message
                is_right = message == self._truth.shown(self._account, sequence)
            case "BALANCE_UPDATE":
                self._balances[message["asset_id_exchange"]] = message
                is_right = isinstance(report, BalanceReport) and _is_balance(message, report)
            case _:
                self._positions[message["symbol_id_exchange"]] = message
                is_right = isinstance(report, PositionReport) and _is_position(message, report)
        if not is_right:
            text = f"{message['type']} {sequence} is not what the report says"
            self._break(Law.STREAMED, text)
        self._laws.count("report streamed")

    def is_caught_up(self) -> bool:
        """Whether the client has everything that it should have by now."""
        return self.is_live and self._missed(self._truth.end(self._account) + 1, TOLD) is None

    def judge(self) -> None:
        """Compare all that is known with the journal; the client is caught up."""
        end = self._truth.end(self._account)
        alive = self._truth.orders_alive(self._account, end)
        for client_order_id, order in self._truth.last_orders(self._account).items():
            is_told = client_order_id in self._orders or client_order_id in alive
            known = self._orders.get(client_order_id)
            if is_told and known != self._truth.shown(self._account, order.sequence):
                self._break(Law.SNAPSHOT, f"order {client_order_id} as of {order.sequence}")
        self._judge_balances(end)
        self._judge_positions(end)
        self._laws.count("stream judged")

    def _completes(self, sequence: int) -> None:
        if sequence != self._opening:
            self._break(Law.RESUMED, f"a snapshot of {sequence} after {self._opening}")
        missed = None if self.position is None else self._missed(self._opening + 1, _ORDERS)
        if self.position is None or missed is not None:
            text = f"the replay up to {self._opening} ends after {self.position}; {missed}"
            self._break(Law.STREAMED, f"{text} is missing")

    def _missed(self, before: int, kinds: tuple[type[Report], ...]) -> int | None:
        return self._truth.first_between(self._account, self.position or 0, before, kinds)

    def _judge_balances(self, sequence: int) -> None:
        true = self._truth.balances(self._account, sequence)
        for asset in sorted(true.keys() | self._balances.keys()):
            row, balance = self._balances.get(asset), true.get(asset)
            said = None if row is None else tuple(row[key] for key in _BALANCE)
            right = None if balance is None else (balance.total, balance.locked)
            if said != right:
                self._break(Law.SNAPSHOT, f"{asset} as of {sequence}: {said}, on disk {right}")

    def _judge_positions(self, sequence: int) -> None:
        true = {
            symbol: (position.quantity, position.side.value, position.entry_price)
            for symbol, position in self._truth.positions(self._account, sequence).items()
        }
        said = {
            symbol: tuple(row[key] for key in _POSITION)
            for symbol, row in self._positions.items()
            if row["quantity"]
        }
        if said != true:
            self._break(Law.SNAPSHOT, f"positions as of {sequence}: {said}, on disk {true}")

    def _break(self, law: Law, text: str) -> None:
        self._laws.breaks(law, f"{self._client}, {self._account}: {text}")


def _is_balance(row: Shown, report: BalanceReport) -> bool:
    balance = report.balance
    said = (row["asset_id_exchange"], row["balance"], row["locked"])
    return said == (balance.asset_exchange, balance.total, balance.locked)


def _is_position(row: Shown, report: PositionReport) -> bool:
    position = report.position
    said = (row["symbol_id_exchange"], row["quantity"], row["side"])
    return said == (position.symbol_exchange, position.quantity, position.side.value)


class Heard:
    """What a FIX counterpart was told of all accounts, over every connection and reset."""

    def __init__(self, client: str, accounts: tuple[str, ...], laws: Laws, truth: Truth) -> None:
        self._client = client
        self._accounts = accounts
        self._laws = laws
        self._truth = truth
        self._begins_after: dict[str, int] = {}
        self._begins_until: dict[str, int] | None = None  # None: the logon is not answered
        self._position: dict[str, int] = {}  # of the last report heard since the session began
        self._rewinds: dict[str, int] = {}  # one is due to each power failure
        self._ids: set[str] = set()
        self._absent: set[str] = set()  # accounts that had gone when the session began
        self._goings: dict[str, int] = {}  # of each account, when the Logon was said
        self._orders: dict[tuple[str, str], tuple[str, Decimal]] = {}  # (207, 11) → (39, 14)
        self._told: dict[tuple[str, str], int] = {}  # (207, 11) → sequence of the last report

    def beginning(self) -> None:
        """A session is about to begin anew: nothing that is durable by now will be told."""
        self._begins_after = self._ends()
        self._begins_until = None
        self._absent = {each for each in self._accounts if self._is_absent(each)}
        self._goings = dict(self._laws.goings)
        self._position = {}
        self._rewinds = dict.fromkeys(self._accounts, self._laws.power_failures)

    def lose_answer(self) -> None:
        """The answer to a mass status was given up: what became of the orders known so far is open."""
        self._orders.clear()

    def logged_on(self) -> None:
        """The logon was answered: everything from now on will be told.

        An account that came while nobody was logged on is new to the session at the next logon, and begins
        at the present; so does one that came right before the process ended, with nothing stored.
        """
        if self._begins_until is None:
            self._begins_until = self._ends()
            # The server decided at some moment since the Logon was said, and may have died since.
            goings = self._laws.goings
            went = {each for each, count in goings.items() if count != self._goings.get(each, 0)}
            self._absent |= went | {each for each in self._accounts if self._is_absent(each)}
        for account in self._absent - self._position.keys():
            self._begins_until[account] = self._truth.end(account)

    def _is_absent(self, account: str) -> bool:
        return account in self._laws.gone or not self._truth.end(account)

    def report(self, message: Message, terms: Terms) -> None:
        """Take an ExecutionReport, in its turn."""
        exec_id = message.text(17)
        key = (message.text(207), message.text(11))
        account, is_report, sequence = exec_id.rpartition(":")
        says_nothing = not is_report and key[0] in self._laws.have_gone and _is_unknown(message)
        if not says_nothing:
            self._orders[key] = (message.text(39), Decimal(message.text(14)))
        if not is_report:
            if exec_id in self._ids:
                self._break(Law.FIX_ONCE, f"ExecID {exec_id} is used twice")
            self._ids.add(exec_id)
            if not says_nothing:
                self._status(key, message)
            return
        self._told[key] = int(sequence)
        self._report(account, int(sequence), message, terms)

    def _status(self, key: tuple[str, str], message: Message) -> None:
        """Who has been told of a report is not told of an earlier state as if it were the present."""
        told = self._told.get(key)
        if told is None or message.text(150) != words.ORDER_STATUS:
            return
        since = self._truth.states(*key, told)
        said = (message.text(39), Decimal(message.text(14)))
        if since and said not in [(words.ord_status(each), each.quantity_filled) for each in since]:
            text = f"order {key[1]} is said to be {said}, after {key[0]}:{told}"
            self._break(Law.FIX_VIEW, text)

    def _report(self, account: str, sequence: int, message: Message, terms: Terms) -> None:
        if not self._laws.streamed(account, sequence):
            return
        report = self._truth.report(account, sequence)
        order = self._truth.order(account, sequence)
        if not isinstance(report, OrderReport) or order is None:
            self._break(Law.FIX_ONCE, f"{account}:{sequence} is not about an order")
            return
        self._take_place(account, sequence)
        expected = telling.report(report, order, terms)
        if _content(message) != expected:
            text = f"{account}:{sequence} is {_content(message)!r}, not {expected!r}"
            self._break(Law.FIX_ONCE, text)
        self._laws.count("report by FIX")

    def _take_place(self, account: str, sequence: int) -> None:
        position = self._position.get(account)
        if position is not None and sequence <= position:
            self._rewinds[account] += 1
            self._told = {key: at for key, at in self._told.items() if key[0] != account}
            if self._rewinds[account] > self._laws.power_failures:
                self._break(Law.FIX_ONCE, f"{account}:{sequence} comes again, after {position}")
            self._laws.count("told again after a power failure")
            missed = None
        else:
            until = self._begins_until or {}
            start = until.get(account, 0) if position is None else position
            missed = self._truth.first_between(account, start, sequence, _ORDERS)
        if sequence <= self._begins_after.get(account, 0):
            self._break(Law.FIX_ONCE, f"{account}:{sequence} is older than the session")
        if missed is not None:
            self._break(Law.FIX_ONCE, f"{account}:{missed} is missing before {sequence}")
        self._position[account] = sequence

    def is_caught_up(self) -> bool:
        """Whether everything that should have been told has been."""
        until = self._begins_until
        if until is None:
            return False
        return all(
            self._truth.first_between(
                account,
                max(until.get(account, 0), self._position.get(account, 0)),
                self._truth.end(account) + 1,
                _ORDERS,
            )
            is None
            for account in self._accounts
        )

    def judge(self) -> None:
        """Compare what is known of every order that was ever told with the journal."""
        for account in self._accounts:
            for client_order_id, order in self._truth.last_orders(account).items():
                known = self._orders.get((account, client_order_id))
                true = (words.ord_status(order), order.quantity_filled)
                if known is not None and known != true:
                    text = f"order {client_order_id} is known as {known}, and is {true}"
                    self._break(Law.FIX_VIEW, text)
        self._laws.count("FIX session judged")

    def _ends(self) -> dict[str, int]:
        return {account: self._truth.end(account) for account in self._accounts}

    def _break(self, law: Law, text: str) -> None:
        self._laws.breaks(law, f"{self._client}: {text}")


def _is_unknown(message: Message) -> bool:
    """Whether an account that has gone is why nothing is known: that says nothing about the order."""
    text = message.text(58)
    return text.endswith("is not an account of this server") or text.startswith("no order with")


def _content(message: Message) -> bytes:
    """Return the fields of a message without header and trailer, as they came."""
    return b"".join(
        part + b"\x01" for part in message.parts if int(part.partition(b"=")[0]) not in _ENVELOPE
    )
