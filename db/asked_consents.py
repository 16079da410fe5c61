"""What stands of the consent that series ask for."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import addresses, consents, topics
from db.consents import Subject
from db.series import Series
from domain.flow_consents import standing_among
from domain.flow_steps import Confirm
from domain.recipients import CARRIES, Channel


async def standing_consents(
    connection: AsyncConnection, tenant_id: UUID, row: Series, questions: Sequence[Confirm]
) -> Mapping[str, str]:
    """Returns what stands of each consent that the steps of a series ask for, by the step."""
    if not questions:
        return {}
    subjects = await _subjects(connection, tenant_id, row)
    choices = [one.choice() for one in await consents.of_subjects(connection, tenant_id, subjects)]
    kinds = {one.kind for one in subjects}
    used = {name: await _channels(connection, tenant_id, name, kinds) for name in {step.topic for step in questions}}
    return {step.id: standing_among(step, used[step.topic], choices) for step in questions}


async def _subjects(connection: AsyncConnection, tenant_id: UUID, row: Series) -> list[Subject]:
    if row.receiver_id is None:
        return [Subject(row.to_kind, row.to)]
    owned = (await addresses.of_recipients(connection, tenant_id, [row.receiver_id]))[row.receiver_id]
    return [Subject.recipient(row.receiver_id), *(Subject(one.kind, one.value) for one in owned)]


async def _channels(
    connection: AsyncConnection, tenant_id: UUID, name: str, kinds: Collection[str]
) -> Collection[Channel]:
    """Returns the channels of a topic that reach somebody; all of the topic's where none does.

    A topic that names no channels, or is not there, may use every one.
    """
    topic = await topics.get(connection, tenant_id, name)
    named = [Channel(one) for one in topic.channels] if topic is not None and topic.channels else list(Channel)
    return [channel for channel in named if any(kind.value in kinds for kind in CARRIES[channel])] or named
