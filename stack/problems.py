"""The errors of the stack; their messages are meant for the person at the terminal."""


class StackError(Exception):
    """Something of the stack cannot go on; the message is one sentence that says how to mend it."""


class NotReadyError(StackError):
    """A part ended or did not get ready; another try may help."""
