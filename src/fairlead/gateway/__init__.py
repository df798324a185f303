"""The part that serves clients: protocols in, messages to the edge, answers out.

Knows edges only through `core/port.py`; never venues, the journal or the engine.
"""
