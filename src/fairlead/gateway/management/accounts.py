"""`/v1/accounts`: the accounts of the caller's subscription, seen, set and deleted.

Secrets are written and never read: they are shown as `control/logins.py` masks them. What blocks runs in a
thread. A key that is limited to accounts sees and changes those alone.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from fairlead.control.errors import ControlError
from fairlead.control.keys import Denied, Scope
from fairlead.control.logins import Account, Pairs
from fairlead.gateway.answers import Answer, Call, json_answer, message_answer
from fairlead.gateway.callers import Access, Caller
from fairlead.gateway.forms import read_exchange_id
from fairlead.gateway.gate import answer_of
from fairlead.gateway.management import shapes
from fairlead.gateway.members import Members, pairs_of, read_members
from fairlead.gateway.queries import Query, check_no_query
from fairlead.gateway.rendering import invalid
from fairlead.gateway.routing import Methods
from fairlead.gateway.wrong import Finding, FormError, Wrong

if TYPE_CHECKING:
    from fairlead.control.audit import Actor
    from fairlead.control.keeper import AccountKeeper, Deleted

KeeperOf = Callable[[Caller], "AccountKeeper"]
PARAMETERS_MAX = 32
_ALLOW = (b"allow", b"GET, HEAD, POST, DELETE")  # a 405 has it, whatever the contract means by one
_RETRY_AFTER = (b"retry-after", b"1")
_AWAY = (
    "the control plane cannot be asked now; what was asked for may be done, look again in a moment"
)


class AccountsApi:
    """The calls. `keeper_of` gives what keeps the accounts of a caller's subscription."""

    def __init__(
        self, keeper_of: KeeperOf, access: Access, new_trace_id: Callable[[], str]
    ) -> None:
        self._keeper_of = keeper_of
        self._access = access
        self._new_trace_id = new_trace_id
        self.routes: dict[bytes, Methods] = {
            b"/v1/accounts": {"GET": self.listed, "POST": self.put, "DELETE": self.delete},
            b"/v1/accounts/all": {"DELETE": self.delete_all},
        }
        self.prefixes: tuple[tuple[bytes, Methods], ...] = ()

    async def listed(self, call: Call) -> Answer:
        """GET /v1/accounts"""
        caller = _caller(call)
        try:
            query = Query(call.query)
            wanted = query.repeated("filter_exchange_id", read_exchange_id)
            query.check()
            accounts = await self._seen(caller)
        except FormError as error:
            return self._invalid(error.findings)
        except ControlError:
            return _away()
        return json_answer(
            200, [_shape(each) for each in accounts if not wanted or each.exchange_id in wanted]
        )

    async def put(self, call: Call) -> Answer:
        """POST /v1/accounts"""
        caller = _caller(call)
        try:
            check_no_query(call)
            members = read_members(call.body)
            name = _read_name(members)
        except FormError as error:
            return self._invalid(error.findings)
        refused = self._access.refusal(caller, Scope.MANAGE, name)
        if refused is not None:
            return answer_of(refused)
        try:
            given = _read_parameters(members.get("parameters"))
        except FormError as error:
            return self._unprocessable(error.findings)
        try:
            result = await self._keeper_of(caller).put(_actor(caller), name, given)
        except ControlError:
            return _away()
        if isinstance(result, Denied):
            return self._denied(result)
        text = f"{name} is {'added' if result.is_new else 'updated'} and is being connected"
        return json_answer(200, shapes.AccountDone(name, text))

    async def delete(self, call: Call) -> Answer:
        """DELETE /v1/accounts"""
        caller = _caller(call)
        try:
            query = Query(call.query)
            names = query.repeated("exchange_id", read_exchange_id)
            if not names and not query.findings:
                query.findings.append(("exchange_id", "is missing, it is required"))
            query.check()
        except FormError as error:
            return self._invalid(error.findings)
        for name in names:
            refused = self._access.refusal(caller, Scope.MANAGE, name)
            if refused is not None:
                return answer_of(refused)
        try:
            result = await self._keeper_of(caller).delete(_actor(caller), names)
        except ControlError:
            return _away()
        return self._denied(result) if isinstance(result, Denied) else _deleted(result)

    async def delete_all(self, call: Call) -> Answer:
        """DELETE /v1/accounts/all"""
        caller = _caller(call)
        try:
            check_no_query(call)
        except FormError as error:
            return self._invalid(error.findings)
        among = self._access.accounts(caller)
        try:
            return _deleted(await self._keeper_of(caller).delete_all(_actor(caller), among))
        except ControlError:
            return _away()

    async def _seen(self, caller: Caller) -> list[Account]:
        """Return the accounts that the caller may see. Raises ControlError."""
        allowed = self._access.accounts(caller)
        accounts = await self._keeper_of(caller).listed()
        return [each for each in accounts if allowed is None or each.exchange_id in allowed]

    def _denied(self, denied: Denied) -> Answer:
        if denied.code == "account_unknown":
            return message_answer(404, denied.message)
        findings = denied.findings or (("exchange_id", denied.message),)
        if denied.code == "exchange_id_invalid":
            return self._invalid(findings)
        return self._unprocessable(findings)

    def _invalid(self, findings: Iterable[Finding]) -> Answer:
        return json_answer(400, invalid([*findings], self._new_trace_id()))

    def _unprocessable(self, findings: Iterable[Finding]) -> Answer:
        body = msgspec.structs.replace(invalid([*findings], self._new_trace_id()), status=405)
        return json_answer(405, body, _ALLOW)


