"""The certificates of one's own keys: listed, and revoked by one factor; they are issued by challenge."""

from functools import partial

from sqlalchemy import Connection

from fairlead.control.audit import Actor
from fairlead.control.certificate import Certificate
from fairlead.control.certificates import unknown
from fairlead.control.control import Control
from fairlead.control.keys import Denied
from fairlead.control.people.person import User
from fairlead.gateway.answers import Answer
from fairlead.gateway.console import words
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.proving import by_one_factor
from fairlead.gateway.console.visit import Level, Routes, Visit, shown
from fairlead.gateway.times import time_text


class OwnCertificates:
    """The calls under /v1/me/certificates."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.routes: Routes = {b"/v1/me/certificates": {"GET": (Level.WHOLE, self.listed)}}
        self.prefixes: Routes = {
            b"/v1/me/certificates/*/revoke": {"POST": (Level.WHOLE, self.revoke)}
        }

    async def listed(self, visit: Visit) -> Answer:
        """GET /v1/me/certificates: the newest first, revoked and expired ones too."""
        user, _ = visit.person
        found = await self._desk.run(partial(_own, self._desk.control, user))
        return shown(200, [_shown(each, visit.now_ns) for each in found])

    async def revoke(self, visit: Visit) -> Answer:
        """POST /v1/me/certificates/{fingerprint}/revoke: at once, by one factor and no mail."""
        user, _ = visit.person
        fingerprint = visit.call.tail.decode("ascii", "replace")

        def wrong(control: Control) -> Denied | None:
            is_own = any(each.fingerprint == fingerprint for each in _own(control, user))
            # Of what is somebody else's nothing is said that is not said of what there is not.
            return (
                control.certificates.revoke_wrong(fingerprint) if is_own else unknown(fingerprint)
            )

        def perform(control: Control, change: Connection, actor: Actor) -> Certificate | Denied:
            return control.certificates.revoke_in(change, actor, fingerprint, visit.now_ns)

        revoked = await by_one_factor(self._desk, visit, wrong, perform)
        return revoked if isinstance(revoked, Answer) else shown(200, _shown(revoked, visit.now_ns))


def _own(control: Control, user: User) -> list[Certificate]:
    return control.of(user.subscription).certificates.listed_of(user.user)


def _shown(certificate: Certificate, now_ns: int) -> words.CertificateShown:
    revoked_ns = certificate.revoked_ns
    return words.CertificateShown(
        fingerprint=certificate.fingerprint,
        kid=certificate.kid,
        state=certificate.state(now_ns).value,
        created=time_text(certificate.created_ns),
        expires=time_text(certificate.not_after_ns),
        revoked=None if revoked_ns is None else time_text(revoked_ns),
    )
