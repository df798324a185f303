"""Forms that people's calls take, and shapes of what answers them. Unknown fields are refused."""

from typing import Any, Literal

import msgspec

from fairlead.control.keys import DAYS_DEFAULT
from fairlead.control.people.person import Session, User
from fairlead.gateway.times import time_text


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body."""


class SecretForm(Form, frozen=True):
    """A body of which nothing may be shown."""

    def __repr__(self) -> str:
        """Name the form alone."""
        return f"{type(self).__name__}(…)"


class FirstUser(SecretForm, frozen=True):
    """Become the first user."""

    token: str
    email: str
    password: str


class Invitation(SecretForm, frozen=True):
    """Become a user by an invitation."""

    token: str
    password: str


class SignIn(SecretForm, frozen=True):
    """Sign in."""

    email: str
    password: str


class SecondFactor(SecretForm, frozen=True):
    """The code of an authenticator, or a recovery code."""

    code: str


class NewPassword(SecretForm, frozen=True):
    """Change one's password; `totp` of who has a second factor."""

    password: str
    new_password: str
    totp: str = ""


class OneFactor(SecretForm, frozen=True):
    """One of the two: the password, or the code of the second factor."""

    password: str = ""
    totp: str = ""


class Email(Form, frozen=True):
    """Whose password is forgotten."""

    email: str


class Reset(SecretForm, frozen=True):
    """Set a new password by the mailed code, and that of the second factor where there is one."""

    email: str
    code: str
    password: str
    totp: str = ""


class Phrase(Form, frozen=True):
    """What is written in each mail to oneself."""

    anti_phishing: str


class Challenge(Form, frozen=True):
    """Ask for something; `payload` is what would be done."""

    action: str
    payload: dict[str, Any] = {}


class Codes(SecretForm, frozen=True):
    """The code that was mailed, and that of the second factor."""

    code: str
    totp: str


class TwoFactorOn(SecretForm, frozen=True):
    """Switch the second factor on, with a secret of POST /v1/me/two-factor."""

    secret: str


class KeyRights(Form, frozen=True, kw_only=True):
    """What a key may. `ip_mode`: all, or trusted, which needs addresses."""

    scopes: tuple[str, ...] = ("read",)
    accounts: tuple[str, ...] | None = None
    ip_mode: str = "all"
    addresses: tuple[str, ...] = ()


class KeyAdd(KeyRights, frozen=True, kw_only=True):
    """Add a key."""

    label: str
    kind: str = "bearer"
    public_key: str | None = None
    expires_days: int | None = DAYS_DEFAULT


class KeyEdit(KeyRights, frozen=True, kw_only=True):
    """Change what a key may. `expires_days` null: its end stays; "never": it has none from now on.

    `version`: the one that was looked at, or If-Match says it.
    """

    kid: str
    version: int | None = None
    expires_days: int | Literal["never"] | None = None


class KeyNamed(Form, frozen=True):
    """One key."""

    kid: str


class KeyRotate(Form, frozen=True):
    """A new key like the one there is, which ends so many hours later. `public_key`: as in `KeyAdd`."""

    kid: str
    label: str
    overlap_hours: int
    public_key: str | None = None


class CertificateIssue(Form, frozen=True):
    """A certificate for a key; `csr`: for a private key that its sender keeps."""

    kid: str
    csr: str | None = None


class KeysCounted(Form, frozen=True):
    """All keys; the number shows that whoever asks knows which."""

    count: int


class Invite(Form, frozen=True):
    """Invite somebody."""

    email: str


class Nothing(Form, frozen=True):
    """Nothing more needs to be said."""


class NewSecret(msgspec.Struct, frozen=True):
    """A secret for an authenticator: as text, as a link, as a picture."""

    secret: str
    uri: str
    qr_svg: str


class ChallengeShown(msgspec.Struct, frozen=True):
    """A challenge whose code is on its way."""

    challenge: str
    action: str
    sent_to: str
    expires: str
    expires_after_s: int
    resend_after_s: int


