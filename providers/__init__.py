"""How each company spells a message; translation only, the transport sends."""

from collections.abc import Mapping
from typing import Any

from providers.base import Provider
from providers.meta import Meta
from providers.smtp import Smtp

PROVIDERS: dict[str, type[Provider]] = {
    Meta.name: Meta,
    Smtp.name: Smtp,
}
"""Every provider by its name."""


def configure(name: str, config: Mapping[str, Any]) -> Provider:
    """Returns the provider `name` for an account's configuration.

    Raises:
        ValueError: There is no such provider, or a field of the configuration is wrong; the message names it.
    """
    if name not in PROVIDERS:
        raise ValueError(f"there is no provider {name!r}; there are {', '.join(sorted(PROVIDERS))}")
    return PROVIDERS[name].configure(config)
