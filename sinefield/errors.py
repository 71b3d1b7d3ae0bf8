"""The one error that is the user's to mend."""


class InputError(ValueError):
    """An input that cannot be used: one line that says what was found and what to do about it."""
