"""What an action that is granted by challenge consists of. One row for each is in a table of its part."""

from collections.abc import Callable
from typing import Any

import msgspec

from fairlead.control.control import Control
from fairlead.control.keys import Denied
from fairlead.control.people.challenges import Granted
from fairlead.control.people.letters import Facts, Letter
from fairlead.control.people.person import Session, User


class Asking(msgspec.Struct, frozen=True):
    """Who asks for something, and when."""

    control: Control
    user: User
    now_ns: int


class Doing(msgspec.Struct, frozen=True):
    """What an action is done with. `control` is that of the user's subscription.

    `page`: where people find the console, for a link.
    """

    control: Control
    user: User
    session: Session
    granted: Granted
    now_ns: int
    page: str


class Posted(msgspec.Struct, frozen=True):
    """What has been done if a letter goes out now; else `undo` takes it back."""

    letter: Letter
    undo: Callable[[], None]


class Grant(msgspec.Struct, frozen=True):
    """One action: its payload's form, what its letter says, and what does it.

    `ask` says what would be done, for the letter, or why it cannot be: before anything is mailed. `perform`
    does it, and returns what is answered, or Posted; what it denies it has not begun. `seen`: takes what
    If-Match says, None if it is not there, into the payload.
    """

    form: type[msgspec.Struct]
    sentence: str
    ask: Callable[[Asking, Any], Facts | Denied]
    perform: Callable[[Doing, Any], object | Denied]
    status: int = 200
    seen: Callable[[Any, str | None], Any | Denied] | None = None
