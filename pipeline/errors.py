"""The errors a user sees: one line that names the file, the value and the remedy."""


class PoselineError(Exception):
    """A user's mistake or an outside failure. The message is one line; the command line exits with ``status``."""

    status = 2
