"""What the management document says of people's calls: who makes them, with what, and what answers them."""

from fairlead.gateway.console import words
from fairlead.gateway.forms import Schema
from fairlead.gateway.openapi import Callers, Operation, Parameter

PROBLEM = "Problem"
CSRF = "CsrfToken"
SCHEMES: Schema = {
    "SessionCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-fairlead",
        "description": "the session of a person who has signed in over https",
    },
    "LoopbackCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "fairlead_session",
        "description": "the same on the machine itself, without TLS",
    },
    CSRF: {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRF-Token",
        "description": "what the last step of signing in, or GET /v1/auth/state, has answered as csrf",
    },
}
_COOKIES = ("SessionCookie", "LoopbackCookie")
_ALWAYS = {"403": PROBLEM, "503": PROBLEM}
_MEANING = {
    "401": "nobody is signed in so far, or what was given to prove it is not right",
    "403": "not over https, not with the CSRF token of the session, or not without a second factor",
    "404": "there is no such thing, or it is not yours",
    "409": "it cannot be done as things are",
    "410": "the challenge is over: confirmed, too old, another session's, or tried too often",
    "412": "it has changed since it was looked at",
    "422": "something that was given cannot be taken; `field` says which",
    "428": "which version was looked at is not said",
    "429": "too many tries, or codes, in a while",
    "503": "it cannot be done at this moment, or letters cannot be sent",
}
ANYBODY = Callers((), _ALWAYS, _MEANING)
READING = Callers(tuple((each,) for each in _COOKIES), _ALWAYS | {"401": PROBLEM}, _MEANING)
_CHANGE = tuple((each, CSRF) for each in _COOKIES)
ENTERING = Callers(((), *_CHANGE), _ALWAYS, _MEANING)  # who is in already says that it is they
CHANGING = Callers(_CHANGE, READING.answers, _MEANING)

SHAPES = (
    words.FirstUser, words.Invitation, words.SignIn, words.SecondFactor, words.NewPassword,
    words.OneFactor, words.Email, words.Reset, words.Phrase, words.Challenge, words.Codes,
    words.State, words.Entered, words.Me, words.SessionShown, words.NewSecret, words.ChallengeShown,
    words.KeyShown, words.UseShown, words.NewKey, words.NewCertificate, words.KeysDeleted,
    words.CertificateShown, words.AccountNamed,
    words.RecoveryCodes, words.Nothing, words.UserShown, words.LetterShown, words.Problem,
)  # fmt: skip


def _id(name: str, prefix: str) -> tuple[Parameter, ...]:
    schema: Schema = {"type": "string", "pattern": f"^{prefix}[0-9A-Za-z]{{22}}$"}
    return (Parameter(name, "path", is_required=True, schema=schema),)


_KID = _id("kid", "flk_")
_FINGERPRINT = (
    Parameter(
        "fingerprint",
        "path",
        is_required=True,
        schema={"type": "string", "pattern": "^[0-9a-f]{64}$"},
    ),
)
_WRONG = {"422": PROBLEM}
_UNKNOWN = {"404": PROBLEM}
_TAKEN = {"409": PROBLEM}
_TOO_MANY = {"401": PROBLEM, "429": PROBLEM}
_BECOME = {"201": "Entered"} | _WRONG | _UNKNOWN | _TAKEN
_IF_MATCH = (Parameter("If-Match", "header"),)
_CONFIRMED = {
    "200": "KeyShown | KeysDeleted | RecoveryCodes | Nothing",
    "201": "NewKey | NewCertificate",
    "204": "",
}
_REFUSED = dict.fromkeys(("404", "409", "410", "412", "422", "428", "429"), PROBLEM)

OPERATIONS = (
    Operation("/v1/auth/state", "get", (), None, {"200": "State"}, "authState", ANYBODY),
    Operation("/v1/auth/first-user", "post", (), "FirstUser", _BECOME, "firstUser", ENTERING),
    Operation("/v1/auth/invitation", "post", (), "Invitation", _BECOME, "acceptInvitation", ENTERING),
    Operation("/v1/auth/sign-in", "post", (), "SignIn", {"200": "Entered"} | _WRONG | _TOO_MANY,
              "signIn", ENTERING),
    Operation("/v1/auth/second-factor", "post", (), "SecondFactor",
              {"200": "Entered"} | _WRONG | _TAKEN | _TOO_MANY, "secondFactor", CHANGING),
    Operation("/v1/auth/password/forgotten", "post", (), "Email", {"202": ""} | _WRONG,
              "passwordForgotten", ENTERING),
    Operation("/v1/auth/password/reset", "post", (), "Reset", {"204": ""} | _WRONG | _TOO_MANY,
              "passwordReset", ENTERING),
    Operation("/v1/me", "get", (), None, {"200": "Me"}, "me", READING),
    Operation("/v1/me", "patch", (), "Phrase", {"200": "Me"} | _WRONG, "changeMe", CHANGING),
    Operation("/v1/me/password", "post", (), "NewPassword", {"204": ""} | _WRONG | _TOO_MANY,
              "changePassword", CHANGING),
    Operation("/v1/me/sessions", "get", (), None, {"200": "SessionShown[]"}, "sessions", READING),
    Operation("/v1/me/sessions/{session}", "delete", _id("session", "ses_"), None,
              {"204": ""} | _UNKNOWN, "endSession", CHANGING),
    Operation("/v1/me/accounts", "get", (), None, {"200": "AccountNamed[]"}, "ownAccounts", READING),
    Operation("/v1/me/certificates", "get", (), None, {"200": "CertificateShown[]"},
              "ownCertificates", READING),
    Operation("/v1/me/certificates/{fingerprint}/revoke", "post", _FINGERPRINT, "OneFactor",
              {"200": "CertificateShown"} | _WRONG | _UNKNOWN | _TAKEN | _TOO_MANY,
              "revokeOwnCertificate", CHANGING),
    Operation("/v1/me/two-factor", "post", (), None, {"201": "NewSecret"} | _TAKEN, "newSecret",
              CHANGING),
    Operation("/v1/challenges", "post", _IF_MATCH, "Challenge", {"201": "ChallengeShown"} | _REFUSED,
              "ask", CHANGING),
    Operation("/v1/challenges/{challenge}/confirm", "post", _id("challenge", "chl_"), "Codes",
              _CONFIRMED | _REFUSED, "confirm", CHANGING),
    Operation("/v1/keys", "get", (), None, {"200": "KeyShown[]"}, "keys", READING),
    Operation("/v1/keys/{kid}", "get", _KID, None, {"200": "KeyShown"} | _UNKNOWN, "key", READING),
    Operation("/v1/keys/{kid}/activity", "get", _KID, None, {"200": "UseShown[]"} | _UNKNOWN,
              "keyActivity", READING),
    Operation("/v1/keys/{kid}/disable", "post", _KID, "OneFactor",
              {"200": "KeyShown"} | _WRONG | _UNKNOWN | _TAKEN | _TOO_MANY, "disableKey", CHANGING),
    Operation("/v1/users", "get", (), None, {"200": "UserShown[]"}, "users", READING),
    Operation("/v1/users/{user}/remove", "post", _id("user", "usr_"), "OneFactor",
              {"204": ""} | _WRONG | _UNKNOWN | _TAKEN | _TOO_MANY, "removeUser", CHANGING),
    Operation("/v1/mail", "get", (), None, {"200": "LetterShown[]"} | _UNKNOWN, "mail", READING),
    Operation("/v1/auth/sign-out", "post", (), None, {"204": ""}, "signOut", CHANGING),
)  # fmt: skip
