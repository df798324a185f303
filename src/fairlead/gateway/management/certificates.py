"""`/v1/certificate…`: a key gets certificates for itself, sees and revokes them; the authority and its list.

A key that may manage sees and revokes those of its whole subscription, any other sees its own. Must never
keep or log a private key: it is in one answer, which nobody stores.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from fairlead.control.certificate import Certificate
from fairlead.control.errors import ControlError
from fairlead.control.keys import Denied, Scope
from fairlead.gateway.answers import Answer, Call, Header, form_message, json_answer, message_answer
from fairlead.gateway.callers import Access, Caller
from fairlead.gateway.management import shapes
from fairlead.gateway.members import read_members
from fairlead.gateway.queries import path_text, without_query
from fairlead.gateway.routing import Methods
from fairlead.gateway.times import time_text
from fairlead.gateway.wrong import FormError, cut, shown

if TYPE_CHECKING:
    from fairlead.control.audit import Actor
    from fairlead.control.certificates import Certificates

_TEXT = b"text/plain"
_NO_STORE: Header = (b"cache-control", b"no-store")
_RETRY_AFTER: Header = (b"retry-after", b"1")
_STATUS = {"certificate_unknown": 404, "request_invalid": 400}  # of what is denied; the rest is 409
_Result = TypeVar("_Result")

CertificatesOf = Callable[[str], "Certificates"]  # of a subscription; raises ControlError
Look = Callable[
    [], Awaitable[None]
]  # returns when everybody knows of a change; raises ControlError


class CertificatesApi:
    """The calls. What blocks runs in a thread."""

    def __init__(self, certificates_of: CertificatesOf, look: Look, access: Access) -> None:
        self._certificates_of = certificates_of
        self._look = look
        self._access = access
        self.routes: dict[bytes, Methods] = {
            b"/v1/certificate/pem": {"GET": without_query(self.pem)},
            b"/v1/certificate/csr": {"POST": without_query(self.csr)},
            b"/v1/certificate/crl": {"GET": without_query(self.crl)},
            b"/v1/certificate/ca": {"GET": without_query(self.ca)},
            b"/v1/certificates": {"GET": without_query(self.listed)},
        }
        self.prefixes: tuple[tuple[bytes, Methods], ...] = (
            (b"/v1/certificates/", {"DELETE": without_query(self.revoke)}),
        )

    async def pem(self, call: Call) -> Answer:
        """GET /v1/certificate/pem"""
        if call.method == "HEAD":  # it would issue one whose private key nobody gets
            return message_answer(405, "HEAD is not possible here, use GET", (b"allow", b"GET"))
        return await self._issue(call, None)

    async def csr(self, call: Call) -> Answer:
        """POST /v1/certificate/csr"""
        try:
            request = _read_request(call.body)
        except FormError as error:
            return form_message(error)
        return await self._issue(call, request)

    async def listed(self, call: Call) -> Answer:
        """GET /v1/certificates"""
        caller = _caller(call)
        may_manage = self._access.judge(caller, Scope.MANAGE, "") is None
        kid = None if may_manage else caller.kid
        now_ns = self._access.now_ns()
        found = await self._done(caller, lambda certificates: certificates.listed(kid))
        if isinstance(found, Answer):
            return found
        return json_answer(200, [_shown(each, now_ns) for each in found])

    async def revoke(self, call: Call) -> Answer:
        """DELETE /v1/certificates/{fingerprint}"""
        caller = _caller(call)
        fingerprint = path_text(call.tail) or ""
        revoked = await self._done(
            caller,
            lambda certificates: certificates.revoke(
                _actor(caller), fingerprint, self._access.now_ns()
            ),
        )
        if isinstance(revoked, Answer):
            return revoked
        if isinstance(revoked, Denied) and revoked.code != "certificate_revoked":
            return _denied(revoked)
        return await self._known() or message_answer(200, f"certificate {fingerprint} is revoked")

    async def crl(self, call: Call) -> Answer:
        """GET /v1/certificate/crl"""
        return _text(
            await self._done(_caller(call), lambda found: found.revoked_text(self._access.now_ns()))
        )

    async def ca(self, call: Call) -> Answer:
        """GET /v1/certificate/ca"""
        return _text(await self._done(_caller(call), lambda found: found.authority_text()))

    async def _issue(self, call: Call, request: str | None) -> Answer:
        caller = _caller(call)
        made = await self._done(
            caller,
            lambda certificates: certificates.issue(
                _actor(caller), caller.kid, self._access.now_ns(), request
            ),
        )
        if isinstance(made, Answer):
            return made
        if isinstance(made, Denied):
            return _denied(made)
        return await self._known() or Answer(200, made.text.encode(), _TEXT, (_NO_STORE,))

    async def _done(
        self, caller: Caller, work: "Callable[[Certificates], _Result]"
    ) -> _Result | Answer:
        """Return what `work` returns, in a thread; the answer if the database cannot be asked."""

        def at_the_database() -> _Result:
            return work(self._certificates_of(caller.subscription))

        try:
            return await asyncio.get_running_loop().run_in_executor(None, at_the_database)
        except ControlError:
            return _away()

    async def _known(self) -> Answer | None:
        """See that what was changed counts from now on; the answer if that cannot be said."""
        try:
            await self._look()
        except ControlError:
            return _away()
        return None


def _caller(call: Call) -> Caller:
    assert call.caller is not None, "the gate asks who calls"
    return call.caller


def _actor(caller: Caller) -> "Actor":
    from fairlead.control.audit import Actor  # with what takes 0.2 s to import, and is there by now

    factor = "certificate" if caller.certificate else "key"
    return Actor(caller.kid, str(caller.address), factor)


def _away() -> Answer:
    return message_answer(503, "the control plane cannot be asked now, try again", _RETRY_AFTER)


def _denied(denied: Denied) -> Answer:
    return message_answer(_STATUS.get(denied.code, 409), f"{denied.code}: {denied.message}")


def _text(found: str | Denied | Answer) -> Answer:
    if isinstance(found, Denied):
        return _denied(found)
    return Answer(200, found.encode(), _TEXT) if isinstance(found, str) else found


def _read_request(body: bytes) -> str:
    """Return the request in a body. Raises FormError."""
    members = read_members(body)
    findings = [
        (cut(name), "is not a field of this call, leave it out")
        for name in members
        if name != "csr"
    ]
    request = members.get("csr")
    if not isinstance(request, str):
        what = "is missing" if request is None else f"{shown(request)} is no text"
        findings.append(("csr", f"{what}, give a certificate request (PKCS#10) in PEM"))
    if findings or not isinstance(request, str):
        raise FormError(findings)
    return request


def _shown(certificate: Certificate, now_ns: int) -> shapes.ClientCertificate:
    revoked_ns = certificate.revoked_ns
    return shapes.ClientCertificate(
        fingerprint=certificate.fingerprint,
        key=certificate.kid,
        serial=certificate.serial,
        state=certificate.state(now_ns).value,
        time_created=time_text(certificate.created_ns),
        time_expires=time_text(certificate.not_after_ns),
        time_revoked=None if revoked_ns is None else time_text(revoked_ns),
    )
