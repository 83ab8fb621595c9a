"""The two ways in which a tool ends early: the input is bad, or the run has failed."""


class BadInputError(ValueError):
    """What the user gave cannot be used. The message is one line that names it; tools exit with status 2.

    Attributes:
      remedy: name of the argument that lets the call proceed all the same, such as "allow_missing"; None if there is
        none. The message states the fact only: a tool that has a flag of this name appends it.
    """

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


class RunError(RuntimeError):
    """The input is fine but the run could not go on. The message is one line; tools exit with status 1."""
