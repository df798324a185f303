"""Which test holds each sentence of the identities specification, sections 3 to 7, that is about machines.

A row: the sentence, or the attack, in short, and the tests that fail when it does not hold. People are
in `tests/identities_people.py`. `tests/test_identities.py` sees that each of them exists.
"""

from tests.identities_people import PEOPLE, Rows

KEYS = "control/test_keys.py"
TEXT = "control/test_key_text.py"
SIGNING = "gateway/test_signing.py"
SIGNED = "acceptance/test_signed.py"
CALLERS = "gateway/test_callers.py"
PROXIES = "gateway/test_proxies.py"
ATTEMPTS = "gateway/test_attempts.py"
ASKED = "acceptance/test_authentication.py"
MATRIX = "acceptance/test_scope_matrix.py"
CERTIFIED = "acceptance/test_certificates.py"
CERTIFICATES = "control/test_certificates.py"
AUTHORITY = "tls/test_authority.py"
SECURE = "gateway/test_secure.py"
COUNTING = "acceptance/test_counting.py"
VAULT = "control/test_vault.py"
KEY_FILE = "control/test_key_file.py"
CREDENTIAL = "control/test_credential.py"
AUDIT = "control/test_audit.py"

SECTION_3: Rows = (
    ("public id: flk_ and 22 base62; secret: fl_live_ or fl_test_, 43 base62, 6 of CRC32", (
        f"{TEXT}::test_a_public_id_is_its_prefix_and_22_characters",
        f"{TEXT}::test_a_secret_is_its_prefix_43_characters_and_a_checksum",
        f"{TEXT}::test_every_mistyped_character_is_noticed",
    )),
    ("as a bearer: the secret, by header or query", (
        f"{ASKED}::test_a_key_counts_by_header_and_by_query_and_as_both",
        f"{CALLERS}::test_a_secret_proves_its_key",
        f"{CALLERS}::test_anything_else_proves_nobody",
    )),
    ("stored as SHA-256", (f"{KEYS}::test_its_secret_is_nowhere_but_in_the_answer",)),
    ("compared with hmac.compare_digest", (
        f"{SIGNING}::test_signatures_and_hashes_are_compared_in_time_that_does_not_tell",
        f"{KEYS}::test_a_secret_proves_its_key_and_no_other",
    )),
    ("signed, for those who choose it at creation", (
        f"{KEYS}::test_a_key_has_its_kind_for_ever",
        f"{SIGNED}::test_a_signed_order_is_placed_and_carries_its_key",
    )),
    ("the bearer form is then refused for that key", (
        f"{SIGNED}::test_the_secret_of_a_key_that_signs_proves_nobody",
        f"{SIGNED}::test_a_key_that_signs_logs_nobody_on_by_fix",
    )),
    ("the text that is signed", (
        f"{SIGNING}::test_the_text_is_that_of_the_specification_to_the_letter",
    )),
    ("HMAC-SHA256, or Ed25519 with an uploaded public key", (
        f"{SIGNING}::test_what_is_signed_by_hand_is_taken",
        f"{SIGNED}::test_curl_signs_by_every_version_of_http",
        "control/test_public_key.py::test_a_public_key_is_taken",
        "control/test_public_key.py::test_a_key_that_anybody_can_sign_for_is_refused",
    )),
    ("13-digit milliseconds", (f"{SIGNING}::test_a_timestamp_is_13_digits_and_nothing_else",)),
    ("nonce of 16 random characters or more", (
        f"{SIGNING}::test_a_nonce_has_16_to_64_letters_and_digits",
    )),
    ("window 5 s, at most 1 s in the future", (
        f"{SIGNING}::test_a_request_is_taken_within_its_window",
    )),
    ("nonces remembered for longer than the window", (
        f"{SIGNING}::test_a_request_is_taken_once_however_long_one_waits",
        f"{SIGNING}::test_a_clock_that_goes_back_brings_no_old_request_back",
    )),
    ("bounded, failing closed", (
        f"{SIGNING}::test_where_no_nonce_can_be_remembered_nothing_is_taken",
        f"{SIGNING}::test_what_is_remembered_is_forgotten_in_the_end",
    )),
    ("flip any part and it is 401", (
        f"{SIGNING}::test_any_part_flipped_proves_nobody",
        f"{SIGNING}::test_no_bit_of_a_signature_can_be_flipped",
        f"{SIGNED}::test_a_re_aimed_request_is_refused_and_does_nothing",
    )),
    ("HMAC secrets and exchange credentials are stored encrypted", (
        f"{KEYS}::test_the_secret_of_an_hmac_key_is_kept_sealed_and_has_no_hash",
    )),
    ("Ed25519 keys as public keys", (
        f"{KEYS}::test_of_an_ed25519_key_the_public_key_alone_is_known",
    )),
    ("the client's address is the socket's peer unless that is a configured proxy", (
        f"{PROXIES}::test_what_an_untrusted_peer_says_counts_nothing",
        f"{SIGNED}::test_an_address_is_that_of_the_last_hop_that_is_not_trusted",
    )),
    ("then the rightmost untrusted hop", (
        f"{PROXIES}::test_the_rightmost_hop_that_is_not_trusted_counts",
    )),
    ("servers' own proxy-header handling is off", (
        f"{SIGNED}::test_what_else_a_proxy_may_write_counts_nothing",
        f"{ASKED}::test_an_address_that_is_not_allowed_is_named",
    )),
    ("before a credential is proven every refusal looks the same", (
        f"{ASKED}::test_who_proves_nothing_is_refused_always_alike",
        f"{ASKED}::test_a_logon_without_a_key_is_refused_always_alike",
    )),
    ("afterwards the cause is named", (
        f"{CALLERS}::test_a_refused_address_is_named_as_it_was_seen",
        f"{CALLERS}::test_a_key_ends_at_its_moment_and_says_when",
        f"{MATRIX}::test_by_rest_every_route_needs_the_scope_of_its_row",
    )),
)  # fmt: skip

