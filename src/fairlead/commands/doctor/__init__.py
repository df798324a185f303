"""doctor: what would keep a system from working as promised, and what to do about it.

    problems   every problem there is: why it matters, what to do; the page of them is made from it
    patient    what is looked at: folder, settings, whoever holds the folder
    machine    clock, limits, versions
    packages   what is installed
    disk       file system, space, how long a sync takes
    folder     permissions, owners, files that should not be there
    system     the running system, its address, its exchange
    journals   the journal and the exchange's store
    control    the control plane: its key, its database
    certificates   what the TLS listeners show
    examine    all of it, in order
    telling    how it is told

Looks and measures; changes nothing but a file of its own, which it removes.
"""
