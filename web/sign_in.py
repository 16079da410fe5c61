"""The door of the console: an API key signs in, and out."""

import re
from typing import Annotated

from fastapi import Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.problems import Problem
from api.services import ServicesOf
from web.routing import HOME, page_router, sign_in_page
from web.session import close_session, open_session

router = page_router()

_INNER = re.compile(r"/console(?:[/?][!-\[\]-~]*)?")
_SEE_OTHER = 303


@router.get("/sign-in")
async def show_sign_in(request: Request, then: Annotated[str, Query(max_length=2048)] = HOME) -> Response:
    """Shows the form."""
    return sign_in_page(request, status=200, problem=None, then=_inner(then))


@router.post("/sign-in")
async def sign_in(
    request: Request,
    services: ServicesOf,
    key: Annotated[str, Form(max_length=256)] = "",
    then: Annotated[str, Form(max_length=2048)] = HOME,
) -> Response:
    """Signs in with a key and leads to the page that was asked for, or says why the key opens nothing."""
    inner = _inner(then)
    if not key.strip():
        return sign_in_page(request, status=401, problem="Enter an API key.", then=inner)
    response = RedirectResponse(inner, _SEE_OTHER)
    try:
        await open_session(services, key.strip(), response)
    except Problem as problem:
        return sign_in_page(request, status=problem.status_code, problem=str(problem.detail), then=inner)
    return response


@router.post("/sign-out")
async def sign_out() -> Response:
    """Signs out on this browser; the key itself stays as it is."""
    response = RedirectResponse(f"{HOME}/sign-in", _SEE_OTHER)
    close_session(response)
    return response


def _inner(path: str) -> str:
    """Returns a place of the console, and its start for any other place."""
    return path if _INNER.fullmatch(path) else HOME
