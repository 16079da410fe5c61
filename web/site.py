"""The API with the console on top, as one ASGI application; `uvicorn --factory web.site:create_app` serves it."""

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from api import app as api_app
from api.problems import not_found
from db.session import Database
from sealing import KeyRing
from settings import Settings
from web import (
    account_list,
    assets,
    flow_pages,
    flow_publishing_pages,
    notification_actions,
    notification_list,
    notification_page,
    operation_pages,
    parked_pages,
    preference_pages,
    reply_pages,
    schedule_pages,
    series_actions,
    series_many,
    series_pages,
    settle_pages,
    sign_in,
    template_pages,
    topic_list,
)
from web.routing import HOME, page_router

_rest = page_router()
_root = APIRouter(include_in_schema=False)


@_rest.get("/{anything:path}")
async def nothing(_: Request) -> Response:
    """Says that there is no such page."""
    raise not_found("page")


@_root.get("/")
async def root() -> Response:
    """Leads people who only know the address to the console."""
    return RedirectResponse(HOME, 307)


ROUTERS: tuple[APIRouter, ...] = (
    _root,
    assets.router,
    preference_pages.router,
    sign_in.router,
    notification_list.router,
    notification_page.router,
    notification_actions.router,
    settle_pages.router,
    parked_pages.router,
    operation_pages.router,
    series_many.router,
    series_pages.router,
    series_actions.router,
    reply_pages.router,
    flow_publishing_pages.router,
    flow_pages.router,
    schedule_pages.router,
    account_list.router,
    template_pages.router,
    topic_list.router,
    _rest,
)


def create_app(
    settings: Settings | None = None, *, database: Database | None = None, key_ring: KeyRing | None = None
) -> FastAPI:
    """Returns the application; its arguments are those of `api.app.create_app`."""
    app = api_app.create_app(settings, database=database, key_ring=key_ring)
    for router in ROUTERS:
        app.include_router(router)
    return app
