"""Opens the sealed configuration of accounts and keeps the providers made from them."""

import json
from datetime import datetime
from uuid import UUID

from domain.errors import Misconfigured
from providers import PROVIDERS
from providers.base import Provider
from sealing import KeyRing, SealError


def config_place(tenant_id: UUID, account_id: UUID) -> str:
    """Returns what a sealed account configuration belongs to."""
    return f"{tenant_id}|account|config|{account_id}"


class AccountProviders:
    """Gives the provider of an account; a changed account is opened anew, the others are kept."""

    def __init__(self, key_ring: KeyRing) -> None:
        self._key_ring = key_ring
        self._kept: dict[UUID, tuple[datetime, Provider]] = {}

    def open(
        self, tenant_id: UUID, account_id: UUID, *, provider: str, sealed_config: bytes, updated_at: datetime
    ) -> Provider:
        """Returns the configured provider.

        Raises:
            Misconfigured: The configuration does not open or does not fit; verifying the account tells more.
        """
        kept = self._kept.get(account_id)
        if kept is not None and kept[0] == updated_at:
            return kept[1]
        try:
            config = json.loads(self._key_ring.open(sealed_config, place=config_place(tenant_id, account_id)))
            opened = PROVIDERS[provider].configure(config)
        except (SealError, ValueError, KeyError) as problem:
            raise Misconfigured(f"the account's configuration cannot be used: {type(problem).__name__}") from problem
        self._kept[account_id] = (updated_at, opened)
        return opened
