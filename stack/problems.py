"""The one error of the stack whose message is meant for the person at the terminal."""


class StackError(Exception):
    """Something of the stack cannot go on; the message is one sentence that names the command that mends it."""
