"""With which API key the commands call a system that asks: FAIRLEAD_API_KEY, never a flag.

A flag would stand in the list of processes and in the shell's history.
"""

import os

from fairlead.client.settings import Settings

VARIABLE = "FAIRLEAD_API_KEY"


def client_settings() -> Settings:
    """Return the client library's settings, with the key of the environment if there is one."""
    return Settings(api_key=os.environ.get(VARIABLE) or None)
