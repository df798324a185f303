"""A process to be killed: sends messages in batches and tells each number once its batch is stored.

`python teller.py FOLDER`: works until somebody ends it. A line on stdout is what a counterpart has seen.
"""

import sys
from pathlib import Path

from fairlead.fix.codec import body
from fairlead.fix.session import Session
from fairlead.fix.store import Store
from tests.fix.spoken import KEY, NOW, SETTINGS, heard, say_logon

BATCH = 7


def main() -> None:
    """Go on where the last life ended."""
    store = Store.open(Path(sys.argv[1]), boot_id="this")
    record = store.record(KEY)
    session = Session(SETTINGS, NOW)
    session.receive(say_logon(record.next_in), NOW)
    session.accept(KEY, record, NOW)
    while True:
        for _ in range(BATCH):
            cursor = b"%d" % session.next_out
            session.send("8", body([(11, session.next_out)]), NOW, cursor)
        batch = session.flush()
        store.commit([batch])
        for message in heard(batch.data):
            sys.stdout.write(message[34] + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
