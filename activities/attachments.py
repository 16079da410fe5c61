"""Loads attachments: uploads from the database, links by one guarded download each."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from db import uploads
from db.session import Database
from domain.content import Attachment
from domain.errors import MediaRefused
from providers.downloads import Downloads

LARGEST_TOTAL = 20 * 1024 * 1024
"""Bytes that all attachments of one mail may have together; larger mails are refused by most receivers."""


class Attachments:
    """Loads the files of a message."""

    def __init__(self, database: Database, downloads: Downloads) -> None:
        self._database = database
        self._downloads = downloads

    async def load(self, tenant_id: UUID, wanted: Sequence[Mapping[str, Any]]) -> tuple[Attachment, ...]:
        """Returns the files in order.

        Raises:
            MediaRefused: One is missing, too large, or its link must not be followed.
            Unavailable: A link cannot be fetched at the moment.
        """
        loaded: list[Attachment] = []
        left = LARGEST_TOTAL
        for item in wanted:
            loaded.append(await self._one(tenant_id, item, left))
            left -= len(loaded[-1].body)
            if left < 0:
                raise MediaRefused(f"the attachments are larger than {LARGEST_TOTAL // 2**20} MiB together")
        return tuple(loaded)

    async def _one(self, tenant_id: UUID, item: Mapping[str, Any], left: int) -> Attachment:
        if upload_id := item.get("upload_id"):
            async with self._database.tenant(tenant_id) as connection:
                found = await uploads.read_body(connection, tenant_id, UUID(str(upload_id)))
            if found is None:
                raise MediaRefused("an upload that was to be attached was deleted or has expired")
            return Attachment(filename=found.filename, content_type=found.content_type, body=found.body)
        downloaded = await self._downloads.fetch(str(item["url"]), largest=left)
        name = item.get("filename") or downloaded.filename
        return Attachment(
            filename=name, content_type=item.get("content_type") or downloaded.content_type, body=downloaded.body
        )