SECTION_4: Rows = (
    ("offline-able root, online intermediate", (
        f"{AUTHORITY}::test_the_chain_is_signed_from_root_to_leaf",
        "tls/test_folder.py::test_the_roots_key_may_be_elsewhere",
    )),
    ("keys in the vault", (
        f"{CERTIFICATES}::test_the_issuing_key_is_sealed_and_survives_a_rotation",
    )),
    ("leaves: for clients only, naming the key, 128-bit random serial", (
        f"{AUTHORITY}::test_a_client_certificate_is_for_clients_alone_and_names_the_key",
        f"{AUTHORITY}::test_serial_numbers_have_128_random_bits",
    )),
    ("GET /v1/certificate/pem", (
        f"{CERTIFIED}::test_a_key_that_may_manage_gets_one_for_itself_that_counts_at_once",
        f"{CERTIFICATES}::test_a_certificate_is_the_contracts_three_parts_and_names_its_key",
    )),
    ("POST /v1/certificate/csr: the private key never leaves, subject from us", (
        f"{CERTIFIED}::test_a_private_key_never_leaves_who_sends_a_request",
        f"{AUTHORITY}::test_of_a_request_only_the_public_key_counts",
    )),
    ("GET /v1/certificates, DELETE, CRL, CA", (
        f"{CERTIFIED}::test_own_ones_are_listed_and_all_for_who_may_manage",
        f"{CERTIFIED}::test_revoking_by_the_api_counts_when_it_is_answered",
        f"{CERTIFIED}::test_the_authority_is_what_the_listener_trusts",
    )),
    ("a listener of their own", (
        f"{SECURE}::test_the_other_listener_asks_nobody_and_believes_nobody",
    )),
    ("no session tickets; resumption offered becomes a full handshake", (
        f"{CERTIFIED}::test_an_offered_resumption_becomes_a_full_handshake",
    )),
    ("checked per request, WebSocket frame and FIX message", (
        f"{SECURE}::test_no_request_passes_on_a_kept_connection_once_a_certificate_does_not_count",
        f"{SECURE}::test_no_message_passes_once_a_certificate_does_not_count",
        f"{CERTIFIED}::test_what_is_open_ends_with_certificate_or_key",
    )),
    ("none, another CA's, expired, wrong EKU, on the CRL: handshake alert", (
        f"{CERTIFIED}::test_curl_gets_an_alert_for_every_other",
        f"{CERTIFIED}::test_python_gets_an_alert_at_its_first_read",
        f"{CERTIFIED}::test_fix_gets_an_alert_without_a_good_certificate",
    )),
    ("unregistered, or revoked since: 401, 4401, Logout", (
        f"{CERTIFIED}::test_an_unregistered_one_gets_401_whatever_key_comes_with_it",
        f"{CERTIFIED}::test_an_upgrade_with_an_unregistered_one_gets_401",
        f"{CERTIFIED}::test_fix_with_an_unregistered_one_is_logged_out",
        f"{SECURE}::test_one_that_came_before_the_news_of_its_certificate_ends_with_it_like_any_other",
    )),
)  # fmt: skip

