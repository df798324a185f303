"""The control plane: who may use Fairlead, and the secrets that it keeps for them.

    store       the database, SQLite in the data folder or PostgreSQL by URL; one writer at a time
    tables      what is in it; migrations/ is how it came to be so

Not on the order path. Nothing here is imported by the core, the journal, the edge or the venues.
"""
