"""The seeded world: the shipped parts under virtual time, a bad network, a bad disk and bad luck.

Only the clock, the transport and the file layer are put in place of the real ones. Everything a world
does follows from its seed, so a failure is replayed by its number.
"""
