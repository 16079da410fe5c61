"""How every router of the API is made: strict JSON bodies, stable operation ids."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from api.json_body import parse
from api.problem_types import Kind
from api.problems import Problem

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class JsonRequest(Request):
    """A request whose JSON is read by our rules."""

    async def json(self) -> Any:
        """Returns the body's value, or raises the problem that it is."""
        return parse(await self.body())


class JsonRoute(APIRoute):
    """A route whose body is JSON by our rules; forms and raw bodies pass as they are."""

    def get_route_handler(self) -> _Handler:
        """Returns the handler, which sees a `JsonRequest` of the right media type."""
        handler = super().get_route_handler()
        wants_json = self.body_field is not None and not _is_form(self)

        async def handle(request: Request) -> Response:
            request = JsonRequest(request.scope, request.receive)
            if wants_json:
                await _check_media_type(request)
            return await handler(request)

        return handle


def noun_router(path: str, tag: str, **options: Any) -> APIRouter:
    """Returns the router of one noun below `path`; an operation's id is the name of its function."""
    return APIRouter(
        prefix=path, tags=[tag], route_class=JsonRoute, generate_unique_id_function=lambda route: route.name, **options
    )


def _is_form(route: APIRoute) -> bool:
    return any(type(field.field_info).__name__ in {"Form", "File"} for field in route.dependant.body_params)


async def _check_media_type(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json")):
        return
    if not media_type and not await request.body():
        return
    detail = f"The body is {media_type or 'without a media type'}; send it as application/json."
    raise Problem(Kind.UNSUPPORTED_MEDIA_TYPE, detail)
