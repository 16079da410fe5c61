"""What became of the messages of a series: over which channel, to whom, with which text, or why not."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from db.delivery_tables import attempt, notification
from domain.notifications import Outcome
from testing.ground import Ground
from testing.interceptors import Made
from testing.transcript import Line


async def of_notification(ground: Ground, notification_id: UUID, made: Sequence[Made], sent_at: datetime) -> list[Line]:
    """Returns the lines of one message that a step sent."""
    async with ground.database.tenant(ground.tenant_id) as connection:
        asked = select(notification).where(notification.c.id == notification_id)
        row = (await connection.execute(asked)).mappings().one()
        attempts = select(attempt.c.message_id, attempt.c.number, attempt.c.reference)
        rows = await connection.execute(attempts.where(attempt.c.tenant_id == ground.tenant_id))
        references = {(str(one.message_id), one.number): one.reference for one in rows}
    own = [one for one in made if one.order.notification_id == str(notification_id)]
    lines = list(_told(own, references, ground.taken(), row["series_step"] or ""))
    if not any(one.came.outcome is Outcome.ACCEPTED for one in own):
        at = own[-1].at if own else row["send_at"] or sent_at
        told = ": ".join(filter(None, (row["status"], row["reason"])))
        lines.append(Line(at=at, kind="unsent", step=row["series_step"] or "", told=told))
    return lines


def _told(
    made: Sequence[Made],
    references: Mapping[tuple[str, int], str],
    taken: Mapping[str, dict[str, Any]],
    step: str,
) -> Iterator[Line]:
    for one in made:
        channel = one.order.hop.channel.value
        entry = taken.get(references.get((one.came.message_id or "", one.order.number), ""))
        if one.came.outcome is Outcome.ACCEPTED and entry is not None:
            yield Line(at=one.at, kind=channel, step=step, told=f"to {_address(entry)}: {_said(entry)}")
        elif one.came.outcome is not Outcome.ACCEPTED:
            reason = one.came.reason.value if one.came.reason else ""
            yield Line(at=one.at, kind=channel, step=step, told=f"{one.came.outcome.value}: {reason}")


def _address(entry: Mapping[str, Any]) -> str:
    return f"+{entry['to']}" if entry["provider"] == "meta" else str(entry["to"])


def _said(entry: Mapping[str, Any]) -> str:
    """Returns what the person reads, on one line."""
    if entry["provider"] == "meta":
        shown = (entry.get("template") or {}).get("shown") or {}
        text = str(shown.get("body") or (entry["body"].get("text") or {}).get("body") or entry["body"].get("type"))
        return " / ".join(text.split("\n"))
    return " / ".join([str(entry["subject"]), *str(entry["body"]["text"]).strip().split("\n")])
