"""FIX without Fairlead: codec, session and store. FIX.4.4, and FIXT.1.1 with FIX.5.0 or 5.0SP2.

    tags       numbers of the tags, message types and reject reasons that are used here
    message    `Message`: a message as it came, or why it is wrong (`Fault`)
    frames     bytes of a stream → frames, or what was skipped; `sums`: their checksums
    codec      frames → messages, and fields → bytes; `faults`: what is wrong with a message's fields
    times      UTCTimestamp ⇄ UTC nanoseconds
    settings   what a session is told: names, bounds, timeouts
    states     the state table of the session, as data
    session    `Session`: one connection's session, without IO, clock or store
    hearing    what a message is to a session as it stands; `judging`: what is wrong with a message
    reactions  what the words of the state table mean
    standing   what a session knows, and the messages it says itself
    numbers    both directions' sequence numbers: what is expected, queued, dealt with, to be sent
    happened   what a session tells its driver
    store      `Store`: sequence numbers, sent messages and the application's cursor, in SQLite
    opening    its file: judged before it is written, locked
    readable   messages as text for people, by the names in `names`
    log        `MessageLog`: every message in (`Session(trace=…)`) and out, in a file of bounded size
    log_reading  that file, read, also while it is written

Knows nothing of orders, and imports only the standard library and msgspec.

**How an acceptor drives it.** Time is an argument everywhere (`now_ns`, UTC nanoseconds); every call
that may make something happen returns what happened, a list to be worked through in order:

    store = Store.open(folder)
    session = Session(settings, now_ns)                 # a client has connected
    for what in session.receive(data, now_ns): ...      # bytes came
    for what in session.tick(now_ns): ...               # at session.due_ns, or later

    LogonAsked(key, message)    who is it? Then one of
                                  session.accept(key, store.record(key), now_ns)
                                  session.refuse_known(key, store.record(key), text, now_ns)
                                  session.refuse(text, now_ns)   # hangs up without a Logout
                                with `key` completed by an identity, if there are such,
                                now or later: until then what comes in is held back. `accept` itself
                                refuses what a session may not accept (number too low, HeartBtInt…)
                                and returns more of what happened.
    LoggedOn(...)               application messages may be sent from here on
    Received(message, …)        an application message, in order and once. When what it led to is
                                durable: session.dealt(what). Until then a crash makes the client
                                send it again (PossDupFlag=Y), so it must be safe to hear it twice
    ResendAsked(first, last)    session.resend(first, last, store.sent(key, first, last), now_ns)
                                after what was flushed before is committed; pages of it are fine
    Refused(message)            the client rejected one of ours (Reject); it stays rejected
    Garbled(reason)             bytes were ignored
    Ended(text)                 the session is over; close the connection after the last batch is
                                written. `session.lost(now_ns)` says that it was closed by others

Sending, any number of times and for any number of sessions, then one flush and one commit:

    session.send("8", body, now_ns, cursor=b"…")         # body: encoded fields, `codec.body(…)`
    batches = [session.flush() for session in sessions_that_did_something]
    store.commit(batches)                                # one transaction; may run in a thread
    for batch in batches: write batch.data; if batch.is_last: close

Nothing may be written before the commit that holds it: `Batch.data` and the rows that make its
numbers durable are one value for that reason. `cursor` is the application's own: how far it has
come; it is stored with the messages it led to, comes back as `Record.cursor` and is empty after a
reset.
"""
