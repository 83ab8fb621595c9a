"""The two ways in which a tool ends early: the input is bad, or the run has failed."""


class BadInputError(ValueError):
    """What the user gave cannot be used. The message is one line that names it; tools exit with status 2."""


class RunError(RuntimeError):
    """The input is fine but the run could not go on. The message is one line; tools exit with status 1."""
