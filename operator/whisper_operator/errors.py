"""Errors say who must move: the user (InvalidSpec, Rejected), the world (Transient), or nobody (Conflict)."""


class InvalidSpec(Exception):
    """The resource contradicts itself. The message names the field; nothing changes until the user edits it.

    `reason` is the condition's.
    """

    reason = "InvalidSpec"


class UnsupportedVersion(InvalidSpec):
    """The transcriber that is asked for is not one that this operator knows how to run."""

    reason = "UnsupportedVersion"


class Transient(Exception):
    """The world must change first (API server away, throttled, a child going away): back off and try again."""


class WebhookFailed(Transient):
    """An admission webhook of somebody else's does not answer, and the API server lets nothing past it."""


class Conflict(Transient):
    """Somebody else wrote the object meanwhile, or it exists already."""


class Stale(Transient):
    """What was remembered is no longer so: look again at once, at what there is now."""


class Rejected(Exception):
    """The API server refused one object for good. `reason` is PascalCase, fit for a condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Immutable(Rejected):
    """The change touches a field that can only be set at creation."""

    def __init__(self, message: str) -> None:
        super().__init__("ImmutableField", message)
