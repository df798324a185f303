"""The vault: secrets sealed so that neither the database nor a copy of it gives them away.

    key-encryption key   kept outside the data folder (key_keeper)
      └ data key         one per subscription, in its row, wrapped by the former
          └ secrets      AES-256-GCM, each bound to the one place that it stands in

A sealed text is a byte of format, a random 96-bit nonce, and what AES-GCM makes of the rest. It opens
only where it was sealed: for the same subscription, object, field and version. Must never log, return
or keep a secret that was not asked for.
"""

import secrets

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection, select

from fairlead.control.errors import ControlError
from fairlead.control.key_file import KEY_BYTES, Key, KeyRefused
from fairlead.control.key_keeper import KeyKeeper
from fairlead.control.store import Store
from fairlead.control.tables import SUBSCRIPTIONS
from fairlead.core.requests import LOCAL

_FORMAT = b"\x01"
_NONCE_BYTES = 12
_DATA_KEY = "data_key"


class SealBroken(ControlError):
    """What was sealed does not open here: it was changed, or moved from elsewhere."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a secret stands; it opens nowhere else. `kind`, `name`: which object; `field`: of it."""

    subscription: str
    kind: str
    name: str
    field: str
    version: int

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.field} of {self.kind} {self.name}, version {self.version}"


class Vault:
    """Seals and opens; knows the data keys that it has needed so far. For any thread."""

    def __init__(self, keeper: KeyKeeper) -> None:
        self._keeper = keeper
        self._data_keys: dict[str, bytes] = {}

    def add_subscription(self, change: Connection, subscription: str, now_ns: int) -> None:
        """Add a subscription with a new data key, unless it is there. Raises KeyRefused."""
        exists = select(SUBSCRIPTIONS.c.subscription).filter_by(subscription=subscription)
        if change.execute(exists).first() is not None:
            return
        key = self._keeper.newest()
        wrapped = wrap(key, subscription, secrets.token_bytes(KEY_BYTES))
        change.execute(
            SUBSCRIPTIONS.insert().values(
                subscription=subscription, created_ns=now_ns, data_key=wrapped, key_name=key.name
            )
        )

    def seal(self, connection: Connection, place: Place, plain: bytes) -> bytes:
        """Return `plain` sealed for its place. Raises ControlError."""
        return _seal(self._data_key(connection, place.subscription), place, plain)

    def open(self, connection: Connection, place: Place, sealed: bytes) -> bytes:
        """Return what was sealed for this place. Raises SealBroken, and other ControlErrors."""
        return _open(self._data_key(connection, place.subscription), place, sealed)

    def derived(self, connection: Connection, subscription: str, purpose: str) -> bytes:
        """Return a key of the subscription for one purpose other than sealing."""
        derivation = HKDF(SHA256(), KEY_BYTES, salt=None, info=f"fairlead {purpose}".encode())
        return derivation.derive(self._data_key(connection, subscription))

    def shared(self, connection: Connection, purpose: str) -> bytes:
        """Return a key for one purpose that all subscriptions have in common: of the first one's."""
        return self.derived(connection, LOCAL, purpose)

    def _data_key(self, connection: Connection, subscription: str) -> bytes:
        known = self._data_keys.get(subscription)
        if known is not None:
            return known
        row = connection.execute(select(SUBSCRIPTIONS).filter_by(subscription=subscription)).one()
        key = named(self._keeper, row.key_name, subscription)
        return self._data_keys.setdefault(subscription, unwrap(key, subscription, row.data_key))


def open_vault(store: Store, keeper: KeyKeeper, now_ns: int) -> Vault:
    """Return the vault of a store, with the subscription `local` in it.

    Makes the key-encryption key when nothing is locked by one yet. Every data key is tried. Raises
    ControlError and OSError.
    """
    vault = Vault(keeper)
    with store.change(is_told=False) as change:  # so that no rotation ends meanwhile
        names = change.execute(select(SUBSCRIPTIONS.c.subscription)).scalars().all()
        if not names and not keeper.exists():
            keeper.create()
        keeper.keys()
        vault.add_subscription(change, LOCAL, now_ns)
        for each in {LOCAL, *names}:
            vault.derived(change, each, "trial")
    return vault


def named(keeper: KeyKeeper, name: str, subscription: str) -> Key:
    """Return the key-encryption key of that name. Raises KeyRefused."""
    keys = keeper.keys()
    if name not in keys:
        raise KeyRefused(
            f"{keeper.place}: holds key {', '.join(keys)}, the secrets of subscription {subscription}"
            f" are locked by key {name}; put that one back"
        )
    return keys[name]


def wrap(key: Key, subscription: str, data_key: bytes) -> bytes:
    """Return a data key wrapped by a key-encryption key."""
    return _seal(key.octets, _place_of_data_key(subscription), data_key)


def unwrap(key: Key, subscription: str, wrapped: bytes) -> bytes:
    """Return the data key that was wrapped. Raises SealBroken."""
    return _open(key.octets, _place_of_data_key(subscription), wrapped)


def _place_of_data_key(subscription: str) -> Place:
    return Place(subscription, "subscription", subscription, _DATA_KEY, 1)


def _seal(key: bytes, place: Place, plain: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _FORMAT + nonce + AESGCM(key).encrypt(nonce, plain, msgspec.msgpack.encode(place))


def _open(key: bytes, place: Place, sealed: bytes) -> bytes:
    begin = len(_FORMAT) + _NONCE_BYTES
    nonce, rest = sealed[len(_FORMAT) : begin], sealed[begin:]
    try:
        if not sealed.startswith(_FORMAT):
            raise InvalidTag
        return AESGCM(key).decrypt(nonce, rest, msgspec.msgpack.encode(place))
    except (InvalidTag, ValueError):
        raise SealBroken(
            f"{place}, of subscription {place.subscription}, does not open: it was changed, or comes"
            " from another place; restore the database from a backup"
        ) from None
