"""accounts, in-doubt, halt, reduce, resume: what an operator asks and says."""

from fairlead.commands import show
from fairlead.commands.client import Answer, Api, NoAnswer
from fairlead.commands.ending import Ended, ExitCode

RESOLUTIONS = {
    "never-reached": "NEVER_REACHED",
    "canceled": "CANCELED",
    "working": "WORKING",
}
_ACCOUNT_COLUMNS = (
    show.Column("account"),
    show.Column("mode"),
    show.Column("state"),
    show.Column("open", is_number=True),
    show.Column("in doubt", is_number=True),
    show.Column("sequence", is_number=True),
    show.Column("reconciled"),
)


def accounts(api: Api, *, as_json: bool) -> None:
    """Print every account's state. Raises Ended."""
    answer = api.get("/v1/operator/accounts")
    if not show.is_for_people(answer, as_json=as_json):
        return
    rows = [
        [
            state["exchange_id"],
            state["mode"],
            account_state(state),
            str(state["orders_open"]),
            str(state["orders_in_doubt"]),
            str(state["sequence"]),
            show.short_time(state.get("reconciled_time") or "never"),
        ]
        for state in answer.content
    ]
    show.table(_ACCOUNT_COLUMNS, rows, "no accounts")


def account_state(state: dict[str, object]) -> str:
    """Return one account's connection in words."""
    if state.get("reconciled"):
        words = "reconciled"
    elif state.get("connected"):
        words = "reconciling"
    else:
        words = "disconnected"
    return f"{words}: {state['trouble']}" if state.get("trouble") else words


def attention(api: Api, *, as_json: bool) -> None:
    """Print the orders that need an operator, and what is the matter. Raises Ended."""
    answer = api.get("/v1/operator/attention")
    if not show.is_for_people(answer, as_json=as_json):
        return
    columns = (show.Column("what is the matter"), *show.ORDER_COLUMNS)
    rows = [[each["trouble"], *show.order_row(each["order"])] for each in answer.content]
    show.table(columns, rows, "no order needs attention")


def resolve(
    api: Api, account: str, client_order_id: str, resolution: str, *, as_json: bool
) -> None:
    """Declare what became of an order. Raises Ended."""
    meant = RESOLUTIONS.get(resolution.lower().replace("_", "-"))
    if meant is None:
        right = ", ".join(RESOLUTIONS)
        raise Ended(ExitCode.USAGE, f"resolution {resolution} is not one of {right}")
    answer = _told(
        api,
        "/v1/operator/resolve",
        {"exchange_id": account, "client_order_id": client_order_id, "resolution": meant},
    )
    if show.is_for_people(answer, as_json=as_json):
        show.out(f"{client_order_id} of {account} resolved as {meant}")


def set_mode(api: Api, account: str, mode: str, *, as_json: bool) -> None:
    """Make an account active, reducing or halted. Raises Ended."""
    answer = _told(api, "/v1/operator/mode", {"exchange_id": account, "mode": mode})
    if show.is_for_people(answer, as_json=as_json):
        show.out(f"{account} is {mode}")


def _told(api: Api, path: str, body: dict[str, str]) -> Answer:
    try:
        return api.post(path, body)
    except NoAnswer as error:
        text = f"{error}; it may have been done: look with: fairlead accounts, and say it again"
        raise Ended(ExitCode.UNKNOWN, text) from None
