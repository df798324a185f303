"""The end of a client's session, a connection by WebSocket or FIX over which orders were placed.

Orders that ask for it, by CANCEL_ON_DISCONNECT, are cancelled when the session that placed them ends.
That is ours to do, whatever the exchange can do, so it is not told. An order stays with the session that
placed it: sent again over another one, it is answered and stays where it was. The inbox's order counts:
what was placed before the end is cancelled, and a name is free again after it. Sessions end with the
process, so the next one begins by cancelling what they left.
"""

from fairlead.core.cancelling import is_alive, request_cancel
from fairlead.core.deciding import Deciding
from fairlead.core.model import Order
from fairlead.core.placing import account_unknown
from fairlead.core.replies import CancelAllReply
from fairlead.core.requests import EndSession


def end(deciding: Deciding, request: EndSession, token: int) -> None:
    """Cancel every order that ends with this session; in doubt, on its way or waiting, it is one too."""
    if request.account not in deciding.accounts:
        absent = deciding.absent.get(request.account)
        if absent is not None and any(o.session == request.session for o in absent.orders):
            absent.sessions_over.add(request.session)  # they are cancelled when the account is back
        deciding.answer(token, account_unknown(request.account))
        return
    count = 0
    for order in list(deciding.orders.ending_with(request.account, request.session)):
        if is_alive(order):
            request_cancel(deciding, order)
            count += 1
    deciding.answer(token, CancelAllReply(count))


def restart(deciding: Deciding, order: Order) -> None:
    """Cancel an order, taken up from the last process, whose session ended with that process."""
    if order.ends_with_session:
        request_cancel(deciding, order)
