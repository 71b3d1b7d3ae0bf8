"""The exception for invalid user input."""


class InputError(ValueError):
    """Raised when user input is invalid; the message is one line: what was found, what was expected and what to do."""


def one_line(error: object, length: int = 120) -> str:
    """Return the message of another library's exception as one line of at most `length` characters."""
    return " ".join(str(error).split())[:length]
