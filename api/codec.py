"""Opens sealed payloads for the Temporal UI: its remote codec endpoint, for those who signed in with the operator key.

In the UI, set the codec server to `<api>/codec` and let it include cross-origin credentials; then sign in here once.
The protocol is described at https://docs.temporal.io/remote-data-encoding.
"""

import base64
import hmac
import re
import time
from typing import Annotated, Any

from fastapi import APIRouter, Cookie, Form, Header, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from temporalio.api.common.v1 import Payloads

from api.json_body import parse
from api.problem_types import Kind
from api.problems import Problem
from api.services import Services, ServicesOf
from sealing import SealError
from workflows.codec import SealingCodec

router = APIRouter(prefix="/codec", include_in_schema=False)

_COOKIE = "carillon_codec"
_SESSION_SECONDS = 12 * 3600
_EXPIRY = re.compile(r"[0-9]{1,12}")
_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Carillon codec</title></head><body>
<h1>Codec of the Temporal UI</h1>
<p>{state}</p>
<form method="post" action="/codec/session">
<label>Operator key <input name="key" type="password" autocomplete="current-password" required></label>
<button>Sign in</button></form>
<p>In the Temporal UI, set the codec server to this address and include cross-origin credentials.</p>
</body></html>
"""

Session = Annotated[str | None, Cookie(alias=_COOKIE)]
Authorization = Annotated[str | None, Header()]


@router.get("")
async def codec_page(services: ServicesOf, session: Session = None) -> HTMLResponse:
    """Returns the page on which operators sign in."""
    state = "You are signed in." if _is_session(services, session) else "Sign in to read sealed payloads."
    return HTMLResponse(_PAGE.format(state=state), headers={"Content-Security-Policy": _POLICY})


@router.post("/session")
async def start_codec_session(services: ServicesOf, key: Annotated[str, Form(max_length=500)]) -> Response:
    """Starts a session of twelve hours for who holds the operator key."""
    if not _is_operator(services, key):
        raise Problem(Kind.UNAUTHENTICATED, "This is not the operator key; `carillon status` names where it stands.")
    expires = str(int(time.time()) + _SESSION_SECONDS)
    response = RedirectResponse("/codec", status_code=303)
    response.set_cookie(
        _COOKIE,
        f"{expires}.{_signature(services, expires)}",
        max_age=_SESSION_SECONDS,
        path="/codec",
        httponly=True,
        samesite="lax",
        secure=services.settings.public_url.startswith("https://"),
    )
    return response


@router.options("/decode")
async def allow_codec_request(services: ServicesOf, request: Request) -> Response:
    """Answers the browser's preflight: the Temporal UI may ask, no other page."""
    return Response(status_code=204, headers=_allowed(services, request))


@router.post("/decode")
async def decode_payloads(
    services: ServicesOf, request: Request, session: Session = None, authorization: Authorization = None
) -> JSONResponse:
    """Returns the payloads opened."""
    given = (authorization or "").removeprefix("Bearer ")
    if not _is_session(services, session) and not _is_operator(services, given):
        raise Problem(Kind.UNAUTHENTICATED, "Sign in at /codec first.", headers=_allowed(services, request))
    payloads = _payloads(parse(await request.body()))
    try:
        opened = await SealingCodec(services.key_ring).decode(payloads.payloads)
    except SealError as error:
        raise Problem(Kind.BAD_REQUEST, f"A payload cannot be opened: {error}.") from error
    return JSONResponse(MessageToDict(Payloads(payloads=opened)), headers=_allowed(services, request))


def _payloads(body: Any) -> Payloads:
    try:
        return ParseDict(body if isinstance(body, dict) else {}, Payloads(), ignore_unknown_fields=True)
    except ParseError as error:
        raise Problem(Kind.BAD_REQUEST, "The body is not a list of payloads.") from error


def _allowed(services: Services, request: Request) -> dict[str, str]:
    origin = request.headers.get("origin", "")
    if origin != services.settings.temporal_ui_url.rstrip("/"):
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Headers": "authorization, content-type, x-namespace",
        "Access-Control-Allow-Methods": "POST",
        "Vary": "Origin",
    }


def _is_operator(services: Services, key: str) -> bool:
    expected = services.settings.operator_key.get_secret_value()
    return bool(expected) and hmac.compare_digest(expected.encode(), key.encode())


def _is_session(services: Services, session: str | None) -> bool:
    expires, _, signature = (session or "").partition(".")
    if not _EXPIRY.fullmatch(expires) or int(expires) < time.time():
        return False
    return hmac.compare_digest(_signature(services, expires).encode(), signature.encode())


def _signature(services: Services, expires: str) -> str:
    key = services.key_ring.derived("codec session")
    return base64.urlsafe_b64encode(hmac.digest(key, expires.encode(), "sha256")).decode()
