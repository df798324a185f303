"""What people call from a browser: signing in, their own account and keys, users of their subscription.

What is in here:

    visit      who calls and from where: a person's session, never an API key
    front      stands before the gate: cookie, CSRF token, and which step a session must have come to
    entering   the calls of those who are not signed in yet
    living     what is open of a key at this moment
    own        the calls about oneself: sessions, password, phrase
    own_keys   the calls about one's own API keys; key_forms: what they say
    own_certificates   those about their certificates
    others     the users of a subscription, and the sink of mail
    grants     what is granted by challenge: a mailed code and the second factor; granting: one row of it
    key_making, key_changing   what is granted about API keys
    inviting   what is granted about others
    proving    what is taken back by one factor
    reminding  letters about keys that will expire
    page       the files of the console page, at /console/
    opening    all of it, put together
    words      forms and shapes; openapi, meanings: what the management document says of them
"""
