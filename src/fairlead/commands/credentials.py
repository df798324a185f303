"""With which API key the commands call a system that asks: from the environment, never a flag.

A flag would stand in the list of processes and in the shell's history. FAIRLEAD_API_KEY is a secret that is
sent; with FAIRLEAD_API_KEY_ID beside it, a public id, it signs every request and is not sent. The names of
files, FAIRLEAD_CA_FILE and FAIRLEAD_CERTIFICATE, are no secrets, and may be flags.
"""

import os

from msgspec.structs import replace

from fairlead.client.settings import Settings
from fairlead.client.signing import SigningKey

SECRET, PUBLIC_ID = "FAIRLEAD_API_KEY", "FAIRLEAD_API_KEY_ID"
CA_FILE, CERTIFICATE = "FAIRLEAD_CA_FILE", "FAIRLEAD_CERTIFICATE"
NO_FILES = (None, None)
Files = tuple[str | None, str | None]  # whom to trust, and what to show, over https


def client_settings(url: str, files: Files = NO_FILES) -> Settings:
    """Return the client library's settings for a system, with what the environment says.

    `files` come before those of the environment, which are for https alone.
    """
    ca_file, certificate = files
    if url.startswith("https:"):
        ca_file = ca_file or os.environ.get(CA_FILE) or None
        certificate = certificate or os.environ.get(CERTIFICATE) or None
    settings = Settings(ca_file=ca_file, certificate=certificate)
    secret = os.environ.get(SECRET) or None
    kid = os.environ.get(PUBLIC_ID) or None
    if secret is None or kid is None:
        return replace(settings, api_key=secret)
    return replace(settings, signing_key=SigningKey(kid, secret))
