"""The OpenAPI document: what FastAPI gathers, and the problems that every operation can answer with."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.problem_types import TYPES, Kind, uri
from api.problems import MEDIA_TYPE
from api.tags import TAGS

_DESCRIPTION = """\
Durable notifications: say once what must reach whom; read at any time what happened and why.

Every request names its key as `Authorization: Bearer <key>` or `X-Site-Key: <key>`. Lists are paged with `limit` and
`cursor`. Errors are problem documents (RFC 9457) with a stable `type`.
"""

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong (RFC 9457), and what to do next.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "enum": [uri(kind) for kind in Kind]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The request, as our logs name it."},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/ProblemItem"}},
    },
}
_PROBLEM_ITEM: dict[str, Any] = {
    "type": "object",
    "title": "ProblemItem",
    "required": ["detail"],
    "properties": {
        "pointer": {"type": "string", "description": "The place in the body (RFC 6901)."},
        "in": {"type": "string", "enum": ["query", "path", "header", "cookie"]},
        "parameter": {"type": "string"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
    },
}

Operation = dict[str, Any]


def problem_responses(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """Returns `responses` for a route that also answers with these kinds of problem."""
    found: dict[int | str, list[Kind]] = {}
    for kind in kinds:
        found.setdefault(TYPES[kind].status, []).append(kind)
    return {status: _response(found[status]) for status in found}


def install(app: FastAPI) -> None:
    """Makes `app` serve this document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the documented way to extend the document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, Operation]]:
    """Yields method, path and operation of every operation in a document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="Carillon",
        version=app.version,
        openapi_version="3.1.0",
        description=_DESCRIPTION,
        routes=app.routes,
        tags=TAGS,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= {"Problem": _PROBLEM, "ProblemItem": _PROBLEM_ITEM}
    for _, path, operation in operations(document):
        _complete(path, operation)
    return document


def _complete(path: str, operation: Operation) -> None:
    """Adds the problems that follow from an operation's shape."""
    kinds = [Kind.BAD_REQUEST, Kind.INTERNAL_ERROR, Kind.UNAVAILABLE]
    if operation.get("security"):
        kinds.append(Kind.UNAUTHENTICATED)
        kinds += [Kind.MISSING_SCOPE, Kind.TENANT_SUSPENDED] if _scoped(operation) else []
    if "{" in path:
        kinds.append(Kind.NOT_FOUND)
    if "requestBody" in operation:
        kinds += [Kind.MALFORMED_JSON, Kind.BODY_TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE]
    parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
    if "cursor" in parameters:
        kinds.append(Kind.INVALID_CURSOR)
    responses = operation["responses"]
    automatic = responses.pop("422", {})
    if MEDIA_TYPE in automatic.get("content", {}):
        responses["422"] = automatic
    elif parameters or "requestBody" in operation:
        kinds.append(Kind.VALIDATION_FAILED)
    for status, response in problem_responses(*kinds).items():
        responses.setdefault(str(status), response)
    operation["responses"] = dict(sorted(responses.items()))


def _scoped(operation: Operation) -> bool:
    return any(scopes for requirement in operation["security"] for scopes in requirement.values())


def _response(kinds: list[Kind]) -> dict[str, Any]:
    examples = {
        kind.value: {
            "summary": TYPES[kind].title,
            "value": {
                "type": uri(kind),
                "title": TYPES[kind].title,
                "status": TYPES[kind].status,
                "detail": TYPES[kind].remedy,
            },
        }
        for kind in kinds
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    description = " · ".join(TYPES[kind].title for kind in kinds)
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}}}
