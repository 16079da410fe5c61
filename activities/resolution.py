"""Resolution: from a notification's ids to the plan of its delivery."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from temporalio import activity

from activities import clock
from activities.planning import make_plan
from crashpoints import crash_here
from db import circuits, resolution
from db.session import Database
from domain.circuits import Admission, admit
from domain.notifications import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionPage:
    """Notifications of one tenant to make plans for."""

    tenant_id: str
    notification_ids: tuple[str, ...]


class Resolution:
    """Makes plans from what the database holds at this moment."""

    def __init__(self, database: Database, quarantines: Mapping[str, float]) -> None:
        self._database = database
        self._quarantines = quarantines

    @activity.defn(name="resolution.resolve")
    async def resolve(self, page: ResolutionPage) -> list[Plan]:
        """Returns the plan of each notification, in the order asked for."""
        tenant_id = UUID(page.tenant_id)
        ids = [UUID(name) for name in page.notification_ids]
        async with self._database.tenant(tenant_id, kept=True) as connection:
            wanted = await resolution.read_wanted(connection, tenant_id, ids)
            senders = [found.sender for found in wanted.values() if found.sender is not None]
            accounts = await resolution.read_accounts(connection, tenant_id, senders)
            troubled = await circuits.not_closed(connection, tenant_id)
        crash_here("after_resolve")
        now = clock.now()
        held = {subject for subject, circuit in troubled.items() if admit(circuit, now) is Admission.HOLD}
        return [make_plan(wanted[name], accounts, self._quarantines, now, held) for name in ids]
