"""Which test holds each sentence of the identities specification about people: sections 1, 2 and 7.

A row begins with words of the specification; `tests/test_identities.py` sees that they are there.
"""

ROWS = "gateway/console/test_rows.py"
ATTACKS = "gateway/console/test_attacks.py"
CONSOLE = "gateway/console/test_console.py"
OWN = "gateway/console/test_own_keys.py"
MAIL_DOWN = "gateway/console/test_mail_down.py"
INVITING = "gateway/console/test_inviting.py"
REMINDING = "gateway/console/test_reminding.py"
SESSIONS = "control/people/test_sessions.py"
CHALLENGES = "control/people/test_challenges.py"
PASSWORDS = "control/people/test_passwords.py"
ONE_TIME = "control/people/test_one_time.py"
USERS = "control/people/test_users.py"
POST = "control/people/test_post.py"
TAKING = "gateway/console/test_taking_back.py"
OPEN = "acceptance/test_people_and_open_connections.py"
ADDING = "browser/test_adding.py"
CHANGING = "browser/test_changing.py"
SECRET = "browser/test_secret.py"

Rows = tuple[tuple[str, tuple[str, ...]], ...]

SECTION_1: Rows = (
    ("Argon2id; 8–128 characters, a list of common passwords refused", (
        f"{PASSWORDS}::test_it_is_kept_as_argon2id_with_rfc_9106s_second_recommendation",
        f"{PASSWORDS}::test_a_weak_password_is_refused",
    )),
    ("The first user is created with a one-time link printed at first start", (
        f"{USERS}::test_the_first_user_comes_by_a_link_that_works_once",
        f"{USERS}::test_once_there_is_a_user_nobody_becomes_the_first",
        "acceptance/test_people.py::test_from_the_owners_link_to_a_second_user",
    )),
    ("there are no default credentials", (f"{CONSOLE}::test_the_first_user_by_the_link",)),
    ("opaque 256-bit", (f"{SESSIONS}::test_a_password_begins_a_session_whose_token_is_in_the_answer_alone",)),
    ("HttpOnly, SameSite=Strict", (f"{CONSOLE}::test_the_cookie_is_for_us_alone",)),
    ("idle 30 min, at most 12 h", (
        f"{SESSIONS}::test_a_session_ends_when_it_was_idle_for_half_an_hour",
        f"{SESSIONS}::test_a_session_ends_after_twelve_hours_however_busy",
    )),
    ("new id at sign-in and step-up", (
        f"{ATTACKS}::test_nobody_is_signed_in_by_a_cookie_that_another_chose",
        f"{SESSIONS}::test_with_a_second_factor_the_password_alone_is_good_for_nothing_else",
    )),
    ("listed and revocable", (f"{CONSOLE}::test_sessions_are_listed_and_ended",)),
    ("CSRF token and Origin check on every unsafe call", (
        f"{CONSOLE}::test_no_change_without_the_token_that_our_page_knows",
        f"{ATTACKS}::test_no_page_but_ours_changes_anything",
    )),
    ("every other session ends when a factor changes", (
        f"{CONSOLE}::test_the_second_factor_from_the_picture_to_off_again",
        f"{SESSIONS}::test_what_ends_a_session",
    )),
    ("TOTP (RFC 6238, SHA-1, 6 digits, 30 s; current and one past step, never a future one)", (
        f"{ONE_TIME}::test_codes_are_those_of_the_rfc",
        f"{ONE_TIME}::test_the_current_and_one_past_step_are_taken_and_no_other",
    )),
    ("enrolled with a QR code drawn on the server (segno), with ten single-use recovery codes", (
        f"{CONSOLE}::test_the_second_factor_from_the_picture_to_off_again",
        f"{SESSIONS}::test_each_recovery_code_works_once",
    )),
    ("the last accepted time step is stored and compared atomically", (
        f"{SESSIONS}::test_a_code_works_once",
        f"{SESSIONS}::test_a_code_works_once_in_parallel_too",
        f"{ATTACKS}::test_a_code_of_an_authenticator_grants_one_thing",
    )),
)  # fmt: skip

