"""What goes wrong when a template is read or rendered."""

from collections.abc import Sequence

from domain.errors import ContentRefused
from domain.faults import Fault


class TemplateError(ContentRefused):
    """A template cannot be read, or cannot be rendered with this data.

    Args:
        faults: What is wrong and where; at least one. Never content of a notification.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.pointer or '/'}: {fault.message}" for fault in faults))
        self.faults = tuple(faults)

    def under(self, prefix: str) -> "TemplateError":
        """Returns the same error seen from further outside."""
        return TemplateError([fault.under(prefix) for fault in self.faults])


def refused(message: str, pointer: str = "") -> TemplateError:
    """Returns an error with a single fault."""
    return TemplateError([Fault(pointer=pointer, message=message)])
