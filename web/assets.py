"""The styles, script and icon of the pages, named by their content so that browsers keep them for ever."""

import hashlib
from pathlib import Path

from fastapi import APIRouter, Response

router = APIRouter(prefix="/console/static", include_in_schema=False)

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    "console.css": "text/css; charset=utf-8",
    "preferences.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_BODIES = {name: (_FOLDER / name).read_bytes() for name in _TYPES}
_KEEP = {"Cache-Control": "public, max-age=31536000, immutable"}


@router.get("/{digest}/{name}")
async def asset(digest: str, name: str) -> Response:
    """Returns a file of the console in the version that its address names."""
    if name not in _BODIES or digest != _digest(name):
        return Response(status_code=404)
    return Response(_BODIES[name], media_type=_TYPES[name], headers=_KEEP)


def asset_url(name: str) -> str:
    """Returns the address of a file in its present version."""
    return f"{router.prefix}/{_digest(name)}/{name}"


def _digest(name: str) -> str:
    return hashlib.sha256(_BODIES[name]).hexdigest()[:12]
