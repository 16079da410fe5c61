"""Which notifications a list shows, from the query of its request."""

import json
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Query, Request

from api.models import Moment
from api.recipient_models import spellings
from db.notifications import Filter
from domain.reasons import Reason
from domain.recipients import Channel
from domain.status import Status

Wanted = Annotated[str | None, Query(max_length=256)]
_METADATA = "metadata."


async def _of_series(
    *,
    series_id: UUID | None = None,
    series_step: Annotated[str | None, Query(max_length=64)] = None,
    answered: Annotated[bool | None, Query(description="Somebody replied to it, or tapped one of its buttons.")] = None,
    acted_on: Annotated[str | None, Query(max_length=256, description="What the button says that was tapped.")] = None,
) -> dict[str, Any]:
    return {"series_id": series_id, "series_step": series_step, "answered": answered, "acted_on": acted_on}


async def _filter(
    request: Request,
    *,
    resource_type: Wanted = None,
    resource_id: Wanted = None,
    trigger: Annotated[str | None, Query(max_length=129, description="A `*` at the end stands for any rest.")] = None,
    recipient: Annotated[str | None, Query(max_length=128, description="Your own id of the recipient.")] = None,
    to: Annotated[str | None, Query(max_length=320, description="The address or recipient as it was given.")] = None,
    status: Annotated[list[Status] | None, Query(description="One of these.")] = None,
    channel: Channel | None = None,
    template: Wanted = None,
    parked: Annotated[
        Literal["true"] | Reason | None, Query(description="Parked for this cause, or `true`: for whichever.")
    ] = None,
    created_after: Moment | None = None,
    created_before: Moment | None = None,
    idempotency_key: Wanted = None,
    original_notification_id: UUID | None = None,
    of_series: Annotated[dict[str, Any], Depends(_of_series)],
) -> Filter:
    return Filter(
        resource_type=resource_type,
        resource_id=resource_id,
        trigger=trigger,
        recipient=recipient,
        to=[to, *spellings(to)] if to is not None else None,
        status=[item.value for item in status or ()],
        channel=channel.value if channel else None,
        template=template,
        parked=parked,
        created_after=created_after,
        created_before=created_before,
        metadata=_metadata(request),
        idempotency_key=idempotency_key,
        original_notification_id=original_notification_id,
        **of_series,
    )


FilterOf = Annotated[Filter, Depends(_filter)]


def _metadata(request: Request) -> list[list[dict[str, Any]]]:
    """Returns what the metadata must hold: a value may have been written as text or as the JSON that it looks like."""
    return [
        [{name.removeprefix(_METADATA): reading} for reading in _readings(value)]
        for name, value in request.query_params.multi_items()
        if name.startswith(_METADATA)
    ]


def _readings(value: str) -> list[Any]:
    try:
        read = json.loads(value)
    except ValueError:
        return [value]
    return [value, read] if isinstance(read, bool | int) else [value]
