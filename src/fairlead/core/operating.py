"""What people ask of the engine besides trading: queries, account modes, resolving doubts."""

from collections.abc import Iterator

from fairlead.core.account import Account
from fairlead.core.cancelling import doubt_ended, is_alive
from fairlead.core.deciding import MS, Deciding
from fairlead.core.doubt import answered
from fairlead.core.model import ZERO, Order, Reason, Stage
from fairlead.core.order import missing_quantity
from fairlead.core.placing import account_unavailable, account_unknown
from fairlead.core.replies import (
    AccountsReply,
    AccountState,
    AttentionReply,
    BalancesReply,
    Done,
    InstrumentsReply,
    OrderReply,
    OrdersReply,
    PositionsReply,
    ReconciliationReply,
    Refusal,
    Refused,
    SnapshotReply,
)
from fairlead.core.reports import Cause
from fairlead.core.requests import (
    QueryAccounts,
    QueryAttention,
    QueryBalances,
    QueryInstruments,
    QueryOrder,
    QueryOrders,
    QueryPositions,
    QueryReconciliation,
    QuerySnapshot,
    Resolution,
    ResolveOrder,
    SetMode,
)

AccountQuery = (
    QueryOrders
    | QueryAttention
    | QueryBalances
    | QueryPositions
    | QueryAccounts
    | QueryReconciliation
    | QueryInstruments
    | QuerySnapshot
)


def query_order(deciding: Deciding, request: QueryOrder, token: int) -> None:
    """Answer with the newest order of the client id, at the account if one is named."""
    names = [each for each in deciding.accounts if request.account in ("", each)]
    found = [
        order
        for name in names
        if (order := deciding.orders.by_client_id(name, request.client_order_id)) is not None
    ]
    if found:
        newest = max(found, key=lambda order: order.number)
        deciding.answer(token, OrderReply(newest))
        return
    if request.account and request.account not in deciding.accounts:
        text = (
            f"exchange_id {request.account} is not an account of this server;"
            " what orders it may have at its exchange stand there as they are"
        )
        deciding.answer(token, Refused(Refusal.ORDER_UNKNOWN, text, field="exchange_id"))
        return
    where = request.account or "any account"
    text = f"no order with client_order_id {request.client_order_id} at {where}"
    deciding.answer(token, Refused(Refusal.ORDER_UNKNOWN, text, field="client_order_id"))


def query(deciding: Deciding, request: AccountQuery, token: int) -> None:
    """Answer a query over one account, or over all when none is named."""
    if request.account and request.account not in deciding.accounts:
        deciding.answer(token, account_unknown(request.account))
        return
    if isinstance(request, QuerySnapshot) and not request.account:
        deciding.answer(token, account_unknown(request.account))
        return
    accounts = [
        account
        for name, account in sorted(deciding.accounts.items())
        if request.account in ("", name)
    ]
    if request.account and not accounts[0].is_loaded and _needs_load(request):
        deciding.answer(token, account_unavailable(accounts[0]))
        return
    match request:
        case QueryOrders():
            deciding.answer(token, OrdersReply(tuple(_alive(deciding, accounts))))
        case QueryAttention():
            deciding.answer(token, AttentionReply(tuple(_attention(deciding, accounts))))
        case QueryBalances():
            deciding.answer(token, _balances(deciding, accounts))
        case QueryPositions():
            held = tuple((a.name, a.positions.open()) for a in accounts if a.is_loaded)
            deciding.answer(token, PositionsReply(held, deciding.now.utc_ns))
        case QueryAccounts():
            states = tuple(_state(deciding, account) for account in accounts)
            deciding.answer(token, AccountsReply(states))
        case QueryReconciliation():
            stands = tuple(account.reconciliation() for account in accounts)
            deciding.answer(token, ReconciliationReply(stands, deciding.now.utc_ns))
        case QueryInstruments():
            deciding.answer(
                token, InstrumentsReply(tuple((a.name, a.instruments) for a in accounts))
            )
        case QuerySnapshot():
            deciding.answer_snapshot(token, accounts[0])


def answer_snapshots(deciding: Deciding) -> None:
    """Answer whoever asked for a snapshot in this batch, which is closed."""
    for token, account in deciding.snapshots_due:
        deciding.answer(token, _snapshot(deciding, account))


def set_mode(deciding: Deciding, request: SetMode, token: int) -> None:
    """Make the account active, reducing or halted; open orders stay as they are."""
    account = deciding.accounts.get(request.account)
    if account is None:
        deciding.answer(token, account_unknown(request.account))
        return
    if account.mode is not request.mode:
        deciding.set_mode(account, request.mode)
    deciding.answer(token, Done())


