"""Who asks: an API key of a tenant, or the operator who stands above tenants."""

import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from api import credentials
from api.problem_types import Kind
from api.problems import Problem
from api.scopes import Scope
from api.services import Services, ServicesOf
from db import keys
from db.keys import KeyHolder

_BEARER = HTTPBearer(
    auto_error=False, scheme_name="bearer", bearerFormat="car_…", description="An API key of a tenant."
)
_SITE_KEY = APIKeyHeader(
    name="X-Site-Key", auto_error=False, scheme_name="siteKey", description="The same API key, for sites that use it."
)
_OPERATOR = HTTPBearer(
    auto_error=False, scheme_name="operator", description="The operator key, for what stands above tenants."
)

_TOUCH_EVERY = timedelta(minutes=1)
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="carillon"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The API key behind a request.

    Attributes:
        tenant_id: The tenant whose rows the request may see.
        key_id: The key.
        key_name: What its tenant calls the key.
        scopes: What the key may do.
        actor: How the audit trail names the key.
    """

    tenant_id: UUID
    key_id: UUID
    key_name: str
    scopes: frozenset[str]
    actor: str

    def may(self, scope: str) -> bool:
        """Tells whether the key holds `scope`."""
        return Scope.EVERYTHING in self.scopes or scope in self.scopes

    def demand(self, scope: str) -> None:
        """Raises the problem that it is when the key does not hold `scope`."""
        if not self.may(scope):
            detail = f"The key {self.key_name!r} does not hold the scope {str(scope)!r}; use one that does."
            raise Problem(Kind.MISSING_SCOPE, detail, required_scope=str(scope))


def needs(scope: Scope | str) -> Any:
    """Returns the dependency that gives the `Principal` of a request whose key holds `scope`.

    Use it as `Annotated[Principal, needs("notifications:send")]`.
    """
    return Security(_authorised, scopes=[Scope(scope).value])


def needs_for_subject(scope: Scope | str) -> Any:
    """Returns the dependency that gives the `Principal` of a request whose scope is known only by what it is about.

    Whoever answers demands it, before anything is told; `scope` is the one that is documented.
    """
    return Security(_authentic, scopes=[Scope(scope).value])


async def _authentic(
    services: ServicesOf,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    site_key: Annotated[str | None, Depends(_SITE_KEY)],
) -> Principal:
    holder = await authenticate(services, bearer.credentials if bearer else site_key)
    principal = admit(services, holder)
    note_use(services, holder)
    return principal


async def _authorised(
    services: ServicesOf,
    wanted: SecurityScopes,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    site_key: Annotated[str | None, Depends(_SITE_KEY)],
) -> Principal:
    holder = await authenticate(services, bearer.credentials if bearer else site_key)
    principal = admit(services, holder)
    for scope in wanted.scopes:
        principal.demand(scope)
    note_use(services, holder)
    return principal


async def operator(
    services: ServicesOf, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_OPERATOR)]
) -> str:
    """Returns the actor of a request with the operator key, and refuses every other."""
    expected = services.settings.operator_key.get_secret_value().encode()
    given = bearer.credentials.encode() if bearer else b""
    if not expected or not hmac.compare_digest(expected, given):
        raise Problem(
            Kind.UNAUTHENTICATED, "This needs the operator key as `Authorization: Bearer`.", headers=_CHALLENGE
        )
    return "operator"


OperatorOf = Annotated[str, Depends(operator)]


async def authenticate(services: Services, given: str | None) -> KeyHolder:
    """Returns the key that `given` is, or raises that it is none."""
    if not given:
        raise _unauthenticated("No key was given; send `Authorization: Bearer <key>` or `X-Site-Key: <key>`.")
    credential = credentials.parse(given.strip())
    if credential is not None:
        for candidate in await _candidates(services, credential.prefix):
            if credential.matches(candidate.digest, services.key_ring):
                return candidate
    raise _unauthenticated("The key is not valid; check it, or create a new one.")


async def _candidates(services: Services, prefix: str) -> list[KeyHolder]:
    async def look() -> list[KeyHolder]:
        async with services.database.system(kept=True) as connection:
            return await keys.by_prefix(connection, prefix)

    return await services.lookups.get(("key", prefix), look)


def admit(services: Services, holder: KeyHolder) -> Principal:
    """Returns what an authentic key may see and do now, or raises why that is nothing."""
    if holder.revoked_at is not None:
        raise _unauthenticated("The key was revoked; use another one.")
    if holder.expires_at is not None and holder.expires_at <= services.now():
        raise _unauthenticated("The key has expired; create a new one.")
    if holder.tenant_state != "active":
        raise Problem(Kind.TENANT_SUSPENDED, "This tenant is suspended; ask the operator to activate it.")
    return Principal(
        tenant_id=holder.tenant_id,
        key_id=holder.id,
        key_name=holder.name,
        scopes=frozenset(holder.scopes),
        actor=f"key:{holder.name} ({holder.id})",
    )


def _unauthenticated(detail: str) -> Problem:
    return Problem(Kind.UNAUTHENTICATED, detail, headers=_CHALLENGE)


def note_use(services: Services, holder: KeyHolder) -> None:
    """Notes beside the request, once a minute at most, that a key was used."""
    now = services.now()
    last = max(filter(None, (holder.last_used_at, services.keys_touched.get(holder.id))), default=None)
    if last is not None and now - last < _TOUCH_EVERY:
        return
    services.keys_touched[holder.id] = now
    services.background.start("key.touch", _record_use(services, holder))


async def _record_use(services: Services, holder: KeyHolder) -> None:
    async with services.database.tenant(holder.tenant_id) as connection:
        await keys.touch(connection, holder.tenant_id, holder.id, at=services.now())
