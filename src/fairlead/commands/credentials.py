"""With which API key the commands call a system that asks: from the environment, never a flag.

A flag would stand in the list of processes and in the shell's history. FAIRLEAD_API_KEY is a secret that is
sent; with FAIRLEAD_API_KEY_ID beside it, a public id, it signs every request and is not sent.
"""

import os

from fairlead.client.settings import Settings
from fairlead.client.signing import SigningKey

SECRET, PUBLIC_ID = "FAIRLEAD_API_KEY", "FAIRLEAD_API_KEY_ID"


def client_settings() -> Settings:
    """Return the client library's settings, with the key of the environment if there is one."""
    secret = os.environ.get(SECRET) or None
    kid = os.environ.get(PUBLIC_ID) or None
    if secret is None or kid is None:
        return Settings(api_key=secret)
    return Settings(signing_key=SigningKey(kid, secret))
