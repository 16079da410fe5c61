"""Callbacks on their way into the database: those that come together are committed together, then answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from api import stop_replies
from crashpoints import crash_here
from db import callback_locks, callbacks, opt_outs, receipts, series_replies
from db.callbacks import NewCallback, NewInbound
from db.groups import Groups
from db.opt_outs import NewComplaint
from db.receipts import NewReceipt
from db.session import Database

_WRITERS = 4
"""Transactions of one tenant at once: a callback about a notification that is locked holds up one of them."""
_PATIENCE = 10.0
"""Seconds; a provider comes again with what was not answered."""
_HEAVY_EVENTS, _HEAVY_BYTES = 10, 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A callback with everything it tells."""

    callback: NewCallback
    inbound: tuple[NewInbound, ...] = ()
    receipts: tuple[NewReceipt, ...] = ()
    complaints: tuple[NewComplaint, ...] = ()

    @property
    def weight(self) -> int:
        """For how many small callbacks it counts."""
        return 1 + len(self.receipts) // _HEAVY_EVENTS + len(self.callback.body) // _HEAVY_BYTES


def callback_groups(database: Database) -> Groups[Heard, bool]:
    """Returns the writer of callbacks; it tells of each whether it is new."""

    async def store(tenant_id: UUID, group: Sequence[Heard]) -> list[bool]:
        async with database.tenant(tenant_id, kept=True) as connection:
            new = await callbacks.keep(connection, tenant_id, [heard.callback for heard in group])
            fresh = [heard for heard in group if heard.callback.id in new]
            inbound = [item for heard in fresh for item in heard.inbound]
            new_inbound = await callbacks.add_inbound(connection, tenant_id, inbound)
            told = [item for heard in fresh for item in heard.receipts]
            complaints = [item for heard in fresh for item in heard.complaints]
            stored = await receipts.store(connection, tenant_id, told)
            taken = {match.notification_id for item, match in stored.news if not item.status.is_failure}
            proven = {item.provider_message_id: match.message_id for item, match in stored.news}
            understood = await series_replies.understand(connection, tenant_id, new_inbound, taken=taken, proven=proven)
            # All that the group will change, in one order, before anything of it is changed: groups cross each other.
            await callback_locks.lock(connection, tenant_id, stored.news, understood)
            await opt_outs.lock(
                connection, tenant_id, refusals=receipts.refusals_of(stored.news), complaints=complaints,
                authors=stop_replies.authors(new_inbound),
            )  # fmt: skip
            await receipts.apply(connection, tenant_id, stored.news)
            await opt_outs.complained(connection, tenant_id, complaints)
            await stop_replies.heed(connection, tenant_id, new_inbound)
            await series_replies.pass_on(connection, tenant_id, understood)
            crash_here("before_callback_commit")
        crash_here("after_callback_commit")
        return [heard.callback.id in new for heard in group]

    return Groups(store, name="callbacks", writers=_WRITERS, weight=lambda heard: heard.weight, patience=_PATIENCE)
