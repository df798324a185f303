"""The private certificate authority, and what listeners need of it.

    authority  root → intermediate → server and client certificates, and the list of revoked ones
    client     what a client is given: key and certificate as text
    contexts   what a listener shows and asks for, read again when the files change
    refusing   why a handshake was refused
    folder     the files of `fairlead tls init`, their modes, and keeping them in date

Knows nothing of the rest: neither accounts nor API keys nor where an authority's key is kept. A
caller hands in an `Issuer`, read from the folder or from wherever else its key lies.
"""
