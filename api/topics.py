"""Topics over HTTP: what messages are about, so that people can choose what they want to get."""

from typing import Annotated

from fastapi import Response

from api.audit import record
from api.auth import Principal, needs
from api.etags import IfMatch, IfNoneMatch, check, check_absent, etag
from api.openapi import problem_responses
from api.paging import PagingOf
from api.problem_types import Kind
from api.problems import Problem, not_found
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from api.topic_models import Topic, TopicBody, TopicName, TopicPage, shown
from db import topics

router = noun_router("/v1/topics", "Consent")

Reader = Annotated[Principal, needs(Scope.TEMPLATES_READ)]
Writer = Annotated[Principal, needs(Scope.TEMPLATES_WRITE)]


@router.put(
    "/{name}",
    summary="Create or replace a topic",
    responses={
        200: {"description": "The topic, replaced."},
        201: {"description": "The topic, created.", "model": Topic},
        **problem_responses(Kind.PRECONDITION_FAILED),
    },
)
async def put_topic(
    name: TopicName,
    body: TopicBody,
    principal: Writer,
    services: ServicesOf,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Topic:
    """Creates the topic or replaces what it says; it holds at once, also for messages that wait."""
    async with services.database.tenant(principal.tenant_id) as connection:
        before = await topics.get(connection, principal.tenant_id, name, lock=True)
        check(if_match, before.updated_at if before else None)
        check_absent(if_none_match, before.updated_at if before else None)
        said = body.settings()
        if before is not None and before.settings() == said:
            response.headers["ETag"] = etag(before.updated_at)
            return shown(before)
        row, is_new = await topics.put(connection, principal.tenant_id, name, said)
        await record(connection, principal, "topic.created" if is_new else "topic.replaced", name)
    if is_new:
        response.status_code = 201
        response.headers["Location"] = f"/v1/topics/{name}"
    response.headers["ETag"] = etag(row.updated_at)
    return shown(row)


@router.get("", summary="List topics")
async def list_topics(principal: Reader, services: ServicesOf, paging: PagingOf) -> TopicPage:
    """Returns topics, the newest first."""
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await topics.page(connection, principal.tenant_id, limit=paging.fetch, before=paging.before)
    return paging.page(TopicPage, rows, shown)


@router.get("/{name}", summary="Read a topic")
async def get_topic(name: TopicName, principal: Reader, services: ServicesOf, response: Response) -> Topic:
    """Returns a topic."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await topics.get(connection, principal.tenant_id, name)
    if row is None:
        raise not_found("topic")
    response.headers["ETag"] = etag(row.updated_at)
    return shown(row)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete a topic",
    responses=problem_responses(Kind.WRONG_STATE, Kind.PRECONDITION_FAILED),
)
async def delete_topic(name: TopicName, principal: Writer, services: ServicesOf, if_match: IfMatch = None) -> None:
    """Removes a topic that no template names; what people chose about it stays, should it come back."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await topics.get(connection, principal.tenant_id, name, lock=True)
        if row is None:
            raise not_found("topic")
        check(if_match, row.updated_at)
        if used := await topics.users(connection, principal.tenant_id, name):
            named = ", ".join(used)
            raise Problem(Kind.WRONG_STATE, f"Templates name this topic ({named}); let them name another one first.")
        await topics.remove(connection, principal.tenant_id, row.id)
        await record(connection, principal, "topic.deleted", name)
