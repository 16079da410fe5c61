"""The activities that the workflow of a notification calls, each with its time-out and the words that people see."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.delivery import Delivery, DeliveryPage
    from activities.parking import Parking
    from activities.records import Records
    from activities.resolution import Resolution, ResolutionPage
    from domain.notifications import (
        AttemptRecord,
        Decision,
        Delivered,
        DeliveryOrder,
        Ending,
        NotificationInput,
        ParkOrder,
        Plan,
    )
    from domain.status import Status
    from workflows.options import DATABASE_TIMEOUT, DELIVERY_TIMEOUT, PATIENT


async def resolve(order: NotificationInput, summary: str) -> Plan:
    """Returns the plan of a notification as things are now."""
    page = ResolutionPage(tenant_id=order.tenant_id, notification_ids=(order.notification_id,))
    plans = await workflow.execute_local_activity_method(
        Resolution.resolve,
        page,
        start_to_close_timeout=DATABASE_TIMEOUT,
        retry_policy=PATIENT,
        summary=summary,
    )
    return plans[0]


async def deliver(order: DeliveryOrder) -> Delivered:
    """Returns what came of one attempt."""
    results = await workflow.execute_local_activity_method(
        Delivery.deliver,
        DeliveryPage(tenant_id=order.tenant_id, orders=(order,)),
        start_to_close_timeout=DELIVERY_TIMEOUT,
        retry_policy=PATIENT,
        summary=f"{order.hop.channel.value} by {order.hop.provider}, attempt {order.number}",
    )
    return results[0]


async def record(unrecorded: AttemptRecord) -> Delivered:
    """Records an attempt that the database could not take right away."""
    return await workflow.execute_activity_method(
        Delivery.record,
        unrecorded,
        start_to_close_timeout=DATABASE_TIMEOUT,
        retry_policy=PATIENT,
        summary="record what the database could not take",
    )


async def park(order: ParkOrder) -> bool:
    """Parks a notification, and tells whether it was still open."""
    return await workflow.execute_local_activity_method(
        Parking.park,
        order,
        start_to_close_timeout=DATABASE_TIMEOUT,
        retry_policy=PATIENT,
        summary=f"park: {order.cause.value}",
    )


async def unpark(order: NotificationInput, decisions: tuple[Decision, ...]) -> None:
    """Lets a parked notification go on."""
    await workflow.execute_local_activity_method(
        Parking.unpark,
        args=[order.tenant_id, order.notification_id, decisions],
        start_to_close_timeout=DATABASE_TIMEOUT,
        retry_policy=PATIENT,
        summary="go on",
    )


async def statuses(order: NotificationInput) -> list[Status | None]:
    """Returns where the messages of a notification stand, one per hop."""
    return await workflow.execute_local_activity_method(
        Records.statuses,
        args=[order.tenant_id, order.notification_id],
        start_to_close_timeout=DATABASE_TIMEOUT,
        retry_policy=PATIENT,
        summary="read what receipts said",
    )


async def end(ending: Ending) -> Status:
    """Ends a notification, and returns the status that it ended with."""
    return await workflow.execute_local_activity_method(
        Records.end,
        ending,
        start_to_close_timeout=DATABASE_TIMEOUT,
        retry_policy=PATIENT,
        summary=f"end as {ending.status.value}",
    )
