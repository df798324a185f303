"""Whatever is granted is granted whole or not at all, when the process is killed while it is confirmed.

Each action is confirmed with the same codes until a process lives through it, or has died after its
commit: before, nothing at all has changed; afterwards everything has, and the audit tells of it.
"""

import asyncio
import json
from itertools import count
from pathlib import Path

from fairlead.control.control import Control
from fairlead.control.key_changes import Wanted
from fairlead.control.keys import Act, ApiKey
from fairlead.control.people import one_time
from fairlead.control.people.challenges import Action, Asked
from fairlead.control.people.person import Session, User
from fairlead.control.people.post import Sink
from fairlead.control.people.sessions import SignedIn
from fairlead.gateway.answers import Call
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.grants import Grants
from fairlead.gateway.console.visit import Visit
from fairlead.tls.authority import Authority, make_intermediate, make_root
from tests.control.conftest import (  # noqa: F401 - fixtures
    OWNER,
    control,
    database_url,
    open_control,
    postgresql,
)
from tests.control.killing import killed_at_statement
from tests.control.people.conftest import (
    HERE,
    MINUTE,
    NOW,
    SECRET,
    code_at,
    enrolled,
    made,
    signed_in,
)
from tests.gateway.console.stored import changed, stored

STRIDE = 6  # statements
READS = "· all accounts · all addresses"


def open_it(data: Path, url: str | None, *_: object) -> Grants:
    opened = Control.open(data, url, None, "local", 1)
    return Grants(Desk(opened, Sink(data), "sink", lambda: 1), "http://page/")


def confirm(
    grants: Grants,
    _: Path,
    __: str | None,
    user: User,
    session: Session,
    asked: tuple[str, str, str],
    now_ns: int,
) -> None:
    """Confirm as the call does; the answer must be that it is done."""
    challenge, code, totp = asked
    body = json.dumps({"code": code, "totp": totp}).encode()
    path = b"/v1/challenges/"
    call = Call("POST", path, b"", "1.1", body, challenge.encode())
    visit = Visit(call, HERE, False, now_ns, "token", user, session)
    answer = asyncio.run(grants.confirm(visit))
    assert answer.status < 300, answer


# What is granted, one after the other, and what that changes.
STEPS: list[tuple[Action, dict[str, object], list[str]]] = [
    (Action.KEY_ADD, {"label": "Bot1", "scopes": ["trade"]}, [
        "- challenge key.add: 5 tries left",
        "+ audit key.create done by mail+totp",
        f"+ key Bot1 v1: active, read trade {READS}",
    ]),
    (Action.KEY_EDIT, {"version": 1, "scopes": []}, [
        "- challenge key.edit: 5 tries left",
        f"- key Bot1 v1: active, read trade {READS}",
        "+ audit key.edit done by mail+totp",
        f"+ key Bot1 v2: active, read {READS}",
    ]),
    (Action.KEY_ROTATE, {"label": "Bot2", "overlap_hours": 1}, [
        "- challenge key.rotate: 5 tries left",
        f"- key Bot1 v2: active, read {READS}",
        "+ audit key.create done by mail+totp",
        "+ audit key.edit done by mail+totp",
        f"+ key Bot1 v3: active, read {READS}",
        f"+ key Bot2 v1: active, read {READS}",
    ]),
    (Action.KEY_DELETE, {}, [
        "- challenge key.delete: 5 tries left",
        f"- key Bot1 v3: active, read {READS}",
        "+ audit key.revoke done by mail+totp",
        f"+ key Bot1 v4: revoked, read {READS}",
    ]),
    (Action.KEY_ENABLE, {"label": "Bot2"}, [
        "- challenge key.enable: 5 tries left",
        f"- key Bot2 v2: disabled, read {READS}",
        "+ audit key.enable done by mail+totp",
        f"+ key Bot2 v3: active, read {READS}",
    ]),
    (Action.CERTIFICATE_ISSUE, {"label": "Bot2"}, [
        "- challenge certificate.issue: 5 tries left",
        "+ audit certificate.issue done by mail+totp",
        "+ certificate: active",
    ]),
    (Action.KEY_DELETE_ALL, {"count": 1}, [
        "- certificate: active",
        "- challenge key.delete_all: 5 tries left",
        f"- key Bot2 v3: active, read {READS}",
        "+ audit key.revoke done by mail+totp",
        "+ certificate: revoked",
        f"+ key Bot2 v4: revoked, read {READS}",
    ]),
    (Action.USER_INVITE, {"email": "bob@desk.example"}, [
        "- challenge user.invite: 5 tries left",
        "+ audit user.invite done by mail+totp",
        "+ link for bob@desk.example",
    ]),
    (Action.FACTOR_DISABLE, {}, [
        "- challenge two_factor.disable: 5 tries left",
        f"- key Bot3 v1: active, read {READS}",
        *["- recovery code"] * 10,
        "- user ann@desk.example: second factor, phrase ''",
        "+ audit key.suspend done by mail+totp",
        "+ audit user.two_factor.disable done by mail+totp",
        f"+ key Bot3 v2: suspended, read {READS}",
        "+ user ann@desk.example: no second factor, phrase ''",
    ]),
    (Action.FACTOR_ENABLE, {"secret": SECRET}, [
        "- challenge two_factor.enable: 5 tries left",
        "- user ann@desk.example: no second factor, phrase ''",
        "+ audit user.two_factor.enable done by mail+totp",
        *["+ recovery code"] * 10,
        "+ user ann@desk.example: second factor, phrase ''",
    ]),
]  # fmt: skip

