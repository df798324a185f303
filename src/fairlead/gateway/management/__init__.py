"""The management API (contract section 6): accounts, exchanges, locations, endpoints, certificates.

On the same listeners as the trading API. Every call needs a key, also where the trading API is open to all.
What blocks runs in a thread.
"""
