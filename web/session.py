"""Sessions of the console: an API key that signed in, sealed into a cookie for some hours.

A session is worth no more than its key: every request reads the key again, so that revoking it ends the session.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import Depends, Request, Response

from api import auth
from api.auth import Principal
from api.problem_types import Kind
from api.problems import Problem
from api.scopes import Scope
from api.services import Services, ServicesOf
from db import held_replies, keys, tenants
from sealing import SealError

COOKIE = "carillon_console"
PATH = "/console"
LIFETIME = timedelta(hours=12)
MOST_HELD = 99
"""Held replies that the menu counts."""
_PLACE = "console|session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who signed in with an API key.

    Attributes:
        principal: What the key may see and do.
        tenant_name: Whose rows are shown, for people.
        held_replies: How many replies wait for a person, as far as the menu counts them.
    """

    principal: Principal
    tenant_name: str
    held_replies: int = 0

    def may(self, scope: str) -> bool:
        """Tells whether the key of the session holds `scope`."""
        return self.principal.may(scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sealed:
    key_id: UUID
    prefix: str
    tenant_name: str
    until: datetime


def signed_in(scope: Scope | None) -> Any:
    """Returns the dependency that gives the `Session` of a request whose key holds `scope`, or any key."""

    async def visitor(request: Request, services: ServicesOf) -> Session:
        found = await _session(request, services)
        request.state.session = found  # a refusal is shown with the menu of who is refused
        if scope is not None:
            found.principal.demand(scope)
        return found

    return Depends(visitor)


def session_of(request: Request) -> Session | None:
    """Returns the session that `signed_in` found for a request, if it did."""
    found: Session | None = getattr(request.state, "session", None)
    return found


async def open_session(services: Services, key: str, response: Response) -> None:
    """Signs in with an API key: sets the cookie, or raises why the key opens nothing."""
    holder = await auth.authenticate(services, key)
    auth.admit(services, holder)
    async with services.database.system() as connection:
        tenant = await tenants.get(connection, holder.tenant_id)
    content = {
        "key_id": str(holder.id),
        "prefix": key.strip().split("_")[1],
        "tenant_name": tenant.name if tenant else "",
        "until": (services.now() + LIFETIME).isoformat(),
    }
    sealed = services.key_ring.seal(json.dumps(content).encode(), place=_PLACE)
    response.set_cookie(
        COOKIE,
        base64.urlsafe_b64encode(sealed).decode(),
        max_age=int(LIFETIME.total_seconds()),
        path=PATH,
        secure=services.settings.public_url.startswith("https://"),
        httponly=True,
        samesite="strict",
    )


def close_session(response: Response) -> None:
    """Signs out: takes the cookie away."""
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="strict")


async def _session(request: Request, services: Services) -> Session:
    given = request.cookies.get(COOKIE)
    if not given:
        raise Problem(Kind.UNAUTHENTICATED, "Sign in to see this page.")
    sealed = _opened(services, given)
    if sealed is None or sealed.until <= services.now():
        raise Problem(Kind.UNAUTHENTICATED, "Your session has ended; sign in again.")
    async with services.database.system() as connection:
        candidates = await keys.by_prefix(connection, sealed.prefix)
    holder = next((found for found in candidates if found.id == sealed.key_id), None)
    if holder is None:
        raise Problem(Kind.UNAUTHENTICATED, "The key of this session does not exist any more; use another one.")
    principal = auth.admit(services, holder)
    auth.note_use(services, holder)
    held = await _held_replies(services, principal) if request.method == "GET" else 0
    return Session(principal=principal, tenant_name=sealed.tenant_name, held_replies=held)


async def _held_replies(services: Services, principal: Principal) -> int:
    if not principal.may(Scope.SERIES_READ):
        return 0
    async with services.database.tenant(principal.tenant_id) as connection:
        return await held_replies.count_open(connection, principal.tenant_id, most=MOST_HELD + 1)


def _opened(services: Services, given: str) -> _Sealed | None:
    """Returns what a cookie of ours holds; nothing for any other."""
    try:
        plain = services.key_ring.open(base64.urlsafe_b64decode(given), place=_PLACE)
    except (SealError, binascii.Error, ValueError):
        return None
    content = json.loads(plain)
    return _Sealed(
        key_id=UUID(content["key_id"]),
        prefix=content["prefix"],
        tenant_name=content["tenant_name"],
        until=datetime.fromisoformat(content["until"]),
    )
