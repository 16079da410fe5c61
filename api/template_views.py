"""Wire models of what callers read of templates: versions, what changed, what would be sent."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from activities.prepared_versions import parts_of, schema_of
from api.models import Json, JsonObject, Shown
from api.paging import Page
from db.templates import Template as StoredTemplate
from db.templates import Version as StoredVersion
from domain.recipients import Channel
from domain.template_diff import Change
from domain.templates import TemplateVersion, VersionState


class Template(Shown):
    """A template; no version is published as long as `published_version` is null."""

    id: UUID
    name: str
    description: str
    channels: list[Channel]
    defaults: JsonObject
    topic: str | None
    published_version: int | None
    latest_version: int
    created_at: datetime
    updated_at: datetime


class TemplatePage(Page[Template]):
    """A page of templates."""


class VersionSummary(Shown):
    """A version without its content."""

    number: int
    state: VersionState
    note: str
    content_hash: str
    channels: list[Channel]
    locales: list[str]
    created_by: str | None
    created_at: datetime
    published_at: datetime | None


class Version(VersionSummary):
    """A version; its content never changes."""

    parts: list[JsonObject]
    variables: list[JsonObject]


class VersionPage(Page[VersionSummary]):
    """A page of versions."""


class ShownChange(Shown):
    """One field that differs; texts of several lines as a unified diff."""

    part: str
    pointer: str
    kind: Literal["added", "removed", "changed"]
    before: Json
    after: Json
    lines: list[str]


class Difference(Shown):
    """What changed from one version to another."""

    from_version: int
    to_version: int
    changes: list[ShownChange]


class Segments(Shown):
    """How a text message travels."""

    encoding: Literal["gsm7", "ucs2"]
    units: int
    segments: int
    left: int


class Previewed(Shown):
    """What would be sent; `skipped` says why nothing would."""

    channel: Channel
    locale: str = Field(description="The locale whose part was chosen.")
    content: JsonObject | None
    follow_up: JsonObject | None
    segments: Segments | None
    skipped: str | None
    warnings: list[str]
    snapshot_hash: str


def shown(row: StoredTemplate) -> Template:
    """Returns a template as callers see it."""
    return Template(
        id=row.id,
        name=row.name,
        description=row.description,
        channels=[Channel(name) for name in row.channels],
        defaults=dict(row.defaults),
        topic=row.topic,
        published_version=row.published_number,
        latest_version=row.latest_number,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def shown_summary(of: StoredTemplate, row: StoredVersion) -> VersionSummary:
    """Returns a version without its content."""
    return VersionSummary(**_summary(of, row))


def shown_version(of: StoredTemplate, row: StoredVersion) -> Version:
    """Returns a version with its content."""
    parts, variables = [dict(item) for item in row.parts], [dict(item) for item in row.variables]
    return Version(**_summary(of, row), parts=parts, variables=variables)


def shown_changes(changes: Sequence[Change]) -> list[ShownChange]:
    """Returns what changed as callers see it."""
    return [ShownChange.model_validate(change) for change in changes]


def domain_version(of: StoredTemplate, row: StoredVersion) -> TemplateVersion:
    """Returns a stored version as the domain knows it."""
    return TemplateVersion(
        name=of.name, number=row.number, parts=parts_of(row), variables=schema_of(row), state=_state(of, row)
    )


def _summary(of: StoredTemplate, row: StoredVersion) -> dict[str, Any]:
    return {
        "number": row.number,
        "state": _state(of, row),
        "note": row.note,
        "content_hash": row.content_hash,
        "channels": list(dict.fromkeys(item["channel"] for item in row.parts)),
        "locales": list(dict.fromkeys(item["locale"] for item in row.parts)),
        "created_by": row.created_by,
        "created_at": row.created_at,
        "published_at": row.published_at,
    }


def _state(of: StoredTemplate, row: StoredVersion) -> VersionState:
    if of.published_number == row.number:
        return VersionState.PUBLISHED
    return VersionState.SUPERSEDED if row.published_at is not None else VersionState.DRAFT
