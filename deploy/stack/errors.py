"""What the local stack reports when it cannot go on."""


class StackError(Exception):
    """The local stack cannot do what was asked; the message says why and what to do."""
