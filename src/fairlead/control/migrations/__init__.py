"""The database's history, one module per step in `versions/`, run by Alembic.

A new database is made without them, as `tables.py` declares it; a test compares the two.
A step that has been released is never changed: a change of the tables is a new step.
"""

HEAD = "r0012"  # the newest step, so that an up-to-date database is opened without Alembic
