"""Replies and taps find what they answer: by their button, by what they quote, else by who waits for them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import held_replies, reply_rows
from db.callbacks import NewInbound
from db.held_replies import NewHeld
from db.reply_rows import Answer, Referred, Sent
from db.series_hearing import NewHearing, Told, hear
from domain.replies import Answered, FoundBy, HeldFor, Meant, Seal, Unclear, heard_as, meaning

_LATEST = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """A message that says something to somebody, what series hear of it, and what it means."""

    message: NewInbound
    heard: str
    about: Referred
    meant: Meant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A message with the notification that it answers and the series that hears it."""

    said: _Said
    sent: Sent | None
    series_id: UUID | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """What messages mean: those of which it is known, and those that are for a person to judge."""

    known: Sequence[_Known]
    unclear: Sequence[tuple[NewInbound, Unclear]]

    @property
    def notifications(self) -> set[UUID]:
        """The notifications that are answered."""
        return {one.sent.id for one in self.known if one.sent is not None}

    @property
    def series(self) -> set[UUID]:
        """The series that hear of it."""
        return {one.series_id for one in self.known if one.series_id is not None}


async def tell(connection: AsyncConnection, tenant_id: UUID, messages: Sequence[NewInbound]) -> None:
    """Lets series hear the new inbound messages that mean them, and keeps for a person what is unclear."""
    await pass_on(connection, tenant_id, await understand(connection, tenant_id, messages))


async def understand(
    connection: AsyncConnection,
    tenant_id: UUID,
    messages: Sequence[NewInbound],
    *,
    taken: Collection[UUID] = (),
    proven: Mapping[str, UUID] = MappingProxyType({}),
) -> Understood:
    """Finds what new inbound messages mean, and changes nothing.

    `taken` are notifications of which the caller is about to write down that a provider took them, `proven` messages
    by the provider's ids that it is about to write down.
    """
    heard = [(one, heard_as(one.kind, tap=one.tap, body=one.body)) for one in messages]
    speaking = [(one, kind) for one, kind in heard if kind is not None]
    if not speaking:
        return Understood(known=(), unclear=())
    kinds = [kind for _, kind in speaking]
    abouts = await reply_rows.referred(connection, tenant_id, [one for one, _ in speaking], kinds, proven)
    said, unclear = [], []
    for (one, kind), about in zip(speaking, abouts, strict=True):
        meant = _meant(one, about)
        if isinstance(meant, Unclear):
            unclear.append((one, meant))
        else:
            said.append(_Said(message=one, heard=kind, about=about, meant=meant))
    return Understood(known=await _known(connection, tenant_id, said, taken), unclear=unclear)


async def pass_on(connection: AsyncConnection, tenant_id: UUID, understood: Understood) -> None:
    """Lets series hear what means them, and keeps for a person what is unclear, and what none could hear any more."""
    await _hold(connection, tenant_id, understood.unclear)
    told = await note(connection, tenant_id, understood.known)
    await _hold(connection, tenant_id, _unheard(understood.known, told))


async def give(
    connection: AsyncConnection, tenant_id: UUID, message: NewInbound, series_id: UUID
) -> Literal["heard", "full", "over"]:
    """Lets a series hear a message that a person gave to it; one that is over or heard too much already does not."""
    tap = Seal(message.tap) if message.tap else None
    heard = heard_as(message.kind, tap=tap, body=message.body) or "reply"
    latest = await reply_rows.latest_of_series(connection, tenant_id, [series_id])
    about = Referred(tapped=None, quoted=None, waiting=(), running=())
    said = _Said(message=message, heard=heard, about=about, meant=None)
    known = _Known(said=said, sent=latest.get(series_id), series_id=series_id, by=FoundBy.PERSON)
    told = await note(connection, tenant_id, [known])
    if told.heard:
        return "heard"
    return "full" if told.full else "over"