def _caller(call: Call) -> Caller:
    assert call.caller is not None, "the gate asks who calls"
    return call.caller


def _actor(caller: Caller) -> "Actor":
    from fairlead.control.audit import Actor  # takes 0.2 s to import, and is there by now

    return Actor(caller.kid, str(caller.address), "certificate" if caller.certificate else "key")


def _away() -> Answer:
    return message_answer(503, _AWAY, _RETRY_AFTER)


# ── what is read ─────────────────────────────────────────────────────────────────────────────────


def _read_name(members: Members) -> str:
    if "exchange_id" not in members:
        raise FormError([("exchange_id", "is missing, it is required")])
    try:
        return read_exchange_id(members["exchange_id"])
    except Wrong as wrong:
        raise FormError([("exchange_id", str(wrong))]) from None


def _read_parameters(value: object) -> Pairs:
    """Return keys and values; what of a value is wrong is for its exchange to say. Raises FormError."""
    expected = 'an array of {"key": …, "value": …}'
    if value is None:
        raise FormError([("parameters", f"is missing, give {expected}")])
    if not isinstance(value, list) or len(value) > PARAMETERS_MAX:
        what = "is not" if not isinstance(value, list) else f"has {len(value)} elements, expected"
        raise FormError([("parameters", f"{what} {expected}, at most {PARAMETERS_MAX} of them")])
    given: list[tuple[str, object]] = []
    findings: list[Finding] = []
    for number, element in enumerate(value):
        field = f"parameters[{number}]"
        pairs = pairs_of(element)
        members = dict(pairs or ())
        if pairs is None or len(pairs) != len(members):
            findings.append((field, 'is not {"key": …, "value": …}, each once'))
        elif type(members.get("key")) is not str:
            wrong = "is not a text" if "key" in members else "is missing"
            findings.append((f"{field}.key", f"{wrong}, give the name of a parameter"))
        elif "value" not in members:
            findings.append((f"{field}.value", f"is missing, give the value of {expected}"))
        else:
            text = members["value"] if type(members["value"]) is str else None  # no number's text
            given.append((str(members["key"]), text))
    if findings:
        raise FormError(findings)
    return given


# ── what is answered ─────────────────────────────────────────────────────────────────────────────


def _shape(account: Account) -> shapes.GetAccount:
    pairs = [shapes.KeyValue(name, value) for name, value in account.masked.items()]
    return shapes.GetAccount(account.exchange_id, pairs)


def _deleted(deleted: "list[Deleted]") -> Answer:
    count = sum(each.open_orders for each in deleted)
    accounts = "1 account is" if len(deleted) == 1 else f"{len(deleted)} accounts are"
    orders = "1 open order is" if count == 1 else f"{count} open orders are"
    text = f"{accounts} deleted, the credentials erased; {orders} left at the exchange"
    left = [shapes.AccountLeft(each.exchange_id, each.open_orders) for each in deleted]
    return json_answer(200, shapes.AccountsDeleted(text, left))