SECTION_2: Rows = (
    ("second factor first", (
        f"{ROWS}::test_without_the_second_factor_nothing_is_asked_for_and_nothing_mailed",
        f"{ADDING}::test_without_a_second_factor_nothing_can_be_asked_for_and_enabling_it_returns",
    )),
    ("session needed, else 401", (
        f"{ROWS}::test_without_a_session_nothing_is_told_and_nothing_done",
        f"{ADDING}::test_nobody_who_is_not_signed_in_sees_the_page",
    )),
    ("422 `label_invalid` listing what is missing", (
        f"{ROWS}::test_a_label_that_is_none_is_told_what_it_lacks",
        f"{ADDING}::test_the_label_is_checked_while_it_is_typed",
    )),
    ("unique per user ignoring case, else 409 `label_taken`", (
        f"{ROWS}::test_a_label_is_one_keys_of_each_user_in_capitals_or_not",
        f"{ROWS}::test_a_label_that_was_taken_since_it_was_asked_for_makes_no_key",
    )),
    ("creates a **challenge** bound to user, session, action and the exact payload", (
        f"{ROWS}::test_a_code_is_mailed_with_all_that_it_is_for_and_kept_as_nobody_can_read_it",
        f"{CHALLENGES}::test_it_is_good_for_its_own_session_alone",
    )),
    ("a new one kills the old one", (f"{ROWS}::test_a_new_code_ends_the_old_one",)),
    ("429 with `Retry-After` beyond 1 a minute, 5 an hour", (
        f"{ROWS}::test_a_code_is_sent_once_a_minute_and_five_times_an_hour_by_action",
        f"{ROWS}::test_a_wait_that_was_told_is_long_enough",
        f"{ADDING}::test_a_code_is_sent_once_a_minute_and_five_times_an_hour",
    )),
    ("the mail shows action, label, address, time, the user's anti-phishing phrase, no link", (
        f"{ROWS}::test_a_code_is_mailed_with_all_that_it_is_for_and_kept_as_nobody_can_read_it",
        f"{POST}::test_a_letter_with_a_code_says_all_that_is_to_be_known_and_has_no_link",
    )),
    ("both verified before either is consumed", (
        f"{ROWS}::test_one_right_code_of_two_creates_nothing_and_uses_up_a_try_alone",
        f"{CHALLENGES}::test_one_right_code_uses_up_nothing_but_a_try",
    )),
    ("the payload stored in the challenge is what is executed", (
        f"{CONSOLE}::test_what_was_asked_for_is_what_is_done",
        f"{ROWS}::test_an_edit_is_done_as_it_was_asked_for",
    )),
    ("5 wrong tries kill the challenge", (f"{ROWS}::test_the_fifth_wrong_try_ends_it",)),
    ("right mail code + wrong TOTP creates nothing, and the reverse", (
        f"{ROWS}::test_one_right_code_of_two_creates_nothing_and_uses_up_a_try_alone",
        f"{ADDING}::test_one_right_code_of_two_makes_nothing",
    )),
    ("201 with `kid`, `secret` (once), `no-store`", (
        f"{ROWS}::test_the_secret_is_told_once_and_stored_as_its_hash",
        f"{ROWS}::test_of_a_key_that_signs_nothing_that_proves_it_is_told_again",
    )),
    ("nothing brings it back; cleared from page and memory", (
        f"{SECRET}::test_the_secret_is_shown_once_places_a_real_order_and_is_gone",
    )),
    ("own keys only, paginated, no secret or hash in the schema", (
        f"{ROWS}::test_the_list_is_of_ones_own_keys_that_are_not_revoked",
        f"{ROWS}::test_the_list_has_pages",
        f"{OWN}::test_nobody_elses_keys_exist",
    )),
    ("a new key cannot trade on REST, WebSocket or FIX (403 naming the scope)", (
        f"{ROWS}::test_a_new_key_may_read_and_nothing_else_unless_it_was_asked_for",
        "acceptance/test_scope_matrix.py::test_by_rest_every_route_needs_the_scope_of_its_row",
        "acceptance/test_scope_matrix.py::test_by_websocket_every_message_needs_the_scope_of_its_request",
        "acceptance/test_scope_matrix.py::test_by_fix_every_message_needs_the_scope_of_its_request",
    )),
    ("≤ 32 CIDRs, v4 and v6, `::ffff:` mapped, host bits refused, `/0` refused, empty list refused", (
        f"{ROWS}::test_addresses_that_are_none_are_refused_and_others_kept_plainly",
    )),
    ("`ETag`/`If-Match`, 412 if stale", (
        f"{OWN}::test_if_match_says_which_key_was_looked_at",
        f"{ROWS}::test_a_key_that_changed_since_the_code_was_sent_stays_as_it_is",
    )),
    ("open WebSocket and FIX sessions are re-judged within 1 s", (
        f"{OPEN}::test_what_is_taken_from_a_key_ends_within_a_second_everywhere",
    )),
    ("the mail shows before → after", (f"{ROWS}::test_an_edit_is_done_as_it_was_asked_for",)),
    ("changing the boxes after the code was sent makes the code useless, and the page says so", (
        f"{ADDING}::test_what_is_changed_after_the_code_was_sent_is_said_to_make_it_useless",
    )),
    ("422 `withdraw_requires_trusted_ips`", (
        f"{ROWS}::test_withdraw_needs_trusted_addresses_when_it_is_added_and_when_it_is_kept",
    )),
    ("204; row stays as `revoked` for the audit", (
        f"{ROWS}::test_a_deleted_key_stays_as_revoked_for_the_audit",
    )),
    ("sessions of the key end within 1 s (REST 401, WebSocket 4401, FIX Logout)", (
        f"{OPEN}::test_what_is_taken_from_a_key_ends_within_a_second_everywhere",
    )),
    ("one challenge, atomic, only the caller's keys, certificates bound to them revoked too", (
        f"{ROWS}::test_all_keys_are_deleted_at_once_with_their_certificates_and_nobody_elses",
        f"{OPEN}::test_a_certificate_ends_with_the_deleted_key_that_it_is_bound_to",
    )),
    ("\"Disable\" needs only the session and one factor", (
        f"{ROWS}::test_disabling_is_cheap_and_enabling_is_granted",
        f"{OWN}::test_disabling_needs_one_factor_that_is_right",
    )),
    ("works with the mail server down", (
        f"{MAIL_DOWN}::test_without_mail_nothing_is_granted_and_everything_is_taken_back",
    )),
    ("active → suspended when the user's second factor is switched off", (
        f"{ROWS}::test_switching_the_factor_off_suspends_every_key_until_it_is_enabled",
        f"{OPEN}::test_what_is_taken_from_a_key_ends_within_a_second_everywhere",
    )),
    ("90 days unless chosen otherwise), with mails at 14, 7 and 1 days", (
        f"{REMINDING}::test_a_key_is_written_about_three_times",
    )),
    ("an expired key is never deleted and is extended only by \"Edit permissions\"", (
        f"{ROWS}::test_a_key_that_has_expired_is_given_a_later_end_by_an_edit_alone",
    )),
    ("revoking is cheap, granting is dear", (
        f"{TAKING}::test_one_factor_removes_a_user_with_all_that_is_theirs",
        f"{TAKING}::test_a_certificate_is_listed_and_revoked_by_one_factor",
    )),
    ("on the page a user issues one for any of their keys by challenge", (
        "browser/test_certificates.py::test_a_certificate_is_issued_places_an_order_over_tls_and_is_revoked",
    )),
    ("Enabling a disabled or suspended key is granting", (
        f"{ROWS}::test_disabling_is_cheap_and_enabling_is_granted",
        f"{ROWS}::test_switching_the_factor_off_suspends_every_key_until_it_is_enabled",
    )),
    ("Mail limits count per user and kind of action", (
        f"{CHALLENGES}::test_codes_are_sent_once_a_minute_and_five_times_an_hour_for_each_action",
    )),
    ("API keys cannot manage keys, users, factors", (
        f"{CONSOLE}::test_without_a_session_there_is_nothing_and_a_key_is_none",
    )),
)  # fmt: skip

