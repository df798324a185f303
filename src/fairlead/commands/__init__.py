"""What the commands of `fairlead` do; `cli` says how they are spelled.

    ending    exit codes, and the one way a command fails
    system    finding a running system, and what its client library's failures mean for a command
    credentials   with which API key it is asked
    show      tables and values, for people and for pipes
    screens   a table that stays on the terminal and is read anew
    lives     an order's row, life, story and dry run in words
    trade     order, cancel, cancel-all
    look      status, orders, history, fills, balances, positions, instruments
    watch     live orders, fills, balances and positions; board: what a watcher knows
    operate   accounts, reconciliation, in-doubt, halt, reduce, resume
    keys, certificates, subscriptions, usage   what the machine's owner grants and reads
    keeping   vault rotate, audit list, audit verify
    counting  such a command ends when who serves acts by its change
    people    users, mail
    fix_log   the FIX API's messages; fix_lines: one of them as text
    faulting  faults of the simulated exchange
    serving   up, exchange
    logs      how the log is written
    demo      up --demo: one order's life on one screen
    checks    verify
    backup    backup, restore
    doctor    what would keep a system from working
    settings  config show
    limits    open files
    progress  of long work and of waiting
    simulate  seeded worlds, many or one

Each module is imported when its command runs, so that a client command starts fast. Client commands
know the system only through the client library.
"""
