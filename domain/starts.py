"""What the dispatcher starts a notification's workflow with: ids and times, nothing personal."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

STARTING = ("send_at", "expires_at", "template", "resource_type", "resource_id", "trigger_type", "channels")
"""What of a notification's row goes into its start."""


def notification_start(
    tenant_id: UUID,
    notification_id: UUID,
    *,
    send_at: datetime | None,
    expires_at: datetime | None,
    template: str,
    resource_type: str | None,
    resource_id: str | None,
    trigger_type: str | None,
    channels: Sequence[str] | None,
) -> dict[str, Any]:
    """Returns the payload of the outbox row, the same whenever it is made."""
    return {
        "workflow": "notification",
        "input": {
            "tenant_id": str(tenant_id),
            "notification_id": str(notification_id),
            "send_at": send_at.isoformat() if send_at else None,
            "expires_at": expires_at.isoformat() if expires_at else None,
        },
        "template": template,
        "resource": f"{resource_type}/{resource_id}" if resource_type else None,
        "trigger": trigger_type,
        "channel": channels[0] if channels else None,
    }
