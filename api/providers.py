"""Providers over HTTP: which companies there are, and what an account at each needs."""

from typing import Annotated

from api.account_models import Provider, ProviderList
from api.auth import Principal, needs
from api.routing import noun_router
from api.scopes import Scope
from domain.recipients import Channel
from providers import PROVIDERS

router = noun_router("/v1/providers", "Accounts")


@router.get("", summary="List providers")
async def list_providers(_: Annotated[Principal, needs(Scope.ACCOUNTS_READ)]) -> ProviderList:
    """Returns every provider with the JSON Schema of its accounts' configuration."""
    return ProviderList(
        data=[
            Provider(
                name=name,
                channel=Channel(provider.channel),
                config_schema=provider.config_schema(),
                secret_fields=sorted(provider.secret_fields),
            )
            for name, provider in sorted(PROVIDERS.items())
        ]
    )
