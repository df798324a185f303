"""What can be wrong with the control plane. Each says what was found and what would be right."""


class ControlError(Exception):
    """The control plane cannot be used as it is; nothing was changed."""


class SubscriptionUnknown(ControlError):
    """There is no subscription of that name."""


class StoreNewer(ControlError):
    """The database was written by a later version of this program."""


class StoreUnusable(ControlError):
    """The database cannot be opened, read or written."""


class StoreFull(StoreUnusable):
    """The database can be read; its disk takes nothing more, or fails."""
