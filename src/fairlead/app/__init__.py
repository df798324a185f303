"""The composition root: what is built of which setting, in which order, and how it is taken down.

    process      serves until a signal or a fatal cause, and ends with an exit code
    system       all parts: the order in which they start and stop
    application  what HTTP serves, put together of the parts' APIs
    metrics      the numbers that a caller is given
    people       the console's machine side: who signs in, their mail, their reminders
    plane        the control plane as this process runs it
    listening    the addresses: bound first, served last
    embedded     the simulated exchange in this process, and the way of a link to it
    tenants      the subscriptions that are served, each a tenant
    fatal        why the process must stop
    interpreter  tuned for the order path
    wakeful      keeps the cores awake while orders come one by one

Nothing here decides anything about an order.
"""
