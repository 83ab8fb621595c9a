"""The two ways in which a tool ends early: the input is bad, or the run fails."""


class BadInputError(ValueError):
    """The user's input cannot be used. The message is one line that names it; tools exit with status 2.

    Attributes:
      remedy: name of the argument that lets the call proceed anyway, such as "allow_missing"; None if there is
        none. The message states the fact only: a tool that has a flag of this name appends it.
    """

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


class RunError(RuntimeError):
    """The input is fine, but the run cannot continue. The message is one line; tools exit with status 1."""
