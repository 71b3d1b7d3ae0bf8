"""The one error that is the user's to mend."""


class InputError(ValueError):
    """An input that cannot be used: one line that says what was found and what to do about it."""


def one_line(error: object, length: int = 120) -> str:
    """A message of somebody else's as one short line, to be quoted in ours."""
    return " ".join(str(error).split())[:length]
