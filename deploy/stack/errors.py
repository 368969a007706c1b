"""The error of the local stack."""


class StackError(Exception):
    """The local stack cannot do what was requested; the message says why and what to do."""