async def note(connection: AsyncConnection, tenant_id: UUID, known: Sequence[_Known]) -> Told:
    """Writes down what messages answer, and lets their series hear them."""
    found = [(one.said.message.id, one.sent.id if one.sent else None, one.series_id, str(one.by)) for one in known]
    await reply_rows.note_found(connection, tenant_id, found)
    answering = [(one, one.sent) for one in known if one.sent is not None]
    answers = [
        Answer(
            notification_id=sent.id,
            kind=one.said.heard,
            at=one.said.message.occurred_at,
            button=one.said.message.payload,
        )
        for one, sent in answering
    ]
    counts = await reply_rows.note_answers(connection, tenant_id, answers) if answers else []
    # A tap that a person gives counted when it came, which is no reason not to hear it now.
    counted = zip(answering, counts, strict=True)
    idle = {id(one) for (one, _), counting in counted if not counting and one.by != FoundBy.PERSON}
    news = [_news(one, one.series_id) for one in known if one.series_id is not None and id(one) not in idle]
    return await hear(connection, tenant_id, news)


def _meant(message: NewInbound, about: Referred) -> Meant | Unclear | None:
    sent, by = (about.tapped, FoundBy.BUTTON) if about.tapped else (about.quoted, FoundBy.QUOTED)
    answered = None
    if sent is not None:
        answered = Answered(
            notification_id=str(sent.id), series_id=str(sent.series_id) if sent.series_id else None, by=by
        )
    return meaning(
        tap=Seal(message.tap) if message.tap else None,
        answered=answered,
        waiting=tuple(map(str, about.waiting)),
        running=tuple(map(str, about.running)),
        reacts=message.kind == "reaction",
    )


async def _hold(connection: AsyncConnection, tenant_id: UUID, unclear: Sequence[tuple[NewInbound, Unclear]]) -> None:
    held = [
        NewHeld(
            inbound_message_id=message.id,
            reason=found.reason.value,
            candidates=[UUID(name) for name in found.candidates],
        )
        for message, found in unclear
    ]
    await held_replies.hold(connection, tenant_id, held)


def _unheard(known: Sequence[_Known], told: Told) -> list[tuple[NewInbound, Unclear]]:
    """Returns what people said to a series that keeps no more; reactions are for nobody to look at."""
    said = {_cause(one.said.message): one.said.message for one in known}
    return [
        (said[one.cause], Unclear(reason=HeldFor.FULL, candidates=(str(one.series_id),)))
        for one in told.full
        if one.kind != "reaction"
    ]


async def _known(
    connection: AsyncConnection, tenant_id: UUID, said: Sequence[_Said], taken: Collection[UUID]
) -> list[_Known]:
    """Returns messages with what they answer: where they do not say it themselves, what was sent last."""
    heard_by = {one.message.id: series_id for one in said if (series_id := _alone(one)) is not None}
    strangers = {(one.message.author_kind, one.message.author) for one in said if one.meant is None}
    latest = await reply_rows.latest_of_series(connection, tenant_id, sorted(set(heard_by.values())), taken)
    former = await reply_rows.latest_to(connection, tenant_id, sorted(strangers), taken)
    known = []
    for one in said:
        sent, series_id = one.about.tapped or one.about.quoted, heard_by.get(one.message.id)
        if one.meant is None:
            sent = former.get((one.message.author_kind, one.message.author))
            known += [_Known(said=one, sent=sent, series_id=None, by=_LATEST)] if sent else []
        elif series_id is not None:
            known.append(_Known(said=one, sent=latest.get(series_id), series_id=series_id, by=one.meant.by))
        elif sent is not None:
            known.append(_Known(said=one, sent=sent, series_id=sent.series_id, by=one.meant.by))
    return known


def _alone(one: _Said) -> UUID | None:
    """Returns the series that a message means by being the only one; what it answers is to be found out."""
    if isinstance(one.meant, Meant) and one.meant.series_id and one.meant.by in {FoundBy.WAITING, FoundBy.ONLY}:
        return UUID(one.meant.series_id)
    return None


def _news(one: _Known, series_id: UUID) -> NewHearing:
    message, sent = one.said.message, one.sent
    names = {"tap": message.payload, "reaction": message.body}
    return NewHearing(
        series_id=series_id,
        cause=_cause(message),
        kind=one.said.heard,
        name=names.get(one.said.heard),
        at=message.occurred_at,
        data={
            "kind": message.kind,
            "text": message.body,
            "payload": message.payload,
            "media_id": message.media_id,
            "media_type": message.media_type,
            "notification_id": str(sent.id) if sent else None,
            "step": sent.step if sent else None,
        },
    )


def _cause(message: NewInbound) -> str:
    return f"inbound/{message.provider}/{message.event_key}"