class KeyShown(msgspec.Struct, frozen=True):
    """One of one's keys; never a secret or a hash. What is open under it where one key is looked at."""

    kid: str
    label: str
    kind: str
    scopes: tuple[str, ...]
    accounts: tuple[str, ...] | None
    ip_mode: str
    addresses: tuple[str, ...]
    created: str
    expires: str | None
    state: str
    version: int
    etag: str
    last_used: str | None
    last_address: str | None
    open_sessions: int | msgspec.UnsetType = msgspec.UNSET
    open_orders: int | msgspec.UnsetType = msgspec.UNSET


class UseShown(msgspec.Struct, frozen=True):
    """One of the last uses of a key. `certificate`: the fingerprint of the one that proved it."""

    time: str
    address: str
    protocol: str
    certificate: str | None


class NewKey(msgspec.Struct, frozen=True):
    """A new key with its secret, told this once; null of a key that signs by Ed25519."""

    kid: str
    secret: str | None
    key: KeyShown

    def __repr__(self) -> str:
        """Name the key, never the secret."""
        return f"NewKey({self.kid!r})"


class NewCertificate(msgspec.Struct, frozen=True):
    """A new certificate, with its private key unless one was kept by who asked."""

    fingerprint: str
    pem: str

    def __repr__(self) -> str:
        """Name the certificate, never its key."""
        return f"NewCertificate({self.fingerprint!r})"


class CertificateShown(msgspec.Struct, frozen=True):
    """A certificate of one of one's keys."""

    fingerprint: str
    kid: str
    state: str
    created: str
    expires: str
    revoked: str | None


class AccountNamed(msgspec.Struct, frozen=True):
    """An exchange account of one's subscription, by its name alone."""

    exchange_id: str


class KeysDeleted(msgspec.Struct, frozen=True):
    """How many keys are deleted."""

    deleted: int


class RecoveryCodes(msgspec.Struct, frozen=True):
    """What stands in for the second factor, each once; told this once."""

    recovery_codes: tuple[str, ...]


class Problem(msgspec.Struct, frozen=True):
    """Why something was not done: `code` for programs, `message` for people."""

    code: str
    message: str
    field: str | msgspec.UnsetType = msgspec.UNSET


class State(msgspec.Struct, frozen=True):
    """Where somebody stands who opens the page."""

    signed_in: bool
    needs_first_user: bool
    needs_second_factor: bool
    csrf: str
    mail: str


class Entered(msgspec.Struct, frozen=True):
    """Somebody who has come a step further."""

    user: str
    needs_second_factor: bool
    csrf: str


class Me(msgspec.Struct, frozen=True):
    """Oneself."""

    user: str
    email: str
    subscription: str
    two_factor: bool
    anti_phishing: str
    address: str
    session: str


class SessionShown(msgspec.Struct, frozen=True):
    """One of one's sessions."""

    session: str
    created: str
    last_used: str
    address: str
    agent: str
    is_this: bool


class UserShown(msgspec.Struct, frozen=True):
    """A user of one's subscription."""

    user: str
    email: str
    two_factor: bool
    created: str


class LetterShown(msgspec.Struct, frozen=True):
    """A letter in the sink."""

    time: str
    to: str
    subject: str
    text: str


def me(user: User, session: Session, address: str) -> Me:
    """Return oneself."""
    return Me(
        user=user.user,
        email=user.email,
        subscription=user.subscription,
        two_factor=user.has_second_factor,
        anti_phishing=user.phrase,
        address=address,
        session=session.session,
    )


def session_shown(session: Session, this: str) -> SessionShown:
    """Return a session; `this` is the one that asks."""
    return SessionShown(
        session=session.session,
        created=time_text(session.created_ns),
        last_used=time_text(session.seen_ns),
        address=session.address,
        agent=session.agent,
        is_this=session.session == this,
    )


def user_shown(user: User) -> UserShown:
    """Return a user."""
    return UserShown(user.user, user.email, user.has_second_factor, time_text(user.created_ns))
