"""The control plane: who may use Fairlead, and the secrets that it keeps for them.

    store       the database, SQLite in the data folder or PostgreSQL by URL; one writer at a time
    lease       which of the systems that share a PostgreSQL serves
    tables      what is in it; migrations/ is how it came to be so
    copying     what the database holds, carried from one database to another
    upserting   a row inserted, or changed where there is one
    names       its files in the data folder; folders: those of subscriptions; whole_file: how one is written
    vault       secrets, sealed; key_keeper knows who keeps the key that locks them (key_file,
                credential), rotation turns it over
    audit       who did what, in a chain that nobody can change unnoticed
    keyring     API keys; keys says what one is, key_changes what may become of it, key_rows how it is stored,
                key_text how it is written, addresses from where it works; public_key reads what a client
                hands in to be signed for
    certificates  of keys, issued and revoked; certificate says what one is, certificate_rows how it is stored
    authorities   who issues them: its key, sealed
    tls_files   the folder of `fairlead tls init`, made to say what the database says
    exchanges   what each exchange asks of a login, and where it is; imports nothing of the others
    accounts    logins at exchanges; logins says what one is, account_text how an account is written
    keeper      changes accounts whose edge runs
    subscriptions   which there are, and how one is made
    people      users of the console: what proves them, what they ask for
    following   usable keys and certificates, told to whoever decides about requests
    heard       by which change whoever serves acts
    usage       how much each key used; metering brings it, usage_book keeps it
    activity    where each key was used last
    pruning     takes out what is over; never of the audit
    errors      what can be wrong with all this
    control     all of it, open

Not on the order path. Nothing here is imported by the core, the journal, the edge or the venues.
"""