# What is about no key that there is.
WITHOUT_KEY = (
    Action.KEY_ADD, Action.KEY_DELETE_ALL, Action.USER_INVITE,
    Action.FACTOR_DISABLE, Action.FACTOR_ENABLE,
)  # fmt: skip


def prepare(control: Control, user: User, action: Action, now_ns: int) -> None:  # noqa: F811 - the fixture
    """Have there be what the action is about."""
    keyring = control.keyring.of(user.user)
    if action is Action.KEY_ENABLE:
        keyring.move(OWNER, "Bot2", Act.DISABLE, now_ns)
    if action is Action.CERTIFICATE_ISSUE:
        root = make_root(now_ns)
        authority = Authority(make_intermediate(root, now_ns), root.certificate)
        with control.store.change() as change:
            control.authorities.add(change, OWNER, authority, now_ns)
    if action is Action.FACTOR_DISABLE:
        keyring.create(OWNER, Wanted(label="Bot3", days=90), now_ns)


def payload_of(
    control: Control,  # noqa: F811 - the fixture
    user: User,
    action: Action,
    form: dict[str, object],
) -> bytes:
    """Return what is asked for, with the public id of the key that it is about."""
    if action not in WITHOUT_KEY:
        by_label = action in (Action.KEY_ENABLE, Action.CERTIFICATE_ISSUE)
        key = control.keyring.of(user.user).find("Bot2" if by_label else "Bot1")
        assert isinstance(key, ApiKey)
        form = {name: value for name, value in form.items() if not (by_label and name == "label")}
        form |= {"kid": key.kid}
    return json.dumps(form).encode()


def test_killed_at_any_statement_what_is_granted_is_whole_or_not_at_all(
    control: Control,  # noqa: F811 - the fixture
    tmp_path: Path,
    database_url: str | None,  # noqa: F811 - the fixture
) -> None:
    ann = made(control)
    enrolled(control, ann, NOW - 10 * MINUTE)
    half = signed_in(control)
    whole = control.sessions.give_code(half.token, code_at(NOW), HERE, NOW)
    assert isinstance(whole, SignedIn)
    session = whole.session
    now_ns, kills = NOW, 0
    for action, form, expected in STEPS:
        now_ns += 60 * MINUTE
        (user,) = control.users.listed()
        prepare(control, user, action, now_ns)
        payload = payload_of(control, user, action, form)
        asked = control.challenges.ask(user, session, action, payload, HERE, now_ns)
        assert isinstance(asked, Asked), asked
        totp = one_time.totp_code(SECRET, one_time.step_at(now_ns))
        codes = (asked.challenge, asked.code, totp)
        before = stored(control)
        for number in count(1, STRIDE):
            was_killed = killed_at_statement(
                number, open_it, confirm,
                tmp_path / "data", database_url, user, session, codes, now_ns,
            )  # fmt: skip
            lines = changed(before, stored(control))
            assert control.audit.verify().holds
            if lines:
                break
            assert was_killed, "what was acknowledged is there"
            kills += 1
        assert lines == expected, action
    assert kills >= 2 * len(STEPS)