def resolve(deciding: Deciding, request: ResolveOrder, token: int) -> None:
    """Take an operator's word on an order that the exchange cannot be asked about."""
    if request.account not in deciding.accounts:
        deciding.answer(token, account_unknown(request.account))
        return
    order = deciding.orders.by_client_id(request.account, request.client_order_id)
    if order is None:
        text = f"{request.account} has no order with client_order_id {request.client_order_id}"
        deciding.answer(token, Refused(Refusal.ORDER_UNKNOWN, text, "client_order_id"))
        return
    resolved = _resolve(deciding, order, request.resolution)
    if resolved is None:
        text = (
            f"order {request.client_order_id} is {order.stage} and cannot be declared"
            f" {request.resolution}; orders in doubt can be resolved, and as CANCELED also orders that"
            " an operator was told to look at or whose fills do not come"
        )
        deciding.answer(token, Refused(Refusal.INVALID, text, "client_order_id"))
        return
    answered(deciding, resolved)
    if resolved.cancel_pending and resolved.stage.is_final:
        resolved = deciding.report(resolved, Cause.CANCEL_ENDED)
    doubt_ended(deciding, resolved, was_unsure=True)
    deciding.answer(token, OrderReply(resolved))


def _resolve(deciding: Deciding, order: Order, resolution: Resolution) -> Order | None:
    """Return the order as an operator declares it, None if it cannot be declared so."""
    if order.in_doubt_ns is not None:
        return _resolve_doubt(deciding, order, resolution)
    if resolution is not Resolution.CANCELED:
        return None
    is_looked_at = order.attention is not None or order.reason is Reason.OPERATOR
    if not missing_quantity(order) and (order.stage.is_final or not is_looked_at):
        return None
    return deciding.report(
        order,
        Cause.RESOLVED,
        stage=None if order.stage.is_final else Stage.CANCELED,
        closed_quantity=order.quantity_filled,
        reason=Reason.OPERATOR,
    )


def _resolve_doubt(deciding: Deciding, order: Order, resolution: Resolution) -> Order | None:
    is_revived = order.stage is Stage.REJECTED
    match resolution:
        case Resolution.NEVER_REACHED:
            if order.quantity_filled:
                return None
            return deciding.report(
                order,
                Cause.RESOLVED,
                stage=None if is_revived else Stage.REJECTED,
                closed_quantity=ZERO,
                reason=Reason.OPERATOR,
                error_message="an operator resolved it: never reached the exchange",
            )
        case Resolution.CANCELED:
            return deciding.report(
                order,
                Cause.RESOLVED,
                stage=Stage.CANCELED,
                closed_quantity=order.quantity_filled,
                reason=Reason.OPERATOR,
                error_message="an operator resolved it: canceled at the exchange",
            )
        case Resolution.WORKING:
            if is_revived:
                return None
            return deciding.report(
                order, Cause.RESOLVED, stage=Stage.WORKING, reason=Reason.OPERATOR
            )


def _needs_load(request: AccountQuery) -> bool:
    return not isinstance(request, QueryAccounts | QueryAttention | QueryReconciliation)


def _snapshot(deciding: Deciding, account: Account) -> SnapshotReply:
    stated = _balances(deciding, [account])
    ((_, balances),) = stated.accounts
    return SnapshotReply(
        sequence=account.sequence,
        orders=tuple(_alive(deciding, [account])),
        balances=balances,
        positions=account.positions.open(),
        instruments=account.instruments,
        rates=stated.rates[account.name],
        time_ns=stated.time_ns,
    )


def _balances(deciding: Deciding, accounts: list[Account]) -> BalancesReply:
    loaded = [account for account in accounts if account.is_loaded]
    balances = tuple((account.name, account.ledger.balances()) for account in loaded)
    age_ns_max = deciding.settings.rate_age_ms_max * MS
    rates = {
        account.name: account.rates.usd(
            [balance.asset for balance in held],
            account.instruments,
            deciding.now.steady_ns,
            age_ns_max,
        )
        for account, (_, held) in zip(loaded, balances, strict=True)
    }
    return BalancesReply(balances, deciding.now.utc_ns, rates)


def _alive(deciding: Deciding, accounts: list[Account]) -> Iterator[Order]:
    for account in accounts:
        for order in deciding.orders.of_account(account.name):
            if is_alive(order):
                yield order


def _attention(deciding: Deciding, accounts: list[Account]) -> Iterator[tuple[Order, str]]:
    for account in accounts:
        for order in deciding.orders.of_account(account.name):
            if order.in_doubt_ns is not None:
                yield order, "in doubt: the exchange has not said what became of it"
            elif order.attention is not None and not order.is_settled:
                yield order, order.attention


def _state(deciding: Deciding, account: Account) -> AccountState:
    alive = list(_alive(deciding, [account]))
    in_doubt = sum(order.in_doubt_ns is not None for order in alive)
    return account.state(len(alive), in_doubt)
