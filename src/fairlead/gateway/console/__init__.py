"""What people call from a browser: signing in, their own account, users of their subscription.

visit     who calls and from where: a person's session, never an API key
front     stands before the gate: cookie, CSRF token, and which step a session must have come to
entering  the calls of those who are not signed in yet
own       the calls about oneself: sessions, password, phrase
others    the users of a subscription, and the sink of mail
own_keys  one's own API keys; granting: what an action consists of
reminding  letters about keys that will expire
words     forms and shapes
"""
