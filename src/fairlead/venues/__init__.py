"""Exchanges as an edge sees them: one port, one shared link, and a dialect per exchange."""