ATTACKS_ON_PEOPLE: Rows = (
    ("other people's kids, sessions, challenges, certificates", (
        f"{ATTACKS}::test_nothing_can_be_done_with_what_is_another_users",
        f"{ATTACKS}::test_a_challenge_is_good_for_nobody_else_and_in_no_other_session",
    )),
    ("extra fields in bodies (`state`, `scopes`, `kid`)", (
        f"{ATTACKS}::test_no_body_takes_more_than_its_form",
    )),
    ("withdraw added without code", (f"{ATTACKS}::test_nothing_grants_without_codes",)),
    ("edit racing delete", (
        f"{ATTACKS}::test_an_edit_that_races_a_delete_leaves_no_key_that_counts",
    )),
    ("challenge with swapped payload, action, session, expired, used", (
        f"{ROWS}::test_an_edit_is_done_as_it_was_asked_for",
        f"{INVITING}::test_who_is_invited_is_who_was_asked_for",
        f"{ATTACKS}::test_codes_of_one_challenge_open_no_other",
        f"{ATTACKS}::test_a_challenge_is_good_for_nobody_else_and_in_no_other_session",
        f"{ATTACKS}::test_one_that_is_used_or_too_old_is_over",
        f"{CHALLENGES}::test_with_the_end_of_its_session_it_ends",
    )),
    ("guessed in parallel at the fifth try", (
        f"{ATTACKS}::test_the_fifth_try_is_one_however_many_come_at_once",
        f"{CHALLENGES}::test_raced_guesses_are_five",
    )),
    ("TOTP twice in parallel", (
        f"{ATTACKS}::test_a_code_of_an_authenticator_grants_one_thing",
        f"{ATTACKS}::test_a_recovery_code_counts_once",
        f"{ATTACKS}::test_two_factors_at_once_confirm_once",
    )),
    ("code bombing", (f"{ATTACKS}::test_codes_cannot_be_bombed",)),
    ("header injection through label", (
        f"{ROWS}::test_a_label_that_is_none_is_told_what_it_lacks",
        f"{ATTACKS}::test_nothing_that_is_given_breaks_out_of_a_header",
    )),
    ("user enumeration by status, body or time", (
        f"{ATTACKS}::test_signing_in_computes_the_same_whether_or_not_there_is_such_a_user",
        f"{ATTACKS}::test_a_reset_computes_the_same_whether_or_not_there_is_such_a_user",
        f"{USERS}::test_nobody_learns_who_is_a_user_of_another_subscription",
    )),
    ("CSRF, Origin, CORS", (f"{ATTACKS}::test_no_page_but_ours_changes_anything",)),
    ("the secret after Back, refresh and in storage", (
        f"{SECRET}::test_the_secret_is_shown_once_places_a_real_order_and_is_gone",
        f"{SECRET}::test_going_back_while_the_secret_is_shown_forgets_it",
    )),
    ("Argon2 flood, megabyte labels", (
        f"{ATTACKS}::test_a_flood_of_passwords_is_bounded_and_what_is_behind_goes_on",
        f"{ATTACKS}::test_no_body_brings_anything_down_or_is_kept",
    )),
)  # fmt: skip

PEOPLE = {"1": SECTION_1, "2": SECTION_2, "7, people": ATTACKS_ON_PEOPLE}