SECTION_5: Rows = (
    ("AES-256-GCM, random 96-bit nonce", (
        f"{VAULT}::test_the_same_secret_is_sealed_differently_each_time",
        f"{VAULT}::test_no_byte_of_it_can_be_changed",
    )),
    ("a swapped row does not decrypt", (
        f"{VAULT}::test_a_swapped_secret_does_not_open",
        f"{KEYS}::test_a_sealed_secret_in_another_keys_row_opens_nothing_and_holds_up_no_other",
    )),
    ("a data key per subscription", (
        f"{VAULT}::test_a_secret_of_another_subscription_does_not_open",
    )),
    ("a key-encryption key from a file of mode 0400 outside the data folder", (
        f"{KEY_FILE}::test_the_key_lies_beside_the_data_folder_and_its_owner_alone_can_read_it",
    )),
    ("or an environment credential; other providers behind the same port", (
        f"{CREDENTIAL}::test_who_is_asked_for_the_key",
        f"{CREDENTIAL}::test_a_control_plane_is_locked_by_the_credential_and_no_key_is_made",
    )),
    ("rotation re-wraps, is resumable, and is a command", (
        f"{VAULT}::test_a_rotation_wraps_every_data_key_anew_and_no_secret",
        f"{VAULT}::test_a_rotation_killed_at_any_line_leaves_everything_readable_and_goes_on",
        "commands/test_keeping.py::test_a_rotation_says_where_the_new_key_is",
    )),
    ("refuses to start if the key is missing, readable by others, or in the data folder", (
        f"{KEY_FILE}::test_a_missing_key_is_refused",
        f"{KEY_FILE}::test_a_key_that_others_may_use_is_refused",
        f"{KEY_FILE}::test_a_key_in_the_data_folder_is_refused_and_none_is_made_there",
        f"{ASKED}::test_a_system_whose_key_others_can_read_does_not_start",
    )),
    ("embedded first start creates it", (
        f"{VAULT}::test_a_first_start_makes_the_key_and_a_later_one_needs_it",
    )),
    ("no secret anywhere but in the response meant", (
        f"{ASKED}::test_no_secret_is_in_a_log_a_database_a_metric_or_an_answer",
        "acceptance/test_secrets.py::test_no_secret_is_anywhere_but_where_it_is_meant",
    )),
)  # fmt: skip

SECTION_6: Rows = (
    ("append-only, chained by HMAC under a vault key", (
        f"{AUDIT}::test_a_changed_row_is_found",
        f"{AUDIT}::test_eight_that_append_at_once_make_one_chain",
    )),
    ("count and head also kept outside the control database", (
        f"{AUDIT}::test_an_audit_begun_anew_after_its_end_was_cut_off_is_found",
        f"{AUDIT}::test_a_head_never_goes_back",
    )),
    ("who, what, when, from where, with which factor, before → after; successes and refusals", (
        f"{AUDIT}::test_a_row_says_who_what_when_from_where_with_which_factor_and_what_changed",
        f"{KEYS}::test_a_wrong_label_makes_no_key_and_is_audited_as_refused",
    )),
    ("audit verify finds a changed or missing row", (
        f"{AUDIT}::test_a_missing_row_is_found",
        f"{AUDIT}::test_a_row_taken_out_with_the_others_moved_up_is_found",
    )),
)  # fmt: skip

