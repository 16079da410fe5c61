"""Series over HTTP: found, read with all that they decided, and what is still to come."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.programs import Programs
from activities.series_facts import state_of_series
from api.auth import Principal, needs
from api.etags import etag
from api.flows import PreviewEntry, bounded_judge, shown_entry
from api.models import Moment, Shown
from api.paging import PagingOf
from api.problems import not_found
from api.routing import noun_router
from api.scopes import Scope
from api.series_models import (
    SeriesDetail,
    SeriesId,
    SeriesLine,
    SeriesLinePage,
    SeriesPage,
    shown,
    shown_in_full,
)
from api.services import ServicesOf
from db import series, series_lists
from db.series import Series
from db.series_lists import SeriesFilter
from domain.flow_preview import simulate

router = noun_router("/v1/series", "Series")

Reader = Annotated[Principal, needs(Scope.SERIES_READ)]
Writer = Annotated[Principal, needs(Scope.SERIES_WRITE)]
_PROGRAMS = Programs()


class Upcoming(Shown):
    """What a series will do if nothing more is heard, by its flow, its dates and its data as they are now."""

    zone: str | None = Field(description="Whose clock counts; null when it is over.")
    entries: list[PreviewEntry]


async def _filter(
    *,
    flow: Annotated[str | None, Query(max_length=128)] = None,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    status: Annotated[Literal["running", "paused", "parked", "completed", "stopped"] | None, Query()] = None,
    step: Annotated[str | None, Query(max_length=64)] = None,
    key: Annotated[str | None, Query(max_length=255)] = None,
    to: Annotated[str | None, Query(max_length=320, description="A recipient's id, or an address.")] = None,
    resource_type: Annotated[str | None, Query(max_length=128)] = None,
    resource_id: Annotated[str | None, Query(max_length=256)] = None,
    cause: Annotated[str | None, Query(max_length=64, description="Why it is parked or ended.")] = None,
    next_before: Annotated[Moment | None, Query(description="Goes on by itself before this.")] = None,
) -> SeriesFilter:
    return SeriesFilter(
        flow=flow,
        version=version,
        status=status,
        step=step,
        key=key,
        to=to,
        resource_type=resource_type,
        resource_id=resource_id,
        cause=cause,
        next_before=next_before,
    )


@router.get("", summary="List series")
async def list_series(
    principal: Reader, services: ServicesOf, paging: PagingOf, wanted: Annotated[SeriesFilter, Depends(_filter)]
) -> SeriesPage:
    """Returns series, the newest first; each says where it stands and when it goes on."""
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await series_lists.page(
            connection, principal.tenant_id, wanted=wanted, limit=paging.fetch, before=paging.before
        )
    return paging.page(SeriesPage, rows, shown)


@router.get("/{series_id}", summary="Read a series")
async def get_series(series_id: SeriesId, principal: Reader, services: ServicesOf, response: Response) -> SeriesDetail:
    """Returns a series with its data, its dates and what came of its steps."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await found(connection, principal.tenant_id, series_id)
    response.headers["ETag"] = etag(row.updated_at)
    return shown_in_full(row)


@router.get("/{series_id}/timeline", summary="Read what a series did")
async def get_series_timeline(
    series_id: SeriesId, principal: Reader, services: ServicesOf, paging: PagingOf
) -> SeriesLinePage:
    """Returns what a series did and decided, the newest first, with the conditions and what they saw."""
    async with services.database.tenant(principal.tenant_id) as connection:
        await found(connection, principal.tenant_id, series_id)
        rows = await series_lists.timeline(
            connection, principal.tenant_id, series_id, limit=paging.fetch, before=paging.before
        )
    return paging.page(SeriesLinePage, rows, SeriesLine.model_validate)


@router.get("/{series_id}/upcoming", summary="Read what a series will do")
async def get_series_upcoming(series_id: SeriesId, principal: Reader, services: ServicesOf) -> Upcoming:
    """Returns what is still to come if nothing more is heard; of a series that is over, nothing."""
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        row = await found(connection, tenant_id, series_id)
        if row.ended_at is not None:
            return Upcoming(zone=None, entries=[])
        program = await _PROGRAMS.get(connection, tenant_id, row.flow_version_id)
        state = await state_of_series(connection, tenant_id, row, program.flow)
    entries = await asyncio.to_thread(simulate, program, state, bounded_judge(), begin=datetime.now(UTC))
    return Upcoming(zone=state.zone, entries=[shown_entry(entry) for entry in entries])


async def found(connection: AsyncConnection, tenant_id: UUID, series_id: UUID, *, lock: bool = False) -> Series:
    """Returns a series, or raises that there is none."""
    row = await series.get(connection, tenant_id, series_id, lock=lock)
    if row is None:
        raise not_found("series")
    return row
