"""People: who may sign in to the console, with what, and for how long.

What is in here:

    passwords   which are refused, and how the others are kept
    one_time    codes of a second factor, recovery codes, links: what proves somebody once
    throttles   how often something may be tried
    person      users and sessions as they are told
    users       the users of a subscription: invited, made by a link, changed, removed
    sessions    signing in and out, step by step, whatever the subscription
    proofs      what somebody who is signed in proves again
    resets      a new password for who has forgotten theirs
    challenges  nothing is granted but by a mailed code and the second factor, together
    expiring    keys that will expire, and who has been written about them
    letters     what is written to people; post: how it leaves
"""
