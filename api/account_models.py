"""Wire models of accounts and of the providers that they are accounts at."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from api.models import Body, JsonObject, Shown, Text
from api.paging import Page
from db.accounts import Account as StoredAccount
from domain.accounts import AccountState
from domain.recipients import Channel
from providers import PROVIDERS


def _known(name: str) -> str:
    if name not in PROVIDERS:
        raise ValueError(f"there is no such provider; there are {', '.join(sorted(PROVIDERS))}")
    return name


ProviderName = Annotated[str, AfterValidator(_known)]
Priority = Annotated[int, Field(ge=-100, le=100, description="Accounts of a channel are tried in descending order.")]


class NewAccount(Body):
    """An account at a provider; `GET /v1/providers` says what each one's `config` holds."""

    name: Text = Field(examples=["WhatsApp India"])
    provider: ProviderName = Field(examples=["smtp"])
    config: JsonObject
    priority: Priority = 0


class AccountChanges(Body):
    """What is to change; what is left out stays."""

    name: Text | None = None
    priority: Priority | None = None
    config: JsonObject | None = Field(default=None, description="Fields to set, none of them secret.")


class SecretRotation(Body):
    """New values of secret fields; the others stay."""

    secrets: dict[str, str] = Field(min_length=1, max_length=20)


class Suspension(Body):
    """Why an account is suspended."""

    reason: Text = Field(examples=["number under review"])


class Account(Shown):
    """An account; secret fields of its configuration are shown as asterisks."""

    id: UUID
    name: str
    channel: Channel
    provider: str
    state: AccountState
    state_reason: str | None
    sender: str | None = Field(description="The identity that sends, as the provider names it.")
    priority: int
    config: dict[str, Any]
    verified_at: datetime | None
    created_at: datetime
    updated_at: datetime


class AccountPage(Page[Account]):
    """A page of accounts."""


class Provider(Shown):
    """A company that carries messages, and what its accounts' configuration holds."""

    name: str
    channel: Channel
    config_schema: dict[str, Any]
    secret_fields: list[str]


class ProviderList(Shown):
    """Every provider."""

    data: list[Provider]


def shown(row: StoredAccount) -> Account:
    """Returns an account as callers see it."""
    return Account(
        id=row.id,
        name=row.name,
        channel=Channel(row.channel),
        provider=row.provider,
        state=AccountState(row.state),
        state_reason=row.state_reason,
        sender=row.sender,
        priority=row.priority,
        config=dict(row.public_config),
        verified_at=row.verified_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
