"""Writes the pages of docs that are made from code: `make docs-generate`.

Each page is a function that returns its text; a test compares it with the file. Pages that show calls
hold a conversation with a real system first (pages/worked.py).
"""

from collections.abc import Callable
from pathlib import Path

from tools.pages.configuration import configuration
from tools.pages.doctor import doctor
from tools.pages.exit_codes import exit_codes
from tools.pages.faults import faults
from tools.pages.fix_session import fix_session
from tools.pages.management import management
from tools.pages.metrics import metrics
from tools.pages.order_states import order_states
from tools.pages.postman import management_collection, trading_collection
from tools.pages.refusals import refusals
from tools.pages.rest import rest
from tools.pages.state_picture import state_picture
from tools.pages.websocket import websocket

ROOT = Path(__file__).resolve().parents[1]

PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/order-states.md": order_states,
    "docs/reference/order-states.svg": state_picture,
    "docs/reference/configuration.md": configuration,
    "docs/operations/doctor.md": doctor,
    "docs/reference/rest.md": rest,
    "docs/reference/management.md": management,
    "docs/postman/trading.postman_collection.json": trading_collection,
    "docs/postman/management.postman_collection.json": management_collection,
    "docs/reference/websocket.md": websocket,
    "docs/reference/refusals.md": refusals,
    "docs/reference/metrics.md": metrics,
    "docs/reference/exit-codes.md": exit_codes,
    "docs/reference/faults.md": faults,
    "docs/reference/fix-session.md": fix_session,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
