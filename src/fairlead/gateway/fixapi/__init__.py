"""The FIX API (wire contract section 5): Request, Reply and Report ⇄ FIX messages, and who speaks them.

    words        FIX's tags and letters for our words; where an order stands (39), why a report exists (150)
    asking       a message in → what it asks for, or why it cannot be taken
    alike        the new orders of one session: what they repeat is read once
    telling      orders, reports and refusals → the bodies of messages out
    requests     what a client's messages ask for, and what answers them
    meanwhile    what was told while an answer was on its way
    cancels      those on their way, whose senders are told if they come to nothing
    following    a session's place in the reports of all accounts
    mass_status  which orders answer a mass status request; statuses: how they are told
    resending    what was sent and a client lacks, again
    joining      accounts that a key gets while it is logged on
    place        where a session stands in the reports of its accounts
    cursor       how far a session has come, as it is stored with its messages
    logon        which accounts there are for a client, and which session it gets
    client       one connection from the logon to the end; flow: how fast bytes go over it
    entrance     at whose desk a connection is; identifying: who its Logon says that it is
    desk         what all connections share: the store, who is logged on, one commit per turn
    keeping      the log of every message, for people
    acceptor     the listener of asyncio
    settings     its name, its limits, its times
    metrics      what it counts

A message comes in by `acceptor` → `client` → `fix.session` → `requests` → `alike` → `asking` → the port.
A report goes out by the feed → `following` → `client` → `telling` → `fix.session` → `desk` → `acceptor`.
"""
