"""Rows of the tenant matrix for templates, uploads, notifications and timelines; `matrix_rows.py` says how."""

from uuid import UUID

from domain.notifications import Outcome
from sealing import KeyRing
from tests import factories
from tests.api import deliveries, sending
from tests.api.matrix_rows import Call, Row, World, fixed, made

_TEMPLATE = {"name": "hello"}
_PUBLISHED = {"name": "hello", "number": "1"}


async def _template(world: World) -> Call:
    await sending.publish(world.owner)
    return Call(path=_TEMPLATE)


async def _listed_template(world: World) -> Call:
    await sending.publish(world.owner)
    return Call(foreign=200, secret=("hello",))


async def _changed_template(world: World) -> Call:
    await sending.publish(world.owner)
    return Call(path=_TEMPLATE, json={"description": "mine"})


async def _new_version(world: World) -> Call:
    await sending.publish(world.owner)
    content = {"parts": [sending.EMAIL], "variables": [sending.NAME]}
    return Call(path=_TEMPLATE, json=content)


async def _version(world: World) -> Call:
    await sending.publish(world.owner)
    return Call(path=_PUBLISHED)


async def _compared(world: World) -> Call:
    await sending.publish(world.owner)
    await sending.add_version(world.owner, sending.EMAIL)
    return Call(path=_TEMPLATE, query={"from": "1", "to": "2"})


async def _previewed(world: World) -> Call:
    await sending.publish(world.owner)
    return Call(path=_TEMPLATE, json={"channel": "sms"})


async def _tested(world: World) -> Call:
    await sending.publish(world.owner)
    return Call(path=_TEMPLATE, json={"to": {"phone": "+919876543210"}})


async def _sent(world: World) -> Call:
    await sending.publish(world.owner)
    return Call(json=sending.BODY, headers={"Idempotency-Key": "k"}, foreign=422)


async def _sent_many(world: World) -> Call:
    await sending.publish(world.owner)
    items = [sending.BODY | {"idempotency_key": "k"}]
    return Call(json={"items": items}, foreign=200)


async def _notification(world: World) -> Call:
    await sending.publish(world.owner)
    return Call(path={"notification_id": str(await sending.send(world.owner))})


async def _listed_notification(world: World) -> Call:
    call = await _notification(world)
    return Call(foreign=200, secret=(call.path["notification_id"], "+919876543210"))


async def _cancelled_key(world: World) -> Call:
    await sending.publish(world.owner)
    name = await sending.send(world.owner, "k")
    return Call(json={"idempotency_key": "k"}, foreign=200, secret=(str(name),))


async def _resent(world: World) -> Call:
    call = await _notification(world)
    await made(world.owner, "POST", f"/v1/notifications/{call.path['notification_id']}/cancel")
    return Call(path=call.path, headers={"Idempotency-Key": "again"})


async def _doubtful(world: World) -> Call:
    call = await _notification(world)
    account_id = await factories.make_account(
        world.database, world.tenant_id, KeyRing({"test": b"k" * 32}), provider="sandbox", channel="sms", config={}
    )
    asked = deliveries.order(world.tenant_id, UUID(call.path["notification_id"]), account_id)
    await deliveries.attempt(world.database, world.tenant_id, asked, Outcome.UNKNOWN)
    return Call(path=call.path, json={"outcome": "sent", "reason": "asked them"})


async def _resource(world: World) -> Call:
    await sending.publish(world.owner)
    name = await sending.send(world.owner, resource={"type": "invoice", "id": "7"})
    return Call(path={"resource_type": "invoice", "resource_id": "7"}, foreign=200, secret=(str(name),))


async def _upload(world: World) -> Call:
    stored = await made(world.owner, "POST", "/v1/uploads", files={"file": ("a.txt", b"hello", "text/plain")})
    return Call(path={"upload_id": stored["id"]})


_FORM = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
    b"hello\r\n--x--\r\n"
)

SENDING_ROWS: dict[str, Row] = {
    "create_template": fixed(json={"name": "fresh"}, foreign=201),
    "list_templates": _listed_template,
    "get_template": _template,
    "change_template": _changed_template,
    "add_version": _new_version,
    "list_versions": _template,
    "get_version": _version,
    "publish_version": _version,
    "compare_versions": _compared,
    "preview_template": _previewed,
    "check_flow": fixed(json={"definition": "name: a"}, foreign=200),
    "preview_flow": fixed(json={"definition": "name: a\nsteps:\n- send: a"}, foreign=200),
    "send_test": _tested,
    "send_notification": _sent,
    "send_notifications": _sent_many,
    "list_notifications": _listed_notification,
    "get_notification": _notification,
    "get_notification_timeline": _notification,
    "explain_notification": _notification,
    "get_resource_timeline": _resource,
    "cancel_notification": _notification,
    "cancel_by_key": _cancelled_key,
    "resend_notification": _resent,
    "settle_notification": _doubtful,
    "create_upload": fixed(content=_FORM, headers={"Content-Type": "multipart/form-data; boundary=x"}, foreign=201),
    "get_upload": _upload,
    "delete_upload": _upload,
}
