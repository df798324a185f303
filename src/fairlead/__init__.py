"""Fairlead: an open execution management system.

Holds the version and nothing else; importing it has no effects.
"""

__version__ = "0.1.0"
