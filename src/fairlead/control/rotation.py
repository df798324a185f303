"""Another key-encryption key: every data key is wrapped anew, one by one, whatever interrupts that.

    1. make the next key beside the old one, durably
    2. wrap one data key by it, in one change; again, until none is left
    3. put it in the old one's place, within a change that has seen that none is left

Stopped anywhere, both keys are there and every data key is wrapped by one of them; the next run goes on
where this one stopped. Secrets themselves are not touched, so a running system does not notice.
"""

import msgspec
from sqlalchemy import Connection, select

from fairlead.control.audit import Actor, Entry
from fairlead.control.control import Control
from fairlead.control.key_file import Key
from fairlead.control.key_keeper import KeyKeeper
from fairlead.control.tables import SUBSCRIPTIONS
from fairlead.control.vault import named, unwrap, wrap


class Rotated(msgspec.Struct, frozen=True):
    """What a rotation did: how many data keys this run wrapped, and by which key."""

    data_keys: int
    key_name: str


def rotate(control: Control, actor: Actor, now_ns: int) -> Rotated:
    """Begin a rotation, or go on with one that was interrupted, and end it. Raises ControlError."""
    store, keeper = control.store, control.keeper
    with control.audit.change() as change:
        key = keeper.begin_rotation()
        entry = Entry(action="vault.rotate", target=f"key {key.name}")
        control.audit.append(change, actor, entry, now_ns)
    count = 0
    while True:
        with store.change() as change:
            if not keeper.is_rotating(key):  # another process went on with it, and ended it
                return Rotated(count, key.name)
            if not _wrap_one(change, keeper, key):
                keeper.end_rotation(key)
                return Rotated(count, key.name)
        count += 1


def _wrap_one(change: Connection, keeper: KeyKeeper, key: Key) -> bool:
    """Wrap one data key that another key wraps; whether there was one."""
    others = select(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.key_name != key.name).limit(1)
    row = change.execute(others).first()
    if row is None:
        return False
    name = row.subscription
    data_key = unwrap(named(keeper, row.key_name, name), name, row.data_key)
    change.execute(
        SUBSCRIPTIONS.update()
        .filter_by(subscription=name)
        .values(data_key=wrap(key, name, data_key), key_name=key.name)
    )
    return True
