"""What the commands of `fairlead` do; `cli` says how they are spelled.

    ending    exit codes, and the one way a command fails
    client    finding a running system and asking its REST API
    show      tables and an order's life, for people and for pipes
    trade     order, cancel, orders, balances
    operate   accounts, in-doubt, halt, reduce, resume
    serving   up, exchange
    logs      how the log is written
    demo      up --demo: one order's life on one screen
    checks    verify
    backup    backup, restore
    doctor    what would keep a system from working
    settings  config show
    limits    open files
    progress  bars on long work
    simulate  seeded worlds, many or one

Each module is imported when its command runs, so that a client command starts fast. Client commands
know the system only through its REST API.
"""