SECTION_7: Rows = (
    ("replay of a signed request: same worker, other listener, after restart", (
        f"{SIGNED}::test_a_replay_is_refused_on_every_listener",
        f"{SIGNED}::test_a_replay_after_a_restart_is_refused",
        f"{SIGNED}::test_a_replay_is_refused_though_the_clock_was_put_back_before_the_restart",
        f"{SIGNED}::test_an_upgrade_is_signed_and_cannot_be_replayed",
        f"{SIGNING}::test_a_new_process_takes_nothing_that_the_one_before_can_have_taken",
    )),
    ("signature re-aimed at another path, method, body, host", (
        f"{SIGNED}::test_a_re_aimed_request_is_refused_and_does_nothing",
        f"{SIGNED}::test_another_method_is_refused",
        f"{SIGNED}::test_a_signature_of_a_request_upgrades_nothing_and_the_reverse",
    )),
    ("skewed, negative, textual timestamps", (
        f"{SIGNED}::test_a_skewed_clock_proves_nobody",
        f"{SIGNED}::test_a_timestamp_that_is_none_is_refused",
    )),
    ("key kinds confused", (
        f"{SIGNED}::test_the_kinds_of_keys_cannot_be_confused",
        f"{SIGNING}::test_a_hash_or_a_public_key_taken_for_a_secret_proves_nobody",
    )),
    ("duplicate headers and two identities at once", (
        f"{SIGNED}::test_every_part_of_a_signature_is_there_once",
        f"{SIGNED}::test_a_signature_and_a_secret_are_two_identities",
        f"{SIGNED}::test_two_hosts_are_refused",
        f"{ASKED}::test_two_identities_at_once_are_none",
        f"{CERTIFIED}::test_the_same_identity_twice_is_fine_and_two_are_none",
    )),
    ("path tricks", (
        f"{ASKED}::test_another_spelling_of_a_path_opens_nothing",
        f"{SIGNED}::test_a_spelling_of_a_path_that_is_signed_opens_nothing",
    )),
    ("other people's kids", (f"{SIGNED}::test_the_kinds_of_keys_cannot_be_confused",)),
    ("extra fields in bodies", (f"{SIGNED}::test_a_body_names_no_key_scope_or_state",)),
    ("edit racing delete", (
        f"{KEYS}::test_an_edit_that_races_a_revocation_never_brings_a_key_back",
    )),
    ("header injection through label; megabyte labels", (
        f"{KEYS}::test_a_wrong_label_makes_no_key_and_is_audited_as_refused",
    )),
    ("spoofed X-Forwarded-For, ::ffff:, 010.0.0.1, zone ids", (
        f"{PROXIES}::test_what_cannot_be_read_proves_no_address",
        f"{SIGNED}::test_an_address_is_that_of_the_last_hop_that_is_not_trusted",
    )),
    ("guessing without end", (
        f"{ATTEMPTS}::test_an_address_has_its_attempts_of_a_minute",
        f"{SIGNED}::test_too_many_attempts_from_an_address_hold_up_nobody_with_a_key",
    )),
    ("a scope that a route, message or protocol forgets", (
        f"{MATRIX}::test_by_rest_every_route_needs_the_scope_of_its_row",
        f"{MATRIX}::test_by_websocket_every_message_needs_the_scope_of_its_request",
        f"{MATRIX}::test_by_fix_every_message_needs_the_scope_of_its_request",
        f"{MATRIX}::test_a_gateway_with_a_route_that_is_not_declared_is_not_built",
        f"{MATRIX}::test_without_the_check_at_the_port_websocket_and_fix_let_everybody_do_everything",
    )),
    ("slow and idle handshakes", (
        f"{SECURE}::test_a_handshake_that_does_not_end_is_ended",
        f"{SECURE}::test_idle_handshakes_keep_nobody_out_for_longer_than_their_time",
    )),
    ("revoked certificate on a kept-alive and on a resumed connection", (
        f"{SECURE}::test_no_request_passes_on_a_kept_connection_once_a_certificate_does_not_count",
        f"{CERTIFIED}::test_an_offered_resumption_becomes_a_full_handshake",
        f"{COUNTING}::test_a_certificate_does_too_on_connections_that_are_open_and_new",
    )),
    ("FIX logon replayed", (
        f"{SIGNED}::test_a_logon_that_was_overheard_logs_nobody_on_again",
    )),
    ("orders before logon", (f"{SIGNED}::test_an_order_before_the_logon_is_not_taken",)),
    ("giant BodyLength", (
        f"{SIGNED}::test_a_giant_message_ends_a_connection_that_nobody_logged_on",
    )),
    ("wrong checksum", (f"{SIGNED}::test_a_logon_with_a_wrong_checksum_logs_nobody_on",)),
)  # fmt: skip

SECTIONS = {
    **PEOPLE,
    "3": SECTION_3,
    "4": SECTION_4,
    "5": SECTION_5,
    "6": SECTION_6,
    "7": SECTION_7,
}
