"""People for tests: a user who has signed in, on both databases, with passwords that are quick to check."""

import pytest

from fairlead.control.control import Control
from fairlead.control.keys import DAY_NS
from fairlead.control.people import one_time
from fairlead.control.people.person import From, User
from fairlead.control.people.sessions import Enrolled, SignedIn
from tests.control.conftest import (  # noqa: F401 - fixtures
    OWNER,
    control,
    database_url,
    open_control,
    postgresql,
)

NOW = 1_000 * DAY_NS
SECRET = one_time.new_totp_secret()
MINUTE = 60 * 1_000_000_000
HERE, ELSEWHERE = From("192.0.2.1", "Firefox"), From("192.0.2.2", "curl")
EMAIL, PASSWORD = "ann@desk.example", "seven unrelated words"


@pytest.fixture
def ann(control: Control) -> User:  # noqa: F811 - the fixture
    return made(control)


def made(control: Control, email: str = EMAIL) -> User:  # noqa: F811 - the fixture
    """Return a new user: the first by the owner's link, others by invitation."""
    token = control.users.first_link(OWNER, NOW)
    if token is None:
        invited = control.users.invite(OWNER, email, NOW)
        assert isinstance(invited, str), invited
        token = invited
    user = control.users.accept(token, email, PASSWORD, HERE, NOW)
    assert isinstance(user, User), user
    return user


def signed_in(control: Control, now_ns: int = NOW, email: str = EMAIL) -> SignedIn:  # noqa: F811 - the fixture
    begun = control.sessions.sign_in(email, PASSWORD, HERE, now_ns)
    assert isinstance(begun, SignedIn), begun
    return begun


def code_at(now_ns: int) -> str:
    """Return the second factor's code of a moment."""
    return one_time.totp_code(SECRET, now_ns // (30 * 10**9))


def enrolled(control: Control, user: User, now_ns: int = NOW - 10 * MINUTE) -> Enrolled:  # noqa: F811 - the fixture
    """Switch the user's second factor on, some time ago."""
    with control.store.change() as change:
        result = control.sessions.enrol(change, user, SECRET, code_at(now_ns), "", now_ns)
    assert isinstance(result, Enrolled)
    return result
