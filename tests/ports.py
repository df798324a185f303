"""Ports that are kept for who is about to serve there.

One that was found to be free, or that a process has just left, may be another's before its server has begun.
One that is bound, and on which nobody listens, is given to nobody who takes any; a server that may reuse its
address, as ours and PostgreSQL do, is let in all the same. Who connects meanwhile is refused.
"""

import socket

LOOPBACK = "127.0.0.1"


def keep(port: int = 0) -> socket.socket:
    """Return a socket that keeps a port of this machine until it is closed; 0: one of the system's choice."""
    kept = socket.socket()
    try:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind((LOOPBACK, port))
    except OSError:
        kept.close()
        raise
    return kept


def port_of(address: str) -> int:
    """Return the port of an address or a URL without a path."""
    return int(address.rpartition(":")[2])
