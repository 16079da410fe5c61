"""Errors as problem documents (RFC 9457): one exception to raise, and answers to all that the framework raises."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.problem_types import TYPES, Kind, uri
from db.errors import FAILURES, is_unavailable
from db.json import encode
from domain.faults import Fault, escape_pointer

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = "2"
_MOST_ERRORS = 50
_NOTHING = object()


class Problem(HTTPException):
    """Ends a request with a problem document.

    Args:
        kind: Which problem; gives type, status and title.
        detail: What happened here and what to do next, for people, without secrets; the kind's own remedy unless given.
        faults: The single things that are wrong in the body.
        headers: Further headers of the answer.
        members: Further members of the document.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str | None = None,
        *,
        faults: Iterable[Fault] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(TYPES[kind].status, detail or TYPES[kind].remedy, dict(headers) if headers else None)
        self.kind = kind
        self.errors: list[dict[str, str]] = [{"pointer": fault.pointer, "detail": fault.message} for fault in faults]
        self.members = members

    def document(self, request_id: str | None = None) -> dict[str, Any]:
        """Returns the problem document; `request_id` becomes its `instance`."""
        document: dict[str, Any] = {
            "type": uri(self.kind),
            "title": TYPES[self.kind].title,
            "status": self.status_code,
            "detail": self.detail,
        }
        if request_id:
            document["instance"] = f"urn:carillon:request:{request_id}"
        if self.errors:
            document["errors"] = self.errors[:_MOST_ERRORS]
        return document | self.members

    def response(self, request_id: str | None) -> Response:
        """Returns the answer."""
        body = encode(self.document(request_id)).encode("utf-8", "replace")
        return Response(body, self.status_code, self.headers, media_type=MEDIA_TYPE)


def not_found(noun: str) -> Problem:
    """Returns the one answer to an id that nobody has and to an id that another tenant has."""
    return Problem(Kind.NOT_FOUND, f"There is no such {noun}; check the id.")


def invalid(*faults: Fault) -> Problem:
    """Returns the answer to a well-formed body that breaks a rule."""
    return Problem(Kind.VALIDATION_FAILED, _summary([fault.message for fault in faults]), faults=faults)


def validation_problem(found: Iterable[Mapping[str, Any]], body: Any) -> Problem:
    """Returns the answer to what the models of a request found wrong; `body` is the JSON that they read."""
    items = [_item(one, body) for one in found]
    unique = list({tuple(item.items()): item for item in items}.values())
    problem = Problem(Kind.VALIDATION_FAILED, _summary([item["detail"] for item in unique]))
    problem.errors = unique
    return problem


def internal_error() -> Problem:
    """Returns the answer to a defect of ours; it tells nothing about it."""
    return Problem(Kind.INTERNAL_ERROR, "The request failed on our side; repeat it later with the same key.")


def unavailable() -> Problem:
    """Returns the answer while the database cannot be used."""
    return Problem(
        Kind.UNAVAILABLE, "The database does not answer; repeat shortly.", headers={"Retry-After": _RETRY_SECONDS}
    )


def install(app: FastAPI) -> None:
    """Makes `app` answer every error with a problem document."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    for failure in FAILURES:
        app.add_exception_handler(failure, _database_error)


def request_id_of(request: Request) -> str | None:
    """Returns the id that the middleware gave to a request."""
    found: str | None = request.scope.get("state", {}).get("request_id")
    return found


async def _http_error(request: Request, error: Exception) -> Response:
    if isinstance(error, Problem):
        return error.response(request_id_of(request))
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    return _framework(request, error).response(request_id_of(request))


def _framework(request: Request, error: HTTPException) -> Problem:
    match error.status_code:
        case 404:
            return Problem(Kind.NOT_FOUND, "There is nothing at this path; /openapi.json lists all paths.")
        case 405:
            allowed = (error.headers or {}).get("Allow", "")
            detail = f"{request.method} is not allowed here; allowed: {allowed or 'see /openapi.json'}."
            return Problem(Kind.METHOD_NOT_ALLOWED, detail, headers=error.headers)
        case status if status < 500:  # noqa: PLR2004 - the border between the caller's and our errors
            return Problem(Kind.BAD_REQUEST, f"The request cannot be read: {error.detail}.", headers=error.headers)
        case _:
            return internal_error()


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    return validation_problem(error.errors(), error.body).response(request_id_of(request))


async def _database_error(request: Request, error: Exception) -> Response:
    down = is_unavailable(error)
    log.error("request.failed", database_down=down, exc_info=error)
    problem = unavailable() if down else internal_error()
    return problem.response(request_id_of(request))


def _summary(details: Sequence[str]) -> str:
    first = details[0].rstrip(".") if details else "The request breaks a rule"
    more = f" ({len(details) - 1} more, see errors)" if len(details) > 1 else ""
    return f"{first}{more}."


def _item(found: Mapping[str, Any], body: Any) -> dict[str, str]:
    place, *path = found["loc"]
    detail = str(found["msg"]).removeprefix("Value error, ")
    if place == "body":
        return {"pointer": _pointer(path, body), "detail": detail, "code": str(found["type"])}
    return {"in": str(place), "parameter": ".".join(map(str, path)), "detail": detail, "code": str(found["type"])}


def _pointer(path: Sequence[str | int], body: Any) -> str:
    """Returns the place as a JSON pointer; names of union members, which no body contains, are left out."""
    steps: list[str] = []
    value = body
    for index, step in enumerate(path):
        inner = _inside(value, step)
        missing = inner is _NOTHING
        if missing and (index < len(path) - 1 or not isinstance(value, Mapping)):
            continue
        value = value if missing else inner
        steps.append(escape_pointer(str(step)))
    return "".join(f"/{step}" for step in steps)


def _inside(value: Any, step: str | int) -> Any:
    match value:
        case Mapping():
            return value.get(step, _NOTHING)
        case list() if isinstance(step, int) and step < len(value):
            return value[step]
        case _:
            return _NOTHING
