"""Ids: what the exchange is given, and the key that either id leads to."""

import re

from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.identity import (
    VENUE_ID_LENGTH,
    ClientIds,
    client_key,
    key_of_venue_client_id,
    venue_client_id,
)

CLIENT_IDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=128)
INSTALLATION = bytes(range(16))


def test_the_exchange_is_given_32_digits_that_any_exchange_takes() -> None:
    given_id = venue_client_id(INSTALLATION, "SIM", "a/b?c=../d e")
    assert re.fullmatch(r"[0-9a-f]{32}", given_id)


def test_at_least_96_bits_of_the_hash_are_in_it() -> None:
    assert VENUE_ID_LENGTH * 4 >= 96


@given(account=CLIENT_IDS, client_order_id=CLIENT_IDS)
def test_both_ids_lead_to_the_same_key(account: str, client_order_id: str) -> None:
    key = client_key(INSTALLATION, account, client_order_id)
    assert 0 <= key < 1 << 63
    given_id = venue_client_id(INSTALLATION, account, client_order_id)
    assert key_of_venue_client_id(given_id) == key


@given(
    one=st.tuples(st.binary(min_size=16, max_size=16), CLIENT_IDS, CLIENT_IDS),
    other=st.tuples(st.binary(min_size=16, max_size=16), CLIENT_IDS, CLIENT_IDS),
)
def test_different_installations_accounts_and_ids_do_not_meet(
    one: tuple[bytes, str, str], other: tuple[bytes, str, str]
) -> None:
    assert (venue_client_id(*one) == venue_client_id(*other)) == (one == other)


def test_what_belongs_to_the_account_is_not_taken_for_the_id() -> None:
    assert venue_client_id(INSTALLATION, "SIM", "/ALICEx") != venue_client_id(
        INSTALLATION, "SIM/ALICE", "x"
    )


def test_a_batch_hashes_an_id_once_and_forgets() -> None:
    ids = ClientIds(INSTALLATION)
    assert ids.key("SIM", "a") == client_key(INSTALLATION, "SIM", "a")
    assert ids.venue_client_id("SIM", "a") == venue_client_id(INSTALLATION, "SIM", "a")
    ids.forget()
    assert ids.key("SIM", "a") == client_key(INSTALLATION, "SIM", "a")


@given(st.text(max_size=40))
def test_ids_that_are_not_ours_lead_nowhere(text: str) -> None:
    is_ours = re.fullmatch(r"[0-9a-f]{32}", text) is not None
    assert (key_of_venue_client_id(text) is not None) is is_ours


def test_an_id_of_the_right_length_with_a_strange_character_leads_nowhere() -> None:
    assert key_of_venue_client_id("a" * 25 + "1") is None
