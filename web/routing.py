"""How every page is served: its security headers, its forms taken from ourselves only, its refusals as pages."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from api.problem_types import TYPES, Kind
from api.problems import Problem, not_found, request_id_of, unavailable, validation_problem
from db.errors import FAILURES, is_unavailable
from web.rendering import render
from web.session import COOKIE, close_session

log = structlog.get_logger()

HOME = "/console"
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_SAFE = {"GET", "HEAD"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    # Browsers name the origin of a form only when the page may name itself.
    "Referrer-Policy": "same-origin",
}


class PageRoute(APIRoute):
    """A route whose answers are pages, whatever happens."""

    def get_route_handler(self) -> _Handler:
        """Returns the handler, which refuses forms of other sites and shows problems as pages."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            response = await _answer(handler, request)
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return handle


def page_router(path: str = "") -> APIRouter:
    """Returns the router of pages below `/console`; none of them is part of the API's document."""
    return APIRouter(prefix=f"{HOME}{path}", include_in_schema=False, route_class=PageRoute)


def sign_in_page(request: Request, *, status: int, problem: str | None, then: str = HOME) -> Response:
    """Returns the form that asks for a key, and why it is asked where there is a reason."""
    return render(request, "sign_in.html", status=status, problem=problem, then=then)


async def _answer(handler: _Handler, request: Request) -> Response:
    if request.method not in _SAFE and not _from_ourselves(request):
        detail = "The form did not come from this console, so nothing was done; open the page again and repeat."
        return _refusal(request, status=403, title="Another site asked for this", detail=detail)
    try:
        return await handler(request)
    except RequestValidationError as error:
        problem = _unreadable(error)
    except ValidationError as error:
        if request.method in _SAFE:
            raise  # nobody filled in a form: a defect of ours
        log.warning("page.invalid", model=error.title)
        found = error.errors(include_url=False, include_context=False)
        problem = validation_problem([{**one, "loc": ("body", *one["loc"])} for one in found], None)
    except FAILURES as error:
        if not is_unavailable(error):
            raise  # a defect of ours: the application logs it and tells nothing
        log.warning("page.unavailable", error=type(error).__name__)
        problem = unavailable()
    except Problem as error:
        problem = error
    except HTTPException as error:
        problem = Problem(Kind.BAD_REQUEST, str(error.detail))
    if problem.kind is Kind.UNAUTHENTICATED:
        return _sign_in_again(request, problem)
    return problem_page(request, problem)


def problem_page(request: Request, problem: Problem) -> Response:
    """Returns a problem as a page."""
    scope = problem.members.get("required_scope")
    return _refusal(
        request,
        status=problem.status_code,
        title=TYPES[problem.kind].title,
        detail=problem.detail,
        errors=problem.errors,
        scope=scope,
    )


def _refusal(
    request: Request,
    *,
    status: int,
    title: str,
    detail: str,
    errors: list[dict[str, str]] | None = None,
    scope: str | None = None,
) -> Response:
    return render(
        request,
        "problem.html",
        status=status,
        title=title,
        detail=detail,
        errors=errors or [],
        scope=scope,
        request_id=request_id_of(request),
        code=status,
    )


def _from_ourselves(request: Request) -> bool:
    """Tells whether a form stands on a page of this console: the browser names the page's origin, scripts cannot."""
    public = urlsplit(request.app.state.services.settings.public_url)
    host = request.headers.get("host", "")
    ours = {f"http://{host}", f"https://{host}", f"{public.scheme}://{public.netloc}"}
    same_site = request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
    return same_site and request.headers.get("origin") in ours


def _unreadable(error: RequestValidationError) -> Problem:
    found = error.errors()
    if any(one["loc"][0] == "path" for one in found):
        return not_found("page")
    return validation_problem(found, None)


def _sign_in_again(request: Request, problem: Problem) -> Response:
    """Returns the sign-in page in place of the one that was asked for; signing in leads back to it."""
    query = f"?{request.url.query}" if request.url.query else ""
    then = request.url.path + query if request.method in _SAFE else HOME
    known = request.cookies.get(COOKIE)
    response = sign_in_page(request, status=401, problem=str(problem.detail) if known else None, then=then)
    if known:
        close_session(response)
    return response
