"""Keyset paging: newest first by UUIDv7, with a cursor that only this service can make."""

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from api.models import Shown
from api.problem_types import Kind
from api.problems import Problem
from api.services import ServicesOf
from sealing import KeyRing

Item = TypeVar("Item")
Row = TypeVar("Row")
SomePage = TypeVar("SomePage", bound="Page[Any]")

MOST = 200
_ID_BYTES = 16
_TAG_BYTES = 8


class Page(Shown, Generic[Item]):
    """One page of a list; `next_cursor` is null on the last one."""

    data: list[Item]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """Which page a request asks for.

    Attributes:
        limit: How many rows the page has at most.
        before: The id below which the page starts; none for the first page.
    """

    limit: int
    before: UUID | None
    _request: Request
    _response: Response
    _key_ring: KeyRing

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than shown tells whether another page follows."""
        return self.limit + 1

    def page(
        self,
        kind: type[SomePage],
        rows: Sequence[Row],
        show: Callable[[Row], Any],
        *,
        key: Callable[[Row], UUID] = lambda row: row.id,  # type: ignore[attr-defined]  # rows of tables have an id
    ) -> SomePage:
        """Returns the page for `rows` (read with `fetch`), and sets the `Link` header to the next one."""
        shown = rows[: self.limit]
        cursor = self._cursor(key(shown[-1])) if len(rows) > self.limit else None
        if cursor is not None:
            url = self._request.url.include_query_params(cursor=cursor, limit=self.limit)
            self._response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
        return kind(data=[show(row) for row in shown], next_cursor=cursor)

    def _cursor(self, last: UUID) -> str:
        tag = _tags(self._key_ring, self._request.url.path, last)[0]
        return base64.urlsafe_b64encode(last.bytes + tag).rstrip(b"=").decode()


async def paging(
    request: Request,
    response: Response,
    services: ServicesOf,
    limit: Annotated[int, Query(ge=1, le=MOST, description="Rows of a page.")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=64, description="`next_cursor` of the page before; none for the first page.")
    ] = None,
) -> Paging:
    """Returns which page the query asks for."""
    before = _before(services.key_ring, request.url.path, cursor) if cursor is not None else None
    return Paging(limit=limit, before=before, _request=request, _response=response, _key_ring=services.key_ring)


PagingOf = Annotated[Paging, Depends(paging)]


def _before(key_ring: KeyRing, path: str, cursor: str) -> UUID:
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except (binascii.Error, UnicodeEncodeError):
        raw = b""
    if len(raw) == _ID_BYTES + _TAG_BYTES:
        last = UUID(bytes=raw[:_ID_BYTES])
        if any(hmac.compare_digest(raw[_ID_BYTES:], tag) for tag in _tags(key_ring, path, last)):
            return last
    raise Problem(Kind.INVALID_CURSOR, "The cursor is not one that this list gave; start again without it.")


def _tags(key_ring: KeyRing, path: str, last: UUID) -> list[bytes]:
    """Returns the tag of a cursor under each key of the ring, so that cursors live through a rotation."""
    return [digest[:_TAG_BYTES] for digest in key_ring.digests(f"{path}|{last}", purpose="cursor")]
