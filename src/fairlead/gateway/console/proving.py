"""What is taken back by one factor: the password, or the authenticator's code; at once and without mail.

A cookie alone, which a browser may have lost, takes nothing from anybody.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.keys import Denied
from fairlead.control.people.sessions import Limited
from fairlead.gateway.answers import Answer
from fairlead.gateway.console import words
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.visit import Visit, problem, refused

_Result = TypeVar("_Result")


async def by_one_factor(
    desk: Desk,
    visit: Visit,
    wrong: Callable[[Control], Denied | None],
    perform: Callable[[Control, Connection, Actor], _Result | Denied],
) -> _Result | Answer:
    """Perform something for who gives one factor in the body; return its result, or why it is refused.

    Both work on the control plane as the user's subscription has it, in a thread. `wrong` says what is
    refused whatever is given, so that no code is used up by it. Raises as `Desk.run`.
    """
    form = visit.form(words.OneFactor)
    if isinstance(form, Answer):
        return form
    if bool(form.password) == bool(form.totp):
        text = "give one of password and totp: taking something back needs one factor"
        return problem(422, "factor_needed", text)
    user, session = visit.person

    def work() -> _Result | Denied | Limited:
        control = desk.control.of(user.subscription)
        denied = wrong(control)
        if denied is not None:
            return denied
        prove = control.proofs.with_code if form.totp else control.proofs.with_password
        given = form.totp or form.password
        return prove(user, session, given, visit.origin, visit.now_ns, partial(perform, control))

    # Who has an authenticator need not wait for passwords, of which there may be a flood.
    run = desk.run_password if form.password else desk.run
    result = await run(work)
    return refused(result) if isinstance(result, Denied | Limited) else result
