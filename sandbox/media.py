"""Uploaded media, kept as files beside the journal so that they outlive a restart.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media
"""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.graph_errors import GraphError, malformed
from sandbox.identifiers import numeric_id

URL_LIFETIME = 300
_MIB = 1024 * 1024
LIMITS: dict[str, int] = {
    **dict.fromkeys(("image/jpeg", "image/png"), 5 * _MIB),
    "image/webp": 500 * 1024,
    **dict.fromkeys(("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"), 16 * _MIB),
    **dict.fromkeys(("video/mp4", "video/3gpp"), 16 * _MIB),
    **dict.fromkeys(
        (
            "text/plain",
            "application/pdf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ),
        100 * _MIB,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """One uploaded or received file."""

    id: str
    number_id: str
    mime_type: str
    sha256: str
    file_size: int


class MediaStore:
    """Keeps media in a folder; addresses to download them are handed out for five minutes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tickets: dict[str, tuple[str, float]] = {}

    def add(self, number_id: str, mime_type: str, content: bytes) -> Medium:
        """Stores a file, or refuses it as the vendor does for its type or size."""
        kind = mime_type.partition(";")[0].strip().lower()
        if kind not in LIMITS:
            raise malformed(
                f"Param file must be a file with one of the following types: {', '.join(LIMITS)}. "
                f"Received file of type '{kind}'."
            )
        if not content or len(content) > LIMITS[kind]:
            raise GraphError(code=131053, details=f"The file is empty or larger than {LIMITS[kind]} bytes.")
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        medium = Medium(
            id=numeric_id(), number_id=number_id, mime_type=mime_type, sha256=digest, file_size=len(content)
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{medium.id}.bin").write_bytes(content)
        (self._folder / f"{medium.id}.json").write_text(json.dumps(asdict(medium)), encoding="utf-8")
        return medium

    def find(self, media_id: str) -> Medium | None:
        """Returns a medium by its id."""
        facts = self._folder / f"{media_id}.json"
        if not media_id.isdecimal() or not facts.is_file():
            return None
        return Medium(**json.loads(facts.read_text(encoding="utf-8")))

    def has(self, media_id: str) -> bool:
        """Tells whether a medium exists."""
        return self.find(media_id) is not None

    def content(self, medium: Medium) -> bytes:
        """Returns the bytes of a medium."""
        return (self._folder / f"{medium.id}.bin").read_bytes()

    def delete(self, medium: Medium) -> None:
        """Forgets a medium."""
        for ending in ("json", "bin"):
            (self._folder / f"{medium.id}.{ending}").unlink(missing_ok=True)

    def ticket(self, medium: Medium) -> str:
        """Returns a secret path part under which the medium may be fetched for a while."""
        now = time.monotonic()
        self._tickets = {ticket: kept for ticket, kept in self._tickets.items() if kept[1] > now}
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = (medium.id, now + URL_LIFETIME)
        return ticket

    def redeem(self, ticket: str) -> Medium | None:
        """Returns the medium a ticket stands for, None if it is unknown or too old."""
        media_id, until = self._tickets.get(ticket, ("", 0.0))
        return self.find(media_id) if until > time.monotonic() else None
