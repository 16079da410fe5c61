"""Wire models of accounts and of the providers that they are accounts at."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from api.limit_models import AccountLimits
from api.models import Body, JsonObject, Shown, Text, Whole
from api.paging import Page
from db.account_care import Care
from db.accounts import Account as StoredAccount
from domain.accounts import AccountState
from domain.circuits import Circuit, CircuitState
from domain.health import Level
from domain.reasons import Reason
from domain.recipients import Channel
from providers import PROVIDERS


def _known(name: str) -> str:
    if name not in PROVIDERS:
        raise ValueError(f"there is no such provider; there are {', '.join(sorted(PROVIDERS))}")
    return name


ProviderName = Annotated[str, AfterValidator(_known)]
Priority = Annotated[int, Field(ge=-100, le=100, description="Accounts of a channel are tried in descending order.")]
Weight = Annotated[Whole, Field(ge=1, le=1000, description="Share of the work among accounts of one priority.")]


class NewAccount(Body):
    """An account at a provider; `GET /v1/providers` says what each one's `config` holds."""

    name: Text = Field(examples=["WhatsApp India"])
    provider: ProviderName = Field(examples=["smtp"])
    config: JsonObject
    priority: Priority = 0
    weight: Weight = 1
    limits: AccountLimits = AccountLimits()


class AccountChanges(Body):
    """What is to change; what is left out stays."""

    name: Text | None = None
    priority: Priority | None = None
    weight: Weight | None = None
    limits: AccountLimits | None = Field(default=None, description="All of its limits; what is absent is reset.")
    config: JsonObject | None = Field(default=None, description="Fields to set, none of them secret.")


class SecretRotation(Body):
    """New values of secret fields; the others stay."""

    secrets: dict[str, str] = Field(min_length=1, max_length=20)


class Suspension(Body):
    """Why an account is suspended."""

    reason: Text = Field(examples=["number under review"])


class AccountHealth(Shown):
    """How well an account works; the better ones of a channel are used first."""

    level: Level
    since: datetime | None = Field(description="Since when it has this level; null where nothing was sent yet.")
    measured_at: datetime | None


class AccountCircuit(Shown):
    """Whether messages go through: `open` holds them back, `half_open` waits for the one that finds out."""

    state: CircuitState
    cause: Reason | None
    since: datetime | None
    next_probe_at: datetime | None = Field(
        description="When one message may try it next; while one is on its way, until when it has time."
    )


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
    weight: int
    limits: AccountLimits
    config: dict[str, Any]
    health: AccountHealth
    circuit: AccountCircuit
    parked: int = Field(description="Notifications that wait because of this account.")
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


def shown(row: StoredAccount, care: Care) -> Account:
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
        weight=row.weight,
        limits=AccountLimits(**row.limits),
        config=dict(row.public_config),
        health=health(care),
        circuit=circuit(care.circuit),
        parked=care.parked,
        verified_at=row.verified_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def health(care: Care) -> AccountHealth:
    """Returns the health of an account as callers see it; one that never had to be measured is well."""
    known = care.health
    if known is None:
        return AccountHealth(level=Level.HEALTHY, since=None, measured_at=None)
    return AccountHealth(level=known.health.level, since=known.since, measured_at=known.measured_at)


def circuit(known: Circuit | None) -> AccountCircuit:
    """Returns a circuit as callers see it; where there never was trouble it is closed."""
    found = known or Circuit()
    return AccountCircuit(state=found.state, cause=found.cause, since=found.opened_at, next_probe_at=found.probe_at)
