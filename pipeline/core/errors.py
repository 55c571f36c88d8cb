"""The errors a user sees: one line that names the file, the value and the remedy."""

import unicodedata

HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # line ends, control and format characters, halves of characters


class PoselineError(Exception):
    """A user's mistake or an outside failure. The message is one line; the command line exits with ``status``."""

    status = 2


def one_line(text: str) -> str:
    """The text with line ends and control characters, which file names may hold, written as escapes."""
    return "".join(c if unicodedata.category(c) not in HIDDEN else repr(c)[1:-1] for c in text)
