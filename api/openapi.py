"""The OpenAPI document: what FastAPI gathers, and the problems that every operation can answer with."""

from collections.abc import Iterable, Iterator
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
    return {status: _response(found) for status, found in _by_status(kinds).items()}


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
    shared = document["components"].setdefault("responses", {})
    for _, path, operation in operations(document):
        _complete(path, operation, shared)
    return document


def _complete(path: str, operation: Operation, shared: dict[str, Any]) -> None:
    """Replaces declared problems, and adds those that follow from the shape, as references to shared answers."""
    responses = operation["responses"]
    kinds = {*_declared(responses), *_implied(path, operation)}
    problems = _by_status(kind for kind in Kind if kind in kinds)
    kept = {status: answer for status, answer in responses.items() if not _is_error(status)}
    for status, found in problems.items():
        name = ".".join(found)
        shared[name] = _response(found)
        kept[str(status)] = {"$ref": f"#/components/responses/{name}"}
    operation["responses"] = dict(sorted(kept.items()))


def _declared(responses: Operation) -> Iterator[Kind]:
    for answer in responses.values():
        for name in answer.get("content", {}).get(MEDIA_TYPE, {}).get("examples", ()):
            yield Kind(name)


def _implied(path: str, operation: Operation) -> Iterator[Kind]:
    yield from (Kind.BAD_REQUEST, Kind.INTERNAL_ERROR, Kind.UNAVAILABLE)
    if operation.get("security"):
        yield Kind.UNAUTHENTICATED
        if _scoped(operation):
            yield from (Kind.MISSING_SCOPE, Kind.TENANT_SUSPENDED)
    if "{" in path:
        yield Kind.NOT_FOUND
    if "requestBody" in operation:
        yield from (Kind.MALFORMED_JSON, Kind.BODY_TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE)
    parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
    if "cursor" in parameters:
        yield Kind.INVALID_CURSOR
    if parameters or "requestBody" in operation:
        yield Kind.VALIDATION_FAILED


def _by_status(kinds: Iterable[Kind]) -> dict[int | str, list[Kind]]:
    found: dict[int | str, list[Kind]] = {}
    for kind in kinds:
        found.setdefault(TYPES[kind].status, []).append(kind)
    return found


def _is_error(status: str) -> bool:
    return status.startswith(("4", "5"))


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
