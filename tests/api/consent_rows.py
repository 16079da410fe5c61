"""The rows of the tenant matrix for topics, consents and links to change them."""

from tests.api.matrix_rows import Call, Row, World, made

_NEWS = {"titles": {"en": "News"}, "description": "our own secret news"}
_CHOICE = {"choices": [{"topic": "news", "channel": "email", "state": "denied"}]}


async def _topic(world: World) -> Call:
    await made(world.owner, "PUT", "/v1/topics/news", json=_NEWS)
    return Call(path={"name": "news"}, secret=("secret news",))


async def _put_topic(world: World) -> Call:
    return Call(path=(await _topic(world)).path, json={}, foreign=201, secret=("secret news",))


async def _listed_topic(world: World) -> Call:
    return Call(foreign=200, secret=(await _topic(world)).secret)


async def _deleted_topic(world: World) -> Call:
    return Call(path=(await _topic(world)).path)


async def _recipient(world: World) -> Call:
    await _topic(world)
    body = {"name": "Asha", "addresses": [{"kind": "email", "value": "asha@example.com"}]}
    await made(world.owner, "PUT", "/v1/recipients/asha", json=body)
    return Call(path={"external_id": "asha"})


async def _chosen(world: World) -> Call:
    call = await _recipient(world)
    await made(world.owner, "PUT", "/v1/recipients/asha/consents", json=_CHOICE)
    return call


async def _choosing(world: World) -> Call:
    return Call(path=(await _recipient(world)).path, json=_CHOICE)


async def _asking(world: World) -> Call:
    call = await _recipient(world)
    await made(world.owner, "POST", "/v1/templates", json={"name": "confirm"})
    part = {"channel": "email", "locale": "default", "content": {"subject": "Yes?", "text": "{{ confirm_url }}"}}
    await made(world.owner, "POST", "/v1/templates/confirm/versions", json={"parts": [part]})
    await made(world.owner, "POST", "/v1/templates/confirm/versions/1/publish")
    body = {"topic": "news", "double_opt_in": {"template": "confirm", "channel": "email"}}
    return Call(path=call.path, json=body)


async def _linked(world: World) -> Call:
    return Call(path=(await _recipient(world)).path, json={})


async def _suppressed(world: World) -> Call:
    body = {"kind": "email", "value": "silent@example.com", "note": "asked on the phone"}
    one = await made(world.owner, "POST", "/v1/suppressions", json=body)
    return Call(path={"suppression_id": one["id"]}, secret=("silent@example.com",))


async def _lifted(world: World) -> Call:
    return Call(path=(await _suppressed(world)).path, query={"reason": "a mistake"})


async def _listed_suppressions(world: World) -> Call:
    return Call(foreign=200, secret=(await _suppressed(world)).secret)


async def _suppressing(world: World) -> Call:
    await _suppressed(world)
    return Call(json={"kind": "email", "value": "silent@example.com", "note": "ours"}, foreign=201)


CONSENT_ROWS: dict[str, Row] = {
    "list_suppressions": _listed_suppressions,
    "add_suppression": _suppressing,
    "get_suppression": _suppressed,
    "lift_suppression": _lifted,
    "put_topic": _put_topic,
    "list_topics": _listed_topic,
    "get_topic": _topic,
    "delete_topic": _deleted_topic,
    "get_consents": _chosen,
    "put_consents": _choosing,
    "list_consent_history": _chosen,
    "make_preference_link": _linked,
    "ask_for_consent": _asking,
}
