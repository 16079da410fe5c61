"""The HTTP API as an ASGI application; `uvicorn --factory api.app:create_app` serves it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from activities.accounts import AccountProviders
from activities.buttons import Buttons
from api import openapi, pages, problems
from api.callback_groups import callback_groups
from api.line_bounds import LineBounds
from api.middleware import RequestContext, RequestLimits
from api.routers import ROUTERS
from api.services import Services
from db.session import Database
from sealing import KeyRing
from settings import Settings


def create_app(
    settings: Settings | None = None, *, database: Database | None = None, key_ring: KeyRing | None = None
) -> FastAPI:
    """Returns the application.

    Args:
        settings: Read from the environment unless given.
        database: Connected and closed by the application unless given.
        key_ring: Parsed from the settings unless given.

    Raises:
        ValueError: The settings name no usable key ring.
    """
    settings = settings or Settings()
    services = services_for(settings, database=database, key_ring=key_ring)
    app = FastAPI(
        title="Carillon",
        version=version("carillon"),
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(close=database is None),
    )
    app.state.services = services
    app.add_middleware(RequestLimits)
    app.add_middleware(RequestContext, https=settings.public_url.startswith("https://"))
    problems.install(app)
    openapi.install(app)
    pages.mount_assets(app)
    for router in ROUTERS:
        app.include_router(router)
    return app


def services_for(settings: Settings, *, database: Database | None = None, key_ring: KeyRing | None = None) -> Services:
    """Returns what the handlers of an application work with; the application keeps it as `state.services`."""
    key_ring = key_ring or KeyRing.parse(settings.key_ring.get_secret_value())
    if database is None:
        database = Database.connect(settings.database_url.get_secret_value(), pool_size=settings.database_pool_size)
    return Services(
        settings=settings,
        database=database,
        key_ring=key_ring,
        account_providers=AccountProviders(key_ring),
        buttons=Buttons(key_ring),
        lines=LineBounds(settings.line_bound),
        callbacks=callback_groups(database),
    )


def _lifespan(*, close: bool) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services: Services = app.state.services
        yield
        await services.background.finish()
        await services.waker.close()
        if close:
            await services.database.close()

    return lifespan
