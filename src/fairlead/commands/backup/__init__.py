"""backup, restore: a data folder, also a running one, as files that can be carried elsewhere.

    manifest    what a backup is: its files by content, and what it promises
    taking      fairlead backup
    restoring   fairlead restore

A backup becomes visible in one step when all of it is durable, and so does a restored folder: what
was cut short is under another name, without a manifest, or does not match it.
"""
