"""The part that owns exchange accounts: one inbox, one order of events, one commit, one release."""
