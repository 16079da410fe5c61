"""Wire models of what is parked, and of operations over it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import Field, StringConstraints

from api.models import Body, JsonObject, Moment, Shown, Text
from api.notification_filters import Wanted
from api.notification_views import Notification, sentence
from api.paging import Page
from db import series_lists
from db.operations import Operation as StoredOperation
from db.parked import Group as StoredGroup
from domain.operations import (
    DEFAULT_RATE,
    MOST_PER_SECOND,
    OperationKind,
    OperationState,
    OperationSubject,
    ParkedFilter,
)
from domain.reasons import Reason

_Short = Annotated[str, StringConstraints(min_length=1, max_length=256)]
_TRIGGER = "A `*` at the end stands for any rest."
_AFTER, _BEFORE = "Parked then or later.", "Parked before then."


class Wish(Body):
    """Which parked notifications are meant; what is left out does not restrict."""

    cause: Reason | None = None
    account: UUID | None = Field(default=None, description="The account whose trouble it is.")
    template: _Short | None = None
    resource_type: _Short | None = None
    resource_id: _Short | None = None
    trigger: _Short | None = Field(default=None, description=_TRIGGER)
    parked_after: Moment | None = Field(default=None, description=_AFTER)
    parked_before: Moment | None = Field(default=None, description=_BEFORE)

    def filter(self) -> ParkedFilter:
        """Returns what the database is asked for."""
        return ParkedFilter(account_id=self.account, **self.model_dump(exclude={"account"}))


class Change(Body):
    """What is to be done with parked notifications, and that somebody saw how many those are."""

    filter: Wish = Field(default_factory=Wish)
    rate: int = Field(default=DEFAULT_RATE, ge=1, le=MOST_PER_SECOND, description="How many of them in a second.")
    reason: Text | None = Field(default=None, description="Why; required to drop.")
    expected: int | None = Field(
        default=None, ge=0, le=2**31 - 1, description="The `count` that a dry run answered; required without `dry_run`."
    )


class WhyResume(Body):
    """Why one notification is to go on."""

    reason: Text | None = None


class WhyDrop(Body):
    """Why one notification is not to be sent any more."""

    reason: Text


class AccountName(Shown):
    """An account, as people call it."""

    id: UUID
    name: str | None = Field(description="Null where the account is not known any more.")


class ParkedGroup(Shown):
    """Notifications of one template that are parked for one cause at one account."""

    cause: str
    sentence: str | None = Field(description="The cause in words, with what to do about it.")
    account: AccountName | None
    template: str
    count: int
    oldest: datetime = Field(description="Since when the first of them is parked.")
    newest: datetime = Field(description="Since when the last of them is parked.")


class ParkedCounts(Shown):
    """How many notifications are parked, by what keeps them."""

    total: int
    groups: list[ParkedGroup]
    complete: bool = Field(description="False when there are more groups than are shown.")


class Preview(Shown):
    """What an operation would take up now; nothing was done."""

    count: int
    sample: list[Notification] = Field(description="Those that it would take up first.")


class Operation(Shown):
    """An operation over parked notifications or series, and how far it is."""

    id: UUID
    subject: OperationSubject = Field(description="What it takes up: parked notifications, or series.")
    kind: OperationKind
    filter: Wish | JsonObject = Field(description="As it was asked; of series, what restricted them.")
    rate: int = Field(description="How many in a second.")
    state: OperationState
    total: int = Field(description="How many it meant when it was created.")
    done: int = Field(description="How many it took up; the others went on or ended by themselves meanwhile.")
    refused: int = Field(description="Of series: how many it could do nothing with; its `/series` says why.")
    order: JsonObject = Field(description="What was asked besides the kind: a `step`, or `anchors`.")
    actor: str
    reason: str | None
    created_at: datetime
    finished_at: datetime | None


class OperationPage(Page[Operation]):
    """A page of operations."""


def shown(row: StoredOperation) -> Operation:
    """Returns an operation as callers see it."""
    own = {name: getattr(row, name) for name in Operation.model_fields if name != "filter"}
    if not isinstance(row.filter, ParkedFilter):
        return Operation(**own, filter=series_lists.as_document(row.filter))
    wanted = {name: getattr(row.filter, name) for name in Wish.model_fields if name != "account"}
    return Operation(**own, filter=Wish(account=row.filter.account_id, **wanted))


def shown_group(row: StoredGroup) -> ParkedGroup:
    """Returns a group as callers see it."""
    account = AccountName(id=row.account_id, name=row.account_name) if row.account_id else None
    return ParkedGroup(
        cause=row.cause,
        sentence=sentence(row.cause),
        account=account,
        template=row.template,
        count=row.count,
        oldest=row.oldest,
        newest=row.newest,
    )


async def _filter(
    *,
    cause: Reason | None = None,
    account: Annotated[UUID | None, Query(description="The account whose trouble it is.")] = None,
    template: Wanted = None,
    resource_type: Wanted = None,
    resource_id: Wanted = None,
    trigger: Annotated[str | None, Query(max_length=256, description=_TRIGGER)] = None,
    parked_after: Annotated[Moment | None, Query(description=_AFTER)] = None,
    parked_before: Annotated[Moment | None, Query(description=_BEFORE)] = None,
) -> ParkedFilter:
    return ParkedFilter(
        cause=cause,
        account_id=account,
        template=template,
        resource_type=resource_type,
        resource_id=resource_id,
        trigger=trigger,
        parked_after=parked_after,
        parked_before=parked_before,
    )


ParkedFilterOf = Annotated[ParkedFilter, Depends(_filter)]
