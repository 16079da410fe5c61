"""Uploads: files of known types, looked at, kept until they expire or are deleted."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from db import uploads
from db.session import Database
from tests.api import sending

PDF = b"%PDF-1.7\n..."
PNG = b"\x89PNG\r\n\x1a\n..."


async def _upload(
    client: httpx.AsyncClient, name: str = "bill.pdf", body: bytes = PDF, kind: str = "application/pdf", **form: str
) -> httpx.Response:
    return await client.post("/v1/uploads", files={"file": (name, body, kind)}, data=form)


async def test_a_file_is_stored_read_and_deleted(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    answer = await _upload(client, "Rechnung März.pdf", expires_at=later)
    stored = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/v1/uploads/{stored['id']}")
    assert (stored["filename"], stored["content_type"], stored["size"]) == (
        "Rechnung März.pdf",
        "application/pdf",
        len(PDF),
    )
    assert stored["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert (await client.get(answer.headers["Location"])).json() == stored
    async with database.tenant(tenant_id) as connection:
        kept = await uploads.read_body(connection, tenant_id, UUID(stored["id"]))
    assert kept is not None
    assert (kept.filename, kept.content_type, kept.body) == ("Rechnung März.pdf", "application/pdf", PDF)
    assert (await client.delete(answer.headers["Location"])).status_code == 204
    assert (await client.get(answer.headers["Location"])).status_code == 404
    assert (await client.delete(answer.headers["Location"])).status_code == 404
    (entry,) = (await client.get("/v1/audit?action=upload.deleted")).json()["data"]
    assert entry["subject_id"] == stored["id"]


async def test_an_expired_file_is_gone(client: httpx.AsyncClient, database: Database, tenant_id: UUID) -> None:
    await sending.publish(client, sending.EMAIL)
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    stored = (await _upload(client, expires_at=later)).json()
    asked: dict[str, Any] = {"to": {"email": "a@example.org"}, "attachments": [{"upload_id": stored["id"]}]}
    assert (await sending.post(client, **asked)).status_code == 202
    async with database.system() as connection:
        await connection.execute(text("SELECT set_config('role', 'none', true)"))
        await connection.execute(text("UPDATE upload SET expires_at = now() - interval '1 second'"))
    assert (await client.get(f"/v1/uploads/{stored['id']}")).status_code == 404
    answer = await sending.post(client, **asked)
    assert answer.json()["errors"][0]["pointer"] == "/attachments/0/upload_id"
    async with database.tenant(tenant_id) as connection:
        assert await uploads.read_body(connection, tenant_id, UUID(stored["id"])) is None


async def test_an_upload_brings_its_name_and_type(client: httpx.AsyncClient) -> None:
    await sending.publish(client, sending.EMAIL)
    stored = (await _upload(client)).json()
    files = [{"upload_id": stored["id"]}, {"upload_id": stored["id"], "filename": "other.pdf"}]
    name = await sending.send(client, to={"email": "a@example.org"}, attachments=files)
    shown = (await client.get(f"/v1/notifications/{name}")).json()["attachments"]
    assert [(item["filename"], item["content_type"]) for item in shown] == [
        ("bill.pdf", "application/pdf"),
        ("other.pdf", "application/pdf"),
    ]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("image/png", PNG),
        ("image/jpeg", b"\xff\xd8\xff\xe0..."),
        ("image/gif", b"GIF89a..."),
        ("image/webp", b"RIFF\x00\x00\x00\x00WEBP..."),
        ("video/mp4", b"\x00\x00\x00\x18ftypmp42"),
        ("audio/ogg", b"OggS..."),
        ("text/csv; charset=utf-8", "a;ä".encode()),
        ("text/calendar", b"BEGIN:VCALENDAR\r\n"),
        ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK\x03\x04..."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_files_that_are_what_they_say_are_taken(client: httpx.AsyncClient, kind: str, body: bytes) -> None:
    answer = await _upload(client, "file", body, kind)
    assert (answer.status_code, answer.json()["content_type"]) == (201, kind.partition(";")[0])


@pytest.mark.parametrize(
    ("name", "body", "kind", "said"),
    [
        ("a.pdf", PNG, "application/pdf", "does not look like"),
        ("a.txt", b"\x00\x01", "text/plain", "does not look like"),
        ("a.txt", b"\xff\xfe", "text/plain", "does not look like"),
        ("a.ics", b"hello", "text/calendar", "does not look like"),
        ("a.html", b"<script>", "text/html", "not taken"),
        ("a.svg", b"<svg/>", "image/svg+xml", "not taken"),
        ("a.exe", b"MZ", "application/octet-stream", "not taken"),
        ("a.pdf", b"", "application/pdf", "empty"),
        ("a/b.pdf", PDF, "application/pdf", "slashes"),
        ("x" * 201, PDF, "application/pdf", "200 characters"),
    ],
    ids=["other type", "binary", "not UTF-8", "no calendar", "HTML", "SVG", "program", "empty", "path", "long name"],
)
async def test_what_should_not_be_sent_to_people_is_refused(
    client: httpx.AsyncClient, name: str, body: bytes, kind: str, said: str
) -> None:
    answer = await _upload(client, name, body, kind)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/file"), answer.text
    assert said in answer.json()["detail"]


async def test_a_file_of_sixteen_mebibytes_is_the_largest(client: httpx.AsyncClient) -> None:
    largest = PDF.ljust(16 * 1024 * 1024, b" ")
    assert (await _upload(client, body=largest)).json()["size"] == len(largest)
    answers = [await _upload(client, body=largest + b" "), await _upload(client, body=largest.ljust(17 * 1024 * 1024))]
    assert [answer.status_code for answer in answers] == [413, 413]
    assert {answer.json()["type"] for answer in answers} == {"urn:carillon:problem:body-too-large"}


async def test_a_request_without_a_file_is_refused(client: httpx.AsyncClient) -> None:
    for answer in (
        await client.post("/v1/uploads", data={"expires_at": "2099-01-01T00:00:00Z"}),
        await client.post("/v1/uploads", json={}),
        await client.post("/v1/uploads", files={"file": (None, "text")}),
        await _upload(client, expires_at="2020-01-01T00:00:00Z"),
        await _upload(client, expires_at="tomorrow"),
    ):
        assert answer.status_code == 422, answer.text
