"""The WebSocket API (contract section 4): the same orders as REST, and every report as it happens.

wire.py      bytes: handshake, frames, pings, closing, how much may wait for a socket
session.py   one client: requests in, replies and streams out; knows no socket
stream.py    one account as one client follows it: opening, what was missed, live
hub.py       what clients share: accounts, worths, SERVER_INFO
requests.py  a message → a request, or why not · messages.py  values → whole frames
api.py       who may upgrade, and from where a client resumes
"""
