"""A new order's checks without the order: each check of the contract (2.3) and what it says now.

Asks what `placing` would ask, in the same order and by the same functions; changes and stores nothing.
What stands behind the first failure is not reached, as it would not be for a real order.
"""

from collections.abc import Iterator

from fairlead.core.account import Account
from fairlead.core.deciding import Deciding
from fairlead.core.model import Reason
from fairlead.core.placing import (
    account_unknown,
    existing_answer,
    findings_of,
    rejection_of,
    unavailable,
    with_expiry,
)
from fairlead.core.replies import Check, CheckName, CheckResult, ChecksReply, Refused
from fairlead.core.requests import CheckOrder, PlaceOrder

RISK = {
    Reason.INSUFFICIENT_BALANCE: CheckName.AVAILABLE_BALANCE,
    Reason.ORDER_RATE: CheckName.ORDER_RATE,
    Reason.ACCOUNT_REDUCING: CheckName.ACCOUNT_REDUCING,
    Reason.ACCOUNT_HALTED: CheckName.ACCOUNT_HALTED,
}
# What is left to the engine; the form was checked before.
CHECKS = tuple(name for name in CheckName if name is not CheckName.FORM)


def check(deciding: Deciding, request: CheckOrder, token: int) -> None:
    """Answer with every check, in order: passed, failed, or not reached."""
    deciding.answer(token, ChecksReply(tuple(_whole(_made(deciding, request.order)))))


def _whole(made: Iterator[Check]) -> Iterator[Check]:
    """Yield the checks in their order, those that were not reached too."""
    found = {each.name: each for each in made}
    for name in CHECKS:
        yield found.get(name) or Check(name, CheckResult.NOT_REACHED)


def _made(deciding: Deciding, place: PlaceOrder) -> Iterator[Check]:
    """Yield the checks that are made, the first that fails last."""
    account = deciding.accounts.get(place.account)
    if account is None:
        yield _failed(CheckName.ACCOUNT, account_unknown(place.account))
        return
    yield Check(CheckName.ACCOUNT, CheckResult.PASSED)
    existing = deciding.orders.by_client_id(place.account, place.client_order_id)
    if existing is not None:
        reply = existing_answer(place, existing)
        if isinstance(reply, Refused):
            yield _failed(CheckName.CLIENT_ORDER_ID, reply)
        else:
            text = "this very order exists: it is not placed again, its report is the answer"
            yield Check(CheckName.CLIENT_ORDER_ID, CheckResult.FAILED, text)
        return
    yield Check(CheckName.CLIENT_ORDER_ID, CheckResult.PASSED)
    yield from _after_id(deciding, account, place)


def _after_id(deciding: Deciding, account: Account, place: PlaceOrder) -> Iterator[Check]:
    rules = account.instrument(place.symbol, place.symbol_exchange)
    if account.instruments:
        place = with_expiry(account, place)
        refused = findings_of(deciding, account, place, rules)
        if refused is not None:
            yield _failed(CheckName.INSTRUMENT, refused)
            return
        yield Check(CheckName.INSTRUMENT, CheckResult.PASSED)
    refused = unavailable(account, rules)
    if refused is not None:
        yield _failed(CheckName.CONNECTION, refused)
        return
    assert rules is not None
    yield Check(CheckName.CONNECTION, CheckResult.PASSED)
    is_over_rate = not account.rate.has(deciding.now.steady_ns)
    rejection = rejection_of(deciding, account, place, rules, is_over_rate)
    failed = None if rejection is None else RISK[rejection[0]]
    for name in RISK.values():
        if name is failed:
            assert rejection is not None
            yield Check(name, CheckResult.FAILED, rejection[1], reason=rejection[0])
            return
        yield Check(name, CheckResult.PASSED)


def _failed(name: CheckName, refused: Refused) -> Check:
    return Check(name, CheckResult.FAILED, refused.message, refused.refusal)
