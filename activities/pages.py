"""Pages: the first attempts of many notifications at once, with one read, one commit of claims, records in groups."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import structlog
from temporalio import activity

from activities import clock
from activities.delivery import Delivery, DeliveryPage
from activities.persistence import persist
from activities.resolution import Resolution, ResolutionPage
from crashpoints import crash_here
from db import pages
from db.errors import is_unavailable
from db.session import Database
from domain.notifications import Decision, Delivered, DeliveryOrder, Outcome, Plan
from domain.pages import PageInput, PageOutcome
from domain.progress import Progress
from domain.reasons import Reason
from domain.routing import decide
from domain.steps import Send

log = structlog.get_logger(__name__)

# A page whose members found no place asks again so often, in seconds, before it lets them go their own ways.
_PLACES = (0.05, 0.1, 0.2, 0.4, 0.8)


class Pages:
    """Makes first attempts; whatever needs more than one gets a workflow of its own, in the commit that shows it."""

    def __init__(self, database: Database, resolution: Resolution, delivery: Delivery) -> None:
        self._database = database
        self._resolution = resolution
        self._delivery = delivery

    @activity.defn(name="pages.deliver")
    async def deliver(self, page: PageInput) -> PageOutcome:
        """Makes the first attempts of a page's members; running it again is as safe as one attempt's is."""
        members = await persist(lambda: self._members(page))
        try:
            delivered = await self._attempt(page, members)
        except Exception as error:
            if is_unavailable(error):
                raise  # the database is away: nothing can be handed over either, the page is made again
            log.exception("page.handed_over", page_id=page.page_id, members=len(members))
            delivered = {}
        crash_here("after_page_attempts")
        closed = [name for name, told in delivered.items() if told.closed]
        unrecorded = tuple(told.unrecorded for told in delivered.values() if told.unrecorded is not None)
        left = [name for name in members if name not in delivered]
        if left:
            await persist(lambda: self._hand_over(page, left))
        return PageOutcome(closed=len(closed), handed_over=len(members) - len(closed), unrecorded=unrecorded)

    async def _members(self, page: PageInput) -> tuple[str, ...]:
        """Returns who is still the page's to attempt: a former execution may have come far."""
        tenant_id = UUID(page.tenant_id)
        async with self._database.tenant(tenant_id, kept=True) as connection:
            ids = [UUID(name) for name in page.notification_ids]
            mine = await pages.members(connection, tenant_id, UUID(page.page_id), ids)
        return tuple(name for name in page.notification_ids if UUID(name) in mine)

    async def _attempt(self, page: PageInput, members: tuple[str, ...]) -> Mapping[str, Delivered]:
        if not members:
            return {}
        asked = ResolutionPage(tenant_id=page.tenant_id, notification_ids=members)
        plans = dict(zip(members, await self._resolution.resolve(asked), strict=True))
        orders = [order for name, plan in plans.items() if (order := _first(page, name, plan)) is not None]
        delivered: dict[str, Delivered] = {}
        for pause in (*_PLACES, 0.0):
            answers = await self._deliver(page, orders)
            delivered |= {name: told for name, told in answers.items() if not _found_no_place(told)}
            orders = [order for order in orders if order.notification_id not in delivered]
            if not orders:
                break
            await asyncio.sleep(pause)
        return delivered

    async def _deliver(self, page: PageInput, orders: Sequence[DeliveryOrder]) -> dict[str, Delivered]:
        answers = await self._delivery.deliver(DeliveryPage(tenant_id=page.tenant_id, orders=tuple(orders)))
        return {order.notification_id: told for order, told in zip(orders, answers, strict=True)}

    async def _hand_over(self, page: PageInput, names: Sequence[str]) -> None:
        tenant_id = UUID(page.tenant_id)
        async with self._database.tenant(tenant_id, kept=True) as connection:
            await pages.hand_over(connection, tenant_id, UUID(page.page_id), [UUID(name) for name in names])


def _first(page: PageInput, notification_id: str, plan: Plan) -> DeliveryOrder | None:
    """Returns the first attempt of a plan, or None where something else comes first."""
    step = decide(plan, Progress(), clock.now())
    if not isinstance(step, Send):
        return None
    skipped = tuple(
        Decision(sequence=place, kind="skipped", reason=item.reason, channel=item.channel.value)
        for place, item in enumerate(plan.skipped, start=1)
    )
    return DeliveryOrder(
        tenant_id=page.tenant_id,
        notification_id=notification_id,
        hop=step.hop,
        number=step.number,
        closes=step.closes,
        page_id=page.page_id,
        decisions=skipped,
    )


def _found_no_place(told: Delivered) -> bool:
    return told.outcome is Outcome.HELD and told.reason is Reason.ACCOUNT_BUSY
