"""How the tests are dealt out to workers: file by file, those that take longest first.

So no worker is left alone in the end with a long file that it began last. It is a matter of time alone: in
whatever order, the tests prove the same.
"""

from xdist.scheduler import LoadFileScheduling

# Files that take one worker a while, in seconds (`TEST_ARGS='-n 1 --durations=0'` tells); others take less.
SECONDS = {
    "acceptance/test_accounts_managed.py": 9,
    "acceptance/test_authentication.py": 25,
    "acceptance/test_cancels.py": 9,
    "acceptance/test_certificates.py": 14,
    "acceptance/test_checks.py": 11,
    "acceptance/test_documents.py": 27,
    "acceptance/test_fix_lives.py": 11,
    "acceptance/test_generated_clients.py": 35,
    "acceptance/test_perpetuals.py": 9,
    "acceptance/test_quickfix.py": 40,
    "acceptance/test_secrets.py": 20,
    "acceptance/test_signed.py": 12,
    "acceptance/test_starts.py": 9,
    "acceptance/test_subscription_lives.py": 8,
    "acceptance/test_websocket.py": 8,
    "acceptance/test_websocket_limits.py": 10,
    "browser/test_accessibility.py": 40,
    "browser/test_adding.py": 25,
    "browser/test_ageing.py": 15,
    "browser/test_certificates.py": 15,
    "browser/test_changing.py": 20,
    "browser/test_keyboard.py": 15,
    "browser/test_mailless.py": 15,
    "browser/test_people.py": 20,
    "browser/test_secret.py": 15,
    "browser/test_tutorial.py": 15,
    "client/test_place_timeouts.py": 64,
    "commands/test_accounts.py": 10,
    "commands/test_backup.py": 25,
    "commands/test_certificates.py": 16,
    "commands/test_doctor.py": 30,
    "commands/test_doctor_machine.py": 20,
    "commands/test_keys.py": 15,
    "commands/test_operate.py": 12,
    "commands/test_serving.py": 35,
    "commands/test_spelling.py": 9,
    "commands/test_watch.py": 12,
    "control/people/test_sessions.py": 18,
    "control/people/test_users.py": 14,
    "control/test_accounts.py": 17,
    "control/test_audit.py": 8,
    "control/test_certificates.py": 13,
    "control/test_keys.py": 15,
    "control/test_vault.py": 13,
    "crash/test_crash.py": 20,
    "crash/test_management_kills.py": 12,
    "documentation/test_pages.py": 200,
    "gateway/console/test_attacks.py": 25,
    "gateway/console/test_console.py": 14,
    "gateway/console/test_killed.py": 9,
    "gateway/console/test_mail_down.py": 10,
    "gateway/console/test_own_keys.py": 18,
    "gateway/console/test_rows.py": 20,
    "gateway/test_http2.py": 8,
    "gateway/test_server.py": 12,
    "simulation/test_world.py": 70,
}
# Each test of these goes to whoever is free: it takes long, and starts by itself what it needs.
APART = (
    "acceptance/test_documents.py",
    "acceptance/test_secrets.py",
    "crash/test_crash.py",
    "documentation/test_pages.py",
    "simulation/test_world.py",
)


def seconds_of(nodeid: str) -> int:
    """Return how long a test's file takes, about."""
    return SECONDS.get(_file(nodeid), 0)


class LongestFirst(LoadFileScheduling):
    """Deals out files in the order of their tests, see `seconds_of`."""

    def _split_scope(self, nodeid: str) -> str:
        path = _file(nodeid)
        return nodeid if path in APART else path


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0].removeprefix("tests/")
