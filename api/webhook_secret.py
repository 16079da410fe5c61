"""The secrets by which a tenant's services know that a call comes from here."""

from typing import Annotated

from pydantic import Field

from api.auth import Principal, needs
from api.models import Shown
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from providers.web_calls import shown_secret

router = noun_router("/v1/webhook-secrets", "Series")

Reader = Annotated[Principal, needs(Scope.KEYS_WRITE)]


class WebhookSecrets(Shown):
    """What the calls of a tenant's flows are signed with."""

    secrets: list[str] = Field(
        description="As libraries of Standard Webhooks take them, the newest first. While the installation changes "
        "its keys there are several, and each call is signed with all of them: accept any."
    )


@router.get("", summary="Read the secrets that calls are signed with")
async def get_webhook_secrets(principal: Reader, services: ServicesOf) -> WebhookSecrets:
    """Returns the secrets; they belong to the tenant and stay as long as the installation's key ring does."""
    found = services.key_ring.digests(str(principal.tenant_id), purpose="webhook")
    return WebhookSecrets(secrets=[shown_secret(one) for one in found])
