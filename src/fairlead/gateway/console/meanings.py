"""What people's calls and their fields mean, once, for the document and the page."""

CALLS: dict[str, str] = {
    "GET /v1/auth/state": "Where somebody stands: signed in, a second factor or the first user is needed.",
    "POST /v1/auth/first-user": "Become the first user, by the link of the machine's owner.",
    "POST /v1/auth/invitation": "Become a user by an invitation.",
    "POST /v1/auth/sign-in": "Begin a session, which its cookie names. Every refusal reads the same.",
    "POST /v1/auth/second-factor": "Give the code of an authenticator, or a recovery code.",
    "POST /v1/auth/password/forgotten": "Have a code for a new password mailed; 202 for everybody.",
    "POST /v1/auth/password/reset": "Set a new password by the mailed code; every session ends.",
    "POST /v1/auth/sign-out": "End the session.",
    "GET /v1/me": "Oneself, and the address that one's requests come from.",
    "PATCH /v1/me": "Set the phrase that each letter to oneself repeats.",
    "POST /v1/me/password": "Change the password; every other session ends.",
    "GET /v1/me/sessions": "Where one is signed in.",
    "DELETE /v1/me/sessions/{session}": "End a session.",
    "GET /v1/me/accounts": "The exchange accounts that a key may be limited to, by name.",
    "GET /v1/me/certificates": "The client certificates of one's keys, the newest first.",
    "POST /v1/me/certificates/{fingerprint}/revoke": (
        "Nobody can use the certificate any more. By one factor, whether or not mail works."
    ),
    "POST /v1/me/two-factor": "A new secret for an authenticator; it counts once it is confirmed.",
    "POST /v1/challenges": (
        "Ask for something. What is kept is what will be done; its code is mailed, once a minute and five"
        " times an hour for each action. Needs a second factor, but for switching it on."
    ),
    "POST /v1/challenges/{challenge}/confirm": (
        "Do what was asked for, by the mailed code and that of the second factor. Which was wrong is not"
        " said."
    ),
    "GET /v1/keys": "One's API keys, the newest first; never a secret or a hash.",
    "GET /v1/keys/{kid}": "One key with its ETag, and what is open under it.",
    "GET /v1/keys/{kid}/activity": "The last 50 uses by minute, address and protocol, the newest first.",
    "POST /v1/keys/{kid}/disable": (
        "Nobody can use the key from now on. By one factor, whether or not mail works."
    ),
    "GET /v1/users": "The users of one's subscription.",
    "POST /v1/users/{user}/remove": (
        "Remove a user, whose sessions and keys end; the last one stays. By one factor, whether or not mail"
        " works."
    ),
    "GET /v1/mail": "The letters, where they are kept on the machine and not mailed; the newest first.",
}

PARAMETERS: dict[str, str] = {
    "session": "the session, as in /v1/me/sessions",
    "challenge": "what POST /v1/challenges has answered",
    "kid": "the public id of one's key",
    "user": "the user, as in /v1/users",
    "If-Match": "for key.edit: the etag of the key as it was looked at, in place of the payload's version",
}

_ANN, _PASSWORD = "ann@desk.example", "seven unrelated words"
_TOKEN = "x" * 43  # of nobody's link
EXAMPLES: dict[str, object] = {
    "session": "ses_" + "0" * 22,
    "challenge": "chl_" + "0" * 22,
    "kid": "flk_" + "0" * 22,
    "user": "usr_" + "0" * 22,
    "FirstUser": {"token": _TOKEN, "email": _ANN, "password": _PASSWORD},
    "Invitation": {"token": _TOKEN, "password": _PASSWORD},
    "SignIn": {"email": _ANN, "password": _PASSWORD},
    "SecondFactor": {"code": "123456"},
    "Email": {"email": _ANN},
    "Reset": {
        "email": _ANN,
        "code": "12345678",
        "password": "eight unrelated words",
        "totp": "123456",
    },
    "Phrase": {"anti_phishing": "blue heron"},
    "NewPassword": {
        "password": _PASSWORD,
        "new_password": "eight unrelated words",
        "totp": "123456",
    },
    "OneFactor": {"totp": "123456"},
    "Challenge": {"action": "key.add", "payload": {"label": "Bot1", "scopes": ["read", "trade"]}},
    "Codes": {"code": "12345678", "totp": "123456"},
}

