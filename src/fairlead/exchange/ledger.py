"""The ledger: every account of the exchange with what it holds, and what is to be told and stored.

Whatever one account gets another gives: over all accounts every asset adds up to zero at any time.
House accounts stand for what is not a client: fees, the world outside, the market's own orders. What
changed is left in `events` (for the accounts' streams) and `changes` (for the store) until it is
taken, and in `unchecked` whose perpetuals must be looked at. Must never know a book.
"""

from collections.abc import Iterable
from decimal import ROUND_UP, Context, Decimal

from fairlead.core.model import ZERO, Liquidity
from fairlead.exchange.margin import available
from fairlead.exchange.orders import Account, Holding
from fairlead.exchange.settings import Fees
from fairlead.venues.sim_messages import (
    BalancesChanged,
    Execution,
    PositionsChanged,
    WireFill,
    WireOrder,
)

FEES_ACCOUNT = "house:fees"  # receives every fee
OUTSIDE_ACCOUNT = "house:outside"  # owes what accounts opened with and what was adjusted
CLEARING_ACCOUNT = "house:clearing"  # owes what open positions of perpetuals were entered for
INSURANCE_ACCOUNT = "house:insurance"  # gets what liquidations leave, pays what they lack

Event = Execution | BalancesChanged | PositionsChanged

_ROUND_FEE = Context(prec=80, rounding=ROUND_UP, traps=[])


class Changes:
    """What must be stored: the last state of each changed order, the fills, the changed accounts."""

    __slots__ = ("accounts", "fills", "instruments", "orders", "perpetuals", "told")

    def __init__(self) -> None:
        self.orders: dict[int, tuple[int, WireOrder]] = {}  # by order number: account number, order
        self.fills: list[tuple[int, WireFill]] = []  # account number, fill
        self.accounts: dict[int, Account] = {}
        self.instruments = False
        self.perpetuals = False  # a mark or a time of funding
        self.told = False  # an operator was told of it

    def clear(self) -> None:
        """Forget them: they are stored."""
        self.orders.clear()
        self.fills.clear()
        self.accounts.clear()
        self.instruments = self.perpetuals = self.told = False


class Ledger:
    """All accounts, by public key; a house account by its name."""

    def __init__(self, fees: Fees) -> None:
        self.accounts: dict[str, Account] = {}
        self.events: list[tuple[Account, Event]] = []
        self.changes = Changes()
        self.unchecked: dict[Account, None] = {}
        self.holders: dict[tuple[int, str], Account] = {}  # clients that are not flat, by market
        self._fees = fees
        self._clients = 0
        self._houses = 0
        self._fees_account = self.house(FEES_ACCOUNT)
        self._outside_account = self.house(OUTSIDE_ACCOUNT)

    def open_account(
        self,
        public_key: str,
        private_key_hash: bytes,
        balances: Iterable[tuple[str, Decimal]],
    ) -> Account:
        """Open a client's account that holds `balances`; `public_key` must be new."""
        assert public_key not in self.accounts
        self._clients += 1
        account = Account(self._clients, public_key, private_key_hash)
        self.accounts[public_key] = account
        for asset, total in balances:
            account.holding(asset).total += total
            self._outside_account.holding(asset).total -= total
        self.note(account)
        self.note(self._outside_account)
        return account

    def house(self, name: str) -> Account:
        """Return the house account of this name, opened if it is new."""
        found = self.accounts.get(name)
        if found is None:
            self._houses += 1
            found = Account(-self._houses, name, is_house=True)
            self.accounts[name] = found
        return found

    def adjust(self, account: Account, asset: str, change: Decimal, now_ns: int) -> bool:
        """Add `change` to what `account` holds; False, and nothing changed, if it is not available."""
        holding = account.holding(asset)
        if not account.is_house and change < ZERO and available(account, asset) + change < ZERO:
            return False
        holding.total += change
        self._outside_account.holding(asset).total -= change
        self.note(self._outside_account)
        self.tell_balance(account, holding, now_ns)
        if account.positions and not account.is_house:
            self.unchecked[account] = None
        return True

    def settle(self, account: Account, asset: str, change: Decimal, house: str) -> None:
        """Move `change` of the asset from a house account to `account`, below 0 the other way.

        The caller notes or tells `account`.
        """
        other = self.house(house)
        account.holding(asset).total += change
        other.holding(asset).total -= change
        self.note(other)

    def take_fee(self, holding: Holding, traded: Decimal, liquidity: Liquidity) -> Decimal:
        """Move the fee of what was traded, in `holding`'s asset, to the house; return it."""
        fees = self._fees
        rate = fees.maker if liquidity is Liquidity.MAKER else fees.taker
        fee = min(traded, (traded * rate).quantize(fees.step, context=_ROUND_FEE))
        holding.total -= fee
        taker = self._fees_account
        taker.holding(holding.asset).total += fee
        self.changes.accounts[taker.number] = taker
        return fee

    def fee_most(self, traded: Decimal) -> Decimal:
        """Return the most that the fee of trading so much can be."""
        fees = self._fees
        return (traded * max(fees.maker, fees.taker)).quantize(fees.step, context=_ROUND_FEE)

    def tell_balance(self, account: Account, holding: Holding, now_ns: int) -> None:
        """Make an account event of a holding that no order changed."""
        self.note(account)
        if not account.is_house:
            account.events += 1
            event = BalancesChanged(account.events, now_ns, (holding.wire(),))
            self.events.append((account, event))

    def note(self, account: Account) -> None:
        """Have the account stored as it is at the next commit."""
        self.changes.accounts[account.number] = account

    def take_events(self) -> list[tuple[Account, Event]]:
        """Return what accounts must hear, in order; nothing is left."""
        events = self.events[:]
        self.events.clear()
        return events

    def restore_account(self, account: Account) -> None:
        """Take back a stored account, before its orders."""
        self.accounts[account.public_key] = account
        if account.is_house:
            self._houses = max(self._houses, -account.number)
            if account.public_key == FEES_ACCOUNT:
                self._fees_account = account
            if account.public_key == OUTSIDE_ACCOUNT:
                self._outside_account = account
        else:
            self._clients = max(self._clients, account.number)


def total_holdings(accounts: Iterable[Account]) -> dict[str, Decimal]:
    """Return the sum over `accounts` of each asset; over all accounts of an exchange it is zero."""
    totals: dict[str, Decimal] = {}
    for account in accounts:
        for holding in account.holdings.values():
            totals[holding.asset] = totals.get(holding.asset, ZERO) + holding.total
    return totals
