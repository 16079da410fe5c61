"""The JSON Schema of flow files, as editors get it: as strict as the reader, as far as shapes go."""

import json
from functools import cache
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Header
from starlette.responses import Response

from api.flow_models import FlowFile

router = APIRouter(prefix="/v1/flows", tags=["Flows"], generate_unique_id_function=lambda route: route.name)

MEDIA_TYPE = "application/schema+json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@router.get(
    "/schema",
    summary="The JSON Schema of flow files",
    responses={
        200: {"description": "The schema.", "content": {MEDIA_TYPE: {"schema": {"type": "object"}}}},
        304: {"description": "It is still what `If-None-Match` names."},
    },
    response_class=Response,
)
async def get_flow_schema(if_none_match: Annotated[str | None, Header(max_length=1000)] = None) -> Response:
    """Returns the schema for editors, which send no key: it is the same for everybody and tells nothing of anybody."""
    body, tag = _written()
    headers = {"ETag": tag, "Cache-Control": "public, max-age=3600", "Access-Control-Allow-Origin": "*"}
    if if_none_match is not None and tag in {one.strip().removeprefix("W/") for one in if_none_match.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=MEDIA_TYPE, headers=headers)


def flow_schema() -> dict[str, Any]:
    """Returns the JSON Schema of flow files."""
    found = FlowFile.model_json_schema()
    _close(found)
    return {"$schema": _DIALECT, "title": "Carillon flow", **{k: v for k, v in found.items() if k != "title"}}


@cache
def _written() -> tuple[bytes, str]:
    body = json.dumps(flow_schema(), indent=1).encode()
    return body, f'"{sha256(body).hexdigest()[:32]}"'


def _close(schema: Any) -> None:
    """Lets objects with named patterns have no other members, as the reader does."""
    if isinstance(schema, dict):
        if "patternProperties" in schema:
            schema.setdefault("additionalProperties", False)
        for inner in schema.values():
            _close(inner)
    elif isinstance(schema, list):
        for inner in schema:
            _close(inner)