_EMAIL, _NEW = "the e-mail address", "8 to 128 characters, none of those that everybody tries first"
_TOTP = "six digits of the authenticator, or a recovery code"
_TOKEN_OF = "what follows # in the link"
_CSRF = "what changes need as X-CSRF-Token"
_NEEDS = "whether the code of the second factor is still to be given"
FIELDS: dict[str, dict[str, str]] = {
    "FirstUser": {"token": _TOKEN_OF, "email": _EMAIL, "password": _NEW},
    "Invitation": {"token": _TOKEN_OF, "password": _NEW},
    "SignIn": {"email": _EMAIL, "password": "the password"},
    "SecondFactor": {"code": _TOTP},
    "NewPassword": {
        "password": "the present one",
        "new_password": _NEW,
        "totp": f"{_TOTP}; of who has a second factor",
    },
    "OneFactor": {"password": "the password", "totp": f"or instead {_TOTP}"},
    "Email": {"email": _EMAIL},
    "Reset": {
        "email": _EMAIL,
        "code": "the eight digits that were mailed",
        "password": _NEW,
        "totp": f"{_TOTP}; of who has a second factor",
    },
    "Phrase": {"anti_phishing": "up to 64 characters; empty: none"},
    "Challenge": {
        "action": (
            "key.add, key.edit, key.enable, key.delete, key.delete_all, key.rotate, certificate.issue,"
            " two_factor.enable, two_factor.disable or user.invite"
        ),
        "payload": "what would be done, as the action takes it",
    },
    "Codes": {"code": "the eight digits that were mailed", "totp": _TOTP},
    "State": {
        "signed_in": "whether somebody is, by all factors that they have",
        "needs_first_user": "whether there is no user yet",
        "needs_second_factor": _NEEDS,
        "csrf": f"{_CSRF}; empty where nobody is known",
        "mail": "smtp, sink (kept on the machine) or none",
    },
    "Entered": {"user": "who it is", "needs_second_factor": _NEEDS, "csrf": _CSRF},
    "Me": {
        "user": "one's id",
        "email": _EMAIL,
        "subscription": "whose user one is",
        "two_factor": "whether the second factor is on",
        "anti_phishing": "what each letter to oneself repeats",
        "address": "where this request comes from",
        "session": "the session that asks",
    },
    "SessionShown": {
        "session": "its id",
        "created": "when it began",
        "last_used": "when it was seen last, to the minute",
        "address": "from where it began",
        "agent": "what the browser calls itself",
        "is_this": "whether it is the one that asks",
    },
    "NewSecret": {
        "secret": "as text",
        "uri": "as a link that authenticators know",
        "qr_svg": "as a picture of it",
    },
    "ChallengeShown": {
        "challenge": "its id",
        "action": "what was asked for",
        "sent_to": "where the code went, masked",
        "expires": "until when it can be confirmed",
        "expires_after_s": "how long that is, for who has another clock",
        "resend_after_s": "when another code can be had",
    },
    "KeyShown": {
        "kid": "its public id",
        "label": "its name among one's keys",
        "kind": "bearer, hmac or ed25519",
        "scopes": "what it may do: read, trade, withdraw, manage",
        "accounts": "which accounts it is limited to; null: none",
        "ip_mode": "all, or trusted",
        "addresses": "from where it may be used, if trusted",
        "created": "when it was made",
        "expires": "when it ends; null: never",
        "state": "active, disabled, suspended, expired or revoked",
        "version": "grows with every change",
        "etag": "the same as If-Match takes it",
        "last_used": "when a request of it was let through last; null: never",
        "last_address": "from where that was",
        "open_sessions": "its WebSocket and FIX sessions; where one key is looked at",
        "open_orders": "its orders that are not final; where one key is looked at",
    },
    "UseShown": {
        "time": "the last use within this minute",
        "address": "from where",
        "protocol": "rest, websocket or fix",
        "certificate": "the fingerprint of the certificate that proved it; null where none did",
    },
    "NewKey": {"kid": "its public id", "secret": "told this once; null of an ed25519 key", "key": ""},
    "NewCertificate": {
        "fingerprint": "the SHA-256 of its DER bytes",
        "pem": "the certificate; with its private key unless a request was given",
    },
    "CertificateShown": {
        "fingerprint": "the SHA-256 of its DER bytes",
        "kid": "the key that it stands for",
        "state": "active, expired or revoked",
        "created": "when it was issued",
        "expires": "when it ends",
        "revoked": "when it was revoked; null: it was not",
    },
    "AccountNamed": {"exchange_id": "its name"},
    "KeysDeleted": {"deleted": "how many"},
    "RecoveryCodes": {"recovery_codes": "what stands in for the second factor, each once; told this once"},
    "Nothing": {},
    "UserShown": {
        "user": "the id",
        "email": _EMAIL,
        "two_factor": "whether the second factor is on",
        "created": "since when",
    },
    "LetterShown": {
        "time": "when it was written",
        "to": _EMAIL,
        "subject": "what it is about",
        "text": "what it says",
    },
    "Problem": {
        "code": "why, for programs",
        "message": "why, for people",
        "field": "what is to blame, where one field is",
    },
}  # fmt: skip
