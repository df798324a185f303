"""What people are granted about others: that somebody is invited. The link goes to who is invited alone."""

from collections.abc import Mapping

from fairlead.control.keys import Denied
from fairlead.control.people import letters
from fairlead.control.people.challenges import Action
from fairlead.control.people.letters import Facts
from fairlead.endpoint import INVITATION
from fairlead.gateway.console import words
from fairlead.gateway.console.granting import Asking, Doing, Grant, Posted


def _ask(asking: Asking, form: words.Invite) -> Facts | Denied:
    users = asking.control.of(asking.user.subscription).users
    denied = users.invite_wrong(form.email)
    return (("Who is invited", form.email),) if denied is None else denied


def _invite(doing: Doing, form: words.Invite) -> object | Denied:
    granted, users = doing.granted, doing.control.users
    token = users.invite_in(granted.change, granted.actor, form.email, doing.now_ns)
    if isinstance(token, Denied):
        return token
    link = f"{doing.page}{INVITATION}#{token}"  # in the fragment: no log gets to see it
    letter = letters.of_invitation(form.email, doing.user.subscription, link)
    return Posted(letter, lambda: users.withdraw(token))


INVITING_GRANTS: Mapping[str, Grant] = {
    Action.USER_INVITE: Grant(words.Invite, "invite a user", _ask, _invite, status=204),
}
