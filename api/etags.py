"""Versions of things (`ETag`), so that two people who change one at once do not undo each other unseen."""

from datetime import datetime
from typing import Annotated

from fastapi import Header

from api.problem_types import Kind
from api.problems import Problem

IfMatch = Annotated[
    str | None,
    Header(description="`ETag` of what you read; the change is refused when it is no longer that.", max_length=200),
]
IfNoneMatch = Annotated[str | None, Header(description="`*` creates only, and refuses to replace.", max_length=200)]


def etag(updated_at: datetime) -> str:
    """Returns the version of a row as an entity tag."""
    return f'"{int(updated_at.timestamp() * 1_000_000):x}"'


def check(if_match: str | None, updated_at: datetime | None) -> None:
    """Refuses a change whose `If-Match` names another version; `updated_at` is none for what does not exist."""
    if if_match is None:
        return
    tags = {tag.strip().removeprefix("W/") for tag in if_match.split(",")}
    if updated_at is None or ("*" not in tags and etag(updated_at) not in tags):
        raise Problem(Kind.PRECONDITION_FAILED, "It is no longer what `If-Match` names; read it again, then change it.")


def check_absent(if_none_match: str | None, updated_at: datetime | None) -> None:
    """Refuses to replace what exists when `If-None-Match: *` asks for creation."""
    if if_none_match is not None and if_none_match.strip() == "*" and updated_at is not None:
        raise Problem(Kind.PRECONDITION_FAILED, "It exists already; leave out `If-None-Match` to replace it.")
