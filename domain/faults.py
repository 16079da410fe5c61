"""What is wrong with something that somebody wrote, and where."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        pointer: The place as a JSON pointer, such as `/parts/0/content/subject`; empty for the whole.
        message: What is wrong and what to do about it; never content of a notification.
    """

    pointer: str
    message: str

    def under(self, prefix: str) -> "Fault":
        """Returns the same fault seen from further outside."""
        return Fault(pointer=prefix + self.pointer, message=self.message)


def escape_pointer(key: str) -> str:
    """Returns a key as one step of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")
