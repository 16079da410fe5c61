"""Uploads over HTTP: files that notifications carry."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import File, Form, Path, Response, UploadFile
from pydantic import Field, TypeAdapter, ValidationError

from api.audit import record
from api.auth import Principal, needs
from api.file_types import type_fault
from api.models import Moment, Shown
from api.notification_models import FileName
from api.openapi import problem_responses
from api.problem_types import Kind
from api.problems import Problem, invalid, not_found
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from db import uploads
from domain.faults import Fault

router = noun_router("/v1/uploads", "Uploads")

Reader = Annotated[Principal, needs(Scope.NOTIFICATIONS_READ)]
Sender = Annotated[Principal, needs(Scope.NOTIFICATIONS_SEND)]
UploadId = Annotated[UUID, Path(description="The upload.")]
LARGEST = 16 * 1024 * 1024
_FILE_NAME: TypeAdapter[str] = TypeAdapter(FileName)


class Upload(Shown):
    """A file; name it in `attachments` as `{"upload_id": …}`."""

    id: UUID
    filename: str
    content_type: str
    size: int = Field(description="Bytes.")
    sha256: str
    created_at: datetime
    expires_at: datetime | None


@router.post("", status_code=201, summary="Upload a file", responses=problem_responses(Kind.BODY_TOO_LARGE))
async def create_upload(
    file: Annotated[UploadFile, File(description="At most 16 MiB, with its name and content type.")],
    principal: Sender,
    services: ServicesOf,
    response: Response,
    expires_at: Annotated[Moment | None, Form(description="Gone from then on; kept until deleted by default.")] = None,
) -> Upload:
    """Stores a file; it must be of a type that is taken, and look like it."""
    body = await file.read()
    content_type = (file.content_type or "").partition(";")[0].strip().lower()
    _check(file.filename or "", content_type, body)
    if expires_at is not None and expires_at <= services.now():
        raise invalid(Fault(pointer="/expires_at", message="this moment is over; the file would be gone at once"))
    async with services.database.tenant(principal.tenant_id) as connection:
        stored = await uploads.create(
            connection,
            principal.tenant_id,
            filename=file.filename or "",
            content_type=content_type,
            body=body,
            expires_at=expires_at,
        )
    response.headers["Location"] = f"/v1/uploads/{stored.id}"
    return Upload.model_validate(stored)


@router.get("/{upload_id}", summary="Read what is known of a file")
async def get_upload(upload_id: UploadId, principal: Reader, services: ServicesOf) -> Upload:
    """Returns name, type, size and digest of a file, as long as it has not expired."""
    async with services.database.tenant(principal.tenant_id) as connection:
        found = await uploads.get(connection, principal.tenant_id, upload_id)
    if found is None:
        raise not_found("upload")
    return Upload.model_validate(found)


@router.delete("/{upload_id}", status_code=204, summary="Delete a file")
async def delete_upload(upload_id: UploadId, principal: Sender, services: ServicesOf) -> None:
    """Deletes a file; a message that still should carry it is refused when its turn comes, and says why."""
    async with services.database.tenant(principal.tenant_id) as connection:
        if not await uploads.remove(connection, principal.tenant_id, upload_id):
            raise not_found("upload")
        await record(connection, principal, "upload.deleted", upload_id)


def _check(filename: str, content_type: str, body: bytes) -> None:
    if len(body) > LARGEST:
        raise Problem(Kind.BODY_TOO_LARGE, f"A file may have {LARGEST} bytes; send a smaller one.", limit=LARGEST)
    if not body:
        raise invalid(Fault(pointer="/file", message="the file is empty"))
    try:
        _FILE_NAME.validate_python(filename)
    except ValidationError as error:
        message = "a file name has 1 to 200 characters, and neither slashes, quotes nor control characters"
        raise invalid(Fault(pointer="/file", message=message)) from error
    if wrong := type_fault(content_type, body):
        raise invalid(Fault(pointer="/file", message=wrong))
