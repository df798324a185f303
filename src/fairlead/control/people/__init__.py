"""People: who may sign in to the console, with what, and for how long.

passwords   which are refused, and how the others are kept
one_time    codes of a second factor, recovery codes, links: what proves somebody once
throttles   how often something may be tried
person      users and sessions as they are told
users       the users of a subscription: invited, made by a link, changed, removed
sessions    signing in and out, step by step, whatever the subscription
"""
