"""What is in the control database. `migrations/` makes it; a test compares the two.

Times are UTC nanoseconds. Everything that belongs to somebody says to which subscription.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

METADATA = MetaData()

# One row. Every change of anything begins by locking it, which makes changes one another's successors (until
# the change is committed), and most by counting it up, which tells readers that there was one.
CONTROL = Table(
    "control",
    METADATA,
    Column("row", Integer, CheckConstraint('"row" = 1', name="one_row"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

# One row: which revision who serves acts by. Beside `control`, whose row every change locks.
HEARD = Table(
    "heard",
    METADATA,
    Column("row", Integer, CheckConstraint('"row" = 1', name="one_row"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

SUBSCRIPTIONS = Table(
    "subscriptions",
    METADATA,
    Column("subscription", Text, primary_key=True),
    Column("created_ns", BigInteger, nullable=False),
    Column(
        "data_key", LargeBinary, nullable=False
    ),  # wrapped by the key-encryption key of this name
    Column("key_name", Text, nullable=False),
)

# Who did what, or was refused; numbers are dense from 1 in each subscription. Only ever appended to.
AUDIT = Table(
    "audit",
    METADATA,
    Column("subscription", Text, ForeignKey("subscriptions.subscription"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("factor", Text, nullable=False),
    Column("before", Text, nullable=False),  # JSON, empty where there is none
    Column("after", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("seal", LargeBinary, nullable=False),  # HMAC over the row and the seal before it
)

# API keys. A revoked one stays, for the audit; its label is free again. Of the three that can prove a key
# the one of its kind is there.
KEYS = Table(
    "keys",
    METADATA,
    Column("kid", Text, primary_key=True),
    Column("subscription", Text, ForeignKey("subscriptions.subscription"), nullable=False),
    Column("label", Text, nullable=False),
    Column("label_folded", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=True, unique=True),  # bearer: SHA-256
    Column("state", Text, nullable=False),
    Column("rights", Text, nullable=False),  # JSON
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=True),
    Column("version", BigInteger, nullable=False),
    Column("kind", Text, nullable=False, server_default="bearer"),
    Column("sealed_secret", LargeBinary, nullable=True),  # HMAC: sealed by the vault
    Column("public_key", LargeBinary, nullable=True),  # Ed25519: its 32 bytes
    Column("user", Text, nullable=False, server_default=""),  # whose; empty: the machine owner's
)

# What each key used, by day and account; rows are added to.
USAGE = Table(
    "usage",
    METADATA,
    Column("subscription", Text, ForeignKey("subscriptions.subscription"), primary_key=True),
    Column("day", Text, primary_key=True),
    Column("kid", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("orders", BigInteger, nullable=False),
    Column("websocket_ms", BigInteger, nullable=False),
    Column("fix_ms", BigInteger, nullable=False),
)

# Where each key was used last; the newest rows of each only.
ACTIVITY = Table(
    "activity",
    METADATA,
    Column("kid", Text, primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("address", Text, primary_key=True),
    Column("protocol", Text, primary_key=True),
    Column("certificate", Text, primary_key=True),  # its fingerprint; empty: none proved the key
    Column("time_ns", BigInteger, nullable=False),
)
Index("activity_last", ACTIVITY.c.kid, ACTIVITY.c.time_ns)

# The number of the last batch of usage that each process has written, so that none is added twice.
USAGE_WRITERS = Table(
    "usage_writers",
    METADATA,
    Column("writer", Text, primary_key=True),
    Column("batch", BigInteger, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
)
_LIVING = text("state <> 'revoked'")
Index(
    "keys_label",
    KEYS.c.subscription,
    KEYS.c.user,
    KEYS.c.label_folded,
    unique=True,
    sqlite_where=_LIVING,
    postgresql_where=_LIVING,
)

# Exchange accounts. A deleted one stays without its parameters: so it is known under which login its orders
# are, whoever takes the name next.
ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("subscription", Text, ForeignKey("subscriptions.subscription"), primary_key=True),
    Column("exchange_id", Text, primary_key=True),
    Column("parameters", LargeBinary, nullable=True),  # sealed; NULL: deleted
    Column("login", LargeBinary, nullable=False),  # HMAC of what says whose login it is
    Column("is_configured", Boolean, nullable=False),  # came from the configuration
    Column("created_ns", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),  # never begins anew
)
_HELD = text("parameters IS NOT NULL")
Index(
    "accounts_login",
    ACCOUNTS.c.login,
    unique=True,
    sqlite_where=_HELD,
    postgresql_where=_HELD,
)

# Who signs certificates: the newest row does. The key is sealed; that of the root is not here.
AUTHORITIES = Table(
    "authorities",
    METADATA,
    Column("fingerprint", Text, primary_key=True),
    Column("certificate", Text, nullable=False),  # PEM
    Column("root", Text, nullable=False),  # PEM, the certificate that it was issued by
    Column("sealed_key", LargeBinary, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
)

# Client certificates. One counts while it is active, in date, and its key can be used. Private keys are
# nowhere.
CERTIFICATES = Table(
    "certificates",
    METADATA,
    Column("fingerprint", Text, primary_key=True),
    Column("subscription", Text, ForeignKey("subscriptions.subscription"), nullable=False),
    Column("kid", Text, nullable=False),
    Column("serial", Text, nullable=False),  # 128 bits in hex
    Column("created_ns", BigInteger, nullable=False),
    Column("not_after_ns", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("revoked_ns", BigInteger, nullable=True),
)
Index("certificates_kid", CERTIFICATES.c.kid)

# People. One who was removed stays, for the audit; the address is free again. An address is one user's,
# whatever the subscription: it is what people sign in by.
USERS = Table(
    "users",
    METADATA,
    Column("user", Text, primary_key=True),
    Column("subscription", Text, ForeignKey("subscriptions.subscription"), nullable=False),
    Column("email", Text, nullable=False),
    Column("email_folded", Text, nullable=False),
    Column("password", Text, nullable=False),  # Argon2id
    Column("phrase", Text, nullable=False),  # shown in mails, against false ones
    Column("totp", LargeBinary, nullable=True),  # sealed; NULL: no second factor
    Column("totp_step", BigInteger, nullable=False),  # of the last code that was accepted
    Column("created_ns", BigInteger, nullable=False),
    Column("removed_ns", BigInteger, nullable=True),
    Column("version", BigInteger, nullable=False),
)
_PRESENT = text("removed_ns IS NULL")
Index(
    "users_email",
    USERS.c.email_folded,
    unique=True,
    sqlite_where=_PRESENT,
    postgresql_where=_PRESENT,
)

# Each works once, and is gone then.
RECOVERY_CODES = Table(
    "recovery_codes",
    METADATA,
    Column("user", Text, ForeignKey("users.user"), primary_key=True),
    Column("code_hash", LargeBinary, primary_key=True),
)

# What a link in a terminal or a mail lets somebody do, once: become a user.
LINKS = Table(
    "links",
    METADATA,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("subscription", Text, ForeignKey("subscriptions.subscription"), nullable=False),
    Column("email", Text, nullable=False),  # empty: whoever has the link says it
    Column("expires_ns", BigInteger, nullable=False),
)

# Who is signed in; one that has ended is gone.
SESSIONS = Table(
    "sessions",
    METADATA,
    Column("session", Text, primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("user", Text, ForeignKey("users.user"), nullable=False),
    Column("stage", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("seen_ns", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
)

# What was tried of late by whom, where there is a limit to it.
ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("attempt", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
)
Index("attempts_of", ATTEMPTS.c.kind, ATTEMPTS.c.subject, ATTEMPTS.c.time_ns)

# What somebody has asked to be granted, until the codes for it come: the payload is what will be done.
CHALLENGES = Table(
    "challenges",
    METADATA,
    Column("challenge", Text, primary_key=True),
    Column("user", Text, ForeignKey("users.user"), nullable=False),
    Column("session", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),  # sealed
    Column("code_hash", LargeBinary, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Column("tries_left", Integer, nullable=False),
)
Index("challenges_of", CHALLENGES.c.user, CHALLENGES.c.action, unique=True)

# The last letter about the end of a key: so many days before which end.
EXPIRY_NOTICES = Table(
    "expiry_notices",
    METADATA,
    Column("kid", Text, ForeignKey("keys.kid"), primary_key=True),
    Column("expires_ns", BigInteger, nullable=False),
    Column("days", Integer, nullable=False),
)
