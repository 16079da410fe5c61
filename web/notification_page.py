"""The page of one notification: where it stands and why, facts, messages, attempts, and everything that happened."""

from typing import Annotated

from fastapi import Query, Request, Response

from api.explaining import QUARANTINES, explained
from api.notification_models import NotificationId
from api.notification_views import shown_in_full
from api.problems import not_found
from api.scopes import Scope
from api.sentences import summary
from api.services import Services, ServicesOf
from api.timeline import MOST_ENTRIES
from db import notifications, outlook, timeline
from db.notifications import Notification
from domain import keys
from domain.reasons import Reason
from domain.remedies import REMEDIES
from web.notification_list import Reader
from web.recipient_choices import choices_of
from web.rendering import render
from web.routing import page_router
from web.session import Session
from web.temporal_links import run_url

router = page_router("/notifications")

OUTCOMES = {
    "stopped": "Stopped: nothing was sent, and nothing will be.",
    "too_late": "Too late: a message was handed to a provider, or may have been; nothing follows it.",
    "ended": "It had ended already without anything being sent.",
    "resumed": "Resumed: its run goes on and tries again.",
    "dropped": "Dropped: nothing of it will be sent any more.",
    "settled": "Settled: it counts as you said, unless its provider says otherwise later.",
    "resent": "Accepted: this is the new notification that sends the former one again.",
}
"""What an action achieved, as the page that follows it says it."""


@router.get("/{notification_id}")
async def notification_page(
    request: Request,
    notification_id: NotificationId,
    session: Reader,
    services: ServicesOf,
    outcome: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    """Shows a notification."""
    tenant_id = session.principal.tenant_id
    async with services.database.snapshot(tenant_id) as connection:
        row = await notifications.get(connection, tenant_id, notification_id)
        ledger = await outlook.read(connection, tenant_id, notification_id, quarantines=QUARANTINES, now=services.now())
        if row is None or ledger is None:
            raise not_found("notification")
        messages = await notifications.messages(connection, tenant_id, notification_id)
        ids = [message.id for message in messages]
        attempts = await notifications.attempts(connection, tenant_id, ids) if ids else []
        entries = await timeline.of_notification(connection, tenant_id, notification_id, limit=MOST_ENTRIES + 1)
    return render(
        request,
        "notification.html",
        one=shown_in_full(row, messages, attempts),
        why=explained(row, ledger, entries, services.now()),
        entries=[(entry, summary(entry), remedy(entry.reason)) for entry in entries[:MOST_ENTRIES]],
        complete=len(entries) <= MOST_ENTRIES,
        choices=await choices_of(services, session, row.to_kind, row.to),
        workflow_url=workflow_url(services, row),
        outcome=OUTCOMES.get(outcome),
        may_send=may_send(session),
    )


def remedy(reason: str | None) -> str | None:
    """Returns what to do about a reason, where it is one of ours."""
    return REMEDIES[Reason(reason)] if reason in set(Reason) else None


def workflow_url(services: Services, row: Notification) -> str:
    """Returns where Temporal's pages show the run of a notification, or of the page that carried it."""
    name = keys.page_workflow(str(row.page_id)) if row.page_id else keys.notification_workflow(str(row.id))
    return run_url(services, name)


def may_send(session: Session) -> bool:
    """Tells whether the session may cancel and send again."""
    return session.may(Scope.NOTIFICATIONS_SEND)
