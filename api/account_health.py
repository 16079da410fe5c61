"""How an account fares, in detail: what was measured, which circuits hold messages back, what is parked."""

from datetime import datetime

from pydantic import Field

from api.account_models import AccountCircuit, circuit, health
from api.accounts import AccountId, Reader
from api.models import Shown
from api.problems import not_found
from api.routing import noun_router
from api.services import ServicesOf
from db import account_care, accounts
from db.account_care import Care, Trouble
from db.health import SPAN
from domain.health import Health, Level, Window
from domain.reasons import Reason

router = noun_router("/v1/accounts/{account_id}", "Accounts")


class Measured(Shown):
    """What the last measurement saw; nothing of it counts before there is enough of it."""

    seconds: int = Field(description="How far back it looked.")
    attempts: int
    attempts_troubled: int = Field(description="Those that found the provider unavailable, or ended in doubt.")
    messages: int = Field(description="Accepted long enough ago to have a receipt; 0 where the provider gives none.")
    receipts_late: int = Field(description="How many of those have none yet, or had to wait for it too long.")
    receipt_delay_seconds: float | None = Field(description="Within which nine of ten first receipts came.")
    usual_delay_seconds: float | None = Field(description="The same, as long as all is well.")


class TemplateAtAccount(Shown):
    """A template's version in one locale."""

    name: str
    version: int
    locale: str


class OpenCircuit(AccountCircuit):
    """A circuit that is not closed: of the account itself, or of a template there."""

    template: TemplateAtAccount | None = Field(description="Null for the account itself.")
    probes_failed: int
    openings: int = Field(description="How often it opened.")


class ParkedByCause(Shown):
    """How many notifications wait for the same cause."""

    cause: Reason
    count: int


class AccountHealthDetail(Shown):
    """How an account fares and why."""

    level: Level
    since: datetime | None
    reasons: list[str] = Field(
        description="Why the last one was not healthy: `attempts_troubled`, `receipts_missing`, `receipts_slow`."
    )
    towards: Level | None = Field(description="The level that the last measurements speak for, not yet often enough.")
    measurements_towards: int
    measured_at: datetime | None
    measured: Measured
    circuits: list[OpenCircuit] = Field(description="Those that are not closed, the latest first.")
    parked: list[ParkedByCause]


@router.get("/health", summary="Read how an account fares")
async def get_account_health(account_id: AccountId, principal: Reader, services: ServicesOf) -> AccountHealthDetail:
    """Returns an account's health with what it was measured from, its open circuits, and what is parked."""
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        if await accounts.get(connection, tenant_id, account_id) is None:
            raise not_found("account")
        care = (await account_care.read(connection, tenant_id, [account_id]))[account_id]
        troubles = await account_care.troubles(connection, tenant_id, account_id)
        parked = await account_care.parked_by_cause(connection, tenant_id, account_id)
    return _detail(care, troubles, [ParkedByCause(cause=cause, count=count) for cause, count in parked.items()])


def _detail(care: Care, troubles: list[Trouble], parked: list[ParkedByCause]) -> AccountHealthDetail:
    shown = health(care)
    known = care.health.health if care.health else Health()
    return AccountHealthDetail(
        level=shown.level,
        since=shown.since,
        reasons=list(known.reasons),
        towards=known.towards,
        measurements_towards=known.streak,
        measured_at=shown.measured_at,
        measured=_measured(care.health.window if care.health else Window(), known.usual),
        circuits=[_open(trouble) for trouble in troubles],
        parked=parked,
    )


def _measured(window: Window, usual: float | None) -> Measured:
    return Measured(
        seconds=int(SPAN.total_seconds()),
        attempts=window.attempts,
        attempts_troubled=window.troubled,
        messages=window.receiptable,
        receipts_late=window.late,
        receipt_delay_seconds=window.delay,
        usual_delay_seconds=usual,
    )


def _open(trouble: Trouble) -> OpenCircuit:
    named = trouble.template
    template = TemplateAtAccount(name=named[0], version=named[1], locale=named[2]) if named else None
    return OpenCircuit(
        **circuit(trouble.circuit).model_dump(),
        template=template,
        probes_failed=trouble.circuit.probes,
        openings=trouble.circuit.episode,
    )
