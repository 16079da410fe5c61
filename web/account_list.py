"""The accounts: through whom messages go, and whether they may at the moment."""

from typing import Annotated

from fastapi import Request, Response

from api.account_models import AccountPage, shown
from api.paging import PagingOf
from api.scopes import Scope
from api.services import ServicesOf
from db import account_care, accounts
from web.rendering import render
from web.routing import page_router
from web.session import Session, signed_in

router = page_router("/accounts")

Reader = Annotated[Session, signed_in(Scope.ACCOUNTS_READ)]


@router.get("")
async def account_list(request: Request, session: Reader, services: ServicesOf, paging: PagingOf) -> Response:
    """Shows the accounts, the newest first, without their secrets."""
    tenant_id = session.principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        rows = await accounts.page(connection, tenant_id, wanted={}, limit=paging.fetch, before=paging.before)
        care = await account_care.read(connection, tenant_id, [row.id for row in rows])
    found = paging.page(AccountPage, rows, lambda row: shown(row, care[row.id]))
    older = f"{router.prefix}?cursor={found.next_cursor}" if found.next_cursor else None
    return render(request, "account_list.html", rows=found.data, older=older, first=paging.before is None)
